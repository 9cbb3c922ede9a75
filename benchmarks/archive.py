"""Index an archive and time headline queries against it, end to end.

Usage: python -m benchmarks.archive SOURCE [--index-dir DIR] [--queries 200] [--json FILE]

Indexing is timed as the user sees it (`concord index` in a process of its own, with its peak memory); an index that is
there already is brought up to date, which times the incremental run instead. Queries are titles of articles of the
archive, evenly spread, through SearchEngine.search with its defaults, one thread, warm; everything is counted: parsing,
encoding, both rankings, fusion, snippets, highlights. Three rounds; the medians of their medians are given.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from indexer.manifest import current_generation
from indexer.store import Store
from search_app import SearchEngine

ROUNDS = 3


def index(source: str, index_dir: Path) -> dict[str, Any]:
    """Run `concord index` and report what it says, with wall time and peak memory."""
    command = [sys.executable, "-m", "search_app.cli", "index", source, "--index-dir", str(index_dir), "--json"]
    started = time.perf_counter()
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds = time.perf_counter() - started
    report = json.loads(run.stdout)
    report["skipped"] = len(report["skipped"])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return {
        **report,
        "wall_seconds": round(seconds, 1),
        "articles_per_second": round((report["added"] + report["updated"]) / seconds, 1),
        "passages_per_second": round(report["passages_encoded"] / seconds, 1),
        "peak_bytes": peak,
    }


def titles(index_dir: Path, count: int) -> list[str]:
    """`count` titles of the archive, evenly spread over it."""
    store = Store(index_dir)
    docs = store.docs(current_generation(index_dir))
    chosen = docs[:: max(1, len(docs) // count)][:count]
    found = [article.title for _, article in store.articles(chosen)]
    store.close()
    return found


def query(index_dir: Path, count: int) -> dict[str, Any]:
    """Milliseconds of headline queries."""
    engine = SearchEngine.open(index_dir)
    engine.warm_up()
    headlines = titles(index_dir, count)
    rounds: list[list[float]] = []
    for _ in range(ROUNDS):
        times = []
        for headline in headlines:
            started = time.perf_counter()
            engine.search(headline)
            times.append((time.perf_counter() - started) * 1000)
        rounds.append(sorted(times))
    medians = [statistics.median(times) for times in rounds]
    tails = [times[int(0.95 * len(times))] for times in rounds]
    return {
        "queries": len(headlines),
        "median_ms": round(statistics.median(medians), 1),
        "p95_ms": round(statistics.median(tails), 1),
        "median_ms_spread": [round(min(medians), 1), round(max(medians), 1)],
        "p95_ms_spread": [round(min(tails), 1), round(max(tails), 1)],
        "index_bytes": engine.status().size_bytes,
    }


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("source")
    arguments.add_argument("--index-dir", type=Path)
    arguments.add_argument("--queries", type=int, default=200)
    arguments.add_argument("--json", dest="out", type=Path)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.index_dir or Path(scratch)
        found = {
            "command": "python -m benchmarks.archive " + " ".join(Path(word).name for word in sys.argv[1:]),
            "machine": describe(),
            "indexing": index(given.source, folder),
            "searching": query(folder, given.queries),
        }
    text = json.dumps(found, indent=2)
    print(text)
    if given.out:
        given.out.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
