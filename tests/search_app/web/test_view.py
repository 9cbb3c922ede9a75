from __future__ import annotations

import html
import re
from urllib.parse import unquote

import pytest
from flask import url_for
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from indexer.article import Article
from search_app.results import Interpretation, Results, Suggestion
from search_app.web import create_app, view
from search_app.web.params import SearchParams
from search_app.web.routes import id_from_path, id_to_path
from tests.search_app.web.fake_engine import FakeEngine


@st.composite
def _marked(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    text = draw(st.text(alphabet="ab <&>\"'é", max_size=40))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=6)))
    return text, [(cuts[at], cuts[at + 1]) for at in range(0, len(cuts) - 1, 2)]


@given(_marked())
def test_marking_keeps_the_text_and_marks_exactly_the_spans(case: tuple[str, list[tuple[int, int]]]) -> None:
    text, spans = case
    marked = str(view.mark(text, spans))
    assert html.unescape(marked.replace("<mark>", "").replace("</mark>", "")) == text
    assert [html.unescape(piece) for piece in re.findall("<mark>(.*?)</mark>", marked)] == [
        text[start:end] for start, end in spans
    ]


_ARTICLE_TEXT = st.lists(st.text(alphabet="abc .\n", min_size=1).map(str.strip).filter(bool), max_size=5).map(
    lambda parts: "\n\n".join(re.sub(r"\n+", "\n", part) for part in parts)
)


@given(_ARTICLE_TEXT, st.integers(0, 60), st.integers(0, 60))
def test_paragraphs_lose_no_text_and_mark_the_passage_once(text: str, start: int, length: int) -> None:
    passage = (start, start + length)
    shown = view.paragraphs(text, passage)
    assert "".join("".join((one.before, one.matched, one.after)) for one in shown) == text.replace("\n\n", "")
    marked = "".join(one.matched for one in shown)
    assert marked.replace("\n", "") == text[slice(*passage)].replace("\n", "")
    assert sum(one.first_match for one in shown) == any(one.matched for one in shown)


def test_a_passage_over_two_paragraphs_is_marked_in_both() -> None:
    text = "One two.\n\nThree four.\n\nFive."
    first, second, third = view.paragraphs(text, (4, 15))
    assert (first.before, first.matched, first.after) == ("One ", "two.", "")
    assert (second.before, second.matched, second.after) == ("", "Three", " four.")
    assert (first.first_match, second.first_match, third.matched) == (True, False, "")


@pytest.mark.parametrize(
    ("page", "pages", "expected"),
    [
        (1, 1, [1]),
        (1, 4, [1, 2, 3, 4]),
        (5, 9, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (6, 20, [1, None, 4, 5, 6, 7, 8, None, 20]),
        (99, 20, [1, None, 20]),
    ],
)
def test_page_numbers(page: int, pages: int, expected: list[int | None]) -> None:
    assert list(view.page_numbers(page, pages)) == expected


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        " https://leading.example/",
        "data:text/html,x",
        "//news.example/a",
        "https:///no-host",
        "https://news.example/a b",
        "ftp://news.example/a",
    ],
)
def test_only_web_addresses_become_links(url: str | None) -> None:
    assert view.original_link(url) is None


def test_web_addresses_become_links() -> None:
    assert view.original_link("HTTPS://news.example/a?b=c#d") == "HTTPS://news.example/a?b=c#d"


@given(st.text(st.characters(exclude_categories=()), min_size=1))
def test_every_id_comes_back_from_its_path(article_id: str) -> None:
    path = id_to_path(article_id)
    decoded_by_the_server = unquote(path)
    assert id_from_path(decoded_by_the_server) == article_id
    segments = decoded_by_the_server.split("/")
    assert not {"", ".", ".."} & set(segments)
    assert len(segments) == 1 or segments[-1] != "related"


@pytest.mark.parametrize("article_id", ["a/b", "https://x.example/a//b?c#d", "..", "a/../b", "50%25", "a/related", "/"])
def test_ids_of_any_kind_reach_the_engine(article_id: str) -> None:
    app = create_app(engine=FakeEngine([Article(id=article_id, title="Found it", text="Text.")]))
    with app.test_request_context():
        page = url_for("concord.article", article_id=article_id)
        data = url_for("concord.api.article", article_id=article_id)
        related = url_for("concord.api.related", article_id=article_id)
    client = app.test_client()
    assert "Found it" in client.get(page).text
    assert client.get(data).get_json()["id"] == article_id
    assert client.get(related).get_json() == {"id": article_id, "hits": []}


def _results(**facets: tuple[tuple[str, int], ...]) -> Results:
    return Results("q", "hybrid", (), 0, 1, 10, Interpretation(), facets=facets)


def test_choices_keep_a_chosen_value_that_no_article_has() -> None:
    shown = view.choices(_results(section=(("World", 3), ("Sport", 1))), "section", ("world", "Crime"))
    assert [(one.value, one.count, one.chosen) for one in shown] == [
        ("World", 3, True),
        ("Sport", 1, False),
        ("Crime", None, True),
    ]


def test_each_filter_can_be_taken_away_alone() -> None:
    params = SearchParams(q="x", section=("World", "Sport"), until="2023", page=3)
    world, sport, until = view.active_filters(params)
    assert params.link(**world.without) == {"q": "x", "section": ("Sport",), "until": "2023"}
    assert params.link(**sport.without) == {"q": "x", "section": ("World",), "until": "2023"}
    assert params.link(**until.without) == {"q": "x", "section": ("World", "Sport")}


def test_a_suggestion_changes_the_query_and_drops_only_the_filters_it_names() -> None:
    params = SearchParams(q="lighthose", section=("Sport",), since="2023", mode="lexical")
    suggestion = Suggestion("filter", "Without", "lighthouse", 3, remove=("section",))
    assert params.link(**view.suggestion_params(params, suggestion)) == {
        "q": "lighthouse",
        "since": "2023",
        "mode": "lexical",
    }


def test_endless_words_can_break_and_nothing_else_changes() -> None:
    word = "<&" * 1500
    assert view.breakable(f"one {word}").count("<wbr>") == 2
    assert str(view.breakable(f"one {word}")).replace("<wbr>", "") == escape(f"one {word}")
    assert view.breakable("a few <words> " * 500) == escape("a few <words> " * 500)
    assert view.mark(word, [(0, 3000)]).startswith("<mark>")


def test_short_cuts_where_no_title_ends() -> None:
    assert view.short("x" * 500) == "x" * 500
    assert view.short("x" * 501) == "x" * 499 + "…"
    assert view.mark(view.short("x" * 600), [(2, 4), (590, 595)]).count("<mark>") == 1
