"""Dates as newspapers, feeds and databases write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from dateutil import parser as dateutil_parser
from dateutil import tz

__all__ = ["parse_date"]

FIRST_YEAR, LAST_YEAR = 1600, 2200
_LONGEST = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?\d{9,19}(?:\.\d+)?\Z")
_COMPACT_DAY = re.compile(r"(\d{4})(\d\d)(\d\d)\Z")
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:$|[T ])")
_YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")
_THREE_NUMBERS = re.compile(r"\d+\D+\d+\D+\d")
_DAY_FIRST = re.compile(r"\d{1,2}\.\d{1,2}\.\d")
_CJK_DAY = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일]")
# 'GMT+4' means four hours ahead, but POSIX, and dateutil with it, reads the sign the other way round.
_GMT_OFFSET = re.compile(r"\b(?:GMT|UTC)\s*([+-])(\d{1,2})(?::?(\d\d))?\b", re.I)
_LABEL = re.compile(
    r"^(?:(?:first |last )?(?:published|posted|updated|modified|created|issued|date)(?: (?:on|at))?|on)\b\s*:?\s*", re.I
)
# 14.30 as a time of day, '14 Dec 2023 at 10:30', 'Dec. 14, 2023 | 10:30': spellings that dateutil does not read.
_DOTTED_TIME = re.compile(r"(?<![\d.])([01]?\d|2[0-3])\.([0-5]\d)(?=\s*(?:[ap]\.?m|GMT|UTC|[A-Z]{2,4}T\b|$))", re.I)
_FILLER = re.compile(r"\s+(?:at|um|a las|[|·•–—-])\s+|\s*[|·•]\s*", re.I)
_ZONES = {
    name: tz.tzoffset(name, int(hours * 3600))
    for name, hours in {
        "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "ET": -5, "PT": -8,
        "BST": 1, "IST": 5.5, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "AMT": 4, "AZT": 4, "GET": 4,
        "JST": 9, "KST": 9, "SGT": 8, "HKT": 8, "AEST": 10, "AEDT": 11,
    }.items()
}  # fmt: skip


def parse_date(value: object) -> datetime | None:
    """A moment with a time zone (UTC where none is named), or None if `value` is none or is out of bounds.

    Understood: datetime and date objects, ISO 8601, RFC 2822, seconds, milliseconds or microseconds since 1970 as
    number or digits, YYYYMMDD, and what dateutil reads of human spellings that name at least a month and a year
    (3/4/2023 is the fourth of March, 3.4.2023 the third of April). Dates without a time are midnight UTC. Years outside
    1600 to 2200 are no dates.
    """
    try:
        moment = _moment(value)
        if moment is None:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        # Beyond a day, an offset has no ISO form and cannot be compared.
        in_bounds = FIRST_YEAR <= moment.year <= LAST_YEAR and abs(moment.utcoffset() or timedelta()) < timedelta(
            days=1
        )
    except (ValueError, OverflowError, ArithmeticError, TypeError, AttributeError, RecursionError):
        # Each of these is how datetime or dateutil says that the value is not a date; 'no date' is the answer.
        return None
    return _with_fixed_offset(moment) if in_bounds else None


def _with_fixed_offset(moment: datetime) -> datetime:
    """The same moment with a plain offset, which no library's zone class goes with."""
    return datetime.fromisoformat(moment.isoformat())


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _from_epoch(float(value))
    return _from_text(value) if isinstance(value, str) else None


def _from_epoch(number: float) -> datetime | None:
    if 16000101 <= number <= 22001231 and number == int(number):
        return _from_text(str(int(number)))
    magnitude = abs(number)
    # Seconds have at most 10 digits until 2286, milliseconds 13, microseconds 16; small numbers are ids or years.
    if magnitude < 1e8:
        return None
    scale = 1 if magnitude < 1e11 else 1e3 if magnitude < 1e14 else 1e6 if magnitude < 1e17 else 1e9
    return _EPOCH + timedelta(seconds=number / scale)


def _from_text(text: str) -> datetime | None:
    text = " ".join(text.split())
    if not text or len(text) > _LONGEST:
        return None
    if _NUMBER.match(text):
        return _from_epoch(float(text))
    if day := _COMPACT_DAY.match(text):
        return datetime(int(day[1]), int(day[2]), int(day[3]), tzinfo=UTC)
    if _ISO.match(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass  # nearly ISO, such as '2023-12-14 10:30 GMT': dateutil reads those
    text = _GMT_OFFSET.sub(lambda found: f"{found[1]}{int(found[2]):02}:{found[3] or '00'}", text)
    text = _CJK_DAY.sub(r"\1-\2-\3", text)
    return _from_words(_FILLER.sub(" ", _DOTTED_TIME.sub(r"\1:\2", _LABEL.sub("", text))))


def _from_words(text: str) -> datetime | None:
    """What dateutil makes of it, provided that the text itself, not today's date, gives year and month."""
    readings = [
        dateutil_parser.parse(text, default=default, tzinfos=_ZONES, dayfirst=bool(_DAY_FIRST.match(text)))
        for default in (datetime(2000, 1, 1), datetime(2004, 2, 1))
    ]
    if readings[0] != readings[1] or not (_YEAR.search(text) or _THREE_NUMBERS.search(text)):
        return None
    return readings[0]
