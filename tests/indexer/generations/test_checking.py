from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import IndexNotFound
from indexer.generations.checking import check_index
from indexer.generations.commit import rebuild
from indexer.generations.manifest import Manifest, generation_folder, switch_to
from tests.archive import Archive, counts, story

pytestmark = pytest.mark.slow

WORDS = ("amber", "basalt", "copper", "diamond", "emerald")


@pytest.fixture
def built(archive: Archive) -> Archive:
    archive.write_lines("news.jsonl", [story(word, word, section=word) for word in WORDS])
    archive.index()
    return archive


def change(index_dir: Path, statement: str) -> None:
    with sqlite3.connect(index_dir / "store.sqlite") as db:
        db.execute(statement)
    db.close()


def parts(archive: Archive) -> list[str]:
    return [problem.part for problem in check_index(archive.index_dir).problems]


def bless(archive: Archive, generation: int = 1) -> None:
    """Note the files of a generation as they are now, as if they had been written so."""
    from dataclasses import replace

    from indexer.system.checksums import files_below, sum_file

    folder = generation_folder(archive.index_dir, generation)
    files = {name: sum_file(folder / name) for name in files_below(folder) if name != "manifest.json"}
    replace(Manifest.load(folder), files=files).save(folder)
    switch_to(archive.index_dir, generation)


def test_a_sound_index(built: Archive) -> None:
    report = check_index(built.index_dir)
    assert report.ok
    assert (report.generation, report.articles, report.passages, report.sampled) == (1, 5, 5, 5)
    assert report.files > 5


def test_no_index(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound):
        check_index(tmp_path)


def test_all_broken_files_are_named(built: Archive) -> None:
    folder = generation_folder(built.index_dir, 1)
    (folder / "catalogue.npz").unlink()
    (folder / "vectors" / "vectors.json").write_text("{}")
    report = check_index(built.index_dir)
    assert ["catalogue.npz" in p.message or "vectors.json" in p.message for p in report.problems] == [True, True]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE articles SET title = 'Another' WHERE id = 'amber'", "the article of 'amber'"),
        ('UPDATE passages SET "end" = 3 WHERE passage = 2', "the passages of 'basalt'"),
        ("DELETE FROM passages WHERE passage = 2", "basalt"),
        ("UPDATE vectors SET vector = zeroblob(128) WHERE passage = 3", "the vectors of 'copper'"),
        ("DELETE FROM vectors WHERE passage = 3", "the vectors of 'copper'"),
        ("UPDATE articles SET removed = 1 WHERE id = 'amber'", "no longer holds just the 5 articles"),
    ],
)
def test_damaged_articles_are_named_dropped_and_taken_in_again(built: Archive, statement: str, expected: str) -> None:
    change(built.index_dir, statement)
    report = check_index(built.index_dir)
    assert not report.ok
    assert any(expected in problem.message for problem in report.problems)
    assert all("--drop-damaged" in problem.message for problem in report.problems)
    said: list[str] = []
    assert rebuild(built.index_dir, said.append, drop_damaged=True).articles == 4
    assert check_index(built.index_dir).ok
    assert counts(built.index()).get("added") == 1
    assert check_index(built.index_dir).ok
    assert built.ids("amber") == ["amber"]


def test_a_broken_page_of_the_store_is_found(built: Archive) -> None:
    store = built.index_dir / "store.sqlite"
    data = bytearray(store.read_bytes())
    for page in range(1, len(data) // 4096):
        changed = bytearray(data)
        changed[page * 4096 : page * 4096 + 16] = b"\xff" * 16
        store.write_bytes(changed)
        report = check_index(built.index_dir)
        assert not report.ok, page
        assert all(problem.part == "store" for problem in report.problems)
    store.write_bytes(data)
    assert check_index(built.index_dir).ok


def test_rankings_that_do_not_fit_the_store_are_found(built: Archive, archive: Archive) -> None:
    """Files that are what was written, but of other articles."""
    folder = generation_folder(built.index_dir, 1)
    catalogue = folder / "catalogue.npz"
    with np.load(catalogue) as columns:
        changed = {name: columns[name] for name in columns.files}
    changed["dates"] = changed["dates"] + 1
    sound = catalogue.read_bytes()
    np.savez(catalogue, **changed)
    bless(built)
    assert parts(built) == ["files"]
    catalogue.write_bytes(sound)
    bless(built)
    assert parts(built) == []
    rows = next((folder / "vectors").glob("*.npy"))
    columns_of = np.load(rows)
    np.save(rows, columns_of[:, ::-1])
    bless(built)
    assert parts(built) == ["vectors"]


def test_a_check_beside_a_writer_finds_nothing(built: Archive) -> None:
    failures: list[object] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            if problems := check_index(built.index_dir).problems:
                failures.append(problems)

    thread = threading.Thread(target=look)
    thread.start()
    for number in range(8):
        built.write_lines("more.jsonl", [story("clock", f"tick{number}")])
        built.index()
    stop.set()
    thread.join()
    assert failures == []
