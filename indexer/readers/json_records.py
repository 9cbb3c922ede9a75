"""JSON documents and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TextIO

from indexer.article import Article
from indexer.errors import SourceError
from indexer.readers.decoding import open_text
from indexer.readers.fields import FIELD_NAMES, article_from_record, normal_name
from indexer.readers.files import SourceFile
from indexer.readers.outcome import Skipped

__all__ = ["RECORD_LIMIT", "read_document", "read_lines"]

RECORD_LIMIT = 16 * 1024 * 1024
"""Longest record of a JSON-lines or CSV file, in characters. The file itself may have any length."""

_CONTAINERS = ("articles", "items", "results", "documents", "docs", "data", "hits", "response", "entries", "records")
_CHUNK = 1024 * 1024


def read_lines(file: SourceFile) -> Iterator[Article | Skipped]:
    """The articles of a JSON-lines file; a broken line is skipped with its number. Raises OSError and SourceError."""
    with file.open() as stream, open_text(stream) as text:
        number = 0
        while line := text.readline(RECORD_LIMIT):
            number += 1
            origin = f"{file.origin}#{number}"
            if len(line) >= RECORD_LIMIT and not line.endswith("\n"):
                _drop_line(text)
                yield Skipped(origin, f"the line has more than the {RECORD_LIMIT:,} characters that a record may have")
            elif line.strip():
                yield _line(line, file.origin, origin)


def read_document(file: SourceFile) -> Iterator[Article | Skipped]:
    """The articles of a JSON file: one article, a list, an object with a list of articles, or objects in a row.

    Lists are read item by item, so the limit holds for one item, not for the file. Raises OSError and SourceError.
    """
    count = 0
    with file.open() as stream, open_text(stream) as text:
        for value in _Values(text, file.limit):
            for record in _records(value):
                count += 1
                yield _article(record, file.origin, f"{file.origin}#{count}")
    if count == 0:
        raise SourceError("it holds no article: it is empty, or an empty list or object")


def _drop_line(text: TextIO) -> None:
    while (rest := text.readline(_CHUNK)) and not rest.endswith("\n"):
        pass


def _line(line: str, path: str, origin: str) -> Article | Skipped:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return Skipped(origin, f"broken JSON: {error.msg.removesuffix(' at')} at character {error.pos + 1}")
    except (ValueError, RecursionError) as error:
        return Skipped(origin, f"unreadable JSON: {error}")
    return _article(value, path, origin)


def _article(value: object, path: str, origin: str) -> Article | Skipped:
    if not isinstance(value, Mapping):
        return Skipped(origin, f"not an object but {type(value).__name__}; an article is an object with named fields")
    try:
        return article_from_record(value, path=path, origin=origin)
    except SourceError as error:
        return Skipped(origin, str(error))


def _records(value: object, depth: int = 0) -> Iterator[object]:
    """The records in a value: its list of articles, if it has one and is no article itself, else the value."""
    if isinstance(value, list):
        yield from value
        return
    if isinstance(value, Mapping) and depth < 4 and not _is_article(value):
        for name in _CONTAINERS:
            inner = value.get(name)
            if isinstance(inner, list) or (isinstance(inner, Mapping) and depth < 3):
                yield from _records(inner, depth + 1)
                return
    if value != {}:
        yield value


def _is_article(value: Mapping[str, object]) -> bool:
    texts = {*FIELD_NAMES["text"], *FIELD_NAMES["summary"]}
    return any(normal_name(name) in texts and isinstance(inner, str) for name, inner in value.items())


class _Values:
    """The top-level values of a JSON text, or the items of its top-level list, one after the other in little memory."""

    def __init__(self, text: TextIO, limit: int) -> None:
        self._text = text
        self._limit = limit
        self._decoder = json.JSONDecoder()
        self._buffer = ""
        self._ended = False
        self._line = 1

    def __iter__(self) -> Iterator[object]:
        self._skip(" \t\r\n")
        if self._buffer.startswith("["):
            self._buffer = self._buffer[1:]
        while self._skip(" \t\r\n,]"):
            yield self._next()

    def _more(self, size: int) -> bool:
        piece = self._text.read(size)
        self._buffer += piece
        self._ended = not piece
        return bool(piece)

    def _skip(self, separators: str) -> bool:
        """Drop separators; whether anything is left."""
        while True:
            rest = self._buffer.lstrip(separators)
            self._line += self._buffer.count("\n", 0, len(self._buffer) - len(rest))
            self._buffer = rest
            if rest or self._ended or not self._more(_CHUNK):
                return bool(rest)

    def _next(self) -> object:
        size = _CHUNK
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer)
            except json.JSONDecodeError as error:
                if self._ended or len(self._buffer) > self._limit or not self._more(size):
                    raise SourceError(self._complaint(error)) from error
                size = max(size, len(self._buffer))  # each try starts anew: doubling keeps the work linear
                continue
            except (ValueError, RecursionError) as error:
                raise SourceError(f"unreadable JSON near line {self._line}: {error}") from error
            if end == len(self._buffer) and not self._ended and self._more(size):
                continue  # a number may go on behind the end of the buffer
            self._line += self._buffer.count("\n", 0, end)
            self._buffer = self._buffer[end:]
            return value

    def _complaint(self, error: json.JSONDecodeError) -> str:
        if len(self._buffer) > self._limit:
            return f"the record that starts on line {self._line} has more than {self._limit:,} characters"
        return f"broken JSON on line {self._line + error.lineno - 1}: {error.msg}; what stands before it was read"
