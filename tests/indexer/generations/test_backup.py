"""Backups: whole, sound or not made, and put back in one step over anything."""

from __future__ import annotations

import json
import shutil
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.encoders.carried import encoder_folder
from indexer.encoders.for_passages import PassageEncoder
from indexer.errors import ConcordError, IndexDamaged, IndexLocked
from indexer.generations.backup import _opened, _unpack, backup, restore
from indexer.generations.checking import check_index
from indexer.generations.manifest import current_generation, read_current
from indexer.system.lock import writer_lock
from search_app.engine import SearchEngine
from search_app.options import MODES, Mode
from tests.archive import Archive, counts, ranked, story

pytestmark = pytest.mark.slow
WORDS = ("amber", "basalt", "copper", "diamond", "emerald")


@pytest.fixture
def built(archive: Archive, word_export: Path) -> Archive:
    """Two generations, with an encoder of its own rather than a link to one."""
    (archive.index_dir / "encoders").unlink()
    shutil.copytree(word_export, archive.index_dir / "encoders")
    archive.write_lines("news.jsonl", [story(word, word) for word in WORDS[:4]])
    archive.index()
    archive.write_lines("more.jsonl", [story(WORDS[4], WORDS[4])])
    archive.index()
    return archive


@pytest.fixture
def saved(built: Archive, tmp_path: Path) -> Path:
    backup(built.index_dir, tmp_path / "saved.concord")
    return tmp_path / "saved.concord"


def answers(index_dir: Path) -> dict[tuple[str, Mode], list[str]]:
    engine = SearchEngine.open(index_dir)
    found = {(word, mode): ranked(engine, word, mode) for word in WORDS for mode in MODES}
    engine.close()
    return found


def test_a_backup_put_back_elsewhere_answers_as_before(
    built: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answers(built.index_dir)

    def fail(*_: object) -> None:
        raise AssertionError("a text was encoded")

    monkeypatch.setattr(PassageEncoder, "encode_passages", fail)
    report = backup(built.index_dir, tmp_path / "saved")
    assert (report.generation, report.articles, report.passages) == (2, 5, 5)
    assert report.bytes == (tmp_path / "saved").stat().st_size
    restored = restore(tmp_path / "saved", tmp_path / "new" / "index")
    assert (restored.generation, restored.articles, restored.passages) == (2, 5, 5)
    assert answers(tmp_path / "new" / "index") == expected
    assert check_index(tmp_path / "new" / "index").ok
    again = Archive(tmp_path, tmp_path / "new" / "index", built.encoder)
    assert counts(again.index()) == {"unchanged": 5}
    assert [path.name for path in tmp_path.iterdir() if "draft" in path.name] == []


def test_what_came_later_is_gone_after_a_restore_and_comes_back_by_indexing(
    built: Archive, saved: Path, tmp_path: Path
) -> None:
    expected = answers(built.index_dir)
    built.write_lines("more.jsonl", [story(WORDS[4], "flint"), story("new", "granite")])
    built.index()
    engine = built.open()
    assert [hit.article.id for hit in engine.search("granite", mode="lexical")] == ["new"]
    assert restore(saved, built.index_dir).generation == 4
    assert engine.search("granite", mode="lexical").total == 0
    assert engine.article(WORDS[4]).title == "What emerald means"
    assert engine.status().generation == 4
    assert answers(built.index_dir) == expected
    assert sorted(path.name for path in built.index_dir.glob("store*")) == ["store-00000004.sqlite"] or all(
        path.name.startswith("store-00000004.sqlite") for path in built.index_dir.glob("store*")
    )
    assert counts(built.index()) == {"added": 1, "updated": 1, "unchanged": 4, "encoded": 2}
    assert check_index(built.index_dir).ok
    backup(built.index_dir, tmp_path / "second")
    restore(tmp_path / "second", built.index_dir)
    assert built.ids("granite") == ["new"]
    assert check_index(built.index_dir).ok


@pytest.mark.parametrize(
    "break_it",
    [
        lambda folder: (folder / "CURRENT").unlink(),
        lambda folder: (folder / "CURRENT").write_text("99999999999999 x"),
        lambda folder: shutil.rmtree(folder / "generations"),
        lambda folder: shutil.rmtree(folder / "encoders"),
        lambda folder: (folder / "store.sqlite").write_bytes(b"rubbish"),
        lambda folder: [path.unlink() for path in folder.glob("store.sqlite*")],
        lambda folder: next(folder.rglob("model.onnx")).write_bytes(b""),
        lambda folder: [path.write_bytes(b"") for path in folder.rglob("*") if path.is_file()],
    ],
)
def test_a_restore_mends_whatever_is_broken(built: Archive, saved: Path, break_it: Callable[[Path], object]) -> None:
    expected = answers(built.index_dir)
    break_it(built.index_dir)
    restore(saved, built.index_dir)
    assert answers(built.index_dir) == expected
    assert check_index(built.index_dir).ok


def test_a_flipped_bit_anywhere_in_a_backup_is_found_or_harmless(built: Archive, saved: Path, tmp_path: Path) -> None:
    expected = answers(built.index_dir)
    data = saved.read_bytes()
    refused = 0
    for position in range(7, len(data), len(data) // 40):
        changed = bytearray(data)
        changed[position] ^= 4
        saved.write_bytes(changed)
        target = tmp_path / f"new{position}"
        try:
            restore(saved, target)
        except ConcordError as error:
            refused += 1
            assert "cannot be used" in str(error)
            assert not (target / "CURRENT").exists()
        else:
            assert answers(target) == expected
    assert refused >= 35


@pytest.mark.parametrize("mask", [0x60, 0xFF])
def test_a_broken_table_of_contents_is_one_sentence(saved: Path, tmp_path: Path, mask: int) -> None:
    """Every byte of the end of the archive, where zipfile has many ways to complain."""
    data = bytearray(saved.read_bytes())
    sound = refused = 0
    for position in range(len(data) - 250, len(data)):
        data[position] ^= mask
        saved.write_bytes(data)
        data[position] ^= mask
        try:
            with _opened(saved) as (archive, sums):
                _unpack(archive, sums, saved, tmp_path / "draft", lambda _: None)
            sound += 1
        except ConcordError as error:
            refused += 1
            assert "cannot be used" in str(error)
    assert refused > sound / 2 > 0


@pytest.mark.parametrize("keep", [0, 10, 5000, -1])
def test_a_backup_cut_short_leaves_the_index_as_it_was(built: Archive, saved: Path, keep: int) -> None:
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(ConcordError, match=r"cannot be used.*The index is as it was"):
        restore(saved, built.index_dir)
    assert current_generation(built.index_dir) == 2
    assert check_index(built.index_dir).ok


def test_no_backup_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConcordError, match="cannot be used"):
        restore(tmp_path / "none", tmp_path / "index")
    assert not (tmp_path / "index").exists()


def rewritten(saved: Path, change: Callable[[zipfile.ZipFile, dict[str, bytes]], object]) -> None:
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(saved, "w") as archive:
        change(archive, members)
        for name, data in members.items():
            archive.writestr(name, data)


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "generation/../../outside", "generation\\..\\outside"])
def test_names_in_a_backup_do_not_lead_out_of_the_index(built: Archive, saved: Path, tmp_path: Path, name: str) -> None:
    rewritten(saved, lambda _, members: members.update({name: b"x"}))
    with pytest.raises(ConcordError, match=r"leads out|has others"):
        restore(saved, tmp_path / "deep" / "er" / "index")
    assert list(tmp_path.rglob("*outside*")) == []


def test_a_compressed_archive_is_not_unpacked(saved: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("backup.json", b"0" * 50_000_000)
    with pytest.raises(ConcordError, match="is compressed or encrypted"):
        restore(saved, tmp_path / "index")


def test_a_backup_with_other_files_than_it_names_is_refused(saved: Path, tmp_path: Path) -> None:
    rewritten(saved, lambda _, members: members.pop("generation/catalogue.json"))
    with pytest.raises(ConcordError, match="lacks files"):
        restore(saved, tmp_path / "index")


def test_a_backup_of_another_format_is_refused(saved: Path, tmp_path: Path) -> None:
    def newer(_: zipfile.ZipFile, members: dict[str, bytes]) -> None:
        members["backup.json"] = json.dumps(json.loads(members["backup.json"]) | {"format": 9}).encode()

    rewritten(saved, newer)
    with pytest.raises(ConcordError, match="is of format 9, this Concord reads 1"):
        restore(saved, tmp_path / "index")


def test_a_damaged_index_is_not_backed_up(built: Archive, saved: Path) -> None:
    before = saved.read_bytes()
    model = encoder_folder(built.index_dir, read_current(built.index_dir).encoder) / "model.onnx"
    sound = model.read_bytes()
    model.write_bytes(sound[:-1])
    with pytest.raises(IndexDamaged, match="concord rebuild"):
        backup(built.index_dir, saved)
    model.write_bytes(sound)
    labels = next(built.index_dir.rglob("00000002/catalogue.json"))
    labels.write_text(labels.read_text() + " ")
    with pytest.raises(IndexDamaged, match="concord rebuild"):
        backup(built.index_dir, saved)
    assert saved.read_bytes() == before


def test_a_place_that_cannot_be_written_is_one_sentence(built: Archive, tmp_path: Path) -> None:
    with pytest.raises(ConcordError, match=r"cannot be written.*mend that"):
        backup(built.index_dir, tmp_path / "no" / "such" / "folder")


def test_a_restore_waits_for_no_writer(built: Archive, saved: Path) -> None:
    with writer_lock(built.index_dir), pytest.raises(IndexLocked):
        restore(saved, built.index_dir)


def test_backups_beside_a_writer_are_whole(built: Archive, tmp_path: Path) -> None:
    failures: list[BaseException] = []
    stop = threading.Event()
    made = 0

    def save() -> None:
        nonlocal made
        try:
            while not stop.is_set():
                backup(built.index_dir, tmp_path / f"saved{made}")
                made += 1
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=save)
    thread.start()
    for number in range(8):
        built.write_lines("clock.jsonl", [story("clock", f"tick{number}")])
        built.index()
    stop.set()
    thread.join()
    assert failures == []
    assert made > 1
    for number in range(made):
        place = tmp_path / f"restored{number}"
        generation = restore(tmp_path / f"saved{number}", place).generation
        engine = SearchEngine.open(place)
        expected = [] if generation == 2 else ["clock"]
        assert [hit.article.id for hit in engine.search(f"tick{generation - 3}", mode="lexical")] == expected
        engine.close()


def test_a_server_answers_through_restores(built: Archive, saved: Path) -> None:
    failures: list[BaseException] = []
    stop = threading.Event()
    engine = built.open()

    def read() -> None:
        try:
            while not stop.is_set():
                assert engine.search("amber").hits[0].article.id == "amber"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(6):
        assert restore(saved, built.index_dir).generation == number + 3
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
