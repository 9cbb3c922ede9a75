"""One writer at a time. The lock is the operating system's, so a writer that dies gives it back."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from indexer.errors import IndexLocked

__all__ = ["writer_lock"]

_LOCK_FILE = "write.lock"
_HOLDER_FILE = "writer.json"


@contextmanager
def writer_lock(index_dir: Path) -> Iterator[None]:
    """Hold the write lock of the index, made if there is none. Raises IndexLocked, naming the process that holds it."""
    index_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(index_dir / _LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise IndexLocked(
            f"Another process is writing to the index '{index_dir}'{_holder(index_dir)}: wait until it is done, "
            "or stop it."
        ) from error
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        (index_dir / _HOLDER_FILE).write_text(json.dumps(holder), "utf-8")
        yield
    finally:
        (index_dir / _HOLDER_FILE).unlink(missing_ok=True)
        lock.release()


def _holder(index_dir: Path) -> str:
    try:
        holder = json.loads((index_dir / _HOLDER_FILE).read_text("utf-8"))
        return f" (process {holder['pid']} on {holder['host']}, since {holder['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
