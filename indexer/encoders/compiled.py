"""Where compiled encoders are kept for the next start: the user's cache folder, never an index."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["CACHE_VARIABLE", "compiled_folder"]

CACHE_VARIABLE = "CONCORD_CACHE_DIR"
"""The environment variable that names another folder for caches; empty, nothing is kept."""
_KEPT = 4
"""Compiled encoders that are kept, each about as large as its graph."""


def compiled_folder() -> Path | None:
    """The folder for compiled encoders, made if it is not there, with the least recently used taken out of it.

    None where there can be no such folder that is this user's alone: then a start takes a third of a second longer.
    """
    named = os.environ.get(CACHE_VARIABLE)
    if named == "":
        return None
    try:
        folder = (Path(named) if named else user_cache_path("concord")) / "compiled"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        # What another user may write into is none of ours: OpenVINO believes what it finds there.
        if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
            return None
        if not os.access(folder, os.W_OK):
            return None
        _tidy(folder)
    except (OSError, RuntimeError):
        return None
    return folder


def _tidy(folder: Path) -> None:
    blobs = sorted(folder.glob("*.blob"), key=lambda path: path.stat().st_atime, reverse=True)
    for old in blobs[_KEPT:]:
        with contextlib.suppress(OSError):  # in use elsewhere, or gone already
            old.unlink()
