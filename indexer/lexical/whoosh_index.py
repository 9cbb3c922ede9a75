"""The lexical index: Whoosh keeps the positions of terms and finds exact phrases.

Whoosh's own scoring walks postings one by one in Python and knows lengths only to one byte; scores come from
indexer/lexical/bm25.py instead.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from whoosh import query as whoosh_query

from indexer.article import Article
from indexer.catalogue import Rows
from indexer.lexical.bm25 import VOCABULARY, Bm25Index, join_shared, update_shared
from indexer.lexical.protocol import LexicalUpdate
from indexer.lexical.whoosh_pool import PositionsPool
from indexer.lexical.whoosh_postings import schema
from indexer.lexical.whoosh_safety import SafeIndex
from indexer.system.files import link_or_copy

__all__ = ["WhooshIndex", "join_whoosh", "update_whoosh"]

_MAX_POSTINGS = 4_000_000
"""Postings of a segment as it is written; more are never sorted at once."""


class WhooshIndex(Bm25Index):
    """The lexical index of one generation, read-only and safe to share between threads."""

    def _open(self) -> None:
        self._lock = threading.Lock()
        self._searcher: Any = SafeIndex(self._folder, schema(), readonly=True).searcher()
        reader = self._searcher.reader()
        docs = [value for leaf, _ in reader.leaf_readers() for value in leaf.column_reader("doc")]
        # Catalogue rows of Whoosh's document numbers; -1 for documents that are not in this generation.
        self._rows = self._catalogue.rows_of(np.array(docs, np.int64))
        for leaf, offset in reader.leaf_readers():
            for number in leaf.deleted_docs() if hasattr(leaf, "deleted_docs") else ():
                self._rows[offset + number] = -1
        missing = len(self._catalogue) - int(np.count_nonzero(self._rows >= 0))
        if missing:
            raise ValueError(f"it lacks {missing:,} of {len(self._catalogue):,} articles of its generation")

    def _rows_with_phrase(self, field: str, words: list[str]) -> Rows:
        query = whoosh_query.Phrase(field, words)
        # Whoosh readers share one file position, so only one thread may read at a time.
        with self._lock:
            found = np.fromiter(self._searcher.docs_for_query(query), np.int64)
        rows = self._rows[found]
        return rows[rows >= 0]


def update_whoosh(update: LexicalUpdate) -> None:
    """Write the lexical index that an update asks for. Segments are never changed once written, so those that stay are
    hard links."""
    folder = update.folder
    if update.previous is not None:
        for file in update.previous.iterdir():
            if file.is_file() and file.name != VOCABULARY and "LOCK" not in file.name:
                link_or_copy(file, folder / file.name)
        handle = SafeIndex(folder, schema())
    else:
        handle = SafeIndex.new(folder, schema())
    writer = _writer(handle)

    def deleted() -> Iterator[tuple[int, Article]]:
        for doc, article in update.removed:
            writer.delete_by_term("doc", doc)
            yield doc, article

    try:
        for doc, title, text in update_shared(replace(update, removed=deleted())):
            if len(writer.pool) > _MAX_POSTINGS:
                writer.commit()
                writer = _writer(handle)
            writer.pool.add_positions("title", writer.docnum, title.positions)
            writer.pool.add_positions("text", writer.docnum, text.positions)
            writer.add_document(doc=doc)
        writer.commit()
    except BaseException:
        if not writer.is_closed:  # a commit that failed half-way has closed it
            writer.cancel()
        raise
    finally:
        handle.close()


def _writer(handle: SafeIndex) -> Any:
    writer = handle.safe_writer()
    writer.pool = PositionsPool(writer.temp_storage(), writer.newsegment)
    return writer


def join_whoosh(update: LexicalUpdate, parts: Sequence[Path]) -> None:
    """Write the lexical index that an update asks for, with the indexes `parts` as what is added."""
    update_whoosh(update)
    SafeIndex(update.folder, schema()).take_segments(parts)
    join_shared(update.folder, parts)
