"""Nothing in a request makes the site read a file that is not its own, open a connection, write, or start a program."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import search_app
from search_app.web import WebSettings, create_app
from search_app.web.site import Engine

# Of no consequence outside the process. What Whoosh unpickles is in the postings of the index, never in a request.
_HARMLESS = ("import", "compile", "exec", "marshal", "object", "sys", "code", "builtins.id", "gc", "array", "pickle")
_READS = ("os.listdir", "os.scandir", "os.walk", "pathlib.Path.rglob", "pathlib.Path.glob", "glob")
_PATHS = (
    "/etc/passwd",
    "../../../../../../etc/passwd",
    "..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "..\\..\\..\\windows\\win.ini",
    "%252e%252e%252f%252e%252e%252fetc%252fpasswd",
    "//etc/passwd",
    "style.css/../../app.py",
    "file:///etc/passwd",
    "http://192.0.2.1/",
    "CON",
    "%00",
    ".",
)
_TEXTS = (
    "/etc/passwd",
    "file:///etc/passwd",
    "http://192.0.2.1:9/",
    "{{ config }} {% include '/etc/passwd' %} ${7*7}",
    "| touch /tmp/concord-was-here; $(touch /tmp/concord-was-here)",
    "' UNION SELECT * FROM articles; ATTACH DATABASE '/tmp/concord-was-here' AS x; --",
    "section:../../etc source:\\\\192.0.2.1\\share author:http://192.0.2.1/",
    "cos\nsystem\n(S'touch /tmp/concord-was-here'\ntR.",
)
_HEADERS = {
    "Host": "192.0.2.1:9",
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Host": "192.0.2.1",
    "X-Original-URL": "/etc/passwd",
    "X-Sendfile": "/etc/passwd",
    "X-Request-ID": "../../etc/passwd",
    "Referer": "file:///etc/passwd",
    "Cookie": "session=..%2f..%2fetc",
    "Range": "bytes=0-10",
}


class _Watch:
    """What the interpreter reports while `on`: an audit hook cannot be taken away again, but it can be quiet."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[tuple[str, tuple[object, ...]]] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, given: tuple[object, ...]) -> None:
        if self.on and not event.startswith(_HARMLESS):
            self.seen.append((event, given))


@pytest.fixture(scope="module")
def watch() -> _Watch:
    return _Watch()


@pytest.fixture
def watched(engine: Engine, watch: _Watch) -> Iterator[FlaskClient]:
    client = create_app(engine=engine, settings=WebSettings(cors_origins=("*",), trusted_proxies=1)).test_client()
    for address in ("/", "/?q=harbour", "/article/storm", "/nope", "/opensearch.xml", "/assets/style.css", "/metrics"):
        client.get(address)  # templates are read once
    client.get("/api/v1/search?q=harbour")
    client.get("/api/v1/openapi.json")
    watch.seen.clear()
    yield client
    watch.on = False


def _addresses() -> list[str]:
    found = [f"{place}/{path}" for place in ("", "/assets", "/article", "/api/v1/articles") for path in _PATHS]
    return found + [f"/api/v1/articles/{path}/related" for path in _PATHS]


def test_no_request_reaches_beyond_the_index(watched: FlaskClient, watch: _Watch, index_dir: Path) -> None:
    watch.on = True
    for address in _addresses():
        assert watched.get(address, headers=_HEADERS).status_code in (200, 308, 400, 403, 404), address
    for text in _TEXTS:
        for address in ("/", "/api/v1/search"):
            for name in ("q", "section", "source", "author", "since", "until", "fusion", "mode"):
                response = watched.get(address, query_string={"q": "harbour"} | {name: text}, headers=_HEADERS)
                assert response.status_code in (200, 400)
        watched.post("/api/v1/search", data={"file": text}, headers=_HEADERS)
        watched.put(f"/api/v1/articles/{text[:20]}", data=text, headers=_HEADERS)
    watch.on = False

    python = (Path(os.__file__).parent, Path(sys.prefix))  # modules that are imported late
    own = (index_dir.resolve(), Path(search_app.__file__).resolve().parent / "web" / "static", *python)
    strange = [(event, given) for event, given in watch.seen if not _is_own(event, given, own)]
    assert not strange, "\n".join(map(repr, strange))
    assert not Path("/tmp/concord-was-here").exists()


def _is_own(event: str, given: tuple[object, ...], own: tuple[Path, ...]) -> bool:
    """Whether an event is a look into the index or at a static file, and no more than a look."""
    if event == "open":
        path, _, flags = given
        writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        return not int(str(flags)) & writes and _below(path, own)
    if event.startswith("sqlite3."):
        return event != "sqlite3.connect" or "mode=ro" in str(given[0]) or _below(given[0], own)
    return event.startswith(_READS) and _below(given[0], own)


def _below(path: object, own: tuple[Path, ...]) -> bool:
    resolved = Path(os.fsdecode(path) if isinstance(path, bytes) else str(path)).resolve()
    return any(resolved.is_relative_to(folder) for folder in own)


def test_the_watch_sees(watch: _Watch, tmp_path: Path) -> None:
    watch.seen.clear()
    watch.on = True
    (tmp_path / "x").write_text("x")
    (tmp_path / "x").unlink()
    watch.on = False
    assert {event for event, _ in watch.seen} >= {"open", "os.remove"}
    assert not any(_is_own(event, given, (tmp_path,)) for event, given in watch.seen if event in ("open", "os.remove"))
