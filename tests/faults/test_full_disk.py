"""A full disk and a folder that cannot be written to: one sentence, the old generation answers, room lets it go on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from indexer.build import BuildOptions, build_index
from indexer.errors import IndexNotFound
from search_app.engine import SearchEngine
from tests.faults import child
from tests.faults.ledger import LONG, Ledger
from tests.faults.world import World, differences, leftovers

_MOUNTS = os.name == "posix" and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("mount") is not None


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """A file system of its own in `folder`; skips the test where that may not be had."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, str(folder)], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Filling:
    """An index that runs out of room, is given some, and goes on."""

    def __init__(self, index_dir: Path, scratch: Path, encoder: Path, book: Ledger) -> None:
        self.index_dir, self.scratch, self.encoder, self.book = index_dir, scratch, str(encoder), book
        self.world = World(scratch / "sources", 11)
        self.world.change(add=9, edit=0, drop=0)
        self.answering: dict[str, str] | None = None

    def run(self, what: str, limits: child.Limits | None = None) -> bool:
        """Let a run fail or end well, and look at what it leaves; whether it ended well."""
        given = ["index", str(self.world.sources), "--prune", "--encoder", self.encoder]
        if what == "rebuild":
            given = ["rebuild"]
        command = [*given, "--index-dir", str(self.index_dir)]
        with child.run(command, self.index_dir, self.scratch, limits) as running:
            end = running.ended()
        self.book.tried["runs"] += 1
        where = f"{what} with {limits}"
        if end.code == 0:
            # A rebuild does not read the sources.
            self.answering = self.answering if what == "rebuild" else dict(self.world.state)
        else:
            self.book.tried["ran out of room, and said so"] += 1
            (sentence, *more) = [line for line in end.output.splitlines() if line.startswith("concord: ")] or [""]
            if end.code != 1 or more or "Traceback" in end.output or "cannot be written" not in sentence:
                self.book.found.append(f"{where}: ended with {end.code}: {end.output[-500:]}")
        try:
            wrong = differences(self.index_dir, self.answering or {})
        except IndexNotFound:
            wrong = "" if self.answering is None else "the index is gone"
        if wrong:
            self.book.found.append(f"{where}: {wrong}")
        return end.code == 0

    def finish(self) -> None:
        """With room again: the run ends well and leaves nothing behind."""
        missing = self.world.to_encode(self.index_dir)
        report = build_index([self.world.sources], self.index_dir, BuildOptions(encoder=self.encoder, prune=True))
        self.answering = dict(self.world.state)
        if report.passages_encoded != self.world.passages(self.index_dir, missing):
            self.book.found.append(f"{report.passages_encoded} passages encoded for {len(missing)} new articles")
        if wrong := differences(self.index_dir, self.answering, self.world.retired):
            self.book.found.append(f"with room again: {wrong}")
        if dead := leftovers(self.index_dir):
            self.book.found.append(f"left behind: {dead}")


def test_no_file_may_grow_beyond_a_limit(
    index_dir_of_words: Path, tmp_path: Path, word_encoder: Path, ledger: Callable[[str], Ledger]
) -> None:
    """As with a quota: the kernel refuses to write behind so many bytes of any file."""
    book = ledger("files that may not grow")
    filling = Filling(index_dir_of_words, tmp_path, word_encoder, book)
    sizes = [10, 60, 400, 900, 2_000, 4_090, 4_100, 9_000, 20_000, 40_000, 60_000, 80_000, 110_000, 150_000, 200_000]
    for number, size in enumerate(sizes if LONG else sizes[1::5]):
        for what in ("index", "rebuild") if number and LONG else ("index",):
            filling.run(what, child.Limits(file_bytes=size))
        filling.finish()
        filling.world.change()
    assert book.tried["ran out of room, and said so"] >= (10 if LONG else 2)
    assert book.found == []


@pytest.mark.skipif(not _MOUNTS, reason="only root may mount a small file system")
def test_a_small_file_system_fills_up(
    tmp_path: Path, word_export: Path, word_encoder: Path, ledger: Callable[[str], Ledger]
) -> None:
    book = ledger("a file system of 4 MB that fills up")
    disk = tmp_path / "disk"
    with mounted(disk, "-t", "tmpfs", "-o", "size=4m", "tmpfs"):
        index_dir = disk / "index"
        index_dir.mkdir()
        (index_dir / "encoders").symlink_to(word_export, target_is_directory=True)
        filling = Filling(index_dir, tmp_path, word_encoder, book)
        filling.finish()
        ballast = disk / "ballast"
        # From room for nothing to room for all, in steps that end in every stage of a run.
        for room in range(0, 600_000, 20_000 if LONG else 150_000):
            filling.world.change(add=2)
            ballast.write_bytes(b"")
            free = shutil.disk_usage(disk).free
            ballast.write_bytes(b"\0" * max(0, free - room))
            filling.run("index" if room % 40_000 or not LONG else "rebuild")
            ballast.unlink()
            filling.finish()
    assert book.tried["ran out of room, and said so"] >= (5 if LONG else 1)
    assert book.found == []


@pytest.mark.skipif(not _MOUNTS, reason="only root may mount a read-only file system; others have a test with chmod")
def test_a_read_only_file_system_answers_and_says_that_it_is_one(
    tmp_path: Path, index_dir_of_words: Path, word_encoder: Path, ledger: Callable[[str], Ledger]
) -> None:
    book = ledger("a read-only file system")
    filling = Filling(index_dir_of_words, tmp_path, word_encoder, book)
    filling.finish()
    with mounted(index_dir_of_words, "--bind", "-o", "ro", str(index_dir_of_words)):
        _refused(index_dir_of_words, filling)
    assert book.found == []


@pytest.mark.skipif(_MOUNTS or os.name != "posix", reason="root may write anywhere; it has a test with a mount")
def test_a_read_only_folder_answers_and_says_that_it_is_one(
    tmp_path: Path, index_dir_of_words: Path, word_encoder: Path, ledger: Callable[[str], Ledger]
) -> None:
    book = ledger("a read-only folder")
    filling = Filling(index_dir_of_words, tmp_path, word_encoder, book)
    filling.finish()
    folders = [index_dir_of_words, *(path for path in index_dir_of_words.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        _refused(index_dir_of_words, filling)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert book.found == []


def _refused(index_dir: Path, filling: Filling) -> None:
    probe = index_dir / "probe"
    with pytest.raises(OSError, match=r"Read-only|Permission"):
        probe.write_text("x")
    filling.world.change()
    for what in ("index", "rebuild"):
        assert not filling.run(what)
    engine = SearchEngine.open(index_dir)
    word = next(iter(filling.answering.values()))  # type: ignore[union-attr]
    assert engine.search(word).hits
    assert engine.status().articles == len(filling.answering or {})
    engine.close()
