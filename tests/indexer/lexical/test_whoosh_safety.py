from __future__ import annotations

import io
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from whoosh import index as whoosh_index

from indexer.article import Article
from indexer.catalogue import Catalogue
from indexer.errors import IndexDamaged
from indexer.lexical import whoosh_postings
from indexer.lexical.protocol import Atom, LexicalUpdate
from indexer.lexical.whoosh_index import WhooshIndex, update_whoosh
from indexer.lexical.whoosh_pool import _Columns
from indexer.lexical.whoosh_safety import load, loads
from indexer.text.analysis import index_words

CATALOGUE = Catalogue.build((doc, None, None, None, None) for doc in (1, 2, 3))
ARTICLES = [(doc, Article(f"a{doc}", f"Title {doc}", "harbour ferry " * doc + f"only{doc}")) for doc in (1, 2, 3)]


class Bomb:
    """A pickle of this would write a file where it is opened."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.target,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lexical").mkdir()
    update_whoosh(LexicalUpdate(tmp_path / "lexical", None, catalogue=CATALOGUE, added=ARTICLES, removed=(), name="1"))
    return tmp_path / "lexical"


def test_an_index_of_our_own_opens_and_answers(folder: Path) -> None:
    index = WhooshIndex(folder, CATALOGUE)
    assert index.match(Atom("only2")).tolist() == [False, True, False]
    assert index.match(Atom("harbour ferry", phrase=True)).all()


def test_an_updated_index_with_deletions_opens(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    catalogue = Catalogue.build((doc, None, None, None, None) for doc in (2, 3, 4))
    added = [(4, Article("a4", "Four", "quay"))]
    update_whoosh(
        LexicalUpdate(tmp_path / "next", folder, catalogue=catalogue, added=added, removed=ARTICLES[:1], name="2")
    )
    index = WhooshIndex(tmp_path / "next", catalogue)
    assert index.match(Atom("quay")).tolist() == [False, False, True]


def test_a_foreign_schema_runs_nothing(folder: Path, tmp_path: Path) -> None:
    handle = whoosh_index.open_dir(str(folder))
    schema = whoosh_postings.schema()
    schema.names_and_bomb = Bomb(tmp_path / "exploded")
    toc = whoosh_index.TOC(schema, handle._segments(), 9)
    toc.write(handle.storage, handle.indexname)
    assert pickle.dumps(Bomb(tmp_path / "exploded"))
    with pytest.raises(IndexDamaged, match="concord rebuild"):
        WhooshIndex(folder, CATALOGUE)
    assert not (tmp_path / "exploded").exists()


def test_foreign_segments_run_nothing(folder: Path, tmp_path: Path) -> None:
    handle = whoosh_index.open_dir(str(folder))
    toc = whoosh_index.TOC(whoosh_postings.schema(), [*handle._segments(), Bomb(tmp_path / "exploded")], 9)
    toc.write(handle.storage, handle.indexname)
    with pytest.raises(IndexDamaged, match="concord rebuild"):
        WhooshIndex(folder, CATALOGUE)
    assert not (tmp_path / "exploded").exists()


def test_a_pickle_in_the_place_of_any_file_runs_nothing(folder: Path, tmp_path: Path) -> None:
    planted = pickle.dumps(Bomb(tmp_path / "exploded"))
    for path in [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]:
        sound = path.read_bytes()
        for content in (planted, sound[: len(sound) // 2] + planted, planted + sound[len(planted) :]):
            path.write_bytes(content)
            try:
                index = WhooshIndex(folder, CATALOGUE)
                index.match(Atom("harbour ferry", phrase=True))
                index.vocabulary()
            except Exception:
                continue  # What is damaged may fail in any way, as long as it runs nothing.
        path.write_bytes(sound)
    assert not (tmp_path / "exploded").exists()
    assert WhooshIndex(folder, CATALOGUE).match(Atom("harbour ferry", phrase=True)).all()


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
