"""Fixtures that the tests of both packages share."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from indexer.encoders.compiled import CACHE_VARIABLE
from indexer.encoders.spec import DEFAULT_ENCODER
from tests.archive import Archive
from tests.once import made_once
from tests.tiny_encoder import export_once, save_word_encoder

# What tests compile is no business of this user's own cache; workers of one run share it.
os.environ.setdefault(CACHE_VARIABLE, tempfile.mkdtemp(prefix="concord-tests-"))
# How fast examples come depends on who else uses the machine.
settings.register_profile("concord", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("concord")


@pytest.fixture(scope="session")
def word_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sentence-transformers model that knows words and nothing else; it encodes in no time."""
    return made_once(tmp_path_factory, "words", save_word_encoder)


@pytest.fixture(scope="session")
def torch_loaded() -> None:
    """With torch in this process, an encoder is loaded here; without it, a new index starts a process to export it."""
    import sentence_transformers  # noqa: F401


@pytest.fixture(scope="session")
def word_export(torch_loaded: None, word_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `encoders` folder of an index made with `word_encoder`, to be copied where exporting anew would take long."""
    return made_once(tmp_path_factory, "word-export", lambda folder: export_once(str(word_encoder), folder))


@pytest.fixture(scope="session")
def bundled_export(torch_loaded: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `encoders` folder of an index made with the bundled encoder."""
    return made_once(tmp_path_factory, "bundled-export", lambda folder: export_once(DEFAULT_ENCODER, folder))


@pytest.fixture
def index_dir_of_words(word_export: Path, tmp_path: Path) -> Path:
    """Where a test puts an index made with `word_encoder`."""
    folder = tmp_path / "index"
    folder.mkdir()
    (folder / "encoders").symlink_to(word_export, target_is_directory=True)
    return folder


@pytest.fixture
def archive(tmp_path: Path, index_dir_of_words: Path, word_encoder: Path) -> Archive:
    """An empty archive, to be indexed with `word_encoder`."""
    return Archive(tmp_path, index_dir_of_words, word_encoder)
