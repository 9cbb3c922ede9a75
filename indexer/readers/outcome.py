"""What a reader yields besides articles."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Skipped"]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, folder or record that gave no article. `origin` is a path, with `#line` for a record inside a file."""

    origin: str
    reason: str
