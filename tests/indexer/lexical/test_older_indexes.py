"""An index made before the classes of Concord that Whoosh pickles had moved."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import pytest
import whoosh.index

from indexer.generations.checking import check_index
from indexer.generations.commit import rebuild
from tests.archive import Archive, story


def dumps(data: object, protocol: int) -> bytes:
    """Like pickle.dumps, with the names that classes had when all modules of indexer lay in one folder."""
    return pickle.dumps(data, protocol).replace(b"cindexer.lexical.whoosh_", b"cindexer.whoosh_")


@pytest.fixture
def older(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Archive:
    with monkeypatch.context() as patch:
        patch.setattr(whoosh.index, "pickle", SimpleNamespace(dumps=dumps, PicklingError=pickle.PicklingError))
        archive.write_lines("a.jsonl", [story("one", "violet lanterns"), story("two", "green ferries")])
        archive.index()
    (toc,) = archive.index_dir.glob("generations/*/lexical/*.toc")
    assert b"cindexer.whoosh_postings\nAnalysedText\n" in toc.read_bytes()
    return archive


def test_it_is_searched_and_found_sound(older: Archive) -> None:
    assert older.ids('"violet lanterns"') == ["one"]
    assert check_index(older.index_dir).ok


def test_it_is_updated(older: Archive) -> None:
    older.write_lines("a.jsonl", [story("one", "violet lanterns"), story("three", "violet lanterns")])
    older.index(prune=True)
    assert sorted(older.ids('"violet lanterns"')) == ["one", "three"]
    assert older.ids('"green ferries"') == []
    assert check_index(older.index_dir).ok


def test_it_is_rebuilt(older: Archive) -> None:
    rebuild(older.index_dir)
    assert older.ids('"violet lanterns"') == ["one"]
