"""Processes that run one `concord` command and can be killed at a chosen step of it.

A fork server that has everything imported starts them, so that one costs a few milliseconds instead of a second.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# Imported for the children: what the fork server has, none of them has to load.
import faiss  # noqa: F401
import openvino  # noqa: F401
import tokenizers  # noqa: F401

import indexer.generations.commit
import indexer.pipeline
import search_app.cli.index_command
import search_app.cli.maintain_command  # noqa: F401
from search_app.cli import main

__all__ = ["CONTEXT", "Ended", "Limits", "Running", "run"]

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.faults.child"])

_STEPS = frozenset({"open", "os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "os.truncate"})
_STATEMENTS = ("BEGIN", "COMMIT", "CREATE")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_BATCH_PASSAGES = 4
"""Passages of one transaction in the children, so that a run of a dozen articles has several."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child has to live with: the step at which it is killed, and the largest file it may write, in bytes."""

    kill_at_step: int = 0
    file_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: its exit code (-9 when killed), the steps it had made, and what it printed."""

    code: int
    steps: int
    output: str


@dataclass(frozen=True, slots=True)
class Running:
    """A command in its process; what it prints comes by `output`."""

    process: Any
    output: Connection
    scratch: Path

    def steps(self) -> int:
        """How many steps it has made so far."""
        made = self.scratch / "steps"
        return made.stat().st_size if made.exists() else 0

    def ended(self) -> Ended:
        """Wait for its end."""
        self.process.join()
        printed = b""
        while piece := os.read(self.output.fileno(), 65536):
            printed += piece
        return Ended(self.process.exitcode, self.steps(), printed.decode("utf-8", "replace"))


@contextlib.contextmanager
def run(arguments: Sequence[str], index_dir: Path, scratch: Path, limits: Limits | None = None) -> Iterator[Running]:
    """Start `concord ARGUMENTS`; killed, if it still runs, when the block ends."""
    ours, theirs = CONTEXT.Pipe(duplex=False)
    given = (list(arguments), str(index_dir), str(scratch), limits or Limits(), theirs)
    process = CONTEXT.Process(target=_command, args=given, daemon=True)
    process.start()
    theirs.close()
    try:
        yield Running(process, ours, scratch)
    finally:
        process.kill()
        process.join()
        ours.close()


def _command(arguments: list[str], index_dir: str, scratch: str, limits: Limits, output: Connection) -> None:
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    indexer.pipeline.BATCH_PASSAGES = _BATCH_PASSAGES
    _Steps(index_dir, scratch, limits.kill_at_step).watch()
    if limits.file_bytes:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
    code = 0
    try:
        main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class _Steps:
    """Counts what this process does to the index on disk; kills it before the step asked for.

    Steps are the files that Python opens for writing, makes, renames, links and removes, every fsync, the beginning and
    the commit of every transaction, and every table. What has been synced is noted, for `tests.faults.power`.
    """

    def __init__(self, index_dir: str, scratch: str, kill_at: int) -> None:
        self._index_dir = index_dir
        self._kill_at = kill_at
        self._number = 0
        self._committing = False
        self._made = os.open(f"{scratch}/steps", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        self._synced = os.open(f"{scratch}/synced", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)

    def watch(self) -> None:
        sys.addaudithook(self._hear)
        sync, connect = os.fsync, sqlite3.connect

        def watched_sync(fd: Any) -> None:
            self._step()
            sync(fd)
            self._note(fd)

        def watched_connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
            db: sqlite3.Connection = connect(*args, **kwargs)
            db.set_trace_callback(self._hear_statement)
            return db

        os.fsync = watched_sync
        sqlite3.connect = watched_connect  # type: ignore[assignment]

    def _hear(self, event: str, given: tuple[Any, ...]) -> None:
        if event in _STEPS and str(given[0]).startswith(self._index_dir):
            if event == "open" and not (given[2] or 0) & _WRITING:
                return
            self._step()

    def _hear_statement(self, statement: str) -> None:
        if statement.startswith(_STATEMENTS):
            self._step()
            self._committing = statement.startswith("COMMIT")

    def _step(self) -> None:
        if self._committing:
            # Whatever comes next comes when SQLite has synced its log.
            self._committing = False
            for log in Path(self._index_dir).glob("*.sqlite-wal"):
                found = log.stat()
                self._write(self._synced, f"{found.st_ino}\t{found.st_size}\t{found.st_mtime_ns}\t\n")
        self._number += 1
        if self._number == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self._write(self._made, ".")

    def _note(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        names = "/".join(sorted(one.name for one in path.iterdir())) if path.is_dir() else ""
        self._write(self._synced, f"{found.st_ino}\t{found.st_size}\t{found.st_mtime_ns}\t{names}\n")

    @staticmethod
    def _write(descriptor: int, text: str) -> None:
        with contextlib.suppress(OSError):  # the limit on files holds for ours too
            os.write(descriptor, text.encode("utf-8", "surrogateescape"))
