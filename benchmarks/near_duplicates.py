"""What finding near-duplicates costs at indexing, and what folding, freshness and diversity cost a query.

Usage: python -m benchmarks.near_duplicates [--articles FILE | --index-dir DIR] [--queries 200] [--json FILE]

Seconds are of the processor, from the store: all articles at once, and one article added to the rest. Queries are those
of `benchmarks.query`; 'arranging' is everything that happens to a ranking between fusion and snippets.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import introduce
from benchmarks.report import headlines, index_of, options, save
from indexer.generations.manifest import current_generation
from indexer.generations.near_duplicate_groups import NearDuplicates
from indexer.generations.near_duplicates import Sketches, update_near_duplicates
from indexer.store.database import Store


def finding(index_dir: Path, scratch: Path) -> dict[str, Any]:
    """The near-duplicates of an archive, found at once and with one article added last."""
    store = Store(index_dir)
    docs = np.array(store.docs(current_generation(index_dir)), np.int64)
    folders = [scratch / name for name in ("all", "rest", "added")]
    for folder in folders:
        folder.mkdir()
    whole, rest, added = folders
    seconds = []
    for folder, previous, some, fresh in (
        (whole, None, docs, docs),
        (rest, None, docs[:-1], docs[:-1]),
        (added, rest, docs, docs[-1:]),
    ):
        started = time.process_time()
        sketches = Sketches()
        for _ in sketches.noting(store.articles(fresh.tolist())):
            pass
        update_near_duplicates(folder, previous, docs=some, added=sketches, articles=store.articles)
        seconds.append(time.process_time() - started)
    found, grown = NearDuplicates.load(whole), NearDuplicates.load(added)
    sizes = np.bincount(found.groups)
    return {
        "articles": len(docs),
        "seconds_all": round(seconds[0], 2),
        "seconds_one_added": round(seconds[2], 3),
        "same_groups": bool((found.groups == grown.groups).all()),
        "pairs": len(found.pairs),
        "groups": int((sizes > 1).sum()),
        "articles_in_groups": int(sizes[sizes > 1].sum()),
        "largest_group": int(sizes.max()),
        "bytes": sum(path.stat().st_size for path in whole.iterdir()),
    }


def arranging(index_dir: Path, count: int) -> list[dict[str, Any]]:
    """Milliseconds of arranging a query's answer, and what it changes."""
    from search_app.engine import SearchEngine
    from search_app.stages import measured

    engine = SearchEngine.open(index_dir)
    queries = headlines(index_dir, count)
    newest = engine.status().newest
    rows = []
    plain: list[list[str]] = []
    for name, asked in (
        ("not folded", {"fold": False}),
        ("default", {}),
        ("half_life=30", {"half_life": 30.0, "as_of": newest}),
        ("diversify", {"diversify": True}),
    ):
        times, pages, folded = [], [], 0
        for turn in range(2):
            for query in queries:
                with measured() as stages:
                    results = engine.search(query, **asked)
                if turn:
                    times.append(1000 * stages.seconds["arranging"])
                    pages.append([hit.article.id for hit in results])
                    folded += sum(hit.similar.count for hit in results)
        plain = pages if name == "default" else plain
        rows.append(
            {
                "setting": name,
                "queries": len(queries),
                "median_ms": round(statistics.median(times), 3),
                "p95_ms": round(sorted(times)[int(0.95 * len(times))], 3),
                "folded_on_first_pages": folded,
                "first_pages_unlike_default": sum(map(list.__ne__, pages, plain)) if plain else None,
            }
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = options(__doc__)
    parser.add_argument("--queries", type=int, default=200)
    given = parser.parse_args()
    machine = introduce()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        folder = index_of(given, scratch)
        found, rows = finding(folder, scratch), arranging(folder, given.queries)
    for row in (found, *rows):
        print(", ".join(f"{key} {value}" for key, value in row.items()))
    save("near_duplicates", {"machine": machine, "found": found, "queries": rows}, given.out)


if __name__ == "__main__":
    main()
