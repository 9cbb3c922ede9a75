"""Hostile articles in a real browser, with the site's policy and without it: nothing runs, and the layout survives."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import waitress
from playwright.sync_api import Browser, Dialog, Page

from indexer.article import Article
from search_app.web import create_app
from tests.search_app.web.fake_engine import FakeEngine

pytestmark = pytest.mark.browser

RUN = "window.ran=(window.ran||0)+1"
SCRIPTS = (
    f"<script>{RUN}</script>",
    f"</title></textarea></style></script><script>{RUN}</script>",
    f"\"><img src=x onerror='{RUN}'>",
    f"'><svg/onload={RUN}>",
    f'" autofocus onfocus="{RUN}" x="',
    f"<iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<a href='javascript:{RUN}'>here</a>",
    f"<meta http-equiv=refresh content='0;url=javascript:{RUN}'>",
    "<base href='http://192.0.2.1/'><link rel=stylesheet href='http://192.0.2.1/x.css'>",
    "<form action='http://192.0.2.1/'><input name=q><button>",
    f"<math><mtext></p><mglyph><style><img src onerror={RUN}></style>",
    "{{ 7*7 }} {% raw %} <!-- --> <![CDATA[ &lt;script&gt; &#60;script&#62;",
)
URLS = (f"javascript:{RUN}", f" JaVaScRiPt:{RUN}", f"java\tscript:{RUN}", f"data:text/html,<script>{RUN}</script>")
CONTROLS = "\x00\x01\x08\x1b[2J\x7f\x9b\u202e\u2066\u2067\u200f\u2028\ud83d\udc00 \ufffe\U000e0041"
WORD = "w" * 10_000_000
DEEP = "<div>" * 200_000

ARTICLES = (
    *(
        Article(
            id=f"script-{number}{script}",
            title=f"Crocodile {script}",
            text=f"A crocodile {script} sat there.\n\nThe crocodile {script} left.",
            url=URLS[number % len(URLS)],
            source=f"Gazette {script}",
            section=f"Odd {script}",
            author=f"Nobody {script}",
        )
        for number, script in enumerate(SCRIPTS)
    ),
    Article(
        id=f"controls{CONTROLS}",
        title=f"Beacon {CONTROLS}",
        text=f"The beacon {CONTROLS} shone.\n\nThe beacon went out.",
        source=f"Gazette {CONTROLS}",
        section=f"Odd {CONTROLS}",
        author="Ann Lee",
        date=datetime(2024, 3, 9, tzinfo=UTC),
    ),
    Article(
        id="word", title=f"Lantern {WORD}", text=f"The lantern {WORD}\n\nThe lantern went out.", author=WORD[:5000]
    ),
    Article(id="deep", title="Windmill", text=f"The windmill {DEEP} turned.\n\nThe windmill stood still."),
)

Opened = Callable[[str], Page]


def _without_policy(app: Any) -> Any:
    """The app without its Content-Security-Policy: what is left is escaping alone."""

    def bare(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        def begin(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start(status, [one for one in headers if one[0] != "Content-Security-Policy"], *more)

        found: Iterable[bytes] = app(environ, begin)
        return found

    return bare


@pytest.fixture(scope="module", params=["policy", "no policy"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    app: Any = create_app(engine=FakeEngine(ARTICLES))
    if request.param == "no policy":
        app = _without_policy(app)
    server = waitress.create_server(app, host="127.0.0.1", port=0, threads=4)
    threading.Thread(target=server.run, daemon=True).start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Opened]:
    """Opens an address on a narrow screen; fails when the page said or asked for anything that it should not."""
    context = browser.new_context(viewport={"width": 360, "height": 740})
    complaints: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        complaints.append(dialog.message)
        dialog.dismiss()

    def go(path: str) -> Page:
        page = context.new_page()
        page.set_default_timeout(90_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", dismiss)
        page.on("request", lambda one: complaints.extend(() if one.url.startswith(address) else (one.url,)))
        page.goto(address + path)
        return page

    yield go
    context.close()
    assert not complaints


def _assert_inert(page: Page) -> None:
    assert page.evaluate("window.ran") is None
    assert page.evaluate("[...document.scripts].map(one => new URL(one.src).pathname)") == ["/assets/enhance.js"]
    assert page.locator("img, iframe, object, embed, base, math, style, meta[http-equiv]").count() == 0
    handlers = "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()).filter(n => n.startsWith('on'))"
    assert page.evaluate(handlers) == []
    schemes = "[...document.querySelectorAll('[href],[action]')].map(e => (e.href ?? e.action).split(':')[0])"
    assert set(page.evaluate(schemes)) == {"http"}
    assert page.locator("form").count() <= 1
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


@pytest.mark.parametrize("path", ["/?q=crocodile&k=50", "/?q=crocodile&mode=lexical", "/?q=zz&section=%3Csvg%3E", "/"])
def test_scripts_in_every_field_run_on_no_list(opened: Opened, path: str) -> None:
    page = opened(path)
    for details in page.locator("details > summary").all():
        if details.is_visible():
            details.click()
    _assert_inert(page)


def test_scripts_in_every_field_run_on_no_article(opened: Opened) -> None:
    links = opened("/?q=crocodile&k=50").locator(".hits h3 a")
    paths = [links.nth(number).get_attribute("href") or "" for number in range(links.count())]
    assert len(paths) == len(SCRIPTS)
    for path in paths:
        page = opened(path)
        assert "Crocodile" in (page.locator("h1").text_content() or "")
        assert page.locator("a[rel~=external]").count() == 0
        _assert_inert(page)
        page.close()


def test_controls_and_bidi_marks_stay_where_they_are(opened: Opened) -> None:
    page = opened("/?q=beacon")
    _assert_inert(page)
    # The author stands behind a source full of marks that turn the text around, and still reads from left to right.
    across = """() => {
      const text = [...document.querySelectorAll('.byline bdi')].find(e => e.textContent === 'Ann Lee').firstChild;
      const at = (n) => { const r = document.createRange(); r.setStart(text, n); r.setEnd(text, n + 1);
        return r.getBoundingClientRect().x; };
      return [at(0), at(6)];
    }"""
    first, last = page.evaluate(across)
    assert first < last
    page.locator(".hits h3 a").click()
    _assert_inert(page)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", page.content())


def test_a_word_of_ten_megabytes_breaks_no_list_and_no_article(opened: Opened) -> None:
    listed = opened("/?q=lantern")
    _assert_inert(listed)
    assert len(listed.locator(".hits h3").inner_text()) < 1000
    article = opened("/article/word")
    _assert_inert(article)
    assert len(article.title()) < 1000


def test_deep_nesting_is_text(opened: Opened) -> None:
    page = opened("/article/deep")
    _assert_inert(page)
    depth = """() => Math.max(...[...document.querySelectorAll('*')].map(e => {
      let n = 0; for (; e; e = e.parentElement) n++; return n; }))"""
    assert page.evaluate(depth) < 20
