"""Processes of our own that do a part of a run's work, and end when the run does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

__all__ = ["end_with_parent", "running"]


@contextmanager
def running(module: str, *arguments: str, output: IO[str], errors: IO[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process that runs `module`, writing into two files; it is ended with the block, or with this process.

    The module has to call `end_with_parent` first.
    """
    # Without -P, what lies in the current directory would come before the standard library.
    command = [sys.executable, "-P", "-m", module, *arguments]
    # The child must find the packages that this process found, however it did.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
    watched, held = os.pipe()
    try:
        try:
            child = subprocess.Popen(command, stdin=watched, stdout=output, stderr=errors, env=environment)  # noqa: S603
        finally:
            os.close(watched)
        try:
            yield child
        finally:
            child.kill()
            child.wait()
    finally:
        # Held open as long as this process lives: see `end_with_parent`.
        os.close(held)


def end_with_parent() -> None:
    """End this process when its input ends, because then its parent has: nobody would use what it writes.

    Ctrl-C is for the parent: it ends this process when it has cleared up.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_wait_for_end, daemon=True).start()


def _wait_for_end() -> None:
    while os.read(0, 1):
        continue
    os._exit(1)
