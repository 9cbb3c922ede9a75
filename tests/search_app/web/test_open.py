"""The site on the open web: limits, overload, keys, rates, other origins."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from indexer.errors import IndexDamaged
from search_app.options import SearchOptions
from search_app.results import Results
from search_app.web import WebSettings, blueprint, create_app
from search_app.web.access import TokenBuckets, client_of
from search_app.web.errors import TooManyRequests
from search_app.web.site import Engine
from tests.search_app.small_archive import ARTICLES
from tests.search_app.web.fake_engine import FakeEngine, FakeStatus

KEY = "a-key-of-the-newsroom"
STAYS_UP = ("/healthz", "/assets/style.css", "/metrics")


def _client(engine: Engine | None = None, **settings: Any) -> FlaskClient:
    return create_app(engine=engine or FakeEngine(ARTICLES), settings=WebSettings(**settings)).test_client()


def _problem(response: TestResponse, status: int, slug: str) -> str:
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert response.get_json()["type"] == f"urn:concord:problem:{slug}"
    return str(response.get_json()["detail"])


@pytest.mark.parametrize(
    ("settings", "query", "sentence"),
    [
        ({"max_query_chars": 20}, "q=" + "x" * 21, "q has 21 characters, and may have at most 20; shorten it."),
        ({"max_k": 5}, "q=x&k=6", "k must be a whole number from 1 to 5; got '6'."),
        ({"max_page": 3}, "q=x&page=4", "page must be a whole number from 1 to 3; got '4'."),
        ({"max_filter_values": 2}, "q=x" + "&author=y" * 3, "author was given 3 times; give it at most 2 times."),
    ],
)
def test_limits_hold_for_pages_and_api_and_are_in_the_document(
    settings: dict[str, Any], query: str, sentence: str
) -> None:
    client = _client(**settings)
    assert _problem(client.get(f"/api/v1/search?{query}"), 400, "bad-request") == sentence
    page = client.get(f"/?{query}")
    assert page.status_code == 400
    assert client.get("/api/v1/search?q=x").status_code == 200
    parameters = client.get("/api/v1/openapi.json").get_json()["paths"]["/api/v1/search"]["get"]["parameters"]
    limits = {value for one in parameters for value in one["schema"].values() if isinstance(value, int)}
    assert set(settings.values()) <= limits


def test_pages_end_at_the_deepest_page() -> None:
    client = _client(max_page=2)
    text = client.get("/?q=harbour&k=1&page=2").text
    assert "page=1" in text or 'rel="prev"' in text
    assert "page=3" not in text
    assert 'rel="next"' not in text


def test_long_addresses_and_bodies_are_refused() -> None:
    client = _client(max_request_bytes=1024)
    _problem(client.get("/api/v1/search?q=" + "x" * 1100), 414, "uri-too-long")
    _problem(client.post("/api/v1/search?q=x", data=b"x" * 1025), 413, "content-too-large")
    assert client.get("/?q=" + "x" * 1100).status_code == 414


class _Slow(FakeEngine):
    """Searches that take until `gate` is opened."""

    def __init__(self) -> None:
        super().__init__(ARTICLES)
        self.gate = threading.Event()

    def answer(self, query: str, options: SearchOptions) -> Results:
        self.gate.wait(20)
        return super().answer(query, options)


@pytest.fixture
def slow() -> Iterator[_Slow]:
    engine = _Slow()
    yield engine
    engine.gate.set()


def test_what_is_too_much_is_shed_while_health_checks_stay_up(slow: _Slow) -> None:
    app = create_app(engine=slow, settings=WebSettings(max_searches=1, max_waiting=1))
    site = app.extensions["concord"]
    with ThreadPoolExecutor(2) as clients:
        asked = [clients.submit(app.test_client().get, "/api/v1/search?q=harbour") for _ in range(2)]
        while site.workers.inside < 2:
            time.sleep(0.001)
        client = app.test_client()
        response = client.get("/api/v1/search?q=harbour")
        _problem(response, 503, "overloaded")
        assert int(response.headers["Retry-After"]) > 0
        page = client.get("/?q=harbour")
        assert (page.status_code, page.mimetype) == (503, "text/html")
        assert int(page.headers["Retry-After"]) > 0
        assert [client.get(address).status_code for address in STAYS_UP] == [200] * 3
        slow.gate.set()
        assert [one.result().status_code for one in asked] == [200, 200]
    assert client.get("/api/v1/search?q=harbour").status_code == 200
    assert 'concord_refused_total{reason="overloaded"} 2.0' in client.get("/metrics").text


def test_a_question_without_end_is_a_503(slow: _Slow) -> None:
    response = _client(slow, query_seconds=0.05).get("/api/v1/search?q=harbour")
    _problem(response, 503, "out-of-time")
    assert "Retry-After" in response.headers


def test_a_site_that_drains_answers_503(engine: Engine) -> None:
    app = create_app(engine=engine)
    app.extensions["concord"].draining = True
    client = app.test_client()
    for address in ("/healthz", "/api/v1/search?q=x"):
        response = client.get(address)
        _problem(response, 503, "draining")
        assert "Retry-After" in response.headers


def test_a_client_that_asks_too_often_is_told_when_to_come_back() -> None:
    client = _client(rate_per_minute=6, rate_burst=3)
    assert [client.get("/?q=x").status_code for _ in range(4)] == [200, 200, 200, 429]
    response = client.get("/api/v1/search?q=x")
    _problem(response, 429, "too-many-requests")
    assert 1 <= int(response.headers["Retry-After"]) <= 10
    assert client.get("/api/v1/search?q=x", environ_base={"REMOTE_ADDR": "198.51.100.7"}).status_code == 200
    assert [client.get(address).status_code for address in STAYS_UP] == [200] * 3


def test_forwarded_addresses_count_only_behind_proxies_that_are_told_of() -> None:
    def status(client: FlaskClient, chain: str) -> int:
        return client.get("/?q=x", headers={"X-Forwarded-For": chain}).status_code

    alone = _client(rate_per_minute=1, rate_burst=1)
    assert [status(alone, "198.51.100.1"), status(alone, "198.51.100.2")] == [200, 429]
    behind = _client(rate_per_minute=1, rate_burst=1, trusted_proxies=1)
    assert [status(behind, "198.51.100.1"), status(behind, "198.51.100.2")] == [200, 200]
    # What the client itself wrote in front of the proxy's word makes no difference.
    assert status(behind, "203.0.113.9, 198.51.100.2") == 429


@given(st.lists(st.floats(0, 120), max_size=60), st.floats(0.01, 5), st.integers(1, 8))
def test_a_bucket_never_gives_more_than_burst_and_rate(waits: list[float], rate: float, burst: int) -> None:
    now = 0.0
    buckets = TokenBuckets(rate, burst, clock=lambda: now)
    for given_out, wait in enumerate(waits, 1):
        now += wait
        try:
            buckets.take("client")
        except TooManyRequests as refused:
            assert refused.retry_after >= 1
            now += refused.retry_after
            buckets.take("client")  # whoever waits as long as told gets an answer
        assert given_out <= burst + rate * now + 0.001


def test_buckets_are_bounded() -> None:
    buckets = TokenBuckets(1, 1, most=100)
    for number in range(1000):
        buckets.take(str(number))
    assert len(buckets._buckets) == 100


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown" + "x" * 100, "unknown" + "x" * 57),
        (None, "unknown"),
    ],
)
def test_clients_are_told_apart_by_address(address: str | None, client: str) -> None:
    assert client_of(address) == client


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": "wrong-key-wrong-key"},
        {"X-API-Key": KEY[:-1]},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {KEY}"},
        {"X-API-Key": "ÿ" * 20},
    ],
)
def test_the_api_wants_a_key_where_there_are_keys(headers: dict[str, str]) -> None:
    client = _client(api_keys=(KEY,))
    for address in ("/api/v1/search?q=x", "/api/v1/articles/storm", "/api/v1/status", "/api/v1/nothing"):
        response = client.get(address, headers=headers)
        detail = _problem(response, 401, "unauthorized")
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert headers.get("X-API-Key", KEY) not in detail
    assert client.get(f"/api/v1/search?q=x&api_key={KEY}").status_code == 401
    assert client.get("/api/v1/openapi.json").status_code == client.get("/?q=x").status_code == 200
    assert client.options("/api/v1/search").status_code == 204


@pytest.mark.parametrize("headers", [{"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"}])
@pytest.mark.parametrize("hashed", [False, True])
def test_a_known_key_opens_the_api(headers: dict[str, str], hashed: bool) -> None:
    kept = f"sha256:{hashlib.sha256(KEY.encode()).hexdigest()}" if hashed else KEY
    client = _client(api_keys=("some-other-key-there-is", kept))
    response = client.get("/api/v1/search?q=harbour", headers=headers)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "private, no-store"
    document = client.get("/api/v1/openapi.json").get_json()
    assert document["paths"]["/api/v1/search"]["get"]["security"] == [{"bearer": []}, {"key": []}]


def test_holders_of_keys_have_buckets_of_their_own_and_guessing_has_one_too() -> None:
    client = _client(api_keys=(KEY,), rate_per_minute=1, rate_burst=2)
    guesses = [client.get("/api/v1/status", headers={"X-API-Key": f"{n}" * 16}).status_code for n in range(3)]
    assert guesses == [401, 401, 429]
    answers = [client.get("/api/v1/status", headers={"X-API-Key": KEY}).status_code for _ in range(3)]
    assert answers == [200, 200, 429]


def test_without_pages_there_is_only_the_api() -> None:
    client = _client(pages=False)
    for address in ("/", "/?q=harbour", "/article/storm", "/opensearch.xml"):
        _problem(client.get(address), 404, "not-found")
    assert client.get("/api/v1/search?q=harbour").status_code == 200


def test_no_origin_is_let_in_unless_listed() -> None:
    origin = {"Origin": "https://news.example"}
    for client in (_client(), _client(cors_origins=("https://other.example",))):
        for response in (
            client.get("/api/v1/search?q=x", headers=origin),
            client.options("/api/v1/search", headers=origin),
        ):
            assert not any(name.startswith("Access-Control") for name in dict(response.headers))


def test_a_listed_origin_reads_the_api_and_nothing_else() -> None:
    client = _client(cors_origins=("https://news.example",), api_keys=(KEY,))
    origin = {"Origin": "https://news.example"}
    preflight = client.options("/api/v1/search", headers=origin | {"Access-Control-Request-Headers": "x-api-key"})
    assert preflight.headers["Access-Control-Allow-Headers"] == "Authorization, X-API-Key, X-Request-ID"
    assert preflight.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
    for response in (preflight, client.get("/api/v1/search?q=x", headers=origin)):
        assert response.headers["Access-Control-Allow-Origin"] == "https://news.example"
        assert "Origin" in response.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in response.headers
    assert "Access-Control-Allow-Origin" not in client.get("/?q=x", headers=origin).headers
    assert _client(cors_origins=("*",)).get("/healthz").headers["Access-Control-Allow-Origin"] == "*"


def test_options_names_the_methods_that_there_are(client: FlaskClient) -> None:
    for address in ("/", "/article/storm", "/api/v1/search", "/healthz"):
        response = client.options(address)
        assert (response.status_code, response.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")


def test_a_mounted_site_has_the_same_guard(engine: Engine) -> None:
    host = Flask("host", static_folder=None)
    settings = WebSettings(api_keys=(KEY,), rate_per_minute=1, rate_burst=1, max_k=5)
    host.register_blueprint(blueprint(engine=engine, settings=settings), url_prefix="/archive", name="renamed")
    client = host.test_client()
    _problem(client.get("/archive/api/v1/search?q=x"), 401, "unauthorized")
    _problem(client.get("/archive/api/v1/search?q=x"), 429, "too-many-requests")
    assert client.get("/archive/healthz").headers["X-Request-ID"]
    assert "X-Request-ID" not in client.get("/elsewhere").headers


class _Broken(FakeEngine):
    """Stands for an index that is damaged, and for a generation that cannot be opened."""

    def answer(self, query: str, options: SearchOptions) -> Results:
        raise IndexDamaged("The index '/srv/secret/index' is damaged: run 'concord rebuild'.")

    def status(self) -> FakeStatus:
        return replace(super().status(), stale="A newer one cannot be opened: '/srv/secret/index' is damaged.")


@pytest.mark.parametrize("path", ["/?q=x", "/api/v1/search?q=x", "/api/v1/status"])
def test_folders_of_the_machine_are_told_to_those_who_run_it(path: str) -> None:
    client = _client(_Broken(ARTICLES))
    here = client.get(path)
    elsewhere = client.get(path, environ_base={"REMOTE_ADDR": "198.51.100.7"})
    through_a_proxy = client.get(path, headers={"X-Forwarded-For": "198.51.100.7"})
    assert here.status_code == elsewhere.status_code == through_a_proxy.status_code
    assert "/srv/" in here.text
    assert "/srv/" not in elsewhere.text + through_a_proxy.text
    assert "log" in elsewhere.text
