"""Put the results of benchmarks and fault suite into the pages of docs/, so that no figure is copied by hand.

Usage: python -m benchmarks.tables [--check]

Each `<!-- results NAME -->` ... `<!-- end -->` of a page is filled from benchmarks/results/NAME.json, or says how to
measure when there is no such result. Results of a machine of another kind lie in a folder: FOLDER/NAME. With --check
nothing is written, and the exit code is 1 when a page is not what the results say.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.report import RESULTS, ROOT, in_words

PAGES = [ROOT / "docs" / name for name in ("performance.md", "reliability.md")]
_PART = re.compile(r"(<!-- results ([a-z0-9_/]+) -->\n).*?(<!-- end -->)", re.DOTALL)
Found = dict[str, Any]


def _megabytes(value: float) -> str:
    return f"{value / 1e6:,.0f} MB"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cold(found: Found) -> str:
    """Whole processes."""
    rows = []
    for name, row in found["rows"].items():
        memory = _megabytes(row["peak_bytes"]) if "search" in name else ""
        rows.append((f"`{name}`", in_words(row["wall_s"], "s"), f"{row['processor_s']['median']:g} s", memory))
    return table(("process", "wall, median (least to most)", "processor", "peak memory"), rows)


def indexing(found: Found) -> str:
    """A whole run beside the encoder alone and plain float32."""
    rows = [
        (
            f"`concord index`, {found['articles']:,} articles, {found['passages']:,} passages",
            f"{found['passages_per_second']:g} passages/s ({found['seconds']:,.0f} s)",
        ),
        (
            f"the encoder alone, {found['precision']}",
            in_words(found["encoder_alone_passages_per_second"], "passages/s"),
        ),
        ("plain float32 `model.encode`", in_words(found["plain_float32_passages_per_second"], "passages/s")),
        ("the run over the encoder alone", f"{found['share_of_the_encoder_alone']:g}"),
        ("the run over plain float32", f"{found['times_plain_float32']:g}"),
        ("most memory of all its processes", _megabytes(found["peak_bytes"])),
    ]
    return table(("", ""), rows)


def query(found: Found) -> str:
    """Warm queries, and where their time goes."""
    rows, stages = [], []
    for row in found["rows"]:
        first = row["first_round"]
        rows.append(
            (
                f"{row['lexical']}, {row['articles']:,} articles, {row['passages']:,} passages",
                row["query_encoder"],
                in_words(row["median_ms"], "ms"),
                in_words(row["p95_ms"], "ms"),
                f"{first['median_ms']:g} and {first['p95_ms']:g} ms",
                _megabytes(row["resident_bytes"]["afterwards"]),
            )
        )
        spent = sorted(row["stages_median_ms"].items(), key=lambda pair: -pair[1])
        stages.append(
            f"{row['lexical']}, {row['query_encoder']}: "
            + ", ".join(f"{name} {value:g}" for name, value in spent)
            + "."
        )
    head = ("engine and archive", "queries encoded by", "median", "95th percentile", "first round, both", "memory")
    return table(head, rows) + "\n\nMedian milliseconds by stage, of the queries that have it: " + " ".join(stages)


def serve(found: Found) -> str:
    """Clients at once, and additions."""
    load, memory, one = found["load"], found["memory_bytes"], found["one_client_ms"]
    rows = [
        ("memory at rest", _megabytes(memory["at_rest"])),
        (
            "memory after load, after additions",
            f"{_megabytes(memory['after_load'])}, {_megabytes(memory['after_additions'])}",
        ),
        ("one client, median and 99th percentile", f"{one['p50']:g} and {one['p99']:g} ms"),
        (f"{load['clients']} clients, answers a second", in_words(load["answers_per_second"], "")),
        (f"{load['clients']} clients, median", in_words(load["p50_ms"], "ms")),
        (f"{load['clients']} clients, 99th percentile", in_words(load["p99_ms"], "ms")),
        (f"{load['clients']} clients, failures", str(len(load["failures"]))),
    ]
    for part, title in (("adding_under_few_questions", "few questions"), ("adding_under_load", "all clients")):
        row = found[part]
        rows += [
            (f"new article under {title}: found after", in_words(row["found_after_seconds"], "s")),
            ("... the command itself", in_words(row["command_seconds"], "s")),
            (
                "... slowest question meanwhile, and 99th percentile of all",
                f"{in_words(row['slowest_question_ms'], 'ms')}, {row['all_p99_ms']:g} ms",
            ),
            ("... failures", str(len(row["failures"]))),
        ]
    return table(("", ""), rows)


def scale(found: Found) -> str:
    """Growth."""
    rows = []
    for row in sorted(found["rows"], key=lambda row: (row["lexical"], row["articles"])):
        sizes = row["bytes"]
        rows.append(
            (
                row["lexical"],
                f"{row['articles']:,}",
                f"{row['passages']:,}",
                f"{row['derive_seconds']:g} s",
                f"{row['median_ms']['median']:g} / {row['p95_ms']['median']:g} ms",
                _megabytes(row["resident_bytes"]["afterwards"]),
                f"{sizes['lexical'] / 1e6:,.0f} + {sizes['vectors'] / 1e6:,.0f} + {sizes['store'] / 1e6:,.0f} MB",
            )
        )
    head = ("engine", "articles", "passages", "derived in", "query, median / p95", "memory", "words + vectors + store")
    return table(head, rows)


def peers(found: Found) -> str:
    """Concord beside others."""
    rows = []
    for row in sorted(found["rows"], key=lambda row: float(row["median_ms"]["median"])):
        own = row["own_article"]
        rows.append(
            (
                row["name"],
                in_words(row["indexed_passages_per_second"], "/s"),
                in_words(row["median_ms"], "ms"),
                in_words(row["p95_ms"], "ms"),
                f"{own['first']:.1%}",
                f"{own['in_ten']:.1%}",
            )
        )
    head = ("", "passages in", "query, median", "95th percentile", "own article first", "in ten")
    made_of = dict.fromkeys(part for row in found["rows"] for part in row["versions"])
    told = (
        f"{found['articles']:,} articles, {found['passages']:,} passages; indexing of {found['indexed_passages']:,}. "
        f"{', '.join(made_of)}."
    )
    return table(head, rows) + f"\n\n{told}"


def vectors(found: Found) -> str:
    """Structures of the vector index."""
    rows = [
        (
            row["structure"],
            f"{row['median_ms']:g} ms",
            f"{row['p95_ms']:g} ms",
            f"{row['recall']:.4f} (least {row['least_recall']:g})",
            f"{row['build_s']:g} s",
            f"{row['mb']:,.0f} MB",
        )
        for row in found["rows"]
    ]
    head = (f"{found['passages']:,} passages", "median", "95th percentile", "recall", "build", "size")
    return table(head, rows)


def durability(found: Found) -> str:
    """What checksums, checks and backups take."""
    rows = [(act, in_words(row, "s")) for act, row in found["seconds"].items()]
    head = (f"{found['articles']:,} articles, {found['passages']:,} passages", "median (least to most)")
    sizes = f"Derived files {_megabytes(found['derived_bytes'])}, backup {_megabytes(found['backup_bytes'])}."
    return table(head, rows) + f"\n\n{sizes}"


def faults(found: Found) -> str:
    """What the fault suite tried, and what went wrong."""
    rows = [
        (name, ", ".join(f"{count:,} {what}" for what, count in one["tried"].items()), str(len(one["went_wrong"])))
        for name, one in found["parts"].items()
    ]
    return table(("", f"tried ({found['form']} form)", "went wrong"), rows)


PARTS: dict[str, Callable[[Found], str]] = {
    "cold": cold,
    "indexing": indexing,
    "query": query,
    "serve": serve,
    "scale": scale,
    "peers": peers,
    "vectors_100k": vectors,
    "vectors_1m": vectors,
    "durability": durability,
    "faults": faults,
}


_TARGETS = {"indexing": "bench-index", "faults": "faults"}
"""Targets of the Makefile that are not named after their result."""


def part(name: str) -> str:
    """The text for one result."""
    path = RESULTS / f"{name}.json"
    kind = path.stem
    if not path.exists():
        target = _TARGETS.get(kind) or f"bench-{kind.partition('_')[0]}"
        return f"Not measured yet: `make {target}`.\n"
    found = json.loads(path.read_text("utf-8"))
    machine = found["machine"]
    told = (
        f"`{found['command']}`; {machine['processor']}, {machine['cores']} cores, Python {machine['python']}; "
        f"load before {machine['load']}"
    )
    return f"{PARTS[kind](found)}\n\n({told}; [result](../benchmarks/results/{name}.json))\n"


def main() -> None:
    """Fill the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    before = {page: page.read_text("utf-8") for page in PAGES}
    after = {
        page: _PART.sub(lambda found: f"{found[1]}{part(found[2])}{found[3]}", text) for page, text in before.items()
    }
    if given.check:
        stale = [str(page) for page in PAGES if before[page] != after[page]]
        sys.exit(f"{' and '.join(stale)}: not what the results say; run 'python -m benchmarks.tables'." if stale else 0)
    for page, text in after.items():
        page.write_text(text, "utf-8")
        print(f"Written to {page}.")


if __name__ == "__main__":
    main()
