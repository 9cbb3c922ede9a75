"""What those who run a site see of it: request ids, log lines, metrics; and the security headers."""

from __future__ import annotations

import json
import logging
import re

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from search_app.web import WebSettings, create_app
from search_app.web.logs import JsonLines
from search_app.web.site import Engine

KEY = "a-key-of-the-newsroom"
ADDRESSES = ("/", "/?q=harbour", "/nowhere", "/assets/style.css", "/api/v1/search?q=x&k=0", "/healthz", "/metrics")


def _samples(client: FlaskClient) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_answer_has_the_id_of_its_request(client: FlaskClient, address: str) -> None:
    assert client.get(address, headers={"X-Request-ID": "proxy-7.b_2"}).headers["X-Request-ID"] == "proxy-7.b_2"
    made = {client.get(address).headers["X-Request-ID"] for _ in range(3)}
    assert len(made) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in made)


@pytest.mark.parametrize("given", ["", "x" * 65, 'a"b', "a b", "../../etc", "é"])
def test_an_id_that_could_harm_a_log_is_replaced(client: FlaskClient, given: str) -> None:
    assert re.fullmatch("[0-9a-f]{32}", client.get("/", headers={"X-Request-ID": given}).headers["X-Request-ID"])


def _lines(caplog: pytest.LogCaptureFixture, client: FlaskClient, address: str, **given: object) -> list[str]:
    caplog.handler.setFormatter(JsonLines())
    caplog.set_level(logging.INFO, "search_app.access")
    caplog.clear()
    client.get(address, **given)
    return caplog.text.splitlines()


def test_a_request_is_one_line_of_json_without_secrets(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    client = create_app(engine=engine, settings=WebSettings(api_keys=(KEY,))).test_client()
    (line,) = _lines(
        caplog,
        client,
        "/api/v1/search?q=private+matter",
        headers={"X-API-Key": KEY, "X-Request-ID": "r1", "Cookie": "c"},
    )
    entry = json.loads(line)
    assert {name: entry[name] for name in ("id", "method", "path", "route", "status", "level")} == {
        "id": "r1",
        "method": "GET",
        "path": "/api/v1/search",
        "route": "api.search",
        "status": 200,
        "level": "info",
    }
    assert entry["bytes"] > 0 < entry["ms"]
    assert not any(secret in line for secret in (KEY, "private", "127.0.0.1", "Cookie"))


def test_queries_and_clients_are_logged_when_asked_for(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    client = create_app(engine=engine, settings=WebSettings(log_queries=True, log_clients=True)).test_client()
    (line,) = _lines(caplog, client, "/?q=ferry%0Astrike")
    assert (json.loads(line)["q"], json.loads(line)["client"]) == ("ferry\nstrike", "127.0.0.1")
    silent = create_app(engine=engine, settings=WebSettings(access_log=False)).test_client()
    assert _lines(caplog, silent, "/?q=x") == []


@pytest.mark.parametrize(
    "path", ["/%0A%7B%22level%22:%22forged%22%7D", "/%1B%5B2J", "/%E2%80%A8x", "/%ED%A0%80", "/%ff"]
)
def test_no_path_can_forge_a_line(client: FlaskClient, caplog: pytest.LogCaptureFixture, path: str) -> None:
    (line,) = _lines(caplog, client, path)
    assert json.loads(line)["level"] == "info"
    assert line.isascii()
    assert line.isprintable()


def test_errors_are_lines_with_the_id_of_their_request(caplog: pytest.LogCaptureFixture) -> None:
    class Failing:
        def status(self) -> None:
            raise RuntimeError("first line\nsecond line")

    client = create_app(engine=Failing()).test_client()  # type: ignore[arg-type]
    failure, access = map(json.loads, _lines(caplog, client, "/api/v1/status", headers={"X-Request-ID": "r2"}))
    assert failure["id"] == access["id"] == "r2"
    assert (failure["level"], access["status"]) == ("error", 500)
    assert "second line" in failure["traceback"]


def test_metrics_count_requests_stages_and_the_index(engine: Engine) -> None:
    client = create_app(engine=engine).test_client()
    for address in ("/?q=harbour", "/?q=ferry", "/api/v1/search?q=x&k=0", "/nowhere", "/also/nowhere"):
        client.get(address)
    client.post("/api/v1/search")
    client.open("/api/v1/search", method="BREW")
    found = _samples(client)
    assert found["concord_requests_total", "GET", "search", "200"] == 2
    assert found["concord_requests_total", "GET", "api.search", "400"] == 1
    assert found["concord_requests_total", "POST", "api.search", "405"] == 1
    assert found["concord_requests_total", "GET", "unknown", "404"] == 2
    assert found["concord_requests_total", "other", "unknown", "405"] == 1
    assert found["concord_request_seconds_count", "search"] == 2
    for stage in ("parse", "encode", "lexical", "dense", "fusion", "arranging", "snippets"):
        assert found["concord_stage_seconds_count", stage] == 2
        assert found["concord_stage_seconds_sum", stage] > 0
    status = engine.status()
    assert found["concord_index_open",] == 1
    assert found["concord_index_generation",] == status.generation
    assert found["concord_index_articles",] == status.articles
    assert found["concord_refused_total", "overloaded"] == 0
    assert found["concord_questions",] == 0


def test_metrics_are_there_without_an_index(tmp_path: object) -> None:
    client = create_app(f"{tmp_path}/none").test_client()
    found = _samples(client)
    assert found["concord_index_open",] == 0
    assert ("concord_index_articles",) not in found


@pytest.mark.parametrize(
    ("rule", "headers", "address", "status"),
    [
        ("local", {}, "127.0.0.1", 200),
        ("local", {}, "::1", 200),
        ("local", {}, "198.51.100.7", 403),
        ("local", {"X-Forwarded-For": "198.51.100.7"}, "127.0.0.1", 403),
        ("local", {"Forwarded": "for=198.51.100.7"}, "127.0.0.1", 403),
        ("open", {}, "198.51.100.7", 200),
        ("off", {}, "127.0.0.1", 404),
        ("key", {}, "127.0.0.1", 401),
        ("key", {"Authorization": f"Bearer {KEY}"}, "198.51.100.7", 200),
    ],
)
def test_who_may_read_the_metrics(
    engine: Engine, rule: str, headers: dict[str, str], address: str, status: int
) -> None:
    client = create_app(engine=engine, settings=WebSettings(metrics=rule, api_keys=(KEY,))).test_client()
    assert client.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": address}).status_code == status


def test_a_client_behind_a_known_proxy_is_not_local(engine: Engine) -> None:
    client = create_app(engine=engine, settings=WebSettings(trusted_proxies=1)).test_client()
    assert client.get("/metrics", headers={"X-Forwarded-For": "198.51.100.7"}).status_code == 403
    assert client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 200


def test_browsers_are_told_to_insist_on_tls_only_where_there_is_tls(engine: Engine) -> None:
    client = create_app(engine=engine, settings=WebSettings(hsts_seconds=3600, trusted_proxies=1)).test_client()
    assert "Strict-Transport-Security" not in client.get("/").headers
    behind = client.get("/", headers={"X-Forwarded-Proto": "https"})
    assert behind.headers["Strict-Transport-Security"] == "max-age=3600"
    assert "Strict-Transport-Security" not in create_app(engine=engine).test_client().get("https://x.example/").headers


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_answer_may_be_framed_or_read_from_elsewhere(client: FlaskClient, address: str) -> None:
    headers = client.get(address).headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
