"""What being safe costs: comparing checksums on opening, a check, a backup, and putting it back.

Usage: python -m benchmarks.durability [--articles FILE | --index-dir DIR] [--rounds 3] [--json FILE]

The index is only read; backups and restored indexes go to a temporary folder beside it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.machine import introduce
from benchmarks.report import in_words, index_of, options, save, spread
from indexer.encoders.carried import encoder_folder
from indexer.generations.backup import backup, restore
from indexer.generations.checking import check_index
from indexer.generations.manifest import generation_folder, read_current
from indexer.system.checksums import check_folder
from search_app.engine import SearchEngine


def measured(index_dir: Path, rounds: int, work: Path) -> dict[str, Any]:
    """Seconds of each act on an index, and the sizes that they depend on."""
    manifest = read_current(index_dir)
    folder = generation_folder(index_dir, manifest.generation)

    def timed(act: Callable[[int], object]) -> dict[str, float]:
        seconds = []
        for number in range(rounds):
            start = time.perf_counter()
            act(number)
            seconds.append(time.perf_counter() - start)
        return spread(seconds, 4)

    seconds = {
        "checksums of the derived files": timed(lambda _: manifest.check_files(folder)),
        "checksums of the encoder": timed(lambda _: check_folder(encoder_folder(index_dir, manifest.encoder))),
        "opening, checksums included": timed(lambda _: SearchEngine.open(index_dir).close()),
        "check": timed(lambda _: check_index(index_dir)),
        "backup": timed(lambda number: backup(index_dir, work / f"{number}.concord")),
        "restore": timed(lambda number: restore(work / f"{number}.concord", work / f"restored-{number}")),
    }
    return {
        "articles": manifest.articles,
        "passages": manifest.passages,
        "derived_bytes": sum(entry.size for entry in manifest.files.values()),
        "backup_bytes": (work / "0.concord").stat().st_size,
        "seconds": seconds,
    }


def main() -> None:
    """Measure and print."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    machine = introduce()
    # On the disk that the index is on: elsewhere may be memory.
    with tempfile.TemporaryDirectory(dir=given.index_dir.absolute().parent if given.index_dir else None) as name:
        work = Path(name)
        found = measured(index_of(given, work), given.rounds, work)
    for act, row in found["seconds"].items():
        print(f"{act:32} {in_words(row, 's')}")
    save("durability", {"machine": machine, **found}, given.out)


if __name__ == "__main__":
    main()
