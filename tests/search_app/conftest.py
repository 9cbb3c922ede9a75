from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from search_app.web import create_app
from search_app.web.site import Engine
from tests.search_app.fake_engine import FakeEngine
from tests.search_app.small_archive import ARTICLES


@pytest.fixture(scope="session")
def engine() -> Engine:
    return FakeEngine(ARTICLES)


@pytest.fixture
def engine_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module that `create_app(index_dir)` opens its engine from."""
    try:
        importlib.import_module("search_app.engine")
    except ImportError:
        monkeypatch.setitem(sys.modules, "search_app.engine", SimpleNamespace(SearchEngine=FakeEngine))


@pytest.fixture
def app(engine: Engine) -> Flask:
    return create_app(engine=engine)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
