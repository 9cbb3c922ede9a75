"""Concord beside others that merge words and vectors: the same articles, the same encoder, the same cores, one run.

Usage: python -m benchmarks.peers [--articles FILE | --index-dir DIR] [--limit 500] [--queries 300] [--rounds 3]
       [--only PEER] [--venv DIR] [--json FILE]

The peers are txtai (hybrid), LanceDB (hybrid), bm25s with FAISS, and SQLite FTS5 with exact vectors, the last two glued
by ranks; they live in a virtual environment of their own, made from benchmarks/peers.txt on first use. Indexing: whole
processes that encode and index the passages of --limit articles, on all cores, in turns, --rounds times. Queries: as in
`benchmarks.query`, one core, ten articles, over the whole archive; peers get passages and vectors from Concord's store,
and encode queries with sentence-transformers. How often a headline finds its own article stands beside the times.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import introduce
from benchmarks.query import ask_apart
from benchmarks.report import (
    ROOT,
    concord,
    environment,
    in_words,
    index_of,
    options,
    over_rounds,
    save,
    spread,
    titled,
)
from indexer.generations.manifest import current_generation, read_current
from indexer.store.database import Store
from indexer.text.chunking import passage_input
from indexer.version import VERSION

REQUIREMENTS = Path(__file__).with_name("peers.txt")
PROBE = Path(__file__).with_name("peer_probe.py")
PEERS = ("txtai", "lancedb", "bm25s+faiss", "fts5+numpy")


@dataclass(frozen=True, slots=True)
class System:
    """What is measured. Both functions are given a folder that is not there yet.

    `index` indexes the sample there, and returns the seconds of the whole process and what the system is made of;
    `ask` answers the queries over the whole archive, and returns figures for the result.
    """

    name: str
    index: Callable[[Path], tuple[float, list[str]]]
    ask: Callable[[Path], dict[str, Any]]


def interpreter(folder: Path) -> Path:
    """The interpreter of the peers' environment, installed if it is not there or not of these requirements."""
    python, note = folder / "bin" / "python", folder / "installed.txt"
    wanted = REQUIREMENTS.read_text("utf-8")
    if not note.exists() or note.read_text("utf-8") != wanted:
        print(f"Installing the peers into {folder}.", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS], check=True)
        note.write_text(wanted, "utf-8")
    return python


def export(index_dir: Path, folder: Path, queries: int, limit: int) -> int:
    """Write passages, vectors, queries and the sample for indexing; returns the number of passages in the sample."""
    store = Store(index_dir)
    docs = store.docs(current_generation(index_dir))
    chosen = set(docs[:: max(1, len(docs) // limit)][:limit])
    order: dict[int, int] = {}
    in_sample = 0
    with (
        (folder / "passages.jsonl").open("w", encoding="utf-8") as everything,
        (folder / "sample.jsonl").open("w", encoding="utf-8") as sample,
        (folder / "articles.jsonl").open("w", encoding="utf-8") as articles,
    ):
        for first in range(0, len(docs), 500):
            block = dict(store.articles(docs[first : first + 500]))
            for passage in store.passages(block):
                article = block[passage.doc]
                text = passage_input(article.title, article.text[passage.start : passage.end])
                line = json.dumps({"article": article.id, "text": text}) + "\n"
                order[passage.passage] = len(order)
                everything.write(line)
                if passage.doc in chosen:
                    sample.write(line)
                    in_sample += 1
            for doc in block.keys() & chosen:
                article = block[doc]
                articles.write(json.dumps({"id": article.id, "title": article.title, "text": article.text}) + "\n")
    dimension = read_current(index_dir).encoder.dimension
    vectors = np.empty((len(order), dimension), np.float32)
    for passages, _, part in store.vectors(docs, dimension):
        vectors[[order[passage] for passage in passages]] = part
    store.close()
    np.save(folder / "vectors.npy", vectors)
    (folder / "queries.json").write_text(json.dumps(titled(index_dir, queries)), "utf-8")
    return in_sample


def timed(command: list[Any]) -> tuple[float, str]:
    """Seconds of a process, and the last line of what it prints."""
    started = time.perf_counter()
    run = subprocess.run(command, check=True, env=environment(), stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - started, run.stdout.splitlines()[-1]


def of_peer(python: Path, peer: str, folder: Path, rounds: int) -> System:
    """A peer, over what `export` wrote into `folder`."""

    def at(place: Path) -> Path:
        place.mkdir()
        for file in ("passages.jsonl", "sample.jsonl", "vectors.npy", "queries.json"):
            (place / file).symlink_to(folder / file)
        return place

    def index(place: Path) -> tuple[float, list[str]]:
        seconds, said = timed([python, PROBE, peer, "index", at(place), "0"])
        return seconds, json.loads(said)["versions"]

    def ask(place: Path) -> dict[str, Any]:
        found = json.loads(timed([python, PROBE, peer, "query", at(place), str(rounds)])[1])
        return {
            **over_rounds(found["times"]),
            "own_article": {name: round(count / found["queries"], 3) for name, count in found["own"].items()},
            "build_without_encoding_seconds": found["build_seconds"],
        }

    return System(peer, index, ask)


def of_concord(index_dir: Path, folder: Path, queries: int, rounds: int) -> System:
    """Concord, asked over `index_dir`."""

    def index(place: Path) -> tuple[float, list[str]]:
        command = concord("index", folder / "articles.jsonl", "--index-dir", place, "--json")
        return timed(command)[0], [f"Concord {VERSION}"]

    def ask(_: Path) -> dict[str, Any]:
        found = ask_apart(index_dir, queries, rounds)
        return {name: found[name] for name in ("median_ms", "p95_ms", "own_article")}

    return System("concord", index, ask)


def main() -> None:
    """Measure and print."""
    parser = options(__doc__)
    parser.add_argument("--limit", type=int, default=500, help="Articles to index.")
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=PEERS, help="One peer, beside Concord.")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv-peers")
    given = parser.parse_args()
    machine = introduce()
    python = interpreter(given.venv.absolute())
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        folder = index_of(given, scratch)
        passages = export(folder, scratch, given.queries, given.limit)
        systems = [of_concord(folder, scratch, given.queries, given.rounds)]
        systems += [of_peer(python, peer, scratch, given.rounds) for peer in ([given.only] if given.only else PEERS)]
        rates: dict[str, list[float]] = {system.name: [] for system in systems}
        versions = {}
        for number in range(given.rounds):
            for system in systems:
                seconds, versions[system.name] = system.index(scratch / f"{system.name}-{number}")
                rates[system.name].append(passages / seconds)
        rows = []
        for system in systems:
            rows.append(
                {
                    "name": system.name,
                    "versions": versions[system.name],
                    "indexed_passages_per_second": spread(rates[system.name], 1),
                    **system.ask(scratch / f"{system.name}-asked"),
                }
            )
            tell(rows[-1])
        manifest = read_current(folder)
        result = {
            "machine": machine,
            "articles": manifest.articles,
            "passages": manifest.passages,
            "indexed_articles": given.limit,
            "indexed_passages": passages,
            "rows": rows,
        }
        save("peers", result, given.out)


def tell(row: dict[str, Any]) -> None:
    """One row of the table."""
    own, rate = row["own_article"], row["indexed_passages_per_second"]
    print(
        f"{row['name']} ({', '.join(row['versions'])}): {in_words(rate, 'passages/s')} in; query median "
        f"{in_words(row['median_ms'], 'ms')}, 95th percentile {in_words(row['p95_ms'], 'ms')}; own article first "
        f"{own['first']:.1%}, in ten {own['in_ten']:.1%}"
    )


if __name__ == "__main__":
    main()
