from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from indexer.build import build_index
from search_app.engine import SearchEngine
from search_app.web import create_app
from search_app.web.site import Engine
from tests.once import made_once
from tests.search_app.small_archive import ARTICLES


@pytest.fixture(scope="session")
def index_dir(bundled_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the small archive, made with the bundled encoder.

    The articles do not go through a reader: readers would take the markup out of the hostile ones.
    """

    def make(folder: Path) -> None:
        (folder / "encoders").symlink_to(bundled_export, target_is_directory=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("indexer.build.read_sources", lambda *_, **__: iter(ARTICLES))
            build_index([], folder)

    return made_once(tmp_path_factory, "small-archive", make)


@pytest.fixture(scope="session")
def engine(index_dir: Path) -> SearchEngine:
    return SearchEngine.open(index_dir)


@pytest.fixture
def app(engine: Engine) -> Flask:
    return create_app(engine=engine)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
