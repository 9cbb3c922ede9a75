"""Which articles of a store are not as they were stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from indexer.errors import IndexDamaged
from indexer.store.database import Store

__all__ = ["batches", "damaged_articles"]

_BATCH = 500


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


def batches(docs: Sequence[int]) -> Iterator[Sequence[int]]:
    """Rows in groups that one statement takes."""
    for start in range(0, len(docs), _BATCH):
        yield docs[start : start + _BATCH]
