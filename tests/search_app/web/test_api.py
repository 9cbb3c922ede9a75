from __future__ import annotations

from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from pydantic import TypeAdapter
from werkzeug.test import TestResponse

from search_app.engine import SearchEngine
from search_app.options import all_options
from search_app.results import Results
from search_app.serialise import article_to_json, status_to_json

PARAMETERS = ["q", *(option.name for option in all_options())]


def _problem(response: TestResponse, status: int, slug: str) -> str:
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    problem = response.get_json()
    assert list(problem) == ["type", "title", "status", "detail", "instance"]
    assert problem["type"] == f"urn:concord:problem:{slug}"
    assert problem["status"] == status
    return str(problem["detail"])


def _without_time(answer: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in answer.items() if name != "took_ms"}


def test_search_answers_what_the_library_answers(client: FlaskClient, engine: SearchEngine) -> None:
    response = client.get(
        "/api/v1/search?q=harbour&mode=lexical&k=3&page=2&since=2023-02&until=2024&section=Politics&section=Culture"
        "&source=Ardlen+Courier&fusion=rrf&explain=true"
    )
    expected = engine.search(
        "harbour",
        mode="lexical",
        k=3,
        page=2,
        since="2023-02",
        until="2024",
        section=("Politics", "Culture"),
        source=("Ardlen Courier",),
        fusion="rrf",
        explain=True,
    )
    assert response.status_code == 200
    assert expected.hits
    assert _without_time(response.get_json()) == _without_time(expected.to_dict())
    TypeAdapter(Results).validate_json(response.data)


def test_the_defaults_are_the_librarys(client: FlaskClient, engine: SearchEngine) -> None:
    answer = client.get("/api/v1/search?q=harbour").get_json()
    assert _without_time(answer) == _without_time(engine.search("harbour").to_dict())


def test_articles_related_and_status(client: FlaskClient, engine: SearchEngine) -> None:
    assert client.get("/api/v1/articles/storm").get_json() == article_to_json(engine.article("storm"))
    related = client.get("/api/v1/articles/ferry-strike/related?k=2").get_json()
    assert [hit["article"]["id"] for hit in related["hits"]] == [
        hit.article.id for hit in engine.related("ferry-strike", k=2)
    ]
    assert client.get("/api/v1/status").get_json() == status_to_json(engine.status())
    assert client.get("/healthz").get_json() == {"status": "ready"}


def test_an_id_with_slashes_and_quotes_is_found_encoded_once(client: FlaskClient) -> None:
    article_id = "archive/2024/<script>alert('id')</script>?q=1&x=\"2\"#top"
    path = quote(article_id, safe="")
    assert client.get(f"/api/v1/articles/{path}").get_json()["id"] == article_id
    assert client.get(f"/api/v1/articles/{path}/related").get_json()["id"] == article_id


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "q is missing: add q=... to the address."),
        ("q=x&k=ten", "k must be a whole number from 1 to 100; got 'ten'."),
        ("q=x&k=0", "k must be a whole number from 1 to 100; got '0'."),
        ("q=x&k=101", "k must be a whole number from 1 to 100; got '101'."),
        ("q=x&half_life=0", "half_life must be a number from 0.01 to 36500; got '0'."),
        ("q=x&half_life=nan", "half_life must be a number from 0.01 to 36500; got 'nan'."),
        ("q=x&fold=perhaps", "fold must be true or false; got 'perhaps'."),
        ("q=x&page=0", "page must be a whole number from 1 to 100; got '0'."),
        ("q=x&mode=best", "mode must be 'hybrid', 'lexical' or 'semantic'; got 'best'."),
        ("q=x&fusion=max", "fusion must be 'convex' or 'rrf'; got 'max'."),
        ("q=x&explain=perhaps", "explain must be true or false; got 'perhaps'."),
        ("q=x&k=1&k=2", "k was given 2 times; give it once."),
        ("q=x&kk=1", f"There is no parameter 'kk'; the parameters here are {', '.join(PARAMETERS)}."),
        ("q=x&mode=" + "m" * 500, "mode must be 'hybrid', 'lexical' or 'semantic'; got '" + "m" * 60),
    ],
)
def test_a_wrong_parameter_is_named(client: FlaskClient, query: str, sentence: str) -> None:
    detail = _problem(client.get(f"/api/v1/search?{query}"), 400, "bad-request")
    assert detail.startswith(sentence)
    assert len(detail) < 300


@pytest.mark.parametrize("query", ["q=x&since=yesterday", "q=x&since=2024&until=2023"])
def test_what_the_engine_refuses_is_a_problem(client: FlaskClient, query: str) -> None:
    assert _problem(client.get(f"/api/v1/search?{query}"), 400, "bad-request")


def test_unknown_things_are_problems(client: FlaskClient) -> None:
    assert "nope" in _problem(client.get("/api/v1/articles/nope"), 404, "not-found")
    assert "nope" in _problem(client.get("/api/v1/articles/nope/related"), 404, "not-found")
    for address in ("/api/v1/nothing", "/api/v2/search", "/api/v1/", "/api/"):
        _problem(client.get(address), 404, "not-found")
    _problem(client.get("/api/v1/articles/storm/related?k=0"), 400, "bad-request")


@pytest.mark.parametrize("path", ["/api/v1/search", "/api/v1/articles/storm", "/api/v1/status", "/healthz"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_problems(client: FlaskClient, method: str, path: str) -> None:
    response = client.open(path, method=method)
    _problem(response, 405, "method-not-allowed")
    assert {"GET", "HEAD"} <= set(response.headers["Allow"].split(", "))


def test_head_is_allowed(client: FlaskClient) -> None:
    response = client.head("/api/v1/search?q=harbour")
    assert (response.status_code, response.data) == (200, b"")


def test_the_openapi_document_is_valid_and_complete(client: FlaskClient) -> None:
    document = client.get("/api/v1/openapi.json").get_json()
    validate(document)
    assert set(document["paths"]) == {
        "/api/v1/search",
        "/api/v1/articles/{id}",
        "/api/v1/articles/{id}/related",
        "/api/v1/status",
        "/healthz",
    }
    parameters = {one["name"]: one for one in document["paths"]["/api/v1/search"]["get"]["parameters"]}
    assert set(parameters) == set(PARAMETERS)
    assert parameters["q"]["required"]
    assert (parameters["k"]["schema"]["minimum"], parameters["k"]["schema"]["maximum"]) == (1, 100)


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/api/v1/search", "/api/v1/search?q=harbour&explain=1"),
        ("/api/v1/search", "/api/v1/search?q=balloonist"),
        ("/api/v1/search", "/api/v1/search?q=lighthoose"),
        ("/api/v1/search", "/api/v1/search"),
        ("/api/v1/articles/{id}", "/api/v1/articles/storm"),
        ("/api/v1/articles/{id}", "/api/v1/articles/nope"),
        ("/api/v1/articles/{id}/related", "/api/v1/articles/storm/related"),
        ("/api/v1/status", "/api/v1/status"),
        ("/healthz", "/healthz"),
    ],
)
def test_answers_are_as_the_document_says(client: FlaskClient, path: str, address: str) -> None:
    document = client.get("/api/v1/openapi.json").get_json()
    response = client.get(address)
    described = document["paths"][path]["get"]["responses"][str(response.status_code)]["content"]
    schema = described[response.mimetype]["schema"] | {"components": document["components"]}
    errors = list(Draft202012Validator(schema).iter_errors(response.get_json()))
    assert not errors
