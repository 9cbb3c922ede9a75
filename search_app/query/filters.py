"""Filters: from what was asked for to a mask over the articles of a generation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from indexer.catalogue import Catalogue, Mask
from indexer.errors import UsageError
from indexer.text.word_forms import fold
from search_app.options import DateLike, Values
from search_app.query.parsed import Filters
from search_app.query.periods import named_period

__all__ = ["given_filters", "mask_of"]

_WORD = re.compile(r"\w+(?:[-'.]\w+)*")


def given_filters(
    since: DateLike,
    until: DateLike,
    section: Values,
    source: Values,
    author: Values,
) -> Filters:
    """Filters from the arguments of a search. `until` includes the day, month or year that it names.

    Raises UsageError for a date that is none and for a range that ends before it begins.
    """
    lower, upper = _bound(since, "since"), _bound(until, "until", end=True)
    if lower and upper and lower >= upper:
        last = (upper - timedelta(microseconds=1)).date()
        raise UsageError(
            f"The range of dates is empty: it begins on {lower.date()} and ends on {last}. Exchange since and until."
        )
    return Filters(_values(section), _values(source), _values(author), lower, upper)


def mask_of(filters: Filters, catalogue: Catalogue) -> Mask | None:
    """The articles that `filters` admit; None when they admit all."""
    if filters == Filters():
        return None
    mask = catalogue.mask_of_dates(filters.since, filters.until)
    for field, wanted in (("section", filters.section), ("source", filters.source), ("author", filters.author)):
        if wanted:
            mask &= catalogue.mask_of_labels(field, _matching(catalogue.labels[field], wanted, field))
    for field, value in filters.exclude:
        mask &= ~catalogue.mask_of_labels(field, _matching(catalogue.labels[field], (value,), field))
    return mask


def _bound(value: DateLike, name: str, *, end: bool = False) -> datetime | None:
    if value is None or value == "":
        return None
    text = value if isinstance(value, str) else value.isoformat()
    try:
        period = named_period(text)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None
    return period.end if end else period.start


def _values(given: Values) -> tuple[str, ...]:
    return tuple(value for value in ((given,) if isinstance(given, str) else given) if value)


def _matching(labels: Sequence[str], wanted: Iterable[str], field: str) -> list[int]:
    """Codes of the labels that equal a wanted value; of authors, those that have all words of one."""
    values = [fold(value) for value in wanted]
    if field != "author":
        return [code for code, label in enumerate(labels) if fold(label) in values]
    word_sets = [set(_WORD.findall(value)) for value in values]
    return [
        code
        for code, label in enumerate(labels)
        if any(words and words <= set(_WORD.findall(fold(label))) for words in word_sets)
    ]
