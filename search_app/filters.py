"""Filters: from what was asked for to a mask over the articles of a generation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from indexer.analysis import fold
from indexer.catalogue import Catalogue, Mask
from indexer.errors import UsageError

from .query import Filters

__all__ = ["DateLike", "mask_of", "merged", "parse_bound"]

DateLike = str | date | datetime | None
_PARTIAL = re.compile(r"^(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?$")


def parse_bound(value: DateLike, name: str, *, end: bool = False) -> datetime | None:
    """A date as people give it (2023, 2023-12, 2023-12-07, ISO date and time) as a moment in UTC.

    With `end`, a year, month or day stands for the moment after it, so that `until` includes the day it names.
    Raises UsageError, naming the parameter.
    """
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        start = datetime.combine(value, time.min, UTC)
        return start + timedelta(days=1) if end else start
    found = _PARTIAL.match(value.strip())
    try:
        if not found:
            moment = datetime.fromisoformat(value.strip())
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        year, month, day = (int(part) if part else None for part in found.groups())
        assert year is not None
        start = datetime(year, month or 1, day or 1, tzinfo=UTC)
        if not end:
            return start
        if day:
            return start + timedelta(days=1)
        if month:
            return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        return datetime(year + 1, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"'{value[:40]}' is no date for '{name}': write YYYY, YYYY-MM or YYYY-MM-DD, such as 2023-12-07."
        ) from error


def merged(
    filters: Filters,
    *,
    since: datetime | None,
    until: datetime | None,
    section: Sequence[str],
    source: Sequence[str],
    author: Sequence[str],
) -> Filters:
    """The query's own filters and the ones given beside it; both must hold. Raises UsageError for an empty range."""
    lower = max((bound for bound in (filters.since, since) if bound), default=None)
    upper = min((bound for bound in (filters.until, until) if bound), default=None)
    if lower and upper and lower >= upper:
        last = (upper - timedelta(seconds=1)).date()
        raise UsageError(f"The range of dates is empty: it begins on {lower.date()} and ends on {last}.")
    return replace(
        filters,
        since=lower,
        until=upper,
        section=_both(filters.section, section),
        source=_both(filters.source, source),
        author=_both(filters.author, author),
    )


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


def _matching(labels: Sequence[str], wanted: Iterable[str], field: str) -> list[int]:
    """Codes of the labels that equal a wanted value; of an author, those that have all words of one."""
    values = [fold(value) for value in wanted]
    if field != "author":
        exact = set(values)
        return [code for code, label in enumerate(labels) if fold(label) in exact]
    word_sets = [set(value.split()) for value in values]
    return [
        code
        for code, label in enumerate(labels)
        if any(words <= set(re.findall(r"\w+(?:[-'.]\w+)*", fold(label))) for words in word_sets)
    ]


def _both(mine: tuple[str, ...], given: Sequence[str]) -> tuple[str, ...]:
    return (*mine, *(value for value in given if value not in mine))
