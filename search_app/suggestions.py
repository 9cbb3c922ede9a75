"""Ways out of an empty answer: other spellings, fewer filters."""

from __future__ import annotations

from collections.abc import Callable

from .query import ParsedQuery, to_text, without_filters
from .results import Suggestion
from .suggest import corrected

__all__ = ["FEW", "suggest_filters", "suggest_spelling"]

FEW = 3
"""Answers of at most this many articles come with suggestions."""


def suggest_spelling(query: ParsedQuery, vocabulary: Callable[[], object]) -> tuple[Suggestion, ...]:
    """The query with its unknown words replaced by words that the archive has, if there are close ones."""
    better = corrected(query, vocabulary())
    if better is None:
        return ()
    text = to_text(better)
    return (Suggestion(kind="spelling", text=f"Did you mean: {text}", query=text),)


def suggest_filters(
    query: ParsedQuery, names: tuple[str, ...], count: Callable[[ParsedQuery], int]
) -> tuple[Suggestion, ...]:
    """The query without each of its filters, and without all, where that finds articles; `count` says how many."""
    found = []
    ways = [(name,) for name in names] + ([names] if len(names) > 1 else [])
    for way in ways:
        wider = without_filters(query, way)
        number = count(wider)
        if number:
            text = f"Without {' and '.join(f'the filter {name}' for name in way)}: {number:,} articles"
            found.append(
                Suggestion(kind="filter", text=text, query=to_text(wider), count=number, remove=way)
            )
    return tuple(found)
