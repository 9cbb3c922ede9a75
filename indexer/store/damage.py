"""Whether a store is the one that a generation was made from, and which of its articles are not as they were stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from indexer.errors import IndexDamaged
from indexer.store.database import Committed, Store
from indexer.store.rows import batches

__all__ = ["check_committed", "check_contents", "check_token", "damaged_articles"]


def check_committed(store: Store, index_dir: Path, generation: int, token: str) -> None:
    """Raises IndexDamaged unless the store committed a generation as `token`, and has the articles that it had then.

    `index_dir` is what the errors name: a store may be looked at in a copy.
    """
    check_contents(store, index_dir, generation, check_token(store, index_dir, generation, token))


def check_token(store: Store, index_dir: Path, generation: int, token: str) -> Committed:
    """What the store committed as a generation. Raises IndexDamaged unless that is the one whose manifest has `token`.

    An index whose store was exchanged for that of another index, or of yesterday, is found by this.
    """
    committed = store.committed(generation)
    if committed is None or committed.token != token:
        raise IndexDamaged.other_store(index_dir, generation)
    return committed


def check_contents(store: Store, index_dir: Path, generation: int, committed: Committed) -> None:
    """Raises IndexDamaged unless the store has just the articles of a generation that were committed."""
    if store.contents(generation) != (committed.articles, committed.digest):
        raise IndexDamaged.lost_articles(index_dir, committed.articles, generation)


def damaged_articles(store: Store, docs: Sequence[int], dimension: int) -> dict[int, str]:
    """Those of the article rows whose texts, passages or vectors are not as they were stored, each with a sentence."""
    found: dict[int, str] = {}
    for chunk in batches(docs):
        try:
            _read_all(store, chunk, dimension)
        except (IndexDamaged, sqlite3.DatabaseError):
            for doc in chunk:
                try:
                    _read_all(store, [doc], dimension)
                except (IndexDamaged, sqlite3.DatabaseError) as error:
                    found[doc] = str(error)
    return found


def _read_all(store: Store, docs: Sequence[int], dimension: int) -> None:
    for _ in store.articles(docs):
        pass
    for _ in store.passages(docs):
        pass
    for _ in store.vectors(docs, dimension):
        pass
