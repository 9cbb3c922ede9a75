"""The only truth: articles, their passages and their vectors, in one SQLite file.

Rows are added and removed and, what is searched or shown of them, never changed. Each knows in which generation it
appeared and in which it went: generation g consists of the rows with `added <= g` and no `removed`, or `removed > g`.
So a reader of one generation never sees a half of the next, and what an interrupted run had encoded is found again by
the run after it.
Row numbers are never given out twice.

Every article row carries digests of itself, of its passages and of their vectors, compared whenever they are read:
SQLite by itself does not notice a flipped bit.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import xxhash

from indexer.article import Article, Passage, content_hash
from indexer.encoders.spec import Vectors
from indexer.errors import IndexDamaged, IndexNotFound
from indexer.store.digests import part, passages_digest, row_digest, vectors_digest
from indexer.store.rows import SHOWN_COLUMNS, article_from_columns, batches, shown_columns
from indexer.store.schema import PATIENCE_S, open_for_reading, open_for_writing
from indexer.system.checksums import sum_bytes

__all__ = ["STORE_FILE", "Committed", "Known", "RowGone", "Store", "StoredPassage"]

STORE_FILE = "store.sqlite"
_READER_MS = 500
"""Milliseconds that readers are waited for before the log is emptied."""

_ALIVE = "added <= :generation AND (removed IS NULL OR removed > :generation)"
# The text stands last in the table: a scan that needs only the short columns skips its pages.
_SHOWN = ", ".join(SHOWN_COLUMNS)


class RowGone(Exception):
    """Rows that a generation names are no longer in the store: a newer generation has taken its place."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the store holds under one id: enough to tell whether an article read again is new, changed or the same."""

    doc: int
    hash: str
    origin: str


@dataclass(frozen=True, slots=True)
class Committed:
    """A generation as it was committed: how its manifest names it, how many articles it has, and a digest over them."""

    token: str
    articles: int
    digest: str


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage with its row number and the row number of its article."""

    passage: int
    doc: int
    ordinal: int
    start: int
    end: int


class Store:
    """One connection to the store; use one per thread.

    Vectors are kept as float16: a unit vector's components are off by at most 2.5e-4, its cosines by less than 1e-3,
    for half the space. Raises IndexNotFound when there is no store to read, IndexDamaged when it is no database.
    """

    def __init__(self, index_dir: Path, *, writable: bool = False, name: str = STORE_FILE) -> None:
        self.path = index_dir / name
        if writable:
            self._db = open_for_writing(self.path)
        else:
            if not self.path.is_file():
                raise IndexNotFound.at(index_dir)
            self._db = open_for_reading(self.path)

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; on disk when it ends."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # A full disk ends a transaction by itself; to roll it back again would hide why.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    # Writing

    def known(self) -> dict[str, Known]:
        """The newest version of every id that is not removed, those of an interrupted run included."""
        rows = self._db.execute("SELECT id, doc, hash, origin FROM articles WHERE removed IS NULL ORDER BY doc")
        return {row[0]: Known(*row[1:]) for row in rows}

    def hashes(self, generation: int) -> dict[str, str]:
        """The content hash of every article id of a generation."""
        rows = self._db.execute(f"SELECT id, hash FROM articles WHERE {_ALIVE}", {"generation": generation})
        return dict(rows.fetchall())

    def recipe(self) -> str | None:
        """How the passages and vectors in here were made, as `note_recipe` was told; None for an empty store."""
        row = self._db.execute("SELECT json, digest FROM recipe").fetchone()
        if row and sum_bytes(str(row[0]).encode()) != row[1]:
            raise IndexDamaged.broken_store(self.path.parent, "the recipe of its vectors has changed")
        return str(row[0]) if row else None

    def note_recipe(self, recipe: str) -> None:
        """Keep the recipe beside what it made: it outlives every manifest."""
        self._db.execute("INSERT OR REPLACE INTO recipe VALUES (1, ?, ?)", (recipe, sum_bytes(recipe.encode())))

    def note_generation(self, generation: int) -> str:
        """Note what a generation consists of; returns the token that its manifest has to carry."""
        token = secrets.token_hex(16)
        articles, digest = self.contents(generation)
        self._db.execute(
            "INSERT OR REPLACE INTO generations VALUES (?, ?, ?, ?)", (generation, token, articles, digest)
        )
        return token

    def forget_after(self, generation: int) -> None:
        """Forget generations that were noted and then, because the run was interrupted, never answered."""
        self._db.execute("DELETE FROM generations WHERE generation > ?", (generation,))

    def committed(self, generation: int) -> Committed | None:
        """What `note_generation` noted; None for a generation that this store has never had, or not any more."""
        row = self._db.execute(
            "SELECT token, articles, digest FROM generations WHERE generation = ?", (generation,)
        ).fetchone()
        return Committed(*row) if row else None

    def newest_committed(self) -> int:
        """The newest generation that was noted; 0 if none was."""
        return int(self._db.execute("SELECT COALESCE(MAX(generation), 0) FROM generations").fetchone()[0])

    def contents(self, generation: int) -> tuple[int, str]:
        """The number of articles of a generation and a digest over their digests, by row."""
        rows = self._db.execute(
            f"SELECT doc, digests FROM articles WHERE {_ALIVE} ORDER BY doc", {"generation": generation}
        )
        total = xxhash.xxh3_128()
        count = 0
        for doc, digests in rows:
            total.update(b"%d:" % doc + digests)
            count += 1
        return count, total.hexdigest()

    def write_back(self) -> None:
        """Move what is in the write-ahead log to the store itself, and empty the log if no reader still needs it."""
        # What is committed is on disk anyhow: a reader that takes long is not waited for.
        self._db.execute(f"PRAGMA busy_timeout = {_READER_MS}")
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {PATIENCE_S * 1000}")

    def clear(self) -> None:
        """Delete all articles."""
        self._db.execute("DELETE FROM articles")

    def add(self, article: Article, passages: Sequence[Passage], vectors: Vectors, generation: int) -> int:
        """Add an article with its passages and their vectors, float32 (len(passages), dimension); returns its row."""
        doc = self._next_row("articles")
        first = self._next_row("passages")
        rows = [(first + n, doc, part.ordinal, part.start, part.end) for n, part in enumerate(passages)]
        blobs = [vector.tobytes() for vector in vectors.astype(np.float16)]
        if len(rows) != len(blobs):
            raise ValueError(f"{len(rows)} passages and {len(blobs)} vectors")
        shown = shown_columns(article)
        digests = row_digest(doc, shown) + passages_digest(rows) + vectors_digest(blobs)
        self._db.execute(
            f"INSERT INTO articles (doc, added, hash, digests, origin, {_SHOWN})"
            f" VALUES (?, ?, ?, ?, ?{', ?' * len(shown)})",
            (doc, generation, content_hash(article), digests, article.origin, *shown),
        )
        self._db.executemany("INSERT INTO passages VALUES (?, ?, ?, ?, ?)", rows)
        self._db.executemany("INSERT INTO vectors VALUES (?, ?)", zip([row[0] for row in rows], blobs, strict=True))
        return doc

    def _next_row(self, table: str) -> int:
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        return int(row[0]) + 1 if row else 1

    def remove(self, docs: Iterable[int], generation: int) -> None:
        """Let rows go with `generation`; readers of older generations still see them."""
        self._db.executemany(
            "UPDATE articles SET removed = ? WHERE doc = ? AND removed IS NULL", ((generation, doc) for doc in docs)
        )

    def move(self, origins: Iterable[tuple[int, str]]) -> None:
        """Note for (article row, origin) where unchanged articles were read this time; no reader looks at it."""
        self._db.executemany("UPDATE articles SET origin = ? WHERE doc = ?", ((origin, doc) for doc, origin in origins))

    def collect(self, generation: int) -> int:
        """Delete the rows that neither `generation` nor any later one can see; returns how many articles went."""
        self._db.execute("DELETE FROM generations WHERE generation < ?", (generation,))
        return self._db.execute("DELETE FROM articles WHERE removed <= ?", (generation,)).rowcount

    def delete(self, docs: Iterable[int]) -> None:
        """Delete article rows that are of no use to any generation, because they are damaged."""
        self._db.executemany("DELETE FROM articles WHERE doc = ?", ((doc,) for doc in docs))

    def give_back(self) -> None:
        """Give the pages of deleted rows back to the file system; outside of a transaction."""
        self._db.executescript("PRAGMA incremental_vacuum")  # `execute` would take its first step only

    # Reading

    def docs(self, generation: int) -> list[int]:
        """The article rows of a generation, ascending."""
        rows = self._db.execute(f"SELECT doc FROM articles WHERE {_ALIVE} ORDER BY doc", {"generation": generation})
        return [row[0] for row in rows]

    def columns(self, generation: int) -> Iterator[tuple[int, str | None, str | None, str | None, str | None]]:
        """(article row, section, source, author, ISO date) of every article of a generation, by row."""
        return self._db.execute(
            f"SELECT doc, section, source, author, date FROM articles WHERE {_ALIVE} ORDER BY doc",
            {"generation": generation},
        )

    def ids(self, docs: Iterable[int]) -> dict[int, str]:
        """The article ids of rows."""
        found: dict[int, str] = {}
        for chunk in batches(docs):
            marks = ",".join("?" * len(chunk))
            found.update(self._db.execute(f"SELECT doc, id FROM articles WHERE doc IN ({marks})", chunk).fetchall())
        return found

    def postpone(self, generation: int, until: int) -> None:
        """Let what interrupted runs have stored since `generation` wait for the generation after `until`, which the
        next run makes: in any later one it would be known to every run and never answer."""
        for column in ("added", "removed"):
            self._db.execute(
                f"UPDATE articles SET {column} = :next WHERE {column} > :generation AND {column} <> :next",
                {"next": until + 1, "generation": generation},
            )

    def has_changes(self, generation: int) -> bool:
        """Whether `generation` differs from the one before it."""
        row = self._db.execute(
            "SELECT EXISTS (SELECT 1 FROM articles WHERE added = :g OR removed = :g)", {"g": generation}
        ).fetchone()
        return bool(row[0])

    def newest_generation(self) -> int:
        """The highest generation that any row speaks of, committed or not; 0 for an empty store."""
        row = self._db.execute("SELECT MAX(MAX(added), COALESCE(MAX(removed), 0)) FROM articles").fetchone()
        return int(row[0] or 0)

    def articles(self, docs: Iterable[int]) -> Iterator[tuple[int, Article]]:
        """Articles by row; rows that are gone are left out. Raises IndexDamaged for one that has changed."""
        for chunk in batches(docs):
            marks = ",".join("?" * len(chunk))
            rows = self._db.execute(
                f"SELECT doc, digests, origin, {_SHOWN} FROM articles WHERE doc IN ({marks}) ORDER BY doc", chunk
            )
            for doc, digests, origin, *shown in rows:
                if row_digest(doc, shown) != part(digests, 0):
                    raise self._damaged(doc, "the article")
                yield doc, article_from_columns(shown, origin)

    def articles_by_row(self, docs: Sequence[int]) -> dict[int, Article]:
        """All of the articles given. Raises RowGone when one of them is not there any more."""
        found = dict(self.articles(docs))
        if len(found) < len(docs):
            raise RowGone(f"{len(docs) - len(found)} of {len(docs)} articles")
        return found

    def doc_of(self, article_id: str, generation: int) -> int | None:
        """The row of an article id in a generation."""
        row = self._db.execute(
            f"SELECT doc FROM articles WHERE id = :id AND {_ALIVE} ORDER BY doc DESC LIMIT 1",
            {"id": article_id, "generation": generation},
        ).fetchone()
        return int(row[0]) if row else None

    def passages(self, docs: Iterable[int]) -> Iterator[StoredPassage]:
        """The passages of articles, by article row and in reading order. Raises IndexDamaged if one has changed."""
        for chunk in batches(docs):
            marks = ",".join("?" * len(chunk))
            rows = self._db.execute(
                'SELECT a.doc, a.digests, p.passage, p.doc, p.ordinal, p.start, p."end" FROM articles a'
                f" LEFT JOIN passages p ON p.doc = a.doc WHERE a.doc IN ({marks}) ORDER BY a.doc, p.ordinal",
                chunk,
            )
            for (doc, digests), group in groupby(rows, key=lambda row: row[:2]):
                of_article = [row[2:] for row in group if row[2] is not None]
                if passages_digest(of_article) != part(digests, 1):
                    raise self._damaged(doc, "the passages")
                for row in of_article:
                    yield StoredPassage(*row)

    def vectors(self, docs: Iterable[int], dimension: int) -> Iterator[tuple[list[int], list[int], Vectors]]:
        """Blocks of (passage rows, article rows, unit vectors float32 (n, dimension)) of the articles given.

        Raises IndexDamaged if one has changed, or has another length than `dimension`.
        """
        for chunk in batches(docs):
            marks = ",".join("?" * len(chunk))
            rows = self._db.execute(
                "SELECT a.digests, v.passage, a.doc, v.vector FROM articles a"
                " LEFT JOIN passages p ON p.doc = a.doc LEFT JOIN vectors v ON v.passage = p.passage"
                f" WHERE a.doc IN ({marks}) ORDER BY a.doc, p.ordinal",
                chunk,
            ).fetchall()
            for (doc, digests), group in groupby(rows, key=lambda row: (row[2], row[0])):
                blobs = [row[3] for row in group if row[3] is not None]
                if vectors_digest(blobs) != part(digests, 2):
                    raise self._damaged(doc, "the vectors")
            rows = [row for row in rows if row[3] is not None]
            if not rows:
                continue
            raw = b"".join(row[3] for row in rows)
            if len(raw) != len(rows) * dimension * 2:
                raise IndexDamaged(
                    f"The store '{self.path}' holds vectors of another length than {dimension}: "
                    "index the articles anew."
                )
            block = np.frombuffer(raw, np.float16).astype(np.float32).reshape(len(rows), dimension)
            yield [row[1] for row in rows], [row[2] for row in rows], block

    def copy(self, path: Path, generation: int) -> None:
        """Write a store that has just the articles of a generation, as one moment sees them, into a new file."""
        copied = sqlite3.connect(path, isolation_level=None)
        try:
            self._db.backup(copied)
            copied.execute("PRAGMA journal_mode = DELETE")
            copied.execute("PRAGMA foreign_keys = ON")
            copied.execute("BEGIN")
            copied.execute(f"DELETE FROM articles WHERE NOT ({_ALIVE})", {"generation": generation})
            copied.execute("UPDATE articles SET removed = NULL WHERE removed IS NOT NULL")
            copied.execute("DELETE FROM generations WHERE generation <> ?", (generation,))
            copied.execute("COMMIT")
            copied.executescript("PRAGMA incremental_vacuum")
        finally:
            copied.close()

    def flaws(self) -> list[str]:
        """What SQLite itself finds wrong with the file: broken pages, indexes that differ from their tables."""
        return [str(row[0]) for row in self._db.execute("PRAGMA integrity_check") if row[0] != "ok"]

    def _damaged(self, doc: int, what: str) -> IndexDamaged:
        (article_id,) = self.ids([doc]).values() or ("",)
        return IndexDamaged.damaged_row(self.path.parent, what, doc, article_id)
