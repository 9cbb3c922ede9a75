"""How an index grows from 1,000 to 100,000 articles: its size, the time to derive it, query time, memory.

Usage: python -m benchmarks.scale [--sizes 1000,5000,20000,100000] [--queries 200] [--rounds 3]
       [--scratch DIR] [--resume] [--plot FILE.svg | --plot-only FILE.svg] [--json FILE]

Articles and vectors are generated (benchmarks/generated.py) and written through Concord's own store; nothing is encoded
but queries. Both indexes are derived from the store with `concord rebuild`, timed with its peak memory, and asked as in
`benchmarks.query`, in a process of its own kept to one core. The result is written after every row; with --resume those
that are there are not measured again. Stores of 100,000 articles take 1 GB below --scratch.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.generated import articles, vectors_around
from benchmarks.machine import introduce
from benchmarks.query import ask_apart
from benchmarks.report import RESULTS, SAMPLE, concord, environment, in_words, options, save
from indexer.generations.manifest import current_generation, generation_folder, read_current
from indexer.store.database import STORE_FILE, Store

BLOCK = 1000


def sample_index(scratch: Path) -> Path:
    """An index of the sample archive: the encoder and the vectors of real passages come from it."""
    folder = scratch / "sample"
    if not (folder / "CURRENT").exists():
        command = concord("index", SAMPLE, "--index-dir", folder)
        subprocess.run(command, check=True, env=environment(), stdout=sys.stderr)
    return folder


def write_store(folder: Path, sample: Path, count: int) -> None:
    """A store of generated articles, as an indexing run would leave it before it derives the indexes."""
    recipe = read_current(sample).recipe
    source = Store(sample)
    blocks = source.vectors(source.docs(current_generation(sample)), recipe.encoder.dimension)
    bases = np.concatenate([block for _, _, block in blocks])
    source.close()
    folder.mkdir(parents=True)
    shutil.copytree(sample / "encoders", folder / "encoders")
    rng = np.random.default_rng(count)
    store = Store(folder, writable=True)
    store.note_recipe(recipe.to_json())
    made = articles(count)
    for first in range(0, count, BLOCK):
        with store.transaction():
            for _, (article, passages) in zip(range(min(BLOCK, count - first)), made, strict=False):
                store.add(article, passages, vectors_around(bases, len(passages), rng), 1)
    store.close()


def derive(folder: Path) -> dict[str, Any]:
    """Both indexes from the store, as `concord rebuild` makes them: seconds, peak memory, and their sizes."""
    command = concord("rebuild", "--index-dir", folder)
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment(), stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}.")
    generation = generation_folder(folder, current_generation(folder))
    sizes = {part: _bytes(generation / part) for part in ("lexical", "vectors")}
    return {
        "derive_seconds": round(time.perf_counter() - started, 1),
        "derive_peak_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "bytes": {"store": (folder / STORE_FILE).stat().st_size, **sizes},
    }


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Query time, memory and size over the number of articles, one line for each engine."""
    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        raise SystemExit("Plots need matplotlib: pip install matplotlib.") from None
    mpl.use("svg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "concord"
    figure, (times, memory, sizes) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    for engine in dict.fromkeys(row["lexical"] for row in rows):
        mine = sorted((row for row in rows if row["lexical"] == engine), key=lambda row: int(row["articles"]))
        counts = [row["articles"] for row in mine]
        (line,) = times.plot(counts, [row["median_ms"]["median"] for row in mine], "o-", label=f"{engine}, median")
        tail = [row["p95_ms"]["median"] for row in mine]
        times.plot(counts, tail, "o--", color=line.get_color(), label=f"{engine}, 95th percentile")
        memory.plot(counts, [row["resident_bytes"]["afterwards"] / 1e6 for row in mine], "o-", label=engine)
        sizes.plot(counts, [row["bytes"]["lexical"] / 1e6 for row in mine], "o-", label=f"{engine} index")
    first = sorted({row["articles"]: row["bytes"] for row in rows}.items())
    for part in ("vectors", "store"):
        sizes.plot([count for count, _ in first], [found[part] / 1e6 for _, found in first], "s:", label=part)
    for axes, label in ((times, "one query, ms"), (memory, "memory of the process, MB"), (sizes, "on disk, MB")):
        axes.set(xscale="log", xlabel="articles", ylabel=label)
        axes.grid(visible=True, which="major", alpha=0.3)
        axes.legend(fontsize="small")
    sizes.set(yscale="log")
    times.set(ylim=(0, None))
    memory.set(ylim=(0, None))
    figure.savefig(path, metadata={"Date": None})
    print(f"Drawn to {path}.")


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Measure, print and draw."""
    parser = options(__doc__, archive=False)
    parser.add_argument("--sizes", default="1000,5000,20000,100000")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scratch", type=Path, help="A folder to keep the indexes in.")
    parser.add_argument("--resume", action="store_true", help="Keep the rows that the result has already.")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--plot-only", type=Path)
    given = parser.parse_args()
    machine = introduce()
    out = given.out or RESULTS / "scale.json"
    before = json.loads(out.read_text("utf-8"))["rows"] if (given.resume or given.plot_only) and out.exists() else []
    if given.plot_only:
        plot(before, given.plot_only)
        return
    done = {row["articles"] for row in before}
    with tempfile.TemporaryDirectory() as name:
        scratch = given.scratch or Path(name)
        for size in map(int, given.sizes.split(",")):
            folder = scratch / f"generated-{size}"
            if size in done:
                continue
            if not folder.exists():
                draft = scratch / "draft"
                shutil.rmtree(draft, ignore_errors=True)
                write_store(draft, sample_index(scratch), size)
                draft.rename(folder)
            row = {**derive(folder), **ask_apart(folder, given.queries, given.rounds)}
            before.append(row)
            print(
                f"{size:>9,} articles, {row['passages']:,} passages: derived in "
                f"{row['derive_seconds']} s, query median {in_words(row['median_ms'], 'ms')}, "
                f"95th percentile {in_words(row['p95_ms'], 'ms')}, "
                f"{row['resident_bytes']['afterwards'] / 1e6:.0f} MB"
            )
            save("scale", {"machine": machine, "rows": before}, out)
            if not given.scratch:
                shutil.rmtree(folder, ignore_errors=True)
    if given.plot:
        plot(before, given.plot)


if __name__ == "__main__":
    main()
