"""The library, the command line and HTTP give the same hits, scores and fields."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from search_app import SearchEngine
from search_app.cli import main
from search_app.serialise import article_to_json, related_to_json, status_to_json
from search_app.web import WebSettings, create_app

pytestmark = pytest.mark.slow

SEARCHES: list[dict[str, Any]] = [
    {"query": "prisoner exchange without mediation"},
    {"query": "harbour", "mode": "lexical", "k": 3, "page": 2},
    {"query": "captives swapped", "mode": "semantic"},
    {"query": "ferry strike", "fusion": "rrf", "explain": True},
    {"query": '"joint statement" OR +harbour -ferry'},
    {"query": "harbour", "since": "2023-06", "until": "2023", "source": ("Coast Radio", "Ardlen Courier")},
    {"query": "harbour", "section": ("Nowhere",), "author": ("Holm",)},
    {"query": "section:World"},
    {"query": "harbour", "fold": False, "diversify": True, "k": 4},
    {"query": "harbour", "half_life": 30.0, "as_of": "2024-06", "explain": True},
    {"query": "harbour", "rerank": "maxsim", "explain": True, "k": 3, "page": 2},
    {"query": "ferry strike", "mode": "lexical", "rerank": "maxsim"},
    {"query": "lihgthouse keeper"},
    {"query": "منارة الميناء"},
    {"query": ""},
]
# Options are written the same on the command line and in an address, but for their dashes.
IDS = [" ".join(map(str, search.values())) or "empty" for search in SEARCHES]


@pytest.fixture
def client(engine: SearchEngine) -> FlaskClient:
    return create_app(engine=engine, settings=WebSettings(rerank=("maxsim",))).test_client()


def library(engine: SearchEngine, search: dict[str, Any]) -> dict[str, Any]:
    options = {name: value for name, value in search.items() if name != "query"}
    return without_time(engine.search(search["query"], **options).to_dict())


def without_time(answer: dict[str, Any]) -> dict[str, Any]:
    assert answer.pop("took_ms") >= 0
    return answer


def arguments(search: dict[str, Any], index_dir: Path) -> list[str]:
    given = ["search", "--index-dir", str(index_dir), "--json"]
    for name, value in search.items():
        if isinstance(value, bool):
            given.append(f"--{name}" if value else f"--no-{name}")
        elif name != "query":
            dashes = "-" if len(name) == 1 else "--"
            for one in value if isinstance(value, tuple) else (value,):
                given += [f"{dashes}{name.replace('_', '-')}", str(one)]
    return [*given, "--", search["query"]]


def address(search: dict[str, Any]) -> dict[str, Any]:
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in search.items()}
    return {"q": given.pop("query"), **given}


@pytest.mark.parametrize("search", SEARCHES, ids=IDS)
def test_searches(engine: SearchEngine, client: FlaskClient, index_dir: Path, search: dict[str, Any]) -> None:
    expected = library(engine, search)
    http = client.get("/api/v1/search", query_string=address(search))
    assert http.status_code == 200
    assert without_time(json.loads(http.data)) == expected
    run = CliRunner().invoke(main, arguments(search, index_dir))
    assert run.exit_code == 0
    assert without_time(json.loads(run.stdout)) == expected


def test_a_real_process(engine: SearchEngine, index_dir: Path) -> None:
    search = SEARCHES[0]
    command = [sys.executable, "-m", "search_app.cli", *arguments(search, index_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONUTF8": "1"})
    assert without_time(json.loads(done.stdout)) == library(engine, search)
    assert done.stderr == ""


@pytest.mark.parametrize("article_id", ["prisoners", "rtl"])
def test_articles_and_their_relatives(
    engine: SearchEngine, client: FlaskClient, index_dir: Path, article_id: str
) -> None:
    place = ["--index-dir", str(index_dir), "--json", article_id]
    for expected, route, command in (
        (article_to_json(engine.article(article_id)), "", ["show", *place]),
        (related_to_json(article_id, engine.related(article_id, k=3)), "/related", ["related", "-k", "3", *place]),
    ):
        http = client.get(f"/api/v1/articles/{article_id}{route}", query_string={"k": 3} if route else {})
        assert json.loads(http.data) == expected
        assert json.loads(CliRunner().invoke(main, command).stdout) == expected


def test_status(engine: SearchEngine, client: FlaskClient, index_dir: Path) -> None:
    expected = status_to_json(engine.status())
    assert json.loads(client.get("/api/v1/status").data) == expected
    run = CliRunner().invoke(main, ["status", "--index-dir", str(index_dir), "--json"])
    assert json.loads(run.stdout) == expected


@pytest.mark.parametrize(
    ("search", "status"),
    [
        ({"k": 0}, 400),
        ({"k": 101}, 400),
        ({"page": 0}, 400),
        ({"mode": "magic"}, 400),
        ({"since": "2024", "until": "2023"}, 400),
        ({"since": "someday"}, 400),
        ({"rerank": "magic"}, 400),
        ({"rerank": "cross-encoder:"}, 400),
        ({"half_life": 0}, 400),
        ({"half_life": "nan"}, 400),
        ({"half_life": 7, "as_of": "someday"}, 400),
    ],
)
def test_the_same_searches_are_refused(
    client: FlaskClient, index_dir: Path, search: dict[str, Any], status: int
) -> None:
    whole = {"query": "harbour", **search}
    assert client.get("/api/v1/search", query_string=address(whole)).status_code == status
    run = CliRunner().invoke(main, arguments(whole, index_dir))
    assert run.exit_code == 2
    assert "Traceback" not in run.stderr
    assert run.stdout == ""
