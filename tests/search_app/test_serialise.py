from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from indexer.article import Article
from search_app.engine import SearchEngine
from search_app.results import ArticleInfo, Hit, Interpretation, LegScore, Results, Snippet, Suggestion
from search_app.serialise import article_to_json, dumps, related_to_json, status_to_json

_TEXT = st.text(max_size=20)
_SCORE = st.floats(min_value=0, max_value=1)
_SPAN = st.tuples(st.integers(0, 50), st.integers(50, 99))
_LEG = st.none() | st.builds(LegScore, st.none() | st.integers(1, 9), st.floats(-1, 40), _SCORE)
_INFO = st.builds(
    ArticleInfo,
    _TEXT,
    _TEXT,
    *[st.none() | _TEXT] * 4,
    st.none() | st.datetimes(timezones=st.just(UTC)),
)
_HIT = st.builds(
    Hit,
    st.integers(1, 99),
    _SCORE,
    _INFO,
    _SPAN,
    st.builds(Snippet, _TEXT, st.integers(0, 9), st.integers(9, 99), st.tuples(_SPAN)),
    st.just(()) | st.tuples(_SPAN),
    _LEG,
    _LEG,
    _TEXT,
    st.none() | st.dictionaries(_TEXT, _SCORE | _TEXT | st.none(), max_size=3),
)
_RESULTS = st.builds(
    Results,
    query=_TEXT,
    mode=_TEXT,
    hits=st.lists(_HIT, max_size=2).map(tuple),
    total=st.integers(0, 999),
    page=st.integers(1, 9),
    k=st.integers(1, 100),
    interpretation=st.builds(
        Interpretation, st.tuples(_TEXT), filters=st.dictionaries(_TEXT, st.tuples(_TEXT), max_size=2)
    ),
    suggestions=st.just(()) | st.tuples(st.builds(Suggestion, _TEXT, _TEXT, _TEXT, st.none() | st.integers(0, 9))),
    facets=st.dictionaries(_TEXT, st.lists(st.tuples(_TEXT, st.integers(1, 9))).map(tuple), max_size=2),
)


@given(_RESULTS)
def test_results_survive_the_way_through_json_text(results: Results) -> None:
    text = dumps(results.to_dict())
    assert TypeAdapter(Results).validate_json(text) == results


def test_absent_is_null_tuples_are_lists_and_dates_are_iso(engine: SearchEngine) -> None:
    balloonist = engine.search("balloonist").to_dict()["hits"][0]
    assert balloonist["article"]["date"] is None
    assert balloonist["article"]["section"] is None
    assert balloonist["explanation"] is None
    assert isinstance(balloonist["snippet"]["highlights"][0], list)
    keeper = engine.search("lighthouse keeper").to_dict()["hits"][0]
    assert datetime.fromisoformat(keeper["article"]["date"]) == datetime(2023, 2, 11, 9, tzinfo=UTC)


def test_a_ranking_that_did_not_score_is_null_and_never_zero(engine: SearchEngine) -> None:
    hit = engine.search("lighthouse", mode="lexical").to_dict()["hits"][0]
    assert hit["dense"] is None
    assert hit["lexical"]["rank"] == 1


def test_an_article_shows_its_text_but_not_where_it_lay() -> None:
    article = Article(id="a", title="T", text="Body.", origin="/home/someone/archive/a.html#3")
    assert article_to_json(article) == {
        "id": "a",
        "title": "T",
        "url": None,
        "source": None,
        "section": None,
        "author": None,
        "date": None,
        "text": "Body.",
    }


def test_related_and_status_are_plain_json(engine: SearchEngine) -> None:
    related = related_to_json("ferry-strike", engine.related("ferry-strike", k=2))
    assert related["id"] == "ferry-strike"
    assert [hit["rank"] for hit in related["hits"]] == [1, 2]
    status = status_to_json(engine.status())
    assert json.loads(dumps(status)) == status
    assert datetime.fromisoformat(status["created_at"]).tzinfo is not None


def test_text_outside_unicode_is_still_json() -> None:
    assert json.loads(dumps({"half": "\ud800"})) == {"half": "\ud800"}
    with pytest.raises(ValueError, match="JSON"):
        dumps({"score": float("nan")})
