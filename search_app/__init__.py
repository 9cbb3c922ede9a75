"""Concord: hybrid news search. Everything that answers lives here; `indexer` makes what it reads.

`SearchEngine.open` opens an index; docs/library.md shows the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from indexer.system.lazy import lazy_names

if TYPE_CHECKING:
    from indexer.article import Article
    from indexer.errors import (
        ConcordError,
        EncoderError,
        IndexDamaged,
        IndexLocked,
        IndexMismatch,
        IndexNotFound,
        NotFound,
        RerankerError,
        UsageError,
    )
    from search_app.engine import SearchEngine
    from search_app.options import SearchOptions
    from search_app.results import (
        ArticleInfo,
        Hit,
        Interpretation,
        LegScore,
        RerankScore,
        Results,
        Similar,
        Snippet,
        Suggestion,
    )
    from search_app.snapshot.status import IndexStatus

__all__ = [
    "Article",
    "ArticleInfo",
    "ConcordError",
    "EncoderError",
    "Hit",
    "IndexDamaged",
    "IndexLocked",
    "IndexMismatch",
    "IndexNotFound",
    "IndexStatus",
    "Interpretation",
    "LegScore",
    "NotFound",
    "RerankScore",
    "RerankerError",
    "Results",
    "SearchEngine",
    "SearchOptions",
    "Similar",
    "Snippet",
    "Suggestion",
    "UsageError",
]

if not TYPE_CHECKING:
    # `concord --help` must not wait for numpy and faiss.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "indexer.article": ("Article",),
            "indexer.errors": (
                "ConcordError",
                "EncoderError",
                "IndexDamaged",
                "IndexLocked",
                "IndexMismatch",
                "IndexNotFound",
                "NotFound",
                "RerankerError",
                "UsageError",
            ),
            "search_app.engine": ("SearchEngine",),
            "search_app.options": ("SearchOptions",),
            "search_app.results": (
                "ArticleInfo",
                "Hit",
                "Interpretation",
                "LegScore",
                "RerankScore",
                "Results",
                "Similar",
                "Snippet",
                "Suggestion",
            ),
            "search_app.snapshot.status": ("IndexStatus",),
        },
    )
