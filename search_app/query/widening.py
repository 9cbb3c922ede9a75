"""A way out of an empty answer: fewer filters."""

from __future__ import annotations

from collections.abc import Callable

from search_app.query.parsed import ParsedQuery, to_text, without_filters
from search_app.results import Suggestion

__all__ = ["suggest_filters"]


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
            found.append(
                Suggestion(kind="filter", text=_sentence(way, number), query=to_text(wider), count=number, remove=way)
            )
    return tuple(found)


def _sentence(names: tuple[str, ...], number: int) -> str:
    filters = f"the filter {names[0]}" if len(names) == 1 else f"the filters {', '.join(names)}"
    return f"Without {filters}: {number:,} {'article' if number == 1 else 'articles'}"
