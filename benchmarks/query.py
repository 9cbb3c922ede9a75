"""How long a warm hybrid query takes, everything counted, and where the time goes.

Usage: python -m benchmarks.query [--articles FILE | --index-dir DIR] [--queries 300] [--rounds 3] [--json FILE]

Queries are beginnings of titles of the archive, 2 to 10 words, evenly spread over it, through SearchEngine.search with
its defaults: parsing, encoding, both rankings, fusion, filters, snippets, highlights. The process is kept to one core.
The first round meets every word for the first time and is given by itself; then come the warm rounds. The processor's
time is given beside that of the wall; it says more on a machine that has other work.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.machine import introduce, keep_to_cores, resident_bytes
from benchmarks.report import environment, in_words, index_of, options, over_rounds, save, titled


def ask(index_dir: Path, count: int, rounds: int) -> dict[str, Any]:
    """The figures of one index; a warm-up and a first round go before the rounds that count."""
    from search_app.engine import SearchEngine
    from search_app.stages import measured

    keep_to_cores(1)
    queries = titled(index_dir, count)
    engine = SearchEngine.open(index_dir)
    engine.warm_up()
    at_rest = resident_bytes()
    times: list[list[float]] = []
    processor: list[float] = []
    own = {"first": 0, "in_ten": 0}
    stages: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds + 1):
        times.append([])
        for query, wanted in queries:
            started, spent = time.perf_counter(), time.process_time()
            with measured() as marked:
                results = engine.search(query)
            times[-1].append(time.perf_counter() - started)
            if number == 0:
                found = [hit.article.id for hit in results]
                own["first"] += found[:1] == [wanted]
                own["in_ten"] += wanted in found
            else:
                processor.append(time.process_time() - spent)
                marked.seconds["everything else"] = times[-1][-1] - sum(marked.seconds.values())
                for name, seconds in marked.seconds.items():
                    stages[name].append(seconds)
    status = engine.status()
    return {
        "lexical": status.lexical,
        "query_encoder": status.query_encoder,
        "articles": status.articles,
        "passages": status.passages,
        "queries": len(queries),
        "first_round": {name: value["median"] for name, value in over_rounds(times[:1]).items()},
        **over_rounds(times[1:]),
        "processor_median_ms": round(1000 * statistics.median(processor), 2),
        "own_article": {name: round(number / len(queries), 3) for name, number in own.items()},
        "stages_median_ms": {name: round(1000 * statistics.median(spent), 3) for name, spent in stages.items()},
        "resident_bytes": {"warmed_up": at_rest, "afterwards": resident_bytes()},
    }


def ask_apart(index_dir: Path, count: int, rounds: int) -> dict[str, Any]:
    """`ask` in a process of its own, so that no other's memory is counted."""
    command = [sys.executable, "-m", "benchmarks.query", "--one", str(index_dir)]
    command += ["--queries", str(count), "--rounds", str(rounds)]
    run = subprocess.run(command, check=True, env=environment(), stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def tell(row: dict[str, Any]) -> None:
    """Print what was measured, for people."""
    first = row["first_round"]
    print(
        f"{row['lexical']}, {row['query_encoder']}, {row['articles']:,} articles, {row['passages']:,} passages: median "
        f"{in_words(row['median_ms'], 'ms')}, 95th percentile {in_words(row['p95_ms'], 'ms')}, "
        f"processor {row['processor_median_ms']} ms; first round {first['median_ms']} and "
        f"{first['p95_ms']} ms; {row['resident_bytes']['afterwards'] / 1e6:.0f} MB"
    )
    print("  " + ", ".join(f"{stage} {value}" for stage, value in row["stages_median_ms"].items()))


def main() -> None:
    """Measure and print."""
    parser = options(__doc__)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--one", type=Path, help=f"Measure this index in this process and print JSON: {__name__}'s own."
    )
    given = parser.parse_args()
    if given.one:
        print(json.dumps(ask(given.one, given.queries, given.rounds)))
        return
    machine = introduce()
    with tempfile.TemporaryDirectory() as name:
        row = ask_apart(index_of(given, Path(name)), given.queries, given.rounds)
        tell(row)
    save("query", {"machine": machine, "rows": [row]}, given.out)


if __name__ == "__main__":
    main()
