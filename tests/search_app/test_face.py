"""What both packages show: names that cost nothing until used, values that print well, an engine that closes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import indexer
import search_app
from indexer import BuildReport, Skipped
from search_app import (
    ArticleInfo,
    ConcordError,
    Hit,
    LegScore,
    Results,
    SearchEngine,
    SearchOptions,
    Snippet,
    Suggestion,
)
from search_app.json_values import dumps
from search_app.results import Interpretation

ROOT = Path(__file__).parents[2]
_HOSTILE = "<script>alert('x')</script> & \"quoted\" </td></table><img src=x onerror=alert(1)>"


def _run(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("package", ["search_app", "indexer"])
def test_every_name_is_there_and_listed(package: str) -> None:
    script = (
        f"import json, {package} as face; before = dir(face); from {package} import *;"
        "print(json.dumps([sorted(set(face.__all__) - set(before)), sorted(set(face.__all__) - globals().keys())]))"
    )
    assert json.loads(_run(script)) == [[], []]


@pytest.mark.parametrize("package", [search_app, indexer])
def test_a_name_that_is_none_is_said(package: Any) -> None:
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'SearchEngin'"):
        _ = package.SearchEngin


def test_importing_the_packages_imports_nothing_heavy() -> None:
    script = (
        "import sys, indexer, search_app; print(sorted(name for name in sys.modules if '.' not in name and name in "
        "{'numpy', 'faiss', 'torch', 'pydantic', 'flask', 'click', 'whoosh', 'regex', 'sqlite3'}))"
    )
    assert _run(script) == "[]"


def test_what_builds_an_index_is_imported_without_the_heavy_libraries() -> None:
    script = (
        "import sys; from indexer import *; print(sorted(sys.modules.keys() & "
        "{'torch', 'sentence_transformers', 'transformers', 'trafilatura', 'onnx'}))"
    )
    assert _run(script) == "[]"


def test_both_packages_say_that_they_are_typed() -> None:
    for package in (search_app, indexer):
        assert Path(str(package.__file__)).with_name("py.typed").is_file()


@pytest.mark.slow
def test_a_type_checker_sees_names_and_choices(tmp_path: Path) -> None:
    snippet = tmp_path / "snippet.py"
    snippet.write_text(
        "from indexer import BuildReport, build_index\n"
        "from search_app import Hit, Results, SearchEngine, SearchOptions\n"
        "from search_app import SearchEngin\n"
        "from indexer import build_indexes\n"
        "\n"
        "def ask(engine: SearchEngine) -> Results:\n"
        "    engine.search('harbour', mode='hybird')\n"
        "    engine.search('harbour', kay=3)\n"
        "    SearchOptions(fusion='rff')\n"
        "    hit: Hit = engine.search('harbour', mode='lexical', k=3, since='2023')[0]\n"
        "    hits: tuple[Hit, ...] = engine.search('harbour')[1:3]\n"
        "    report: BuildReport = build_index(['articles'])\n"
        "    return engine.search('harbour')[0]\n",
        "utf-8",
    )
    command = [sys.executable, "-m", "mypy", "--no-error-summary", str(snippet)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    found = [line.partition("snippet.py:")[2] for line in done.stdout.splitlines() if "error:" in line]
    wanted = [
        (3, '"search_app" has no attribute "SearchEngin"'),
        (4, '"indexer" has no attribute "build_indexes"'),
        (7, "has incompatible type \"Literal['hybird']\""),
        (8, 'Unexpected keyword argument "kay"'),
        (9, "has incompatible type \"Literal['rff']\""),
        (13, 'Incompatible return value type (got "Hit", expected "Results")'),
    ]
    assert len(found) == len(wanted), done.stdout + done.stderr
    for line, (number, words) in zip(found, wanted, strict=True):
        assert line.startswith(f"{number}: ")
        assert words in line


def test_results_are_a_sequence_of_the_hits_of_a_page(engine: SearchEngine) -> None:
    results = engine.search("harbour", k=4)
    assert len(results) == 4
    assert results
    assert results[0] is results.hits[0]
    assert results[-1] is results.hits[3]
    assert results[1:3] == results.hits[1:3]
    assert list(results) == list(results.hits)
    assert [hit.rank for hit in reversed(results)] == [4, 3, 2, 1]
    with pytest.raises(IndexError):
        _ = results[4]
    past_the_end = engine.search("harbour", k=4, page=100)
    assert past_the_end.total == results.total
    assert not past_the_end


def test_short_representations(engine: SearchEngine) -> None:
    results = engine.search("ferry strike", k=3)
    assert repr(results) == f"<Results for 'ferry strike': 3 of {results.total}, hybrid>"
    second = engine.search("ferry strike", k=3, page=2, mode="lexical")
    assert repr(second) == f"<Results for 'ferry strike': {len(second)} of {second.total}, lexical, page 2>"
    assert repr(results[0]) == f"<Hit 1, {results[0].score:.2f}: {results[0].article.title!r}>"
    assert repr(engine).startswith("<SearchEngine over '")
    report = BuildReport(3, 1, 2, 1_200, 4, (Skipped("a.html", "no text"),), 1_203, 5_000, 17, "float32", 4.25)
    assert repr(report) == (
        "<BuildReport of generation 3, 1,203 articles: 1 added, 2 updated, 1,200 unchanged, 4 removed, 1 skipped; "
        "4.2 s>"
    )


def test_no_article_and_no_query_breaks_a_line_of_its_own() -> None:
    for shown in (repr(_answer("\x1b[2J\n" * 1000)), repr(_hit("\u202etxet\n" * 1000))):
        assert shown.isprintable()
        assert len(shown) < 700


def test_to_dict_gives_the_values_of_the_api(engine: SearchEngine) -> None:
    results = engine.search("prisoner exchange without mediation")
    whole = results.to_dict()
    assert json.loads(dumps(whole)) == whole
    assert whole["hits"][0] == results[0].to_dict()
    assert whole["hits"][0]["article"]["date"] == "2023-12-08T09:00:00Z"


class _Elements(HTMLParser):
    """The elements, attributes and texts of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def _hit(text: str, url: str | None = None) -> Hit:
    leg = LegScore(1, 2.0, 1.0)
    info = ArticleInfo(text, text, url, text, text, text, None)
    return Hit(1, 0.5, info, (0, 1), Snippet(text, 0, len(text), ((0, 3),)), ((0, 3),), leg, None, text)


def _answer(text: str, url: str | None = None) -> Results:
    read = Interpretation(notes=(text,))
    suggestions = (Suggestion("spelling", text, text),)
    return Results(text, "hybrid", (_hit(text, url),), 1, 1, 10, read, suggestions)


def _assert_inert(html: str) -> _Elements:
    found = _Elements(html)
    assert {tag for tag, _ in found.tags} <= {"p", "table", "thead", "tbody", "tr", "th", "td", "a", "mark", "wbr"}
    for _, attributes in found.tags:
        assert attributes.keys() <= {"dir", "style", "href", "rel", "target"}
        assert attributes.get("style", "text-align:left") == "text-align:left"
        assert str(attributes.get("href", "https://")).lower().startswith(("https://", "http://"))
    return found


_ANYTHING = st.text(st.characters(exclude_categories=()), max_size=30) | st.just(_HOSTILE)


@given(_ANYTHING, _ANYTHING.map(lambda tail: f"https://news.example/{tail}") | _ANYTHING)
def test_in_a_notebook_nothing_in_an_article_becomes_markup(text: str, url: str) -> None:
    for shown in (_answer(text, url)._repr_html_(), _hit(text, url)._repr_html_()):
        _assert_inert(shown)
        shown.encode("utf-8")


def test_a_notebook_shows_what_was_found(engine: SearchEngine) -> None:
    hostile = _assert_inert(engine.search("crocodile")._repr_html_())
    assert "<script>alert('title')</script>" in hostile.text
    assert not any(tag == "a" for tag, _ in hostile.tags)  # its address is no web address
    results = engine.search("ferry strike", k=2)
    shown = _assert_inert(results._repr_html_())
    assert [attributes["href"] for tag, attributes in shown.tags if tag == "a"] == [hit.article.url for hit in results]
    assert sum(tag == "tr" for tag, _ in shown.tags) == 3
    assert any(tag == "mark" for tag, _ in shown.tags)
    for hit in results:
        date = hit.article.date
        assert date is not None
        shown_of_hit = (f"{hit.score:.2f}", hit.article.title, hit.article.source, f"{date.day} {date:%B}", hit.why)
        assert all(str(part) in shown.text for part in shown_of_hit)
    assert f"2 of {results.total}, hybrid" in shown.text


_QUESTIONS: dict[str, Callable[[SearchEngine], object]] = {
    "search": lambda engine: engine.search("harbour"),
    "answer": lambda engine: engine.answer("harbour", SearchOptions()),
    "related": lambda engine: engine.related("tram"),
    "article": lambda engine: engine.article("tram"),
    "status": lambda engine: engine.status(),
    "warm_up": lambda engine: engine.warm_up(),
}


@pytest.mark.parametrize("background", [False, True])
def test_a_closed_engine_says_so_in_any_thread_and_closes_again(index_dir: Path, background: bool) -> None:
    with SearchEngine.open(index_dir, background=background) as engine:
        assert engine.search("harbour")
    engine.close()
    said: list[str] = []

    def ask() -> None:
        for question in _QUESTIONS.values():
            with pytest.raises(ConcordError) as caught:
                question(engine)
            said.append(str(caught.value))

    ask()
    other = threading.Thread(target=ask)
    other.start()
    other.join()
    assert said == [f"The engine over '{index_dir}' was closed: open a new one."] * 2 * len(_QUESTIONS)
