"""Writing files so that a crash leaves the old content or the new one, never a half."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["link_or_copy", "sync_tree", "write_atomically"]


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file that is never written again a second name; copy it where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` with `text` in one step that survives a power cut."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)
    _sync_folder(path.parent)


def sync_tree(folder: Path) -> None:
    """Have every file below `folder`, and the folders themselves, on disk before this returns."""
    for parent, _, files in os.walk(folder):
        for name in files:
            descriptor = os.open(Path(parent) / name, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        _sync_folder(Path(parent))


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open folders for syncing, and does not need it.
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
