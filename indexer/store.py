"""The only truth: articles, their passages and their vectors, in one SQLite file.

Rows are added and removed and, what is searched or shown of them, never changed. Each knows in which generation it
appeared and in which it went: generation g consists of the rows with `added <= g` and no `removed`, or `removed > g`.
So a reader of one generation never sees a half of the next, and what an interrupted run had encoded is found again by
the run after it.
Row numbers are never given out twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from .article import Article, Passage, content_hash
from .encoder import Vectors
from .errors import IndexDamaged, IndexNotFound

__all__ = ["STORE_FILE", "Known", "RowGone", "Store", "StoredPassage"]

STORE_FILE = "store.sqlite"
_CHUNK = 500

_SCHEMA = """
CREATE TABLE IF NOT EXISTS articles (
    doc INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    added INTEGER NOT NULL,
    removed INTEGER,
    hash TEXT NOT NULL,
    title TEXT NOT NULL,
    url TEXT,
    source TEXT,
    section TEXT,
    author TEXT,
    date TEXT,
    origin TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS articles_id ON articles (id);
CREATE INDEX IF NOT EXISTS articles_removed ON articles (removed) WHERE removed IS NOT NULL;
CREATE TABLE IF NOT EXISTS passages (
    passage INTEGER PRIMARY KEY AUTOINCREMENT,
    doc INTEGER NOT NULL REFERENCES articles (doc) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS passages_doc ON passages (doc, ordinal);
CREATE TABLE IF NOT EXISTS vectors (
    passage INTEGER PRIMARY KEY REFERENCES passages (passage) ON DELETE CASCADE,
    vector BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS recipe (one INTEGER PRIMARY KEY CHECK (one = 1), json TEXT NOT NULL);
"""
_ALIVE = "added <= :generation AND (removed IS NULL OR removed > :generation)"
# The text stands last in the table: a scan that needs only the short columns skips its pages.
_COLUMNS = "id, title, text, url, source, section, author, date, origin"


class RowGone(Exception):
    """Rows that a generation names are no longer in the store: a newer generation has taken its place."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the store holds under one id: enough to tell whether an article read again is new, changed or the same."""

    doc: int
    hash: str
    origin: str


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

    def __init__(self, index_dir: Path, *, writable: bool = False) -> None:
        self.path = index_dir / STORE_FILE
        if writable:
            self._db = sqlite3.connect(self.path, timeout=30, isolation_level=None)
            self._prepare()
        else:
            if not self.path.is_file():
                raise IndexNotFound.at(index_dir)
            self._db = self._open_for_reading()

    def _open_for_reading(self) -> sqlite3.Connection:
        uri = self.path.resolve().as_uri()
        db = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=30, isolation_level=None, check_same_thread=False)
        try:
            db.execute("SELECT 1 FROM articles LIMIT 1")
        except sqlite3.OperationalError as error:
            db.close()
            # A read-only folder cannot hold the write-ahead log's shared memory; nobody can be writing there either.
            if "unable to open" not in str(error) and "readonly" not in str(error):
                raise IndexDamaged.broken_store(self.path.parent, error) from error
            db = sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, isolation_level=None, check_same_thread=False)
        except sqlite3.DatabaseError as error:
            db.close()
            raise IndexDamaged.broken_store(self.path.parent, error) from error
        return db

    def _prepare(self) -> None:
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.executescript(_SCHEMA)
        except sqlite3.OperationalError:
            self._db.close()
            raise
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise IndexDamaged.broken_store(self.path.parent, error) from error

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; on disk when it ends."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

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
        row = self._db.execute("SELECT json FROM recipe").fetchone()
        return str(row[0]) if row else None

    def note_recipe(self, recipe: str) -> None:
        """Keep the recipe beside what it made: it outlives every manifest."""
        self._db.execute("INSERT OR REPLACE INTO recipe VALUES (1, ?)", (recipe,))

    def clear(self) -> None:
        """Delete all articles."""
        self._db.execute("DELETE FROM articles")

    def add(self, article: Article, passages: Sequence[Passage], vectors: Vectors, generation: int) -> int:
        """Add an article with its passages and their vectors, float32 (len(passages), dimension); returns its row."""
        values = (
            article.id,
            generation,
            content_hash(article),
            article.title,
            article.text,
            article.url,
            article.source,
            article.section,
            article.author,
            article.date.astimezone(UTC).isoformat() if article.date else None,
            article.origin,
        )
        cursor = self._db.execute(
            "INSERT INTO articles (id, added, hash, title, text, url, source, section, author, date, origin)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        doc = int(cursor.lastrowid or 0)
        for passage, vector in zip(passages, vectors.astype(np.float16), strict=True):
            cursor = self._db.execute(
                'INSERT INTO passages (doc, ordinal, start, "end") VALUES (?, ?, ?, ?)',
                (doc, passage.ordinal, passage.start, passage.end),
            )
            self._db.execute("INSERT INTO vectors VALUES (?, ?)", (cursor.lastrowid, vector.tobytes()))
        return doc

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
        return self._db.execute("DELETE FROM articles WHERE removed <= ?", (generation,)).rowcount

    # Reading

    def docs(self, generation: int) -> list[int]:
        """The article rows of a generation, ascending."""
        rows = self._db.execute(f"SELECT doc FROM articles WHERE {_ALIVE} ORDER BY doc", {"generation": generation})
        return [row[0] for row in rows]

    def columns(self, generation: int) -> Iterator[tuple[int, str | None, str | None, str | None, str | None]]:
        """(article row, section, source, author, ISO date) of every article of a generation, by row."""
        yield from self._db.execute(
            f"SELECT doc, section, source, author, date FROM articles WHERE {_ALIVE} ORDER BY doc",
            {"generation": generation},
        )

    def ids(self, docs: Iterable[int]) -> dict[int, str]:
        """The article ids of rows."""
        found: dict[int, str] = {}
        for chunk in _chunks(docs):
            marks = ",".join("?" * len(chunk))
            found.update(self._db.execute(f"SELECT doc, id FROM articles WHERE doc IN ({marks})", chunk).fetchall())
        return found

    def postpone(self, generation: int) -> None:
        """Move what is newer than `generation` one generation on, to make room for one with the same articles."""
        for column in ("added", "removed"):
            self._db.execute(f"UPDATE articles SET {column} = {column} + 1 WHERE {column} > ?", (generation,))

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
        """Articles by row; rows that are gone are left out."""
        for chunk in _chunks(docs):
            marks = ",".join("?" * len(chunk))
            rows = self._db.execute(f"SELECT doc, {_COLUMNS} FROM articles WHERE doc IN ({marks}) ORDER BY doc", chunk)
            for row in rows:
                yield row[0], _article(row[1:])

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
        """The passages of articles, by article row and in reading order."""
        for chunk in _chunks(docs):
            marks = ",".join("?" * len(chunk))
            rows = self._db.execute(
                f'SELECT passage, doc, ordinal, start, "end" FROM passages'
                f" WHERE doc IN ({marks}) ORDER BY doc, ordinal",
                chunk,
            )
            for row in rows:
                yield StoredPassage(*row)

    def vectors(self, docs: Iterable[int], dimension: int) -> Iterator[tuple[list[int], list[int], Vectors]]:
        """Blocks of (passage rows, article rows, unit vectors float32 (n, dimension)) of the articles given."""
        for chunk in _chunks(docs):
            marks = ",".join("?" * len(chunk))
            rows = self._db.execute(
                "SELECT v.passage, p.doc, v.vector FROM passages p JOIN vectors v ON v.passage = p.passage"
                f" WHERE p.doc IN ({marks}) ORDER BY v.passage",
                chunk,
            ).fetchall()
            if not rows:
                continue
            raw = b"".join(row[2] for row in rows)
            if len(raw) != len(rows) * dimension * 2:
                raise IndexDamaged(
                    f"The store '{self.path}' holds vectors of another length than {dimension}: "
                    "index the articles anew."
                )
            block = np.frombuffer(raw, np.float16).astype(np.float32).reshape(len(rows), dimension)
            yield [row[0] for row in rows], [row[1] for row in rows], block


def _article(row: Sequence[str | None]) -> Article:
    article_id, title, text, url, source, section, author, date, origin = row
    return Article(
        id=article_id or "",
        title=title or "",
        text=text or "",
        url=url,
        source=source,
        section=section,
        author=author,
        date=datetime.fromisoformat(date) if date else None,
        origin=origin or "",
    )


def _chunks(values: Iterable[int]) -> Iterator[list[int]]:
    chunk: list[int] = []
    for value in values:
        chunk.append(int(value))
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
