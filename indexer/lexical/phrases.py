"""Exact phrases: Whoosh keeps the positions of terms.

Whoosh's own scoring walks postings one by one in Python and knows lengths only to one byte; scores come from
indexer/lexical/bm25.py instead.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from whoosh import query as whoosh_query

from indexer.catalogue import Catalogue, Rows
from indexer.lexical.whoosh_postings import schema
from indexer.lexical.whoosh_safety import SafeIndex

__all__ = ["Phrases"]


class Phrases:
    """The positions of all terms of one generation, read-only and safe to share between threads."""

    def __init__(self, folder: Path, catalogue: Catalogue) -> None:
        """May raise anything where the index is damaged."""
        self._lock = threading.Lock()
        self._searcher: Any = SafeIndex(folder, schema(), readonly=True).searcher()
        reader = self._searcher.reader()
        docs = [value for leaf, _ in reader.leaf_readers() for value in leaf.column_reader("doc")]
        # Catalogue rows of Whoosh's document numbers; -1 for documents that are not in this generation.
        self._rows: Rows = catalogue.rows_of(np.array(docs, np.int64))
        for leaf, offset in reader.leaf_readers():
            for number in leaf.deleted_docs() if hasattr(leaf, "deleted_docs") else ():
                self._rows[offset + number] = -1
        missing = len(catalogue) - int(np.count_nonzero(self._rows >= 0))
        if missing:
            raise ValueError(f"it lacks {missing:,} of {len(catalogue):,} articles of its generation")

    def rows(self, field: str, words: list[str]) -> Rows:
        """Catalogue rows of the articles in whose `field` two or more terms follow one another."""
        query = whoosh_query.Phrase(field, words)
        # Whoosh readers share one file position, so only one thread may read at a time.
        with self._lock:
            found = np.fromiter(self._searcher.docs_for_query(query), np.int64)
        rows: Rows = self._rows[found]
        return rows[rows >= 0]
