"""Looking at everything in an index: checksums, the store, and both rankings against the store.

Only readers are used, so a server or a writer goes on beside it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.article import Article
from indexer.catalogue import FIELDS, Catalogue
from indexer.encoders.carried import encoder_folder
from indexer.encoders.exported import BFLOAT16, FLOAT32, MIN_EXPORT_COSINE, ExportedEncoder, is_runnable, runtime_name
from indexer.errors import ConcordError, IndexDamaged, IndexMismatch, IndexNotFound
from indexer.generations.manifest import (
    LEXICAL_FOLDER,
    VECTOR_FOLDER,
    Manifest,
    current_generation,
    generation_folder,
    read_current,
)
from indexer.lexical.bm25 import Atom
from indexer.lexical.index import LexicalIndex
from indexer.store.damage import check_contents, check_token, damaged_articles
from indexer.store.database import Store
from indexer.store.rows import batches
from indexer.system.checksums import broken_files, check_folder
from indexer.text.analysis import analyse
from indexer.vectors.faiss_index import FaissIndex
from indexer.vectors.protocol import VectorIndex

__all__ = ["CheckReport", "Problem", "check_index"]

_SAMPLE = 100
"""Articles, evenly spread, that are looked up in both rankings by what they say."""
_ASKED = ["Why did the harbour strike end without mediators?"]
_WORDS = 3
"""The rarest words of an article, by which it is looked up."""
_EVERY = 3
"""Every third of their passages is looked up by its vector."""
_MAY_MISS = 0.05
"""The share of them that a search of a large index, which is not exact, may miss; their vectors are compared anyway."""
_COSINE_ERROR = 2e-3
"""The vector index holds half-precision vectors, as the store does; only sums are rounded otherwise."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one part of an index ('current', 'files', 'encoder', 'store', 'lexical' or 'vectors'), in a
    sentence that names the command which mends it."""

    part: str
    message: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was looked at, in numbers, and what is wrong with it. `bytes` are those of the files with checksums;
    `sampled` articles were looked up in both rankings."""

    ok: bool
    generation: int
    articles: int
    passages: int
    files: int
    bytes: int
    sampled: int
    problems: tuple[Problem, ...]
    seconds: float


def check_index(index_dir: str | Path, tell: Callable[[str], None] = lambda _: None) -> CheckReport:
    """Look at every part of an index; `tell` is called with the name of each part when its turn comes.

    Raises IndexNotFound when there is no index, and IndexMismatch for one of another format or engine.
    """
    folder = Path(index_dir)
    started = time.perf_counter()
    while True:
        problems: list[Problem] = []
        tell("current")
        try:
            manifest = read_current(folder)
        except IndexDamaged as error:
            problem = Problem("current", str(error))
            return CheckReport(False, 0, 0, 0, 0, 0, 0, (problem,), time.perf_counter() - started)
        manifest.check_lexical()
        sampled = _check(folder, manifest, problems, tell)
        # A generation that two newer ones have followed meanwhile may have been cleared away while it was looked at.
        if not problems or _still_answers(folder, manifest):
            return CheckReport(
                ok=not problems,
                generation=manifest.generation,
                articles=manifest.articles,
                passages=manifest.passages,
                files=len(manifest.files),
                bytes=sum(entry.size for entry in manifest.files.values()),
                sampled=sampled,
                problems=tuple(problems),
                seconds=round(time.perf_counter() - started, 3),
            )


def _check(folder: Path, manifest: Manifest, problems: list[Problem], tell: Callable[[str], None]) -> int:
    """Add to `problems` what is wrong with a generation; returns how many articles were looked up."""
    place = generation_folder(folder, manifest.generation)
    tell("files")
    broken = broken_files(place, manifest.files)
    problems += [Problem("files", sentence) for sentence in broken]
    if not broken:
        _note(problems, "files", lambda: manifest.check_files(place))
    tell("encoder")
    if manifest.query_encoder == "onnx":
        _note(problems, "encoder", lambda: _check_encoder(folder, manifest))
    tell("store")
    try:
        store = Store(folder, name=manifest.store)
    except IndexNotFound:
        problems.append(Problem("store", str(IndexDamaged.no_store(folder))))
        return 0
    except IndexDamaged as error:
        problems.append(Problem("store", str(error)))
        return 0
    with closing(store):
        try:
            problems += [Problem("store", sentence) for sentence in _check_store(folder, manifest, store)]
            if problems:
                return 0  # The rankings are those of a store and files that are known to be broken.
            return _check_rankings(place, manifest, store, problems, tell)
        except sqlite3.DatabaseError as error:
            problems.append(Problem("store", str(IndexDamaged.broken_store(folder, error))))
    return 0


def _check_encoder(folder: Path, manifest: Manifest) -> None:
    place = encoder_folder(folder, manifest.encoder)
    check_folder(place)
    if not is_runnable():
        return
    carried = ExportedEncoder(place)
    if not carried.spec.same_vectors(manifest.encoder):
        raise IndexDamaged(
            f"The query encoder in '{place}' is not the one that the index was made with: run 'concord rebuild' to "
            "write it again."
        )
    if carried.runtime == runtime_name(BFLOAT16):
        exact = ExportedEncoder(place, precision=FLOAT32)
        cosine = float((carried.encode_queries(_ASKED) * exact.encode_queries(_ASKED)).sum(axis=1).min())
        if not cosine >= MIN_EXPORT_COSINE:
            raise IndexDamaged(
                f"The query encoder in '{place}' strays in bfloat16: cosine {cosine:.5f}, at least "
                f"{MIN_EXPORT_COSINE} is needed. Delete that folder and run 'concord rebuild' to write it again."
            )


def _check_store(folder: Path, manifest: Manifest, store: Store) -> Iterator[str]:
    flaws = store.flaws()
    if flaws:
        more = f" and {len(flaws) - 1:,} more" if len(flaws) > 1 else ""
        yield str(IndexDamaged.broken_store(folder, f"{flaws[0]}{more}"))
        return
    try:
        committed = check_token(store, folder, manifest.generation, manifest.store_token)
    except IndexDamaged as error:
        yield str(error)
        return
    try:
        check_contents(store, folder, manifest.generation, committed)
    except IndexDamaged as error:
        yield str(error)
    yield from damaged_articles(store, store.docs(manifest.generation), manifest.encoder.dimension).values()


def _check_rankings(
    place: Path, manifest: Manifest, store: Store, problems: list[Problem], tell: Callable[[str], None]
) -> int:
    generation = manifest.generation
    catalogue = Catalogue.load(place)
    if not _same_columns(catalogue, Catalogue.build(store.columns(generation))) or len(catalogue) != manifest.articles:
        problems.append(Problem("files", _stale(place, "catalogue")))
        return 0
    sample = np.unique(np.linspace(0, max(len(catalogue) - 1, 0), min(_SAMPLE, len(catalogue))).astype(np.int64))
    docs = catalogue.docs[sample].tolist()
    tell("lexical")

    def lexical() -> None:
        index = LexicalIndex(place / LEXICAL_FOLDER, catalogue)
        if not all(_finds(index, row, article) for row, (_, article) in zip(sample, store.articles(docs), strict=True)):
            raise IndexDamaged(_stale(place, "lexical index"))

    _note(problems, "lexical", lexical)
    tell("vectors")

    def vectors() -> None:
        index = FaissIndex(place / VECTOR_FOLDER, catalogue)
        if len(index) != manifest.passages or not _same_vectors(index, catalogue, store, manifest.encoder.dimension):
            raise IndexDamaged(_stale(place, "vector index"))
        looked = missed = 0
        for passages, _, block in store.vectors(docs, manifest.encoder.dimension):
            for passage, vector in list(zip(passages, block, strict=True))[::_EVERY]:
                nearest = index.search(vector, 1)
                best = float(nearest.scores[0]) if len(nearest.scores) else -1.0
                looked += 1
                missed += passage not in nearest.passages and best < float(vector @ vector) - _COSINE_ERROR
        if missed > _MAY_MISS * looked:
            raise IndexDamaged(_stale(place, "vector index"))

    _note(problems, "vectors", vectors)
    return len(docs)


def _finds(index: LexicalIndex, row: int, article: Article) -> bool:
    """Whether the rarest words of an article lead to it, by score and by exact matching."""
    text = f"{article.title} {article.text}"
    words = {token.term: text[token.start : token.end] for token in analyse(text)}
    for term in sorted(words, key=index.frequency)[:_WORDS]:
        atom = Atom(words[term])
        if not index.match(atom)[row] or index.score([atom]).bm25(np.array([row]))[0] <= 0:
            return False
    return True


def _same_vectors(index: VectorIndex, catalogue: Catalogue, store: Store, dimension: int) -> bool:
    """Whether every passage of the store is in the vector index, with the vector that it has in the store."""
    query = np.random.default_rng(0).normal(size=dimension).astype(np.float32)
    query /= np.linalg.norm(query)
    for chunk in batches(catalogue.docs.tolist()):
        expected: dict[int, tuple[int, float]] = {}
        for passages, docs, block in store.vectors(chunk, dimension):
            cosines = (block @ query).tolist()
            expected.update(zip(passages, zip(docs, cosines, strict=True), strict=True))
        found = index.score(query, catalogue.rows_of(chunk))
        if sorted(found.passages.tolist()) != sorted(expected):
            return False
        for passage, doc, cosine in zip(found.passages.tolist(), catalogue.docs[found.rows], found.scores, strict=True):
            if expected[passage][0] != doc or abs(expected[passage][1] - cosine) > _COSINE_ERROR:
                return False
    return True


def _same_columns(first: Catalogue, second: Catalogue) -> bool:
    return (
        np.array_equal(first.docs, second.docs)
        and np.array_equal(first.dates, second.dates)
        and all(np.array_equal(first.codes[field], second.codes[field]) for field in FIELDS)
        and first.labels == second.labels
    )


def _note(problems: list[Problem], part: str, look: Callable[[], None]) -> None:
    try:
        look()
    except IndexMismatch:
        raise
    except ConcordError as error:
        problems.append(Problem(part, str(error)))


def _still_answers(folder: Path, manifest: Manifest) -> bool:
    try:
        return current_generation(folder) == manifest.generation
    except IndexDamaged:
        return True


def _stale(place: Path, name: str) -> str:
    return f"The {name} in '{place}' is not that of the articles in the store: run 'concord rebuild' to make it new."
