"""An application that uses Whoosh itself: Concord in the same process changes nothing for it, nor it for Concord."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import whoosh.codec.whoosh3
import whoosh.columns
import whoosh.filedb.structfile
import whoosh.formats
import whoosh.index
from whoosh import fields, index, qparser
from whoosh.analysis import StemmingAnalyzer

from tests.archive import Archive, ranked, story

pytestmark = pytest.mark.slow

SCHEMA = {
    "id": fields.ID(stored=True, unique=True),
    "body": fields.TEXT(analyzer=StemmingAnalyzer(), stored=True, vector=True, sortable=True),
    "tags": fields.KEYWORD(commas=True, stored=True),
    "made": fields.DATETIME(stored=True, sortable=True),
    "code": fields.NGRAM(stored=True),
}


class HostIndex:
    """What a host does with Whoosh."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = str(folder)
        index.create_in(self.folder, fields.Schema(**SCHEMA))
        self.count = 0
        self.add(3)

    def add(self, number: int) -> None:
        writer = index.open_dir(self.folder).writer()
        for _ in range(number):
            self.count += 1
            words = f"sailing boats in harbour {self.count}"
            made = datetime(2024, 1, self.count % 28 + 1)
            writer.update_document(id=f"h{self.count}", body=words, tags="sea,wind", made=made, code="abcdef")
        writer.commit()

    def check(self) -> None:
        with index.open_dir(self.folder).searcher() as searcher:
            for field, text in (("body", '"sailing boat"'), ("tags", "wind"), ("code", "bcde")):
                found = searcher.search(qparser.QueryParser(field, searcher.schema).parse(text), limit=None)
                assert len(found) == self.count, f"{field}:{text} finds {len(found)} of {self.count}"
            assert {hit["made"].year for hit in found} == {2024}
            number = searcher.document_number(id="h1")
            assert "sail" in dict(searcher.vector_as("frequency", number, "body"))
            assert searcher.reader().column_reader("body")[number].startswith("sailing")


def test_a_host_indexes_and_searches_as_before(archive: Archive, tmp_path: Path) -> None:
    before = HostIndex(tmp_path / "before")
    archive.write_lines("a.jsonl", [story("one", "violet lanterns"), story("two", "green ferries")])
    archive.index()
    with_us = HostIndex(tmp_path / "with-us")
    engine = archive.open()
    for host in (before, with_us):
        host.check()
        host.add(2)
        host.check()
    assert ranked(engine, '"violet lanterns"') == ["one"]
    archive.write_lines("b.jsonl", [story("three", "violet lanterns again")])
    archive.index()
    for host in (before, with_us):
        for _ in range(8):  # until Whoosh merges segments
            host.add(1)
        host.check()
    assert sorted(archive.ids('"violet lanterns"')) == ["one", "three"]


def test_a_host_works_in_another_thread_meanwhile(archive: Archive, tmp_path: Path) -> None:
    archive.write_lines("a.jsonl", [story("one", "violet lanterns"), story("two", "green ferries")])
    archive.index()
    engine = archive.open()
    host = HostIndex(tmp_path / "host")
    failures: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            while not done.is_set():
                host.add(1)
                host.check()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for number in range(5):
            archive.write_lines(f"{number}.jsonl", [story(f"n{number}", "violet lanterns")])
            archive.index()
            found = [ranked(engine, '"violet lanterns"'), archive.ids('"violet lanterns"')]
            assert all("one" in ids for ids in found)
            assert len(found[1]) == number + 2
    finally:
        done.set()
        thread.join()
    assert not failures
    assert host.count > 3


def test_a_host_that_changes_whoosh_changes_nothing_for_us(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise pickle.UnpicklingError("the host reads no pickles")

    archive.write_lines("a.jsonl", [story("one", "violet lanterns")])
    archive.index()
    monkeypatch.setattr(whoosh.index, "pickle", SimpleNamespace(loads=refuse, dumps=pickle.dumps))
    monkeypatch.setattr(whoosh.filedb.structfile, "load", refuse)
    for module in (whoosh.codec.whoosh3, whoosh.columns, whoosh.formats):
        monkeypatch.setattr(module, "loads", refuse)
    assert archive.ids('"violet lanterns"') == ["one"]
    archive.write_lines("b.jsonl", [story("two", "violet lanterns")])
    archive.index()
    assert sorted(archive.ids('"violet lanterns"')) == ["one", "two"]


UNCHANGED = """
import pkgutil, importlib, sys, whoosh
for module in pkgutil.walk_packages(whoosh.__path__, "whoosh."):
    try:
        importlib.import_module(module.name)
    except ImportError:
        pass  # asks for what is not installed

def state():
    found = {}
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "whoosh":
            for key, value in vars(module).items():
                found[name, key] = id(value)
                if isinstance(value, type) and value.__module__ == name:
                    found.update(((name, key, part), id(of)) for part, of in vars(value).items())
    # What Python itself keeps on a class of which an object was copied.
    return {key: of for key, of in found.items() if key[-1] != "__slotnames__"}

before = state()
from search_app.engine import SearchEngine
from search_app.query.parsed import parse
import indexer.build, indexer.generations.derive_process
engine = SearchEngine.open(sys.argv[1])
assert list(engine.ranked(parse('"violet lanterns"'))[0]) == ["one"]
after = state()
changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
assert not changed, changed
"""


def test_no_part_of_whoosh_is_changed(archive: Archive) -> None:
    archive.write_lines("a.jsonl", [story("one", "violet lanterns")])
    archive.index()
    found = subprocess.run(
        [sys.executable, "-c", UNCHANGED, str(archive.index_dir)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
