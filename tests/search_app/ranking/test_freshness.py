from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.catalogue import NO_DATE
from indexer.errors import UsageError
from search_app.options import SearchOptions
from search_app.ranking.freshness import FRESH_WEIGHT, Freshness, factors
from tests.archive import Archive, story

DAY = 86_400
half_lives = st.floats(0.01, 36_500)
dates = st.lists(st.integers(-(10**10), 10**10) | st.just(int(NO_DATE)), min_size=1, max_size=20)
moments = st.integers(-(10**10), 10**10)


@given(dates, moments, half_lives)
def test_factors_are_bounded_and_fall_with_age(given_dates: list[int], as_of: int, half_life: float) -> None:
    values = np.array(sorted(given_dates), np.int64)
    found = factors(values, as_of, half_life)
    assert ((found >= 1 - FRESH_WEIGHT - 1e-12) & (found <= 1)).all()
    assert (np.diff(found) >= 0).all()  # NO_DATE is the smallest of them
    assert (found[values == NO_DATE] == 1 - FRESH_WEIGHT).all()
    assert (found[values >= as_of] == 1).all()


@given(moments, half_lives)
def test_after_one_half_life_half_of_it_is_gone(as_of: int, half_life: float) -> None:
    (found,) = factors(np.array([as_of - round(half_life * DAY)], np.int64), as_of, half_life)
    assert found == pytest.approx(1 - FRESH_WEIGHT / 2, abs=0.001)


def test_what_makes_no_sense_is_refused() -> None:
    for half_life in (0.0, -1.0, float("nan"), float("inf"), 1e9):
        with pytest.raises(UsageError, match=r"half_life is .* and must be from 0.01 to 36500"):
            SearchOptions(half_life=half_life)
    with pytest.raises(UsageError, match="as_of: "):
        Freshness.given(None, "someday")
    assert Freshness.given(None, "2024") is None


def test_ages_count_from_the_end_of_a_day_or_from_now() -> None:
    made = Freshness.given(7, "2024-05-14")
    assert made is not None
    assert made.as_of == datetime(2024, 5, 15, tzinfo=UTC).timestamp()
    now = Freshness.given(7, None)
    assert now is not None
    assert abs(now.as_of - datetime.now(UTC).timestamp()) < 60


def test_a_search_says_what_age_took(archive: Archive) -> None:
    days = {"old": "2014-01-01", "week": "2024-01-01", "new": "2024-01-08", "undated": None}
    archive.write_lines("news.jsonl", [story(one, f"amber {one}", date=day) for one, day in days.items()])
    archive.index()
    engine = archive.open()
    plain = {hit.article.id: hit for hit in engine.search("amber")}
    hits = engine.search("amber", half_life=7, as_of="2024-01-08", explain=True).hits
    assert {hit.article.id for hit in hits} == set(plain)
    for hit in hits:
        freshness = (hit.explanation or {})["freshness"]
        assert isinstance(freshness, dict)
        assert hit.score == pytest.approx(plain[hit.article.id].score * freshness["factor"], abs=2e-4)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    whys = {hit.article.id: hit.why for hit in hits}
    assert whys["old"].endswith("30% less for its age of 3,660 days")
    assert whys["week"].endswith("16% less for its age of 8 days")
    assert whys["undated"].endswith("30% less for having no date")
    assert "less" not in plain["old"].why


def test_filters_alone_stay_newest_first(archive: Archive) -> None:
    archive.write_lines("n.jsonl", [story(str(n), f"amber {n}", section="A", date=f"2024-01-0{n}") for n in (1, 2, 3)])
    archive.index()
    hits = archive.open().search("section:A", half_life=1, as_of="2024").hits
    assert [(hit.article.id, hit.score, hit.why) for hit in hits] == [(one, 1, "newest first") for one in "321"]
