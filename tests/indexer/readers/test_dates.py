"""Dates in the spellings of newspapers, feeds and databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.readers.dates import parse_date

DAY = datetime(2023, 12, 14, tzinfo=UTC)
MORNING = DAY + timedelta(hours=10, minutes=30)


@pytest.mark.parametrize(
    "value",
    [
        "2023-12-14", "14 December 2023", "December 14, 2023", "Dec. 14, 2023", "Thursday, 14 December, 2023",
        "20231214", 20231214, "14.12.2023", "14/12/2023", "12/14/2023", "Published: 14 December 2023",
        "Updated on December 14, 2023",
        "2023年12月14日", date(2023, 12, 14), "Thu 14 Dec 2023",
    ],
)  # fmt: skip
def test_a_day_is_midnight_utc(value: object) -> None:
    assert parse_date(value) == DAY
    assert parse_date(value).utcoffset() == timedelta(0)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "value",
    [
        "2023-12-14T10:30:00Z", "2023-12-14 10:30:00+00:00", "2023-12-14T14:30:00+04:00", "2023-12-14T10:30:00",
        "Thu, 14 Dec 2023 10:30:00 GMT", "Thu, 14 Dec 2023 14:30:00 +0400", "Thu 14 Dec 2023 10.30 GMT",
        "14 December 2023 | 10:30", "14 December 2023, 14:30 GMT+4", "December 14, 2023 at 5:30 a.m. EST", 1702549800,
        1702549800000, 1702549800000000, "1702549800", "1702549800000", datetime(2023, 12, 14, 10, 30),
    ],
)  # fmt: skip
def test_a_moment_keeps_its_time(value: object) -> None:
    assert parse_date(value) == MORNING


def test_the_zone_is_kept() -> None:
    assert parse_date("2023-12-14T14:30:00+04:00").tzinfo == timezone(timedelta(hours=4))  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "value",
    [
        None, "", "soon", "10:30", "Monday", "5", "2023", 7, 2023, True, float("nan"), float("inf"), 1e300, "x" * 5000,
        "1599-12-31", "2201-01-01", "0000-00-00", "9999-99-99", "32 December 2023", [], {}, "٢٠٢٣", "2023-12-14T99:99",
    ],
)  # fmt: skip
def test_no_date(value: object) -> None:
    assert parse_date(value) is None


@given(st.one_of(st.text(max_size=120), st.integers(), st.floats(), st.text("0123456789-/:. TZ+AMJune", max_size=30)))
def test_whatever_comes_in_a_date_has_a_zone_and_a_sane_year(value: object) -> None:
    moment = parse_date(value)
    assert moment is None or (moment.tzinfo is not None and 1600 <= moment.year <= 2200)


offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(1600, 1, 2), datetime(2200, 12, 30), timezones=offsets))
def test_iso_dates_come_back_as_the_same_moment(moment: datetime) -> None:
    assert parse_date(moment.isoformat()) == moment
