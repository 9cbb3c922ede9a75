"""Generations: damage and repair, one writer, many readers, nothing left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from indexer.article import Article, Passage
from indexer.encoders.for_passages import PassageEncoder
from indexer.errors import ConcordError, IndexDamaged, IndexLocked, IndexMismatch, IndexNotFound
from indexer.generations.commit import rebuild
from indexer.generations.manifest import current_generation, generation_folder, read_current, switch_to
from indexer.store import schema as store_schema
from indexer.store.database import Store
from search_app.engine import SearchEngine
from search_app.options import MODES, Mode
from tests.archive import Archive, counts, ranked, story

pytestmark = pytest.mark.slow

WORDS = ("amber", "basalt", "copper", "diamond", "emerald")


@pytest.fixture
def built(archive: Archive) -> Archive:
    """Five articles, two generations."""
    archive.write_lines("news.jsonl", [story(word, word) for word in WORDS[:4]])
    archive.index()
    archive.write_lines("more.jsonl", [story(WORDS[4], WORDS[4])])
    archive.index()
    return archive


def answers(archive: Archive) -> dict[tuple[str, Mode], list[str]]:
    with archive.open() as engine:
        return {(word, mode): ranked(engine, word, mode) for word in WORDS for mode in MODES}


@contextmanager
def no_encoding(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fail(*_: object) -> None:
        raise AssertionError("a text was encoded")

    with monkeypatch.context() as patch:
        patch.setattr(PassageEncoder, "encode_passages", fail)
        yield


def derived_files(archive: Archive) -> list[Path]:
    folder = generation_folder(archive.index_dir, current_generation(archive.index_dir))
    return sorted(path for path in folder.rglob("*") if path.is_file() and "LOCK" not in path.name)


def test_every_derived_file_is_missed_when_it_is_gone_or_cut_short_and_rebuilt(
    built: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answers(built)
    names = [path.relative_to(built.index_dir) for path in derived_files(built)]
    assert {"manifest.json", "catalogue.npz", "vocabulary.json", "sum.npz"} <= {name.name for name in names}
    for number in range(2 * len(names)):
        # A rebuild names the files anew; the n-th of the kind is as good.
        files = derived_files(built)
        path = files[(number // 2) % len(files)]
        if number % 2:
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(IndexDamaged, match=re.escape("'concord rebuild'")) as damage:
            built.open()
        assert path.name in str(damage.value)
        with pytest.raises(IndexDamaged, match="concord rebuild"):
            built.write_lines("new.jsonl", [story("new", f"flint {number}")])
            built.index()
        (built.sources / "new.jsonl").unlink()
        with no_encoding(monkeypatch):
            rebuild(built.index_dir)
        assert built.open().status().articles == 5
    assert answers(built) == expected


@pytest.mark.parametrize("content", [None, b"", b"two\n", b"\xff\xfe2"])
def test_a_lost_pointer_is_written_again(built: Archive, content: bytes | None) -> None:
    expected = answers(built)
    pointer = built.index_dir / "CURRENT"
    pointer.unlink()
    if content is not None:
        pointer.write_bytes(content)
    with pytest.raises(IndexDamaged, match=r"CURRENT.*concord rebuild"):
        built.open()
    with pytest.raises(IndexDamaged, match=r"CURRENT.*concord rebuild"):
        built.index()
    rebuild(built.index_dir)
    assert answers(built) == expected


def test_a_first_generation_that_was_never_named_is_made_again(archive: Archive) -> None:
    archive.write_lines("news.jsonl", [story("a", "amber")])
    archive.index()
    (archive.index_dir / "CURRENT").unlink()
    assert counts(archive.index()) == {"added": 1}
    assert archive.ids("amber") == ["a"]


def test_an_index_without_its_store_is_not_taken_for_an_empty_one(built: Archive) -> None:
    for path in built.index_dir.glob("store.sqlite*"):
        path.unlink()
    for act in (built.open, built.index, lambda: rebuild(built.index_dir)):
        with pytest.raises(IndexDamaged, match="has lost its store"):
            act()


@pytest.mark.parametrize("keep", [0, 100, 4096, 20_000])
def test_a_store_that_is_cut_short_is_one_sentence(built: Archive, keep: int) -> None:
    with sqlite3.connect(built.index_dir / "store.sqlite") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    store = built.index_dir / "store.sqlite"
    store.write_bytes(store.read_bytes()[:keep])
    with pytest.raises(IndexDamaged, match="backup"):
        built.open().search("amber basalt copper diamond emerald", k=100)
    with pytest.raises(IndexDamaged):
        built.index()


def test_the_store_of_another_index_is_not_built_upon(built: Archive, tmp_path: Path, word_export: Path) -> None:
    other_dir = tmp_path / "other"
    other_dir.mkdir()
    (other_dir / "encoders").symlink_to(word_export, target_is_directory=True)
    other = Archive(tmp_path / "other", other_dir, built.encoder)
    other.write_lines("news.jsonl", [story("z", "zinc")])
    other.index()
    for path in built.index_dir.glob("store.sqlite*"):
        path.unlink()
    for path in other_dir.glob("store.sqlite*"):
        shutil.copy(path, built.index_dir)
    built.write_lines("more.jsonl", [story("new", "flint")])
    with pytest.raises(IndexDamaged, match="not the one that generation 2 was made from"):
        built.index()


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "encoder.json"])
def test_a_broken_exported_encoder_is_written_again(built: Archive, name: str, word_export: Path) -> None:
    expected = answers(built)
    (built.index_dir / "encoders").unlink()
    shutil.copytree(word_export, built.index_dir / "encoders")
    (path,) = (built.index_dir / "encoders").rglob(name)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(IndexDamaged, match="concord rebuild"):
        built.open().search("amber")
    assert built.ids("amber", "lexical") == ["amber"]
    rebuild(built.index_dir)
    assert answers(built) == expected


def test_another_format_is_refused_by_readers_writers_and_rebuild(built: Archive) -> None:
    manifest = generation_folder(built.index_dir, 2) / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format_version": 99}))
    switch_to(built.index_dir, 2)
    for act in (built.open, built.index, lambda: rebuild(built.index_dir)):
        with pytest.raises(IndexMismatch, match="format 99, this Concord reads format 2"):
            act()


def test_a_manifest_that_lacks_entries_is_damaged(built: Archive) -> None:
    manifest = generation_folder(built.index_dir, 2) / "manifest.json"
    raw = json.loads(manifest.read_text())
    del raw["chunking"]
    manifest.write_text(json.dumps(raw))
    switch_to(built.index_dir, 2)
    with pytest.raises(IndexDamaged, match=r"lacks entries.*concord rebuild"):
        built.open()


def test_there_is_nothing_to_open_or_rebuild_in_an_empty_folder(tmp_path: Path) -> None:
    for act in (SearchEngine.open, rebuild, read_current):
        with pytest.raises(IndexNotFound, match="concord index SOURCE"):
            act(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", ["CURRENT", ""])
def test_rebuild_needs_nothing_but_the_store_and_the_encoder(built: Archive, left: str) -> None:
    expected = answers(built)
    shutil.rmtree(built.index_dir / "generations")
    if not left:
        (built.index_dir / "CURRENT").unlink()
    rebuild(built.index_dir)
    assert answers(built) == expected


def test_rebuild_answers_as_before_and_leaves_an_interrupted_run_for_later(
    built: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answers(built)
    monkeypatch.setattr("indexer.pipeline.BATCH_PASSAGES", 1)
    monkeypatch.setattr("indexer.build.commit_generation", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    built.write_lines("more.jsonl", [story(WORDS[4], "flint"), story("new", "granite")])
    with pytest.raises(KeyboardInterrupt):
        built.index()
    monkeypatch.undo()
    rebuild(built.index_dir)
    assert answers(built) == expected
    with no_encoding(monkeypatch):
        assert counts(built.index()) == {"added": 1, "updated": 1, "unchanged": 4}
    assert (built.ids("flint"), built.ids("granite"), built.ids("emerald")) == (["emerald"], ["new"], [])


def test_what_a_refused_run_has_stored_answers_after_a_rebuild(built: Archive, tmp_path: Path) -> None:
    """An old store put back beside newer generations: the run that is refused over it has stored an article by then."""
    old = tmp_path / "old.sqlite"
    shutil.copy(built.index_dir / "store.sqlite", old)
    built.write_lines("newer.jsonl", [story("newer", "garnet")])
    built.index()
    for path in built.index_dir.glob("store.sqlite*"):
        path.unlink()
    shutil.copy(old, built.index_dir / "store.sqlite")
    with pytest.raises(IndexDamaged, match="concord rebuild"):
        built.index()
    rebuild(built.index_dir)
    assert counts(built.index()) == {"added": 1, "unchanged": 5}
    assert built.ids("garnet") == ["newer"]


def _interrupt(built: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that has stored an edited article and a new one, and ends before anything is derived."""
    built.write_lines("more.jsonl", [story(WORDS[4], "flint"), story("new", "granite")])
    with monkeypatch.context() as patch:
        patch.setattr("indexer.build.commit_generation", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            built.index()


def test_what_an_interrupted_run_has_stored_answers_after_a_rebuild_that_failed(
    built: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    _interrupt(built, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(
            "indexer.generations.commit.update_vectors", lambda *_, **__: (_ for _ in ()).throw(OSError("full"))
        )
        for _ in range(2):
            with pytest.raises(ConcordError, match="full"):
                rebuild(built.index_dir)
    with no_encoding(monkeypatch):
        assert counts(built.index()) == {"added": 1, "updated": 1, "unchanged": 4}
    assert (built.ids("flint"), built.ids("granite"), built.ids("emerald")) == (["emerald"], ["new"], [])


def test_what_is_stored_answers_when_all_else_is_gone(built: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    _interrupt(built, monkeypatch)
    (built.index_dir / "CURRENT").unlink()
    shutil.rmtree(built.index_dir / "generations")
    with no_encoding(monkeypatch):
        assert built.index().articles == 6
    assert (built.ids("flint"), built.ids("granite"), built.ids("emerald")) == (["emerald"], ["new"], [])
    assert built.ids("amber") == ["amber"]


def test_size_stays_bounded_over_many_updates(archive: Archive) -> None:
    for number in range(12):
        archive.write_lines("news.jsonl", [story("a", f"amber {number}"), story("b", "basalt")])
        archive.index()
    kept = sorted(folder.name for folder in (archive.index_dir / "generations").iterdir())
    assert kept == ["00000011", "00000012"]
    with sqlite3.connect(archive.index_dir / "store.sqlite") as db:
        rows = db.execute("SELECT COUNT(*) FROM articles").fetchone()[0]
        passages, vectors = (
            db.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0] for name in ("passages", "vectors")
        )
    db.close()
    assert rows == passages == vectors == 3


def test_what_is_called_like_a_store_is_kept_and_encoders_of_nobody_go(built: Archive, word_export: Path) -> None:
    encoders = built.index_dir / "encoders"
    encoders.unlink()
    shutil.copytree(word_export, encoders)
    for name in ("0123456789abcdef", ".0123456789abcdef.draft", "notes"):
        (encoders / name).mkdir()
    for name in ("store-old.sqlite", "stores.sqlite-export", "store-00000009.sqlite"):
        (built.index_dir / name).write_text("")
    built.index()
    assert {path.name for path in encoders.iterdir()} == {next(word_export.iterdir()).name, "notes"}
    assert {path.name for path in built.index_dir.glob("store*")} == {
        "store.sqlite",
        "store-old.sqlite",
        "stores.sqlite-export",
    }
    assert built.ids("amber") == ["amber"]


def test_store_keeps_vectors_to_half_precision(tmp_path: Path) -> None:
    store = Store(tmp_path, writable=True)
    vectors = np.random.default_rng(3).normal(size=(4, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with store.transaction():
        doc = store.add(Article("a", "T", "x" * 8), [Passage(n, n, n + 1) for n in range(4)], vectors, 1)
    ((passages, docs, read),) = store.vectors([doc], 384)
    assert (passages, docs) == ([1, 2, 3, 4], [doc] * 4)
    assert np.abs(read - vectors).max() <= 2.5e-4
    with pytest.raises(IndexDamaged, match="another length than 64"):
        list(store.vectors([doc], 64))
    store.close()


def test_a_store_has_all_of_its_tables_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half = store_schema._SCHEMA.replace("CREATE TABLE recipe", "CREATE TABLE articles")
    with monkeypatch.context() as patch:
        patch.setattr(store_schema, "_SCHEMA", half)
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            Store(tmp_path, writable=True)
    store = Store(tmp_path, writable=True)
    assert store.known() == {}
    assert store._db.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    store.close()
    Store(tmp_path, writable=True).close()


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path, writable=True)
    with pytest.raises(KeyError), store.transaction():
        store.add(Article("a", "T", "text"), [], np.empty((0, 4), np.float32), 1)
        raise KeyError
    assert store.known() == {}
    store.close()


HOLDER = """
import sys, time
from pathlib import Path
from indexer.system.lock import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(built: Archive) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes to the index."""
    command = [sys.executable, "-c", HOLDER, str(built.index_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_writer_is_told_who_holds_the_lock(built: Archive, holder: subprocess.Popen[str]) -> None:
    for act in (built.index, lambda: rebuild(built.index_dir)):
        with pytest.raises(IndexLocked, match=rf"process {holder.pid} on .* since \d{{4}}-"):
            act()
    assert built.ids("amber") == ["amber"]


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_dead_writer_frees_its_lock(built: Archive, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (built.index_dir / "writer.json").exists()
    assert counts(built.index()) == {"unchanged": 5}
    assert not (built.index_dir / "writer.json").exists()


def test_readers_see_whole_generations_while_a_writer_switches(archive: Archive) -> None:
    """Article 'clock' says in title and text which generation it is of; 'even' is there in even generations only."""

    def write(number: int) -> None:
        records = [story("clock", f"tick{number}")] + ([story("even", "pendulum")] if number % 2 == 0 else [])
        archive.write_lines("news.jsonl", records)
        assert archive.index(prune=True).generation == number

    # Words that both have, and in the dense ranking enough of them to be near either.
    query = dict.fromkeys(("lexical", "hybrid"), "means said Monday") | {
        "semantic": "It is said that pendulum came up on Monday. More about pendulum will be known by Friday."
    }
    write(1)
    engine = archive.open()
    stop = threading.Event()
    failures: list[str] = []
    seen: set[int] = set()

    def read(mode: Mode) -> None:
        while not stop.is_set():
            try:
                results = engine.search(query[mode], mode=mode)
                expected = {"clock": f"tick{results.generation}"}
                if results.generation % 2 == 0:
                    expected["even"] = "pendulum"
                shown = {hit.article.id: f"{hit.article.title} {hit.snippet.text}" for hit in results}
                if shown.keys() != expected.keys() or any(shown[one].count(expected[one]) < 2 for one in expected):
                    failures.append(f"generation {results.generation}: {shown}")
                seen.add(results.generation)
            except Exception as error:
                failures.append(repr(error))
                return

    threads = [threading.Thread(target=read, args=(mode,)) for mode in (*MODES, "hybrid")]
    for thread in threads:
        thread.start()
    for number in range(2, 16):
        write(number)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(seen) >= 5
    assert engine.search("pendulum").generation == 15
    engine.close()


def test_connections_of_ended_threads_are_closed(built: Archive) -> None:
    engine = built.open()
    for _ in range(20):
        thread = threading.Thread(target=engine.search, args=("amber",))
        thread.start()
        thread.join()
    assert len(engine._source._stores) <= 2
    engine.close()
