from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import UsageError
from search_app.query.periods import Period, named_period


def period(start: tuple[int, int, int], end: tuple[int, int, int]) -> Period:
    return Period(datetime(*start, tzinfo=UTC), datetime(*end, tzinfo=UTC))


DAY = period((2023, 12, 7), (2023, 12, 8))
MONTH = period((2023, 12, 1), (2024, 1, 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023", period((2023, 1, 1), (2024, 1, 1))),
        ("2023-12", MONTH),
        ("2024-2", period((2024, 2, 1), (2024, 3, 1))),
        ("2023-12-07", DAY),
        (" 7  December 2023 ", DAY),
        ("Dec. 7, 2023", DAY),
        ("Thursday 7 December 2023", DAY),
        ("7th of December 2023", DAY),
        ("7.12.2023", DAY),
        ("December 2023", MONTH),
        ("13/12/2023", period((2023, 12, 13), (2023, 12, 14))),
        ("12/13/2023", period((2023, 12, 13), (2023, 12, 14))),
        ("12/12/2023", period((2023, 12, 12), (2023, 12, 13))),
    ],
)
def test_periods(text: str, expected: Period) -> None:
    assert named_period(text) == expected


def test_a_moment_has_no_length() -> None:
    moment = datetime(2023, 12, 7, 6, 30, tzinfo=UTC)
    assert named_period("2023-12-07T10:30+04:00") == Period(moment, moment)
    assert named_period("2023-12-07 06:30") == Period(moment, moment)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "12",
        "7 December",
        "2023-13",
        "2023-02-30",
        "0000",
        "9999",
        "Thursday 2023",
        "7 Dec 2023 10:30",
        "31.2.2023",
        "December 7 8 2023",
        "not in 2023",
        "٢٠٢٣",
        "0001-01-01T00:00+14:00",
    ],
)
def test_what_names_no_period_is_said_with_the_way_out(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no date; write 2023, 2023-12 or 2023-12-07\."):
        named_period(text)


def test_ambiguous_days_are_not_guessed() -> None:
    with pytest.raises(UsageError, match="write 2023-07-12 or 2023-12-07"):
        named_period("7/12/2023")


WORDS = st.sampled_from(
    ["2023", "7", "Dec", "May", "Monday", "am", "UTC", ",", ".", " ", "th", "of", "31", "q", "T", "/"]
)


@given(
    st.one_of(st.text(max_size=30), st.lists(WORDS, max_size=9).map(" ".join), st.lists(WORDS, max_size=9).map("".join))
)
def test_any_text_is_a_period_or_refused(text: str) -> None:
    try:
        found = named_period(text)
    except UsageError:
        return
    assert found.start <= found.end
    assert found.start.tzinfo is found.end.tzinfo is UTC
