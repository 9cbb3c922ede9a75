"""Large updates are derived by several processes, with the same outcome as by one."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.catalogue import Catalogue
from indexer.errors import ConcordError, IndexDamaged
from indexer.generations import commit as generation
from indexer.generations.checking import check_index
from indexer.generations.commit import rebuild
from indexer.generations.derive_process import Part, parts_of
from indexer.generations.manifest import current_generation, generation_folder
from indexer.generations.near_duplicate_groups import NearDuplicates
from indexer.lexical.bm25 import Atom
from indexer.lexical.index import LexicalIndex
from indexer.system.child_process import running
from tests.archive import Archive, story

WORDS = ["amber", "basalt", "copper", "dolomite", "a cease-fire", "flint", "Sana'a", "gneiss", "halite", "AT&T"]
LONG = " ".join(f"Reporter {n} says that the ferry of line {n} was late by {n} minutes." for n in range(12))


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.generations.derive_process.LEAST_ARTICLES", 3)
    monkeypatch.setattr("indexer.generations.derive_process.usable_cores", lambda: 3)


@pytest.fixture
def built(archive: Archive) -> Archive:
    """An archive, with a copy among its articles, indexed by one process."""
    records: list[dict[str, Any]] = [story(f"s{n}", f"{word} {word * 2}") for n, word in enumerate(WORDS)]
    records += [{"id": article_id, "title": "Ferries", "text": LONG} for article_id in ("first", "copy")]
    archive.write_lines("news.jsonl", records)
    archive.index()
    return archive


def content(index_dir: Path) -> dict[str, Any]:
    """What the derived files of the newest generation say, whatever segments they are in."""
    folder = generation_folder(index_dir, current_generation(index_dir))
    catalogue = Catalogue.load(folder)
    index = LexicalIndex(folder / "lexical", catalogue)
    terms = sorted(index.vocabulary())
    return {
        "docs": catalogue.docs.tolist(),
        "vocabulary": dict(index.vocabulary()),
        "bm25": [index.score([Atom(term)]).bm25(np.arange(len(catalogue))).tolist() for term in terms],
        "phrases": [index.match(Atom(f"that {word}", phrase=True)).tolist() for word in WORDS],
        "groups": NearDuplicates.load(folder).groups.tolist(),
    }


def segments(index_dir: Path) -> int:
    folder = generation_folder(index_dir, current_generation(index_dir))
    return len(list((folder / "lexical").glob("MAIN_*.trm")))


@pytest.mark.slow
@pytest.mark.usefixtures("several")
def test_several_processes_derive_what_one_does(built: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    rebuild(built.index_dir)
    assert segments(built.index_dir) == 3
    apart = content(built.index_dir)
    assert check_index(built.index_dir).problems == ()
    monkeypatch.setattr("indexer.generations.derive_process.usable_cores", lambda: 1)
    rebuild(built.index_dir)
    assert segments(built.index_dir) == 1
    assert content(built.index_dir) == apart
    assert any(any(mask) for mask in apart["phrases"])
    assert apart["groups"][-1] == apart["groups"][-2]


@pytest.mark.slow
@pytest.mark.usefixtures("several")
def test_a_large_update_of_an_index_that_is_there(built: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    built.write_lines("news.jsonl", [story(f"s{n}", f"new {word}") for n, word in enumerate(WORDS[1:])])
    report = built.index(prune=True)
    assert (report.updated, report.removed) == (9, 3)
    assert segments(built.index_dir) == 3 + 3
    assert check_index(built.index_dir).problems == ()
    apart = content(built.index_dir)
    monkeypatch.setattr("indexer.generations.derive_process.usable_cores", lambda: 1)
    rebuild(built.index_dir)
    assert content(built.index_dir) == apart
    built.write_lines("more.jsonl", [story("last", "zinc")])
    built.index()
    assert built.ids("zinc") == ["last"]
    assert check_index(built.index_dir).problems == ()


@pytest.mark.slow
@pytest.mark.usefixtures("several")
def test_damage_that_a_process_meets_is_one_sentence(built: Archive) -> None:
    store = sqlite3.connect(built.index_dir / "store.sqlite")
    store.execute("UPDATE articles SET title = 'Another' WHERE doc = 9")
    store.commit()
    store.close()
    with pytest.raises(IndexDamaged, match="the article of 's8'"):
        rebuild(built.index_dir)
    assert current_generation(built.index_dir) == 1
    assert [path.name for path in (built.index_dir / "generations").iterdir()] == ["00000001"]


@pytest.mark.usefixtures("several")
def test_a_process_that_fails_is_one_sentence(tmp_path: Path) -> None:
    missing = tmp_path / "store.sqlite"
    with (
        parts_of(range(9), missing, tmp_path / "parts", "1") as parts,
        pytest.raises(ConcordError, match=r"failed \(exit code 1: .*no index in"),
    ):
        parts[0].wait()
    assert len(parts) == 3


@pytest.mark.parametrize(
    ("left", "kind", "reason"),
    [
        ("", OSError, os.strerror(errno.ENOSPC)),
        ('["OSError", "Input/out', OSError, os.strerror(errno.ENOSPC)),
        ('["OSError", "Input/output error"]', OSError, "Input/output error"),
        ('["OperationalError", "database or disk is full"]', sqlite3.OperationalError, "disk is full"),
        ('["DatabaseError", "file is not a database"]', sqlite3.DatabaseError, "not a database"),
    ],
)
def test_what_a_process_could_say_of_its_end(left: str, kind: type[Exception], reason: str, tmp_path: Path) -> None:
    (tmp_path / "failure.json").write_text(left)
    ended = subprocess.Popen([sys.executable, "-S", "-c", "raise SystemExit(1)"])
    with pytest.raises(kind, match=re.escape(reason)):
        Part(tmp_path, ended).wait()


@pytest.mark.slow
@pytest.mark.usefixtures("several")
def test_nothing_is_left_of_an_interrupted_update(built: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(generation, "update_vectors", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rebuild(built.index_dir)
    assert [path.name for path in (built.index_dir / "generations").iterdir()] == ["00000001"]


@pytest.mark.usefixtures("several")
def test_what_is_not_worth_it_starts_no_process(tmp_path: Path) -> None:
    with parts_of(range(5), tmp_path / "store.sqlite", tmp_path / "parts", "1") as parts:
        assert parts == []
    assert not (tmp_path / "parts").exists()


def test_a_process_runs_nothing_that_lies_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "json.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    with (
        (tmp_path / "errors").open("w") as errors,
        running("indexer.generations.derive_process", output=errors, errors=errors) as child,
    ):
        assert child.wait() == 1
    assert "_main() missing 3" in (tmp_path / "errors").read_text()
    assert not marker.exists()


def test_a_process_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(
        "import time\n"
        "from indexer.system.child_process import end_with_parent\n"
        "end_with_parent()\n"
        "print('waiting', flush=True)\n"
        "time.sleep(600)\n"
    )
    starts = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from indexer.system.child_process import running\n"
        "with running('waits', output=sys.stdout, errors=sys.stderr) as child:\n"
        "    child.wait()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", starts], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "waiting\n"
    parent.kill()
    # Ends when nobody holds the other end of it any more.
    assert parent.communicate(timeout=60)[0] == ""
