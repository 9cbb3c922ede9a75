"""Where articles were read: origins, the files they name, and the sources that cover those files."""

from __future__ import annotations

from collections.abc import Sequence
from glob import has_magic
from pathlib import Path

from indexer.store.database import Known

__all__ = ["Roots", "by_origin", "file_of", "is_empty"]


def by_origin(known: dict[str, Known]) -> dict[str, list[str]]:
    """The article ids that were read from each origin."""
    origins: dict[str, list[str]] = {}
    for article_id, entry in known.items():
        origins.setdefault(entry.origin, []).append(article_id)
    return origins


def file_of(origin: str) -> str:
    """The file of an origin `path` or `path#line`."""
    path, mark, line = origin.rpartition("#")
    return path if mark and line.isdecimal() else origin


def is_empty(source: str | Path) -> bool:
    """Whether a source is a folder with nothing in it."""
    folder = Path(source)
    try:
        return folder.is_dir() and not any(folder.iterdir())
    except OSError:  # what cannot be looked into is among the skipped
        return False


class Roots:
    """Which files came from the sources of a run: those named, those below folders, those that patterns match.

    A source that is not there covers nothing: a disk that is not mounted is no reason to empty an index.
    """

    def __init__(self, sources: Sequence[str | Path]) -> None:
        self._named = {Path(source).resolve() for source in sources if Path(source).exists()}
        self._patterns = [
            str(Path(source).absolute()) for source in sources if has_magic(str(source)) and not Path(source).exists()
        ]

    def __contains__(self, file: str) -> bool:
        above = [Path(file).absolute(), *Path(file).absolute().parents]
        resolved = Path(file).resolve()
        return not self._named.isdisjoint((resolved, *resolved.parents)) or any(
            path.match(pattern) for path in above for pattern in self._patterns
        )
