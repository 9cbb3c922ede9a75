"""An index of the lexical engine that Concord had beside Whoosh, and has no more."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from indexer.encoders.for_passages import PassageEncoder
from indexer.errors import IndexMismatch
from indexer.generations.checking import check_index
from indexer.generations.manifest import generation_folder, read_current, switch_to
from search_app.cli.main import main
from tests.archive import Archive, story

SENTENCE = (
    "Generation 1 of the index has the lexical engine 'tantivy', which Concord no longer has: run 'concord rebuild' to "
    "make the index anew, without encoding."
)


@pytest.fixture
def other(archive: Archive) -> Archive:
    """An index whose manifest names the engine, with files that are none of Whoosh's."""
    archive.write_lines("news.jsonl", [story("a", "amber"), story("b", "amber basalt")])
    archive.index()
    folder = generation_folder(archive.index_dir, 1)
    raw = json.loads((folder / "manifest.json").read_text("utf-8"))
    raw["lexical"] = "tantivy"
    for name in [name for name in raw["files"] if name.startswith("lexical/MAIN") or name.endswith(".toc")]:
        del raw["files"][name]
        (folder / name).unlink()
    (folder / "manifest.json").write_text(json.dumps(raw), "utf-8")
    switch_to(archive.index_dir, 1)
    return archive


def test_it_says_what_to_do(other: Archive) -> None:
    for act in (other.open, other.index, lambda: check_index(other.index_dir)):
        with pytest.raises(IndexMismatch) as refused:
            act()
        assert str(refused.value) == SENTENCE
    for command in (["search", "amber"], ["status"], ["check"]):
        found = CliRunner().invoke(main, [*command, "--index-dir", str(other.index_dir)])
        assert (found.exit_code, " ".join(found.stderr.split()).endswith(SENTENCE)) == (1, True), found.stderr


def test_a_rebuild_makes_it_anew_without_encoding(other: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(PassageEncoder, "encode_passages", None)
        rebuilt = CliRunner().invoke(main, ["rebuild", "--json", "--index-dir", str(other.index_dir)])
        assert (rebuilt.exit_code, json.loads(rebuilt.stdout)["lexical"]) == (0, "whoosh"), rebuilt.stderr
    assert read_current(other.index_dir).generation == 2
    assert other.ids('"amber came up"') == ["a"]
    assert check_index(other.index_dir).ok
    other.write_lines("more.jsonl", [story("c", "amber")])
    other.index()
    assert sorted(other.ids('"amber came up"')) == ["a", "c"]


def test_a_name_that_is_none_is_cut(archive: Archive) -> None:
    archive.write_lines("news.jsonl", [story("a", "amber")])
    archive.index()
    path = generation_folder(archive.index_dir, 1) / "manifest.json"
    raw = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(raw | {"lexical": ["x" * 1000]}), "utf-8")
    switch_to(archive.index_dir, 1)
    with pytest.raises(IndexMismatch, match=r"engine '\['x{38}', which"):
        archive.open()
