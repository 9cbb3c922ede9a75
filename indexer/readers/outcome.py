"""What a reader tells besides articles."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ReadProgress", "Skipped"]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, folder or record that gave no article. `origin` is a path, with `#line` for a record inside a file."""

    origin: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReadProgress:
    """How many of the bytes of all sources, as stored, have been read."""

    done: int
    total: int
