"""Writing files so that a crash leaves the old content or the new one, never a half."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.errors import ConcordError, IndexDamaged

__all__ = ["drafted", "link_or_copy", "sync_folder", "sync_tree", "write_atomically", "writing"]


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
    sync_folder(path.parent)


def sync_tree(folder: Path) -> None:
    """Have every file below `folder`, and the folders themselves, on disk before this returns."""
    for parent, _, files in os.walk(folder):
        for name in files:
            descriptor = os.open(Path(parent) / name, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(parent))


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk: a file or folder that was just created, renamed or removed in it."""
    if os.name == "nt":  # Windows cannot open folders for syncing, and does not need it.
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def drafted(folder: Path) -> Iterator[Path]:
    """A new folder to write into, which takes the place of `folder`, whole and on disk, when the block ends well."""
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        sync_tree(draft)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
        sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


@contextmanager
def writing(index_dir: Path) -> Iterator[None]:
    """Say in one sentence that an index cannot be written to: a full disk, a read-only folder, a file in the way.

    Raises ConcordError for those, and IndexDamaged when the store turns out to be broken.
    """
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        # A flipped bit that makes text no UTF-8 is an OperationalError too; others may quote a path that says 'decode'.
        if isinstance(error, sqlite3.OperationalError) and "decode" in str(error):
            raise IndexDamaged.broken_store(index_dir, error) from error
        raise ConcordError(
            f"The index '{index_dir}' cannot be written ({error}): mend that and run the command again. What was "
            "searchable before still is, and what this run has encoded is kept."
        ) from error
    except sqlite3.DatabaseError as error:
        raise IndexDamaged.broken_store(index_dir, error) from error
