"""The pages as a reader without JavaScript gets them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from search_app.engine import SearchEngine
from search_app.web import WebSettings, create_app

PAGES = ("/", "/?q=harbour", "/?q=zzyzx", "/article/storm?q=flood", "/article/nope", "/nowhere", "/?q=x&k=0")
_VOID = {"meta", "link", "input", "rect", "br", "hr", "img"}


class _Page(HTMLParser):
    """Elements and text of a page; fails on a page whose tags do not close in order."""

    def __init__(self, response: TestResponse) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(response.text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str, **having: str) -> list[dict[str, str]]:
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and all(attributes.get(key.rstrip("_")) == value for key, value in having.items())
        ]

    def links(self, beginning: str) -> list[str]:
        return [one["href"] for one in self.all("a") if one["href"].startswith(beginning)]


def _visible(response: TestResponse) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", response.text))


@pytest.mark.parametrize("address", PAGES)
def test_every_page_is_well_formed_and_has_its_landmarks(client: FlaskClient, address: str) -> None:
    page = _Page(client.get(address))
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("title")) == len(page.all("main")) == len(page.all("h1")) == 1
    assert page.all("meta", name="description")[0]["content"]
    assert page.all("a")[0] == {"class": "skip", "href": "#content"}
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("address", PAGES)
def test_every_field_has_a_label_and_nothing_is_inline(client: FlaskClient, address: str) -> None:
    response = client.get(address)
    page = _Page(response)
    labelled = {one.get("for") for one in page.all("label")}
    for field in page.all("input"):
        assert field["type"] in ("radio", "checkbox", "hidden") or field["id"] in labelled
    assert not any(name == "style" or name.startswith("on") for _, given in page.elements for name in given)
    assert all("src" in script for script in page.all("script"))
    assert not page.all("style")


def test_there_is_one_get_form(client: FlaskClient) -> None:
    for address in ("/", "/?q=harbour"):
        (form,) = _Page(client.get(address)).all("form")
        assert (form["method"], form["action"]) == ("get", "/")


def test_the_start_page_offers_queries_and_says_what_there_is(engine: SearchEngine) -> None:
    settings = WebSettings(name="The Courier", examples=("a & b", '"c d"'))
    response = create_app(engine=engine, settings=settings).test_client().get("/")
    assert [parse_qs(urlsplit(link).query)["q"] for link in _Page(response).links("/?q=")] == [["a & b"], ['"c d"']]
    assert "<title>The Courier</title>" in response.text
    assert re.search(rf"Articles\D*{engine.status().articles}\b", _visible(response))


def test_a_hit_has_everything_a_reader_needs_to_judge_it(client: FlaskClient, engine: SearchEngine) -> None:
    response = client.get("/?q=lighthouse+keeper&mode=lexical")
    hit = engine.search("lighthouse keeper", mode="lexical").hits[0]
    page = _Page(response)
    assert hit.article.id == "lighthouse"
    assert "<mark>Lighthouse</mark> <mark>keeper</mark> retires after forty years" in response.text
    assert '<time datetime="2023-02-11T09:00:00+00:00">11 February 2023</time>' in response.text
    seen = _visible(response)
    assert "Culture" in seen
    assert "Ardlen Courier" in seen
    assert "by Mira Holm" in seen
    assert hit.why in seen
    assert f"Score {hit.score:.3f} of 1" in seen
    assert "not scored" in seen
    target = urlsplit(page.links("/article/")[0])
    assert (target.path, target.fragment) == ("/article/lighthouse", "match")
    kept = parse_qs(target.query)
    assert (kept["q"], kept["mode"]) == (["lighthouse keeper"], ["lexical"])
    assert (int(kept["start"][0]), int(kept["end"][0])) == hit.passage


def test_highlights_in_the_snippet_are_the_engines(client: FlaskClient, engine: SearchEngine) -> None:
    response = client.get("/?q=harbour")
    snippets = re.findall(r'<p class="snippet"[^>]*>(.*?)</p>', response.text, re.DOTALL)
    hits = engine.search("harbour").hits
    assert len(snippets) == len(hits)
    for shown, hit in zip(snippets, hits, strict=True):
        expected = [hit.snippet.text[start:end] for start, end in hit.snippet.highlights]
        assert re.findall("<mark>(.*?)</mark>", shown) == expected
    assert "<mark>harbour</mark>" in snippets[0]


def test_pages_cover_the_answer_without_repeats(client: FlaskClient, engine: SearchEngine) -> None:
    total = engine.search("harbour").total
    assert total > 10
    seen: list[str] = []
    address = "/?q=harbour"
    while address:
        response = client.get(address)
        page = _Page(response)
        assert f"{total} articles" in _visible(response)
        seen += [urlsplit(link).path for link in page.links("/article/")]
        following = page.all("a", rel="next")
        address = following[0]["href"] if following else ""
    assert len(seen) == len(set(seen)) == total


def test_a_page_past_the_end_leads_back(client: FlaskClient) -> None:
    response = client.get("/?q=harbour&page=50")
    assert response.status_code == 200
    assert "past the end" in response.text
    assert "/?q=harbour" in _Page(response).links("/?")


def test_filters_show_counts_stay_checked_and_can_be_removed(client: FlaskClient, engine: SearchEngine) -> None:
    address = "/?q=harbour&section=Politics&section=Sport&since=2023-03&author=Jon+Vale"
    page = _Page(client.get(address))
    wanted = engine.search("harbour", section=("Politics", "Sport"), since="2023-03", author=("Jon Vale",))
    counts = dict(wanted.facets["section"])
    assert f'Politics</bdi> <span class="count">{counts["Politics"]}</span>' in client.get(address).text
    checked = [one["value"] for one in page.all("input", type="checkbox", name="section") if "checked" in one]
    assert sorted(checked) == ["Politics", "Sport"]
    assert page.all("input", name="since")[0]["value"] == "2023-03"
    assert page.all("input", name="author")[0]["value"] == "Jon Vale"
    removals = [parse_qs(urlsplit(link).query) for link in page.links("/?q=harbour")]
    everything = {"q": ["harbour"], "section": ["Politics", "Sport"], "since": ["2023-03"], "author": ["Jon Vale"]}
    assert everything | {"section": ["Sport"]} in removals
    assert everything | {"section": ["Politics"]} in removals
    assert {name: value for name, value in everything.items() if name != "since"} in removals
    assert {name: value for name, value in everything.items() if name != "author"} in removals


def test_the_form_keeps_what_it_has_no_field_for(client: FlaskClient) -> None:
    page = _Page(client.get("/?q=harbour&k=5&fusion=rrf&author=Vale&author=Jon&mode=hybrid"))
    hidden = {(one["name"], one["value"]) for one in page.all("input", type="hidden")}
    assert hidden == {("k", "5"), ("fusion", "rrf"), ("author", "Jon")}


def test_empty_fields_of_the_form_are_no_filters(client: FlaskClient) -> None:
    response = client.get("/?q=lighthouse&mode=hybrid&since=&until=&author=&utm_source=mail")
    assert response.status_code == 200
    assert "Filters in force" not in response.text


def test_what_was_read_differently_is_said(client: FlaskClient, engine: SearchEngine) -> None:
    notes = engine.search('lighthouse "').interpretation.notes
    seen = _visible(client.get("/?q=lighthouse+%22"))
    assert notes
    assert all(note in seen for note in notes)


def test_nothing_found_is_said_with_a_way_out(client: FlaskClient, engine: SearchEngine) -> None:
    response = client.get("/?q=lighthoose&mode=lexical")
    assert response.status_code == 200
    assert "Nothing found" in response.text
    suggestion = engine.search("lighthoose", mode="lexical").suggestions[0]
    assert suggestion.text in _visible(response)
    assert f"/?q={suggestion.query}&mode=lexical" in _Page(response).links("/?q=")


def test_a_filter_that_excludes_everything_can_be_dropped_in_one_click(client: FlaskClient) -> None:
    response = client.get("/?q=lighthouse&mode=lexical&section=Weather&since=2020")
    assert "Nothing found" in response.text
    ways_out = _Page(response).links("/?q=lighthouse")
    assert any("Lighthouse" in client.get(link).text.replace("<mark>", "") for link in ways_out)


def test_an_article_is_shown_whole_with_its_passage_marked(client: FlaskClient, engine: SearchEngine) -> None:
    article = engine.article("prisoners")
    start = article.text.index("The agreement was reached")
    end = article.text.index(", the statement says")
    response = client.get(f"/article/prisoners?q=exchange+without+mediation&start={start}&end={end}")
    assert article.title in response.text
    assert article.text.replace("\n\n", " ") in _visible(response)
    marked = re.findall(r'<mark class="passage" id="match">(.*?)</mark>', response.text)
    assert marked == [article.text[start:end]]
    page = _Page(response)
    assert "#match" in page.links("#match")
    assert "/?q=exchange+without+mediation" in page.links("/?")
    assert "https://news.example/prisoners.html" in page.links("https:")


@pytest.mark.parametrize("offsets", ["", "&start=5&end=99999", "&start=9&end=3", "&start=x&end=4", "&start=-4&end=-1"])
def test_without_usable_offsets_the_query_finds_the_passage(
    client: FlaskClient, engine: SearchEngine, offsets: str
) -> None:
    (start, end) = engine.search("telescope cottage").hits[0].passage
    text = engine.article("lighthouse").text[start:end]
    marked = re.findall(
        r'<mark class="passage"[^>]*>(.*?)</mark>', client.get(f"/article/lighthouse?q=telescope+cottage{offsets}").text
    )
    assert " ".join(marked) == re.sub(r"\n+", " ", text)


def test_an_article_that_the_query_does_not_find_has_no_mark(client: FlaskClient) -> None:
    for address in ("/article/volcano", "/article/volcano?q=nutmeg&mode=lexical"):
        assert "<mark" not in client.get(address).text


def test_related_articles_stand_under_the_article(client: FlaskClient, engine: SearchEngine) -> None:
    related = [hit.article.id for hit in engine.related("ferry-strike", k=5)]
    assert "strike-ends" in related
    links = _Page(client.get("/article/ferry-strike?q=rosters")).links("/article/")
    assert links == [f"/article/{one}?q=rosters" for one in related]


def test_hostile_fields_are_text_and_never_markup(client: FlaskClient) -> None:
    results = client.get("/?q=crocodile&mode=lexical")
    page = _Page(results)
    (link,) = page.links("/article/")
    article = client.get(link)
    assert article.status_code == 200
    for response in (results, article, client.get("/?q=%3Cscript%3Ealert('q')%3C/script%3E")):
        parsed = _Page(response)
        assert [script["src"] for script in parsed.all("script")] == ["/assets/enhance.js"]
        assert not parsed.all("img")
        assert not parsed.all("b")
        assert "<script>alert" not in response.text
    assert not any("javascript:" in one["href"] for one in _Page(article).all("a"))
    assert "called &lt;b&gt;Bold&lt;/b&gt;" in article.text


def test_a_hostile_id_is_named_in_the_error_as_text(client: FlaskClient) -> None:
    response = client.get("/article/%3Cscript%3Ealert(1)%3C/script%3E")
    assert response.status_code == 404
    assert "<script>alert" not in response.text


@pytest.mark.parametrize(
    ("address", "status", "sentence"),
    [
        ("/article/nope", 404, "No article has the id"),
        ("/nowhere", 404, "There is nothing at this address."),
        ("/?q=x&k=0", 400, "k must be a whole number from 1 to 100; got &#39;0&#39;."),
        ("/?q=x&mode=best", 400, "mode must be &#39;hybrid&#39;, &#39;lexical&#39; or &#39;semantic&#39;"),
        ("/?q=x&since=yesterday", 400, "yesterday"),
        ("/?q=x&since=2024&until=2023", 400, "2023"),
    ],
)
def test_errors_are_pages_with_one_sentence(client: FlaskClient, address: str, status: int, sentence: str) -> None:
    response = client.get(address)
    assert response.status_code == status
    assert response.mimetype == "text/html"
    assert sentence in response.text
    assert "Traceback" not in response.text


def test_a_query_of_ten_thousand_characters_gets_a_sentence(client: FlaskClient) -> None:
    response = client.get("/?q=" + "harbour+" * 1250)
    assert response.status_code in (200, 400)
    assert "characters" in response.text


def test_a_search_with_filters_alone_shows_the_newest_first(client: FlaskClient) -> None:
    response = client.get("/?section=Culture")
    days = re.findall(r'<time datetime="([^"]+)"', response.text)
    assert len(days) == 3
    assert days == sorted(days, reverse=True)
    assert "/?section=Culture" in _Page(client.get("/")).links("/?")


def test_the_query_survives_its_error(client: FlaskClient) -> None:
    assert _Page(client.get("/?q=harbour+master&k=0")).all("input", id="q")[0]["value"] == "harbour master"


def test_other_methods_are_refused(client: FlaskClient) -> None:
    response = client.post("/article/storm")
    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]
    assert response.mimetype == "text/html"


def test_the_browser_can_add_the_archive_as_a_search_engine(client: FlaskClient) -> None:
    (link,) = _Page(client.get("/")).all("link", rel="search")
    response = client.get(link["href"])
    assert response.mimetype == "application/opensearchdescription+xml"
    root = ElementTree.fromstring(response.data)
    space = {"os": "http://a9.com/-/spec/opensearch/1.1/"}
    address = root.find("os:Url", space)
    assert address is not None
    assert address.attrib["template"] == "http://localhost/?q={searchTerms}"
