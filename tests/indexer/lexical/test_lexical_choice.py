"""Choosing the lexical engine of an index, going on with it, and changing it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from indexer.encoders.for_passages import PassageEncoder
from indexer.errors import IndexMismatch, UsageError
from indexer.generations.commit import rebuild
from indexer.generations.manifest import read_current
from indexer.lexical import engines as lexical_engines
from search_app.cli.main import main
from tests.archive import Archive, counts, story

QUERIES = ("amber", '"amber came up"', "basalt -monday", "title:basalt", "amber basalt", "amber section:World")


@pytest.fixture
def built(archive: Archive) -> Archive:
    pytest.importorskip("tantivy")
    archive.write_lines("news.jsonl", [story("a", "amber", section="World"), story("b", "amber basalt")])
    archive.index(lexical="tantivy")
    return archive


def answers(archive: Archive) -> dict[str, list[tuple[str, float]]]:
    engine = archive.open()
    return {query: [(hit.article.id, hit.score) for hit in engine.search(query).hits] for query in QUERIES}


def test_an_index_goes_on_with_its_engine(built: Archive) -> None:
    assert read_current(built.index_dir).lexical == "tantivy"
    more = [story("a", "amber", section="World"), story("b", "basalt"), story("c", "copper")]
    built.write_lines("news.jsonl", more)
    assert counts(built.index()) == {"added": 1, "updated": 1, "unchanged": 1, "encoded": 2}
    assert read_current(built.index_dir).lexical == "tantivy"
    assert built.ids("copper") == ["c"]
    assert built.ids("amber") == ["a"]
    with pytest.raises(IndexMismatch, match="has the lexical engine tantivy, not whoosh: run 'concord rebuild --lex"):
        built.index(lexical="whoosh")


def test_a_rebuild_changes_the_engine_without_encoding(built: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PassageEncoder, "encode_passages", None)
    expected = answers(built)
    assert expected["amber"]
    for engine in ("whoosh", "whoosh", "tantivy"):
        assert rebuild(built.index_dir, lexical=engine).lexical == engine
        assert answers(built) == expected
    assert rebuild(built.index_dir).lexical == "tantivy"


def test_the_engine_is_chosen_on_the_command_line(built: Archive) -> None:
    place = ("--index-dir", str(built.index_dir))
    found = CliRunner().invoke(main, ["rebuild", "--lexical", "whoosh", "--json", *place])
    assert json.loads(found.stdout)["lexical"] == "whoosh"
    refused = CliRunner().invoke(main, ["rebuild", "--lexical", "grep", *place])
    assert refused.exit_code == 2
    assert "'grep' is no lexical engine: choose one of whoosh, tantivy." in refused.stderr


def test_an_engine_that_is_not_installed_says_how_to_get_it(built: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexical_engines, "find_spec", lambda _: None)
    for act in (built.open, built.index, lambda: rebuild(built.index_dir, lexical="tantivy")):
        with pytest.raises(UsageError, match=r"pip install tantivy"):
            act()
    rebuild(built.index_dir, lexical="whoosh")
    assert built.ids("basalt") == ["b"]
