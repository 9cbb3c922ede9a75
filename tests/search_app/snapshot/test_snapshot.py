"""New generations under a running engine: opened in the background, tried before they answer, released when old."""

from __future__ import annotations

import gc
import logging
import shutil
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from indexer.errors import IndexDamaged
from indexer.generations.commit import rebuild
from indexer.generations.manifest import current_generation, generation_folder, switch_to
from indexer.store.digests import row_digest
from search_app.engine import SearchEngine
from search_app.snapshot.source import SnapshotSource
from search_app.web import create_app
from tests.archive import Archive, story
from tests.tiny_encoder import export_once, save_word_encoder

pytestmark = pytest.mark.slow

PATIENCE = 30.0


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("encoder")
    encoder = save_word_encoder(folder / "words")
    return encoder, export_once(str(encoder), folder / "encoders")


@pytest.fixture
def archive(tmp_path: Path, exported: tuple[Path, Path]) -> Archive:
    encoder, encoders = exported
    shutil.copytree(encoders, tmp_path / "index" / "encoders")
    archive = Archive(tmp_path, tmp_path / "index", encoder)
    archive.write_lines("news.jsonl", [story(f"clock{number}", f"clock{number} ticking") for number in range(12)])
    archive.index()
    return archive


@pytest.fixture
def served(archive: Archive) -> Iterator[SearchEngine]:
    engine = SearchEngine.open(archive.index_dir, background=True)
    engine.warm_up()
    yield engine
    engine.close()


def add(archive: Archive, words: str) -> None:
    archive.index(archive.write_lines(f"{words}.jsonl", [story(words, words)]))


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def newest(archive: Archive) -> Path:
    return generation_folder(archive.index_dir, current_generation(archive.index_dir))


def test_a_program_finds_what_it_has_just_indexed(archive: Archive) -> None:
    engine = archive.open()
    add(archive, "pendulum")
    assert engine.search("pendulum", mode="lexical").total == 1


def test_a_server_finds_it_soon_and_no_search_opens_it(
    archive: Archive, served: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_by = []
    load = SnapshotSource._refresh

    def noted(source: SnapshotSource) -> None:
        opened_by.append(threading.current_thread().name)
        load(source)

    monkeypatch.setattr(SnapshotSource, "_refresh", noted)
    add(archive, "pendulum")
    wait_for(lambda: served.search("pendulum", mode="lexical").total == 1)
    assert set(opened_by) == {"concord-generations"}


def test_what_did_not_change_is_shared_and_what_is_old_is_released(archive: Archive, served: SearchEngine) -> None:
    before = served._source.current()
    served.search("clok3")  # misspelt, so that the speller is made
    encoder = served._source.encoders.of(before.manifest)
    gone = weakref.ref(before)
    shared = {segment.file: segment.index for segment in before.vectors._segments}
    add(archive, "pendulum")
    wait_for(lambda: served.status().generation == 2)
    after = served._source.current()
    kept = [segment for segment in after.vectors._segments if segment.file in shared]
    assert kept
    assert all(segment.index is shared[segment.file] for segment in kept)
    assert served._source.encoders.of(after.manifest) is encoder
    assert after.speller.made
    del before
    wait_for(lambda: gc.collect() is not None and gone() is None)


def test_shared_segments_answer_for_their_own_generation(archive: Archive, served: SearchEngine) -> None:
    """Removing the first article moves the catalogue rows of all others."""
    archive.write_lines("news.jsonl", [story(f"clock{number}", f"clock{number} ticking") for number in range(1, 12)])
    archive.index(prune=True)
    wait_for(lambda: served.status().generation == 2)
    fresh = archive.open()
    for mode in ("hybrid", "semantic", "lexical"):
        for query in ("clock0 ticking", "clock7 ticking"):
            found = [(hit.article.id, hit.score) for hit in served.search(query, mode=mode)]
            assert found == [(hit.article.id, hit.score) for hit in fresh.search(query, mode=mode)]
            assert "clock0" not in dict(found)


@pytest.mark.parametrize("victim", ["manifest.json", "catalogue.npz", "vectors/vectors.json"])
def test_a_damaged_generation_leaves_the_old_one_answering(
    archive: Archive,
    served: SearchEngine,
    victim: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("search_app.snapshot.source._RETRY_SECONDS", 0.2)
    client = create_app(engine=served).test_client()

    def stale_metric() -> float:
        families = text_string_to_metric_families(client.get("/metrics").text)
        return next(family.samples[0].value for family in families if family.name == "concord_index_stale")

    assert client.get("/healthz").get_json() == {"status": "ready"}
    assert stale_metric() == 0
    switch = archive.index_dir / "CURRENT"
    add(archive, "pendulum")
    wait_for(lambda: served.status().generation == 2)
    hurt = newest(archive) / victim
    sound = hurt.read_bytes()
    hurt.write_bytes(sound[: len(sound) // 2])
    with caplog.at_level(logging.ERROR, "search_app.snapshot.source"):
        switch.write_bytes(switch.read_bytes())  # another time of change: whoever looks opens it again
        wait_for(lambda: served.stale)
    assert served.search("pendulum", mode="lexical").total == 1
    response = client.get("/healthz")
    assert (response.status_code, response.get_json()) == (200, {"status": "stale"})
    assert "concord rebuild" in client.get("/api/v1/status").get_json()["stale"]
    assert stale_metric() == 1
    assert len([record for record in caplog.records if "cannot be opened" in record.getMessage()]) == 1
    hurt.write_bytes(sound)
    wait_for(lambda: served.stale is None)
    assert client.get("/healthz").get_json() == {"status": "ready"}


def test_a_rebuild_mends_what_was_damaged(archive: Archive, served: SearchEngine) -> None:
    (newest(archive) / "catalogue.json").write_text("{")
    switch = archive.index_dir / "CURRENT"
    switch.write_bytes(switch.read_bytes())
    wait_for(lambda: served.stale)
    rebuild(archive.index_dir)
    wait_for(lambda: served.stale is None and served.status().generation == 2)
    assert served.search("clock3", mode="lexical").total >= 1


def test_a_store_that_another_one_replaced_is_not_mixed_with_it(archive: Archive, tmp_path: Path) -> None:
    """As a restore does it: files are put in the place of others while an engine is open."""
    engine = archive.open()
    assert engine.article("clock3").id == "clock3"
    other = tmp_path / "other"
    shutil.copytree(archive.index_dir, other)
    with sqlite3.connect(other / "store.sqlite") as db:
        columns = "doc, digests, id, title, text, url, source, section, author, date"
        doc, digests, *shown = db.execute(f"SELECT {columns} FROM articles WHERE id = 'clock3'").fetchone()
        shown[1] = "Another title"
        changed = (shown[1], row_digest(doc, shown) + digests[16:], doc)
        db.execute("UPDATE articles SET title = ?, digests = ? WHERE doc = ?", changed)
    db.close()
    for file in archive.index_dir.glob("store.sqlite*"):
        file.unlink()
    shutil.copy(other / "store.sqlite", archive.index_dir / "store.sqlite")
    switch_to(archive.index_dir, 1)
    assert engine.article("clock3").title == "Another title"


def test_the_watching_thread_ends_with_its_engine(archive: Archive) -> None:
    # Engines of other tests may be waiting for the garbage collector still.
    before = {thread.ident for thread in threading.enumerate()}

    def watching() -> int:
        mine = [thread for thread in threading.enumerate() if thread.ident not in before]
        return sum(thread.name == "concord-generations" for thread in mine)

    engine = SearchEngine.open(archive.index_dir, background=True)
    engine.search("clock3")
    assert watching() == 1
    engine.close()
    wait_for(lambda: watching() == 0)
    forgotten = SearchEngine.open(archive.index_dir, background=True)
    forgotten.search("clock3")
    del forgotten, engine
    wait_for(lambda: gc.collect() is not None and watching() == 0)


def test_an_encoder_loaded_ahead_is_the_one_that_answers(archive: Archive) -> None:
    ahead, later = SearchEngine.open(archive.index_dir, ahead=True), archive.open()
    found = [[(hit.article.id, hit.score) for hit in engine.search("clock3 ticking")] for engine in (ahead, later)]
    assert found[0] == found[1] != []
    manifest = ahead._source.current().manifest
    assert ahead._source.encoders.of(manifest) is ahead._source.encoders.of(manifest)
    ahead.close()


def test_an_encoder_that_cannot_be_loaded_ahead_is_said_when_it_is_needed(
    archive: Archive, capfd: pytest.CaptureFixture[str]
) -> None:
    (graph,) = archive.index_dir.glob("encoders/*/model.onnx")
    graph.write_bytes(b"")
    engine = SearchEngine.open(archive.index_dir, ahead=True)
    assert engine.search("clock3", mode="lexical").total >= 1
    with pytest.raises(IndexDamaged, match="concord rebuild"):
        engine.search("clock3")
    assert "Traceback" not in capfd.readouterr().err
