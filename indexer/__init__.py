"""What an index is and how one is made: reading, cleaning, chunking, encoding, storing.

`build_index` brings an index up to date with files and folders; `search_app` searches it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from indexer.system.lazy import lazy_names

if TYPE_CHECKING:
    from indexer.article import Article
    from indexer.build import BuildOptions, BuildProgress, BuildReport, build_index
    from indexer.errors import ConcordError, EncoderError, IndexDamaged, IndexLocked, IndexMismatch, NoArticles
    from indexer.readers.outcome import Skipped

__all__ = [
    "Article",
    "BuildOptions",
    "BuildProgress",
    "BuildReport",
    "ConcordError",
    "EncoderError",
    "IndexDamaged",
    "IndexLocked",
    "IndexMismatch",
    "NoArticles",
    "Skipped",
    "build_index",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "indexer.article": ("Article",),
            "indexer.build": ("BuildOptions", "BuildProgress", "BuildReport", "build_index"),
            "indexer.errors": (
                "ConcordError",
                "EncoderError",
                "IndexDamaged",
                "IndexLocked",
                "IndexMismatch",
                "NoArticles",
            ),
            "indexer.readers.outcome": ("Skipped",),
        },
    )
