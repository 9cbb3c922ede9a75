"""Finding the files behind sources, and opening them, gzipped or not."""

from __future__ import annotations

import contextlib
import glob
import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexer.errors import SourceError
from indexer.readers.outcome import Skipped

__all__ = ["ARTICLE_LIMIT", "SourceFile", "find_files"]

ARTICLE_LIMIT = 64 * 1024 * 1024
"""Largest file, unpacked, that is read as one article or one JSON document, in bytes."""

_BUFFER = 1024 * 1024


class _ForgivingGzip(io.RawIOBase):
    """Unpacks gzip data as far as they are sound; `damage` says why it stopped before the end."""

    def __init__(self, path: Path) -> None:
        self._packed = path.open("rb")
        self._file = gzip.GzipFile(fileobj=self._packed)
        self.damage = ""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._file.read1(len(buffer))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self.damage = str(error).rstrip(".").lower() or type(error).__name__
            return 0
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        self._packed.close()
        super().close()

    def consumed(self) -> int:
        """How many packed bytes have been taken."""
        return self._packed.tell()


@dataclass(slots=True)
class SourceFile:
    """One file to read. `origin` is its path as given, `suffix` its lower-case extension without '.gz'.

    `size` is in bytes as stored. `damage` is filled while reading when compressed data end early.
    """

    path: Path
    origin: str
    suffix: str
    size: int = 0
    limit: int = ARTICLE_LIMIT
    damage: str = field(default="", init=False)
    _raw: Any = field(default=None, init=False, repr=False)

    @property
    def gzipped(self) -> bool:
        """Whether the file is gzip data by its name."""
        return self.path.suffix.lower() == ".gz"

    @contextlib.contextmanager
    def open(self) -> Iterator[io.BufferedReader]:
        """The unpacked bytes as a stream. Raises OSError."""
        raw: Any = _ForgivingGzip(self.path) if self.gzipped else io.FileIO(self.path)
        with io.BufferedReader(raw, _BUFFER) as stream:
            self._raw = raw
            try:
                yield stream
            finally:
                self._raw = None
                self.damage = getattr(raw, "damage", "")

    def position(self) -> int:
        """How many of the stored bytes have been taken so far; all of them when the file is not open."""
        if self._raw is None:
            return self.size
        return int(self._raw.consumed() if self.gzipped else self._raw.tell())

    def read(self) -> bytes:
        """All bytes. Raises OSError, and SourceError for more than `limit` bytes, unread if the size tells before."""
        size = self.path.stat().st_size
        if size > self.limit:
            raise SourceError(_too_large(f"{size / 2**20:,.0f} MiB", self.limit))
        with self.open() as stream:
            data = stream.read(self.limit + 1)
        if len(data) > self.limit:
            raise SourceError(_too_large(f"more than {self.limit / 2**20:,.0f} MiB when unpacked", self.limit))
        return data


def _too_large(size: str, limit: int) -> str:
    return (
        f"it is {size}; one article or JSON document may have {limit / 2**20:,.0f} MiB at most: "
        "split it, or save many articles as JSON lines or CSV, which have no limit"
    )


def find_files(sources: Iterable[Path | str], suffixes: frozenset[str]) -> Iterator[SourceFile | Skipped]:
    """The files with one of `suffixes` behind files, folders (recursively, in sorted order) and glob patterns.

    Each file comes once, however often it is named or linked. What is left out is yielded as Skipped.
    """
    seen: set[tuple[int, int]] = set()
    for source in sources:
        paths = list(_expanded(source))
        if not paths:
            yield Skipped(str(source), "there is no such file or folder, and nothing matches it as a pattern")
        for path in paths:
            # Made absolute, a file has one name, from wherever and however it is named.
            yield from _walk(Path(os.path.abspath(path)), suffixes, seen)  # noqa: PTH100 - 'a/../b' is 'b'


def _expanded(source: Path | str) -> Iterator[Path]:
    path = Path(source)
    if os.path.lexists(path):
        yield path
    elif glob.has_magic(str(source)):
        # The pattern is the user's own argument and may be absolute, which Path.glob does not take.
        yield from map(Path, sorted(glob.glob(str(source), recursive=True)))  # noqa: PTH207


def _walk(top: Path, suffixes: frozenset[str], seen: set[tuple[int, int]]) -> Iterator[SourceFile | Skipped]:
    pending = [top]
    while pending:
        path = pending.pop()
        if path != top and path.name.startswith("."):
            yield Skipped(str(path), "hidden")
            continue
        try:
            status = path.stat()
            if (key := (status.st_dev, status.st_ino)) in seen:
                continue  # named twice, linked twice, or a loop of links
            children = sorted(path.iterdir(), reverse=True) if stat.S_ISDIR(status.st_mode) else None
        except OSError as error:
            yield Skipped(str(path), f"it cannot be opened: {error.strerror or error}")
            continue
        if children is not None:
            seen.add(key)
            pending.extend(children)
        elif not stat.S_ISREG(status.st_mode):
            yield Skipped(str(path), "not a regular file")
        else:
            seen.add(key)
            yield _source_file(path, status.st_size, suffixes)


def _source_file(path: Path, size: int, suffixes: frozenset[str]) -> SourceFile | Skipped:
    name = path.name.lower().removesuffix(".gz")
    suffix = os.path.splitext(name)[1]  # noqa: PTH122 - the name is no longer that of the path
    if suffix not in suffixes:
        what = f"unknown file type '{suffix}'" if suffix else "no file extension"
        return Skipped(str(path), f"{what}; known are {', '.join(sorted(suffixes))}, each also with .gz")
    return SourceFile(path, str(path), suffix, size)
