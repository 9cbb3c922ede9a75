"""The site inside another app, without an index, and with an engine that fails."""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from indexer.errors import IndexDamaged, IndexNotFound
from search_app.web import WebSettings, blueprint, create_app, site
from search_app.web.site import Engine

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@pytest.fixture
def host(engine: Engine) -> FlaskClient:
    app = Flask("host", static_folder=None)
    app.register_blueprint(blueprint(engine=engine), url_prefix="/archive/search")

    @app.get("/")
    def front() -> str:
        return "front page of the host"

    return app.test_client()


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/?q=harbour",
        "/?q=x&k=0",
        "/article/storm",
        "/article/nope",
        "/nowhere",
        "/assets/style.css",
        "/opensearch.xml",
        "/api/v1/search?q=harbour",
        "/api/v1/search",
        "/healthz",
    ],
)
def test_every_answer_has_the_security_headers(client: FlaskClient, address: str) -> None:
    headers = client.get(address).headers
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_static_files_are_served(client: FlaskClient) -> None:
    for name, kind in (("style.css", "text/css"), ("enhance.js", "text/javascript"), ("favicon.svg", "image/svg+xml")):
        response = client.get(f"/assets/{name}")
        assert (response.status_code, response.mimetype) == (200, kind)


def test_under_a_prefix_every_link_stays_below_it(host: FlaskClient) -> None:
    todo = deque(["/archive/search/", "/archive/search/?q=harbour", "/archive/search/article/nope"])
    seen: set[str] = set()
    while todo and len(seen) < 80:
        address = todo.popleft()
        seen.add(address)
        response = host.get(address)
        if "/article/nope" not in address:
            assert response.status_code == 200, address
        if response.mimetype != "text/html":
            continue
        for link in re.findall(r'(?:href|src|action)="([^"]+)"', response.text):
            target = link.replace("&amp;", "&").partition("#")[0]
            assert target.startswith(("/archive/search/", "https://")) or not target
            if target.startswith("/archive") and target not in seen:
                todo.append(target)
    assert any("/article/" in address for address in seen)
    assert any("page=2" in address for address in seen)


def test_the_host_keeps_its_own_pages_and_headers(host: FlaskClient) -> None:
    assert host.get("/").text == "front page of the host"
    assert "Content-Security-Policy" not in host.get("/").headers
    assert "Concord" not in host.get("/nowhere").text


def test_errors_below_the_prefix_are_the_sites_own(host: FlaskClient) -> None:
    assert host.get("/archive/search/article/nope").mimetype == "text/html"
    assert "No article has the id" in host.get("/archive/search/article/nope").text
    for response in (
        host.get("/archive/search/api/v1/nothing"),
        host.post("/archive/search/api/v1/search"),
        host.get("/archive/search/api/v1/search?k=0"),
    ):
        assert response.mimetype == "application/problem+json"
        assert response.get_json()["instance"].startswith("/archive/search/api/")


def test_the_openapi_document_names_the_prefix(host: FlaskClient) -> None:
    document = host.get("/archive/search/api/v1/openapi.json").get_json()
    assert document["servers"] == [{"url": "/archive/search"}]


def test_a_host_may_mount_it_at_its_root_beside_its_own_static_folder(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "style.css").write_text("the host's")
    app = Flask("host", static_folder=str(tmp_path), static_url_path="/static")
    app.register_blueprint(blueprint(engine=engine))
    client = app.test_client()
    assert client.get("/static/style.css").text == "the host's"
    assert "--paper" in client.get("/assets/style.css").text


def test_without_an_index_the_pages_say_what_to_do(tmp_path: Path) -> None:
    client = create_app(tmp_path / "none").test_client()
    for address in ("/", "/?q=harbour", "/article/storm"):
        response = client.get(address)
        assert response.status_code == 503
        assert response.mimetype == "text/html"
        assert "concord index" in response.text
    for address in ("/healthz", "/api/v1/status", "/api/v1/search?q=x"):
        response = client.get(address)
        assert response.status_code == 503
        assert response.get_json()["type"] == "urn:concord:problem:index-not-found"
    assert client.get("/api/v1/openapi.json").status_code == 200
    assert client.get("/assets/style.css").status_code == 200


@pytest.mark.parametrize("wait", [0.0, 3600.0])
def test_the_site_comes_alive_when_its_index_appears(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, wait: float
) -> None:
    tries: list[Path] = []

    def open_later(index_dir: Path) -> Engine:
        tries.append(index_dir)
        if len(tries) == 1:
            raise IndexNotFound("There is no index yet.")
        return engine

    monkeypatch.setattr(site, "open_engine", open_later)
    client = create_app("somewhere", settings=WebSettings(retry_seconds=wait)).test_client()
    assert client.get("/healthz").status_code == 503
    later = client.get("/healthz")
    assert later.status_code == (200 if wait == 0 else 503)
    assert tries == [Path("somewhere")] * (2 if wait == 0 else 1)


class _Failing:
    """An engine in which everything fails with one error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        def fail(*_: object, **__: object) -> None:
            raise self._error

        return fail


def test_a_broken_index_is_a_503_in_the_engines_words() -> None:
    error = IndexDamaged("vectors.npy is shorter than it was; run concord rebuild.")
    client = create_app(engine=_Failing(error)).test_client()
    page, problem = client.get("/?q=x"), client.get("/api/v1/search?q=x")
    assert page.status_code == problem.status_code == 503
    assert "run concord rebuild" in page.text
    assert problem.get_json()["type"] == "urn:concord:problem:index-damaged"


def test_an_unexpected_error_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(engine=_Failing(RuntimeError("secret of the house")))
    client = app.test_client()
    page, problem = client.get("/?q=x"), client.get("/api/v1/search?q=x")
    assert page.status_code == problem.status_code == 500
    assert (page.mimetype, problem.mimetype) == ("text/html", "application/problem+json")
    assert "secret" not in page.text + problem.text
    assert "Something went wrong" in page.text
    assert "secret of the house" in caplog.text


def test_half_a_surrogate_pair_does_not_break_a_page(engine: Engine) -> None:
    status = engine.status()
    settings = WebSettings(name="Half \ud83d a pair")
    broken = SimpleNamespace(status=lambda: status)
    assert create_app(engine=broken, settings=settings).test_client().get("/").status_code == 200
