"""Dates as people type them in a query: a year, a month, a day, a moment."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dateutil import parser

from indexer.errors import UsageError

__all__ = ["Period", "named_period"]

_ISO = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
_ISO_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:.*", re.ASCII)
_NUMERIC = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})", re.ASCII)
_WRITTEN = re.compile(r"(?=.*[A-Za-z]{3})(?=.*\b\d{4}\b)[A-Za-z0-9 ,.]{8,30}", re.ASCII)
_ADVICE = "write 2023, 2023-12 or 2023-12-07"


@dataclass(frozen=True, slots=True)
class Period:
    """The time from `start` (inclusive) to `end` (exclusive), both with a time zone; equal for a single moment."""

    start: datetime
    end: datetime


def named_period(text: str) -> Period:
    """The year, month, day or moment that `text` names; UTC where it says no time zone.

    ISO forms ('2023', '2023-12', '2023-12-07', '2023-12-07T10:30+04:00') and dates as newspapers write them
    ('7 December 2023', 'Dec 2023', '7.12.2023'). Raises UsageError, with the way out, for anything else; also for
    '7/12/2023', which is one day in Yerevan and another in New York.
    """
    text = " ".join(text.split())
    try:
        return _read(text)
    except (ValueError, OverflowError):
        raise UsageError(f"'{text}' is no date; {_ADVICE}.") from None


def _read(text: str) -> Period:
    if match := _ISO.fullmatch(text):
        return _period(*(int(part) if part else None for part in match.groups()))
    if _ISO_MOMENT.fullmatch(text):
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return Period(moment, moment)
    if match := _NUMERIC.fullmatch(text):
        return _numeric(text, int(match[1]), match[2], int(match[3]), int(match[4]))
    if not _WRITTEN.fullmatch(text):
        raise ValueError(text)
    # Two defaults tell what the text names from what the parser filled in.
    one = parser.parse(text, default=datetime(1904, 1, 1))
    other = parser.parse(text, default=datetime(1908, 2, 2))
    if one.year != other.year or one.time() != other.time() or one.time() != datetime.min.time():
        raise ValueError(text)
    if one.month != other.month:
        raise ValueError(text)
    return _period(one.year, one.month, one.day if one.day == other.day else None)


def _numeric(text: str, first: int, mark: str, second: int, year: int) -> Period:
    if first > 12 or mark == ".":
        return _period(year, second, first)
    if second > 12 or first == second:
        return _period(year, first, second)
    days = f"{year:04}-{first:02}-{second:02} or {year:04}-{second:02}-{first:02}"
    raise UsageError(f"'{text}' can be two different days; write {days}.")


def _period(year: int | None, month: int | None = None, day: int | None = None) -> Period:
    if year is None or not 1 <= year < 9999:
        raise ValueError(year)
    start = datetime(year, month or 1, day or 1, tzinfo=UTC)
    if month is None:
        return Period(start, datetime(year + 1, 1, 1, tzinfo=UTC))
    length = 1 if day else calendar.monthrange(year, month)[1]
    return Period(start, start + timedelta(days=length))
