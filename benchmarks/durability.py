"""What being safe costs: comparing checksums on opening, a check, a backup, and putting it back.

    python -m benchmarks.durability INDEX_DIR [--rounds 3] [--output benchmarks/results/durability.json]

INDEX_DIR is only read; backups and restored indexes go to a temporary folder beside it and are removed.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from indexer.backup import backup, restore
from indexer.checking import check_index
from indexer.checksums import check_folder
from indexer.manifest import encoder_folder, generation_folder, read_current
from search_app.engine import SearchEngine


def main() -> None:
    """Measure, print, and write the result where it was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index_dir", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    index_dir: Path = arguments.index_dir
    manifest = read_current(index_dir)
    folder = generation_folder(index_dir, manifest.generation)

    def timed(act: Callable[[int], object]) -> dict[str, float]:
        seconds = []
        for number in range(arguments.rounds):
            start = time.perf_counter()
            act(number)
            seconds.append(time.perf_counter() - start)
        return {
            "median": round(statistics.median(seconds), 4),
            "least": round(min(seconds), 4),
            "most": round(max(seconds), 4),
        }

    with tempfile.TemporaryDirectory(dir=index_dir.absolute().parent) as place:
        work = Path(place)
        seconds = {
            "checksums of the derived files": timed(lambda _: manifest.check_files(folder)),
            "checksums of the encoder": timed(lambda _: check_folder(encoder_folder(index_dir, manifest.encoder))),
            "opening, checksums included": timed(lambda _: SearchEngine.open(index_dir).close()),
            "check": timed(lambda _: check_index(index_dir)),
            "backup": timed(lambda number: backup(index_dir, work / f"{number}.concord")),
            "restore": timed(lambda number: restore(work / f"{number}.concord", work / f"restored-{number}")),
        }
        size = (work / "0.concord").stat().st_size
    result = {
        "command": f"python -m benchmarks.durability INDEX_DIR --rounds {arguments.rounds}",
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "articles": manifest.articles,
        "passages": manifest.passages,
        "derived_bytes": sum(entry.size for entry in manifest.files.values()),
        "backup_bytes": size,
        "seconds": seconds,
    }
    print(json.dumps(result, indent=2))
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
