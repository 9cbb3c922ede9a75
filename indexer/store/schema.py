"""How the store's file is opened: its tables, and what SQLite is told so that it is safe against power cuts and against
files from someone else."""

from __future__ import annotations

import sqlite3
from functools import cache
from pathlib import Path

from indexer.errors import IndexDamaged

__all__ = ["PATIENCE_S", "open_for_reading", "open_for_writing"]

_SCHEMA = """
CREATE TABLE articles (
    doc INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    added INTEGER NOT NULL,
    removed INTEGER,
    hash TEXT NOT NULL,
    digests BLOB NOT NULL,
    title TEXT NOT NULL,
    url TEXT,
    source TEXT,
    section TEXT,
    author TEXT,
    date TEXT,
    origin TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX articles_id ON articles (id);
CREATE INDEX articles_removed ON articles (removed) WHERE removed IS NOT NULL;
CREATE TABLE passages (
    passage INTEGER PRIMARY KEY AUTOINCREMENT,
    doc INTEGER NOT NULL REFERENCES articles (doc) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL
);
CREATE UNIQUE INDEX passages_doc ON passages (doc, ordinal);
CREATE TABLE vectors (
    passage INTEGER PRIMARY KEY REFERENCES passages (passage) ON DELETE CASCADE,
    vector BLOB NOT NULL
);
CREATE TABLE recipe (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    json TEXT NOT NULL,
    digest TEXT NOT NULL
);
CREATE TABLE generations (
    generation INTEGER PRIMARY KEY,
    token TEXT NOT NULL,
    articles INTEGER NOT NULL,
    digest TEXT NOT NULL
);
"""
_OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_master"
_NO_SHARED_MEMORY = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_IOERR_SHM", "SQLITE_FULL")
PATIENCE_S = 30
"""Seconds that somebody else's lock on the store is waited for."""
_JOURNAL_BYTES = 64 << 20
"""What the write-ahead log is cut to when it has been written back."""


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, for any thread. Raises IndexDamaged when the file is no store."""
    uri = path.resolve().as_uri()
    db = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False)
    try:
        _distrust(db)
        db.execute("SELECT 1 FROM articles LIMIT 1")
    except sqlite3.OperationalError as error:
        db.close()
        # A read-only folder or a full disk has no room for the shared memory of the write-ahead log. Nobody can be
        # writing there either, and what answers has been written back to the store.
        if not error.sqlite_errorname.startswith(_NO_SHARED_MEMORY):
            raise IndexDamaged.broken_store(path.parent, error) from error
        db = sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True, isolation_level=None, check_same_thread=False)
        try:
            _distrust(db)
        except sqlite3.DatabaseError as second:
            db.close()
            raise IndexDamaged.broken_store(path.parent, second) from second
    except sqlite3.DatabaseError as error:
        db.close()
        raise IndexDamaged.broken_store(path.parent, error) from error
    db.execute("PRAGMA query_only = ON")
    return db


def open_for_writing(path: Path) -> sqlite3.Connection:
    """A connection that makes the tables where there are none. Raises IndexDamaged when the file is no store, and
    OperationalError when it cannot be written."""
    db = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)
    try:
        # Only a database without tables takes this; it lets pages be given back without a copy of the whole.
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        made = db.execute("SELECT EXISTS (SELECT 1 FROM sqlite_master)").fetchone()[0]
        if made:
            _distrust(db)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}")
        db.execute("PRAGMA foreign_keys = ON")
        if not made:
            # All tables or none: a store with some of them would be taken for a foreign one.
            db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")
    except sqlite3.OperationalError:
        db.close()
        raise
    except sqlite3.DatabaseError as error:
        db.close()
        raise IndexDamaged.broken_store(path.parent, error) from error
    return db


def _distrust(db: sqlite3.Connection) -> None:
    """Let the schema of a store run nothing. Raises DatabaseError when it is not the one that Concord makes: a trigger
    or a view of a foreign store could be a program."""
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA cell_size_check = ON")
    if frozenset(db.execute(_OBJECTS)) != _own_schema():
        raise sqlite3.DatabaseError("its tables are not those of this version of Concord")


@cache
def _own_schema() -> frozenset[tuple[str | None, ...]]:
    db = sqlite3.connect(":memory:")
    try:
        db.executescript(_SCHEMA)
        return frozenset(db.execute(_OBJECTS))
    finally:
        db.close()
