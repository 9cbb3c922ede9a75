"""Concord: hybrid news search. Everything that answers lives here; `indexer` makes what it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search_app.engine import SearchEngine

__all__ = ["SearchEngine"]


def __getattr__(name: str) -> Any:
    # Imported on first use: `concord --help` must not wait for numpy and faiss.
    if name == "SearchEngine":
        from search_app.engine import SearchEngine

        return SearchEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
