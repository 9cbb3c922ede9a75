"""Compare structures of the vector index: latency, recall, build time and size.

Usage: python -m benchmarks.vector_index INDEX_DIR [--passages N] [--queries 100] [--hnsw] [--json FILE]

The vectors are those of an index; beyond its size, further ones are generated around them (the same vectors with
Gaussian noise, cosine about 0.9 to their originals), each copy of an article with an id of its own. Queries are titles
of articles of the archive, cut to 2 to 10 words. One query at a time, one thread. A search asks for the 1,000 nearest
passages; recall is the share of the first 200 articles of an exact search that the first 200 articles found have, the
mean over all queries. 'then N rescored' means that N candidates are scored again with the half-precision vectors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from benchmarks.machine import introduce
from benchmarks.report import save
from indexer.encoders.carried import encoder_folder
from indexer.encoders.exported import ExportedEncoder
from indexer.generations.manifest import current_generation, read_current
from indexer.store.database import Store
from indexer.vectors.codes import only

WANTED, ARTICLES = 1000, 200
NOISE = 0.5
BLOCK = 50_000
TRAINING = 50_000
UNTYPED: Any = faiss
"""FAISS where its own types are wrong: they know no HNSW, and no arguments of search parameters."""
Search = Callable[[Any], Any]


def load(index_dir: Path, count: int, queries: int) -> tuple[Any, Any, Any]:
    """Vectors float16 (count, d), article of each (count,), and query vectors float32 (queries, d)."""
    manifest = read_current(index_dir)
    store = Store(index_dir)
    docs = store.docs(current_generation(index_dir))
    blocks, articles = [], []
    for _, rows, block in store.vectors(docs, manifest.encoder.dimension):
        blocks.append(block.astype(np.float16))
        articles += rows
    real, of = np.concatenate(blocks), np.array(articles)
    rng = np.random.default_rng(1)
    chosen = sorted(rng.choice(docs, min(queries, len(docs)), replace=False).tolist())
    titles = [article.title.split() for _, article in store.articles(chosen)]
    store.close()
    encoder = ExportedEncoder(encoder_folder(index_dir, manifest.encoder), threads=1)
    asked = [encoder.encode_queries([" ".join(words[: 2 + n % 9])])[0] for n, words in enumerate(titles)]
    vectors = np.empty((count, real.shape[1]), np.float16)
    owners = np.empty(count, np.int64)
    for start in range(0, count, len(real)):
        part = real[: min(len(real), count - start)]
        stop = start + len(part)
        owners[start:stop] = of[: len(part)] + start // len(real) * (of.max() + 1)
        for a in range(0, len(part), BLOCK):
            block = part[a : a + BLOCK].astype(np.float32)
            if start:
                block += rng.normal(size=block.shape).astype(np.float32) * (NOISE / np.sqrt(block.shape[1]))
                block /= np.linalg.norm(block, axis=1, keepdims=True)
            vectors[start + a : start + a + len(block)] = block
    return vectors, owners, np.array(asked)


def built(index: Any, vectors: Any) -> tuple[Any, float]:
    """Train and fill; seconds of this thread."""
    started = time.perf_counter()
    if not index.is_trained:
        sample = np.random.default_rng(0).choice(len(vectors), min(TRAINING, len(vectors)), replace=False)
        index.train(vectors[np.sort(sample)].astype(np.float32))
    for a in range(0, len(vectors), BLOCK):
        index.add(vectors[a : a + BLOCK].astype(np.float32))
    return index, time.perf_counter() - started


def rescored(index: Any, exact: Any, candidates: int, parameters: Any = None) -> Search:
    """Candidates of one index, scored by another."""

    def search(query: Any) -> Any:
        found = index.search(query[None], candidates, params=parameters)[1][0]
        chosen = np.zeros(exact.ntotal, np.bool_)
        chosen[found[found >= 0]] = True
        return exact.search(query[None], min(WANTED, int(chosen.sum())), params=only(chosen))[1][0]

    return search


def plain(index: Any, parameters: Any = None) -> Search:
    """The index's own answer."""
    return lambda query: index.search(query[None], WANTED, params=parameters)[1][0]


def size(index: Any) -> float:
    """Megabytes of the index when written."""
    return round(faiss.serialize_index(index).nbytes / 1e6, 1)


def structures(vectors: Any, exact: Any, *, hnsw: bool) -> Any:
    """(name, search, seconds to build, megabytes) of everything compared."""
    dimension, product = vectors.shape[1], faiss.METRIC_INNER_PRODUCT
    quantizer = faiss.ScalarQuantizer
    for name, kind in (("int8", quantizer.QT_8bit), ("int8, one range", quantizer.QT_8bit_uniform)):
        index, seconds = built(faiss.IndexScalarQuantizer(dimension, kind, product), vectors)
        yield f"{name}, then 1,500 rescored", rescored(index, exact, 1500), seconds, size(index)
    index, seconds = built(faiss.IndexRaBitQFastScan(dimension, product), vectors)
    for candidates in (2000, 8000):
        yield f"RaBitQ FastScan, then {candidates:,} rescored", rescored(index, exact, candidates), seconds, size(index)
    for parts in (dimension // 4, dimension // 2):
        index, seconds = built(faiss.IndexPQFastScan(dimension, parts, 4, product), vectors)
        for candidates in (1500, 2000, 4000):
            name = f"PQ{parts}x4 FastScan, then {candidates:,} rescored"
            yield name, rescored(index, exact, candidates), seconds, size(index)
    lists = int(4 * np.sqrt(len(vectors)))
    index = faiss.IndexIVFPQFastScan(faiss.IndexFlatIP(dimension), dimension, lists, dimension // 2, 4, product)
    # Codes of the vectors themselves, not of what is left after the centroid: lists then share one table.
    index.by_residual = False
    index, seconds = built(index, vectors)
    for probed in (lists // 32, lists // 16, lists // 8):
        name = f"IVF{lists} PQ{dimension // 2}x4 FastScan, {probed} lists, then 2,000 rescored"
        yield name, rescored(index, exact, 2000, UNTYPED.SearchParametersIVF(nprobe=probed)), seconds, size(index)
    if hnsw:
        index = UNTYPED.IndexHNSWSQ(dimension, quantizer.QT_fp16, 32, product)
        index.hnsw.efConstruction = 80
        index, seconds = built(index, vectors)
        for ef in (1000, 2000):
            parameters = UNTYPED.SearchParametersHNSW(efSearch=ef)
            yield f"HNSW32 over fp16, efSearch {ef:,}", plain(index, parameters), seconds, size(index)


def articles_of(found: Any, owners: Any) -> Any:
    """The first 200 articles of passages, best first."""
    of = owners[found[found >= 0]]
    return of[np.sort(np.unique(of, return_index=True)[1])][:ARTICLES]


def measured(search: Search, queries: Any, owners: Any, truth: Any) -> tuple[dict[str, float], list[Any]]:
    """Milliseconds and recall of a search."""
    times, answers = [], []
    for query in queries:
        started = time.perf_counter()
        found = search(query)
        times.append((time.perf_counter() - started) * 1000)
        answers.append(articles_of(found, owners))
    pairs = zip(answers, truth or answers, strict=True)
    recall = [len(np.intersect1d(mine, right)) / len(right) for mine, right in pairs]
    return {
        "median_ms": round(float(np.median(times)), 2),
        "p95_ms": round(float(np.percentile(times, 95)), 2),
        "recall": round(float(np.mean(recall)), 4),
        "least_recall": round(float(np.min(recall)), 4),
    }, answers


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("index_dir", type=Path)
    arguments.add_argument("--passages", type=int, default=100_000)
    arguments.add_argument("--queries", type=int, default=100)
    arguments.add_argument("--hnsw", action="store_true", help="build HNSW too, which takes minutes")
    arguments.add_argument("--json", dest="out", type=Path)
    given = arguments.parse_args()
    machine = introduce()
    faiss.omp_set_num_threads(1)
    vectors, owners, queries = load(given.index_dir, given.passages, given.queries)
    quantizer = faiss.ScalarQuantizer
    kind = faiss.IndexScalarQuantizer(vectors.shape[1], quantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    exact, seconds = built(kind, vectors)
    figures, truth = measured(plain(exact), queries, owners, None)
    rows = [{"structure": "exact, fp16", **figures, "build_s": round(seconds, 1), "mb": size(exact)}]
    print(rows[0])
    for name, search, taken, megabytes in structures(vectors, exact, hnsw=given.hnsw):
        figures, _ = measured(search, queries, owners, truth)
        rows.append({"structure": name, **figures, "build_s": round(taken, 1), "mb": megabytes})
        print(rows[-1])
    if given.out:
        save("vectors", {"machine": machine, "passages": given.passages, "rows": rows}, given.out)


if __name__ == "__main__":
    main()
