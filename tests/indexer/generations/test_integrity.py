"""Checksums and digests: what changed on disk since it was written is never answered from."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.article import Article
from indexer.errors import IndexDamaged
from indexer.generations.commit import rebuild
from indexer.generations.manifest import Manifest, current_generation, generation_folder, read_current, switch_to
from indexer.store.database import Store
from indexer.store.digests import passages_digest, row_digest, vectors_digest
from indexer.system.checksums import FileSum, check_folder, is_inside, read_sums, sum_file, write_sums
from tests.archive import Archive, counts, story

pytestmark = pytest.mark.slow

WORDS = ("amber", "basalt", "copper", "diamond", "emerald")


@pytest.fixture
def built(archive: Archive) -> Archive:
    archive.write_lines("news.jsonl", [story(word, word) for word in WORDS])
    archive.index()
    return archive


def flip(path: Path, position: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << bit
    path.write_bytes(data)


def change(index_dir: Path, statement: str) -> None:
    with sqlite3.connect(index_dir / "store.sqlite") as db:
        db.execute(statement)
    db.close()


def test_a_flipped_bit_is_found_in_every_derived_file(built: Archive) -> None:
    folder = generation_folder(built.index_dir, 1)
    files = [folder / name for name in read_current(built.index_dir).files]
    files += [folder / "manifest.json", built.index_dir / "CURRENT"]
    for path in files:
        sound = path.read_bytes()
        # Not the line end of CURRENT: words are words without it.
        for position in (0, len(sound) // 2, len(sound) - 2):
            flip(path, position, bit=2)
            with pytest.raises(IndexDamaged, match="concord rebuild"):
                built.open()
            path.write_bytes(sound)
    assert built.ids("amber") == ["amber"]


def test_a_file_too_many_is_found(built: Archive) -> None:
    (generation_folder(built.index_dir, 1) / "lexical" / "_MAIN_9.toc").write_bytes(b"")
    with pytest.raises(IndexDamaged, match=r"_MAIN_9\.toc' does not belong to generation 1.*concord rebuild"):
        built.open()


def test_a_generation_of_another_index_is_not_taken_for_our_own(built: Archive, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(built.index_dir, other, symlinks=True)
    rebuild(other)
    rebuild(built.index_dir)
    shutil.rmtree(generation_folder(built.index_dir, 2))
    shutil.copytree(generation_folder(other, 2), generation_folder(built.index_dir, 2))
    with pytest.raises(IndexDamaged, match="CURRENT names"):
        built.open()
    switch_to(built.index_dir, 2)
    with pytest.raises(IndexDamaged, match="not the one that generation 2 was made from"):
        built.open()
    assert rebuild(built.index_dir).generation == 3
    assert built.ids("amber") == ["amber"]


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE articles SET title = 'What amber meant' WHERE id = 'amber'", "the article"),
        ("UPDATE articles SET date = '2024-01-01T00:00:00+00:00' WHERE id = 'amber'", "the article"),
        ("UPDATE passages SET start = start + 1 WHERE passage = 1", "the passages"),
        ("UPDATE passages SET ordinal = 2.5 WHERE passage = 1", "the passages"),
    ],
)
def test_a_changed_row_is_not_shown(built: Archive, statement: str, what: str) -> None:
    change(built.index_dir, statement)
    with pytest.raises(IndexDamaged, match=rf"{what} of 'amber' \(row 1\) changed.*--drop-damaged"):
        built.open().search("amber")
    assert built.open().search("amber -means", mode="lexical").total == 0


@pytest.mark.parametrize("article_id", [None, 7, 1.5, b"\xff"])
def test_a_damaged_id_that_is_no_text_has_a_sentence_all_the_same(article_id: object) -> None:
    sentence = str(IndexDamaged.damaged_row("index", "the article", 1, article_id))
    assert f"the article of '{article_id}' (row 1) changed" in sentence


def test_a_date_that_is_none_is_damage_to_a_writer_too(built: Archive) -> None:
    change(built.index_dir, "UPDATE articles SET date = 'Monday' WHERE doc = 1")
    with pytest.raises(IndexDamaged, match="isoformat"):
        rebuild(built.index_dir)


def test_a_changed_vector_is_not_built_upon(built: Archive) -> None:
    change(built.index_dir, "UPDATE vectors SET vector = zeroblob(length(vector)) WHERE passage = 1")
    with pytest.raises(IndexDamaged, match="the vectors of 'amber'"):
        rebuild(built.index_dir)
    assert built.ids("amber") == ["amber"]


def test_an_article_that_went_missing_is_missed(built: Archive) -> None:
    change(built.index_dir, "DELETE FROM articles WHERE id = 'amber'")
    built.write_lines("more.jsonl", [story("new", "flint")])
    for act in (lambda: rebuild(built.index_dir), lambda: built.index(built.sources / "more.jsonl")):
        with pytest.raises(IndexDamaged, match="no longer holds just the 5 articles of generation 1"):
            act()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON articles BEGIN DELETE FROM articles; END",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TABLE other (x)",
        "DROP INDEX articles_id",
    ],
)
def test_a_store_with_other_tables_is_refused(built: Archive, statement: str) -> None:
    change(built.index_dir, statement)
    for act in (built.open, built.index, lambda: rebuild(built.index_dir)):
        with pytest.raises(IndexDamaged, match="tables are not those"):
            act()


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("store", "../store.sqlite"),
        ("files", {"../../etc/passwd": {"size": 1, "xxh3": ""}}),
        ("files", {"/etc/passwd": {"size": 1, "xxh3": ""}}),
        ("files", {"a": 5}),
    ],
)
def test_names_in_a_manifest_do_not_lead_out_of_the_index(built: Archive, entry: str, value: object) -> None:
    path = generation_folder(built.index_dir, 1) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {entry: value}))
    switch_to(built.index_dir, 1)
    with pytest.raises(IndexDamaged, match="lacks entries"):
        Manifest.load(path.parent)


def test_the_fingerprint_of_an_encoder_is_no_path(built: Archive) -> None:
    path = generation_folder(built.index_dir, 1) / "manifest.json"
    raw = json.loads(path.read_text())
    raw["encoder"]["fingerprint"] = "../../elsewhere"
    path.write_text(json.dumps(raw))
    with pytest.raises(IndexDamaged, match="is none of Concord's"):
        Manifest.load(path.parent)


def test_after_a_run_the_store_needs_no_log(built: Archive) -> None:
    for suffix in ("-wal", "-shm"):
        built.index_dir.joinpath(f"store.sqlite{suffix}").unlink(missing_ok=True)
    assert current_generation(built.index_dir) == 1
    assert built.ids("emerald") == ["emerald"]
    assert counts(built.index()) == {"unchanged": 5}


def test_the_store_gives_back_what_went(built: Archive) -> None:
    long = [story(f"long{n}", f"slate {'granite ' * 2000}{n}") for n in range(20)]
    built.write_lines("long.jsonl", long)
    built.index()
    full = (built.index_dir / "store.sqlite").stat().st_size
    built.write_lines("long.jsonl", [])
    built.index(prune=True)
    built.write_lines("more.jsonl", [story("new", "flint")])
    built.index()
    assert (built.index_dir / "store.sqlite").stat().st_size < full / 2


def test_a_folder_is_checked_against_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"x" * 100)
    write_sums(tmp_path)
    check_folder(tmp_path)
    flip(tmp_path / "one", 50)
    with pytest.raises(IndexDamaged, match="checksum differs"):
        check_folder(tmp_path)
    flip(tmp_path / "one", 50)
    sums = tmp_path / "checksums.json"
    sums.write_text(sums.read_text().replace('"size": 100', '"size": 101'))
    with pytest.raises(IndexDamaged, match="its own checksum does not fit"):
        check_folder(tmp_path)


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../../b", "a\\b", "C:a", "a//b", "./a", "a\0b", None, 3])
def test_names_that_lead_elsewhere(name: object) -> None:
    assert not is_inside(name)
    with pytest.raises((TypeError, ValueError)):
        read_sums({name: {"size": 1, "xxh3": ""}})


@given(st.lists(st.none() | st.text(), max_size=4), st.lists(st.none() | st.text(), max_size=4))
def test_digests_tell_lists_of_values_apart(first: list[str | None], second: list[str | None]) -> None:
    assert (row_digest(1, first) == row_digest(1, second)) == (first == second)
    assert row_digest(1, first) != row_digest(2, first)


@given(st.lists(st.binary(max_size=5), max_size=4), st.lists(st.binary(max_size=5), max_size=4))
def test_digests_tell_vectors_apart(first: list[bytes], second: list[bytes]) -> None:
    assert (vectors_digest(first) == vectors_digest(second)) == (first == second)


def test_a_value_of_another_type_has_no_digest() -> None:
    assert passages_digest([(1, 2, None, 0, 5)]) == b""  # type: ignore[list-item]
    assert row_digest(1, [b"bytes"]) == b""  # type: ignore[list-item]
    assert vectors_digest([None]) == b""  # type: ignore[list-item]


def test_sizes_and_sums_of_files(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    assert sum_file(tmp_path / "x") == FileSum(0, "99aa06d3014798d86001c324468d497f")


def test_a_store_keeps_what_it_was_given(tmp_path: Path) -> None:
    import numpy as np

    from indexer.article import Passage

    store = Store(tmp_path, writable=True)
    with store.transaction():
        first = store.add(Article("a", "T", "text"), [Passage(0, 0, 4)], np.ones((1, 4), np.float32), 1)
        store.add(Article("b", "T", ""), [], np.empty((0, 4), np.float32), 1)
        token = store.note_generation(1)
    assert store.committed(1) is not None
    assert store.committed(1).token == token  # type: ignore[union-attr]
    assert [p.passage for p in store.passages([1, 2])] == [1]
    with store.transaction():
        store.remove([first], 2)
        store.collect(2)
    with store.transaction():
        doc = store.add(Article("c", "T", "text"), [Passage(0, 0, 4)], np.ones((1, 4), np.float32), 3)
    assert doc == 3
    assert [p.passage for p in store.passages([doc])] == [2]
    store.close()
