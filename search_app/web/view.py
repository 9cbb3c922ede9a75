"""What the templates show, worked out beforehand: pure functions from answers to marked text, pages and choices.

Templates get all of it as `view`, `search_app.markup` included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from search_app.markup import breakable, long_date, mark, original_link, short
from search_app.options import all_options
from search_app.results import Hit, LegScore, Results, Suggestion
from search_app.web.params import SearchParams

__all__ = [
    "ActiveFilter",
    "Age",
    "Choice",
    "Paragraph",
    "Ranking",
    "active_filters",
    "ages",
    "breakable",
    "choices",
    "iso_date",
    "long_date",
    "mark",
    "original_link",
    "page_numbers",
    "paragraphs",
    "rankings",
    "short",
    "suggestion_params",
]

_PARAGRAPH = re.compile(r"[^\n]+(?:\n[^\n]+)*")
_AGES = {"": "Does not count", "7": "Prefer this week", "30": "Prefer this month", "365": "Prefer this year"}
_DEFAULTS = {option.name: option.default for option in all_options()}
_FILTER_NAMES = {"section": "Section", "source": "Source", "author": "Author", "since": "From", "until": "To"}


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph as up to three pieces; `matched` is the part inside the passage, '' where there is none."""

    before: str
    matched: str = ""
    after: str = ""
    first_match: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a filter; `count` is None for a chosen value that no article of the answer has."""

    value: str
    count: int | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class Age:
    """One way to prefer newer articles: `value` is a half-life in days as a form sends it, '' for none."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class ActiveFilter:
    """A filter in force, and the changes to the parameters that take it away."""

    label: str
    value: str
    without: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ranking:
    """One ranking's view of a hit as the page shows it; `leg` is None when the ranking did not score the article."""

    name: str
    measure: str
    kind: str
    leg: LegScore | None


def paragraphs(text: str, passage: tuple[int, int] | None = None) -> list[Paragraph]:
    """The paragraphs of an article, cut where the passage (character offsets into `text`) begins and ends."""
    low, high = passage if passage is not None else (0, 0)
    out: list[Paragraph] = []
    seen = False
    for found in _PARAGRAPH.finditer(text):
        start, end = found.span()
        begin, finish = max(start, low), min(end, high)
        if begin < finish:
            out.append(Paragraph(text[start:begin], text[begin:finish], text[finish:end], first_match=not seen))
            seen = True
        else:
            out.append(Paragraph(text[start:end]))
    return out


def page_numbers(page: int, pages: int, *, around: int = 2) -> Iterator[int | None]:
    """The page numbers to link: first, last and those around `page`; None stands for a gap of two pages or more."""
    wanted = {1, pages, *range(page - around, page + around + 1)}
    before = 0
    for number in sorted(number for number in wanted if 1 <= number <= pages):
        if number - before == 2:
            yield number - 1
        elif number - before > 2:
            yield None
        yield number
        before = number


def iso_date(date: str) -> str:
    """`long_date` of a date in ISO 8601, as the JSON of a status has it."""
    return long_date(datetime.fromisoformat(date))


def choices(results: Results, field: str, chosen: Iterable[str]) -> list[Choice]:
    """The values of a facet with their counts, chosen ones marked; a chosen value without articles comes last."""
    wanted = {value.casefold(): value for value in chosen}
    out = [
        Choice(value, count, wanted.pop(value.casefold(), None) is not None)
        for value, count in results.facets.get(field, ())
    ]
    return out + [Choice(value, None, True) for value in wanted.values()]


def ages(params: SearchParams) -> list[Age]:
    """The choices of how much age counts; a half-life from the address that is none of them comes last."""
    given = "" if params.half_life is None else f"{params.half_life:.10g}"
    labels = dict(_AGES)
    labels.setdefault(given, f"Prefer newer, {given} days")
    return [Age(value, label, value == given) for value, label in labels.items()]


def active_filters(params: SearchParams) -> list[ActiveFilter]:
    """Every filter of a search that a click can take away."""
    out = []
    for field, label in _FILTER_NAMES.items():
        value = getattr(params, field)
        if isinstance(value, tuple):
            for one in value:
                rest = tuple(other for other in value if other != one)
                out.append(ActiveFilter(label, one, {field: rest, "page": 1}))
        elif value is not None:
            out.append(ActiveFilter(label, value, {field: None, "page": 1}))
    return out


def suggestion_params(params: SearchParams, suggestion: Suggestion) -> dict[str, Any]:
    """The changes to a search that follow a suggestion: its query, without the filters it names."""
    changes: dict[str, Any] = {"q": suggestion.query, "page": 1}
    for name in suggestion.remove:
        if name in _FILTER_NAMES:
            changes[name] = _DEFAULTS[name]
    return changes


def rankings(hit: Hit) -> tuple[Ranking, Ranking]:
    """Both rankings' views of a hit, lexical first."""
    return (
        Ranking("Words", "BM25", "lexical", hit.lexical),
        Ranking("Meaning", "cosine", "dense", hit.dense),
    )
