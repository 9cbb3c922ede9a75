from __future__ import annotations

import io
import pickle
import shutil
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import whoosh.codec.whoosh3
import whoosh.index
from hypothesis import given
from hypothesis import strategies as st
from whoosh.codec.whoosh3 import W3TermInfo
from whoosh.filedb.filestore import FileStorage
from whoosh.filedb.filetables import OrderedHashReader, OrderedHashWriter
from whoosh.index import TOC
from whoosh.legacy import toc_loaders
from whoosh.reading import CorruptIndexError

from indexer.article import Article
from indexer.catalogue import Catalogue
from indexer.errors import IndexDamaged
from indexer.lexical import whoosh_postings
from indexer.lexical.bm25 import Atom
from indexer.lexical.index import LexicalIndex
from indexer.lexical.whoosh_pool import _Columns
from indexer.lexical.whoosh_safety import load, loads
from indexer.lexical.writing import LexicalUpdate, update_lexical
from indexer.text.analysis import index_words

CATALOGUE = Catalogue.build((doc, None, None, None, None) for doc in (1, 2, 3))
VERSIONS = [whoosh.index._CURRENT_TOC_VERSION, *toc_loaders]
"""Of tables of contents that Whoosh reads."""
LATER = Catalogue.build((doc, None, None, None, None) for doc in (2, 3, 4))
FOURTH = (4, Article("a4", "Four", "quay"))
ARTICLES = [(doc, Article(f"a{doc}", f"Title {doc}", "harbour ferry " * doc + f"only{doc}")) for doc in (1, 2, 3)]


class Bomb:
    """A pickle of this would write a file where it is opened."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.target,))


def made(folder: Path) -> Path:
    """A new index of the articles."""
    folder.mkdir()
    update_lexical(LexicalUpdate(folder, None, catalogue=CATALOGUE, added=ARTICLES, removed=(), name="1"))
    return folder


def updated(folder: Path, into: Path) -> Path:
    """The same without the first one, but with another."""
    into.mkdir()
    update_lexical(LexicalUpdate(into, folder, catalogue=LATER, added=[FOURTH], removed=ARTICLES[:1], name="2"))
    return into


def searched(folder: Path) -> None:
    """Read what there is to be read."""
    index = LexicalIndex(folder, CATALOGUE)
    index.match(Atom("harbour ferry", phrase=True))
    index.vocabulary()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path / "lexical")


def test_an_index_of_our_own_opens_and_answers(folder: Path) -> None:
    index = LexicalIndex(folder, CATALOGUE)
    assert index.match(Atom("only2")).tolist() == [False, True, False]
    assert index.match(Atom("harbour ferry", phrase=True)).all()


def test_an_updated_index_with_deletions_opens(folder: Path, tmp_path: Path) -> None:
    index = LexicalIndex(updated(folder, tmp_path / "next"), LATER)
    assert index.match(Atom("quay")).tolist() == [False, False, True]
    assert index.match(Atom("harbour ferry", phrase=True)).tolist() == [True, True, False]


def test_what_is_written_names_no_class_of_ours_that_is_read_again(folder: Path, tmp_path: Path) -> None:
    (toc,) = updated(folder, tmp_path / "next").glob("*.toc")
    schema, segments = toc.read_bytes().split(b"W3Segment", 1)
    assert b"indexer" in schema  # which is not read
    assert b"indexer" not in segments


@pytest.mark.parametrize("version", VERSIONS)
def test_a_foreign_schema_is_not_read(
    folder: Path, tmp_path: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dumps(_: object, __: int) -> bytes:
        return pickle.dumps(Bomb(tmp_path / "exploded"))

    storage = FileStorage(str(folder))
    found = TOC.read(storage, "MAIN")
    monkeypatch.setattr(whoosh.index, "_CURRENT_TOC_VERSION", version)
    monkeypatch.setattr(whoosh.index, "pickle", SimpleNamespace(dumps=dumps, PicklingError=pickle.PicklingError))
    TOC(found.schema, found.segments, 9).write(storage, "MAIN")
    monkeypatch.undo()
    assert LexicalIndex(folder, CATALOGUE).match(Atom("harbour ferry", phrase=True)).all()
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("version", VERSIONS)
def test_foreign_segments_run_nothing(
    folder: Path, tmp_path: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = FileStorage(str(folder))
    found = TOC.read(storage, "MAIN")
    monkeypatch.setattr(whoosh.index, "_CURRENT_TOC_VERSION", version)
    TOC(found.schema, [*found.segments, Bomb(tmp_path / "exploded")], 9).write(storage, "MAIN")
    monkeypatch.undo()
    with pytest.raises(IndexDamaged, match="concord rebuild"):
        LexicalIndex(folder, CATALOGUE)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("segid", None), ("compound", True), ("_doccount", 3.0), ("_deleted", {"1"})],
)
def test_a_segment_states_nothing_but_its_files_and_articles(folder: Path, name: str, value: object) -> None:
    storage = FileStorage(str(folder))
    found = TOC.read(storage, "MAIN")
    setattr(found.segments[0], name, value)
    TOC(found.schema, found.segments, 9).write(storage, "MAIN")
    with pytest.raises(IndexDamaged, match="concord rebuild"):
        LexicalIndex(folder, CATALOGUE)


def test_a_segment_lies_in_the_folder_of_its_index(folder: Path, tmp_path: Path) -> None:
    (terms,) = made(tmp_path / "elsewhere").glob("*.trm")
    storage = FileStorage(str(folder))
    found = TOC.read(storage, "MAIN")
    found.segments[0].segid = f"x/../../elsewhere/{terms.stem}"
    TOC(found.schema, found.segments, 9).write(storage, "MAIN")
    with pytest.raises(IndexDamaged, match="is no segment of Concord's"):
        LexicalIndex(folder, CATALOGUE)


def test_methods_that_a_segment_states_are_not_called(folder: Path) -> None:
    storage = FileStorage(str(folder))
    found = TOC.read(storage, "MAIN")
    vars(found.segments[0]).update(codec=defaultdict, segment_id=defaultdict, doc_count_all=defaultdict)
    TOC(found.schema, found.segments, 9).write(storage, "MAIN")
    assert LexicalIndex(folder, CATALOGUE).match(Atom("harbour ferry", phrase=True)).all()


def test_a_pickle_changes_no_class_that_it_names(folder: Path) -> None:
    # GLOBAL, then BUILD with (None, {name: value}), which pickle sets as attributes of what is there: the class.
    planted = b"cwhoosh.codec.whoosh3\nW3Segment\n(N(dVsegid\nVx\nstb."
    assert loads(planted).segid == "x"
    assert not hasattr(loads(b"cwhoosh.codec.whoosh3\nW3Segment\n."), "segid")
    assert LexicalIndex(folder, CATALOGUE).match(Atom("harbour ferry", phrase=True)).all()


@pytest.mark.parametrize("part", ["header", "block"])
def test_foreign_postings_run_nothing(tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def dumps(data: tuple[object, ...], protocol: int) -> bytes:
        planted = part == ("header" if len(data) == 6 else "block")
        return pickle.dumps((*data[:-1], Bomb(tmp_path / "exploded")) if planted else data, protocol)

    monkeypatch.setattr(whoosh.codec.whoosh3, "dumps", dumps)
    folder = made(tmp_path / "lexical")
    monkeypatch.undo()
    index = LexicalIndex(folder, CATALOGUE)
    with pytest.raises((pickle.UnpicklingError, CorruptIndexError)):
        index.match(Atom("harbour ferry", phrase=True))
    with pytest.raises((pickle.UnpicklingError, CorruptIndexError)):
        updated(folder, tmp_path / "next")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("part", ["postings", "extras"])
def test_a_foreign_list_of_terms_runs_nothing(folder: Path, tmp_path: Path, part: str) -> None:
    (path,) = folder.glob("*.trm")
    storage = FileStorage(str(folder))
    table = OrderedHashReader(storage.open_file(path.name), path.stat().st_size)
    items, extras = list(table.items()), table.extras
    table.close()
    writer = OrderedHashWriter(storage.create_file(path.name))
    writer.extras.update(extras, planted=Bomb(tmp_path / "exploded") if part == "extras" else None)
    for key, value in items:
        inlined = b"\1" + value[1 : W3TermInfo._struct.size] + pickle.dumps(Bomb(tmp_path / "exploded"))
        writer.add(key, inlined if part == "postings" else value)
    writer.close()
    with pytest.raises((ValueError, IndexDamaged)):
        LexicalIndex(folder, CATALOGUE).match(Atom("harbour ferry", phrase=True))
    with pytest.raises((ValueError, pickle.UnpicklingError)):
        updated(folder, tmp_path / "next")
    assert not (tmp_path / "exploded").exists()


def test_stored_fields_that_are_planted_are_never_read(folder: Path, tmp_path: Path) -> None:
    """Whoosh reads them where it merges segments, and they are pickles."""
    catalogue = Catalogue.build((doc, None, None, None, None) for doc in range(1, 24))
    for number in range(4, 24):
        for path in folder.glob("*._stored.col"):
            path.write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
        following = tmp_path / f"after{number}"
        following.mkdir()
        added = [(number, Article(f"a{number}", "More", "harbour ferry"))]
        update_lexical(LexicalUpdate(following, folder, catalogue=catalogue, added=added, removed=(), name=f"{number}"))
        folder = following
    assert len(list(folder.glob("*.trm"))) < 21  # so some were merged
    assert LexicalIndex(folder, catalogue).match(Atom("harbour ferry", phrase=True)).all()
    assert not (tmp_path / "exploded").exists()


def test_a_pickle_in_the_place_of_any_file_runs_nothing(folder: Path, tmp_path: Path) -> None:
    planted = pickle.dumps(Bomb(tmp_path / "exploded"))
    for path in [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]:
        sound = path.read_bytes()
        for content in (planted, sound[: len(sound) // 2] + planted, planted + sound[len(planted) :]):
            path.write_bytes(content)
            for use in (searched, lambda of: updated(of, tmp_path / "next")):
                # What is damaged may fail in any way, as long as it runs nothing.
                with suppress(Exception):
                    use(folder)
                shutil.rmtree(tmp_path / "next", ignore_errors=True)
        path.write_bytes(sound)
    assert not (tmp_path / "exploded").exists()
    assert LexicalIndex(folder, CATALOGUE).match(Atom("harbour ferry", phrase=True)).all()


@pytest.mark.parametrize("opened", [loads, lambda data: load(io.BytesIO(data))])
def test_what_is_no_part_of_an_index_is_refused(opened: object, tmp_path: Path) -> None:
    with pytest.raises(pickle.UnpicklingError, match="may not name"):
        opened(pickle.dumps(Bomb(tmp_path / "exploded")))  # type: ignore[operator]
    with pytest.raises(pickle.UnpicklingError, match=r"shutil\.rmtree"):
        opened(pickle.dumps(shutil.rmtree))  # type: ignore[operator]
    assert not (tmp_path / "exploded").exists()


def packed(*documents: Mapping[str, list[int]]) -> list[tuple[bytes, int, float, bytes]]:
    """The postings that a segment gets for the texts of documents: term, document, frequency, packed positions."""
    columns = _Columns()
    for number, positions in enumerate(documents):
        columns.add(number, positions)
    return [posting[1:] for posting in columns.postings("text")]


def test_terms_survive_the_packing_of_positions() -> None:
    words = index_words("ferry, ferry and again a ferry")
    (ferry,) = [posting for posting in packed(words.positions) if posting[0] == b"ferri"]
    assert ferry[1:3] == (0, 3.0)
    assert whoosh_postings.PackedPositions().decode_positions(ferry[3]) == [0, 1, 5]


@given(st.lists(st.lists(st.integers(0, 2**31), unique=True, min_size=1).map(sorted), min_size=1, max_size=3))
def test_positions_survive_packing(documents: list[list[int]]) -> None:
    packing = whoosh_postings.PackedPositions()
    postings = packed(*({"ferri": positions} for positions in documents))
    for number, (posting, positions) in enumerate(zip(postings, documents, strict=True)):
        value = posting[3]
        assert posting[:3] == (b"ferri", number, float(len(positions)))
        assert packing.decode_positions(value) == positions
        assert packing.decode_frequency(value) == packing.decode_weight(value) == len(positions)
