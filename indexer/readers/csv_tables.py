"""CSV and TSV tables with a header line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import TextIO

from indexer.article import Article
from indexer.errors import SourceError
from indexer.readers.decoding import open_text
from indexer.readers.fields import FIELD_NAMES, article_from_record, normal_name
from indexer.readers.files import SourceFile
from indexer.readers.json_records import RECORD_LIMIT
from indexer.readers.outcome import Skipped

__all__ = ["read"]

_DELIMITERS = ",;\t|"
_KNOWN = frozenset(name for names in FIELD_NAMES.values() for name in names)
_TEXTS = frozenset(name for field in ("title", "text", "summary") for name in FIELD_NAMES[field])


def read(file: SourceFile) -> Iterator[Article | Skipped]:
    """The articles of a table, one a row; others are skipped with their line. Raises OSError and SourceError."""
    with file.open() as stream, open_text(stream) as text:
        first = text.readline(RECORD_LIMIT)
        if not first.strip():
            raise SourceError("it is empty")
        delimiter = max(_DELIMITERS, key=lambda char: _known_columns(first, char))
        columns = _split(first, delimiter)
        if not _TEXTS & {normal_name(column) for column in columns}:
            seen = ", ".join(column.strip() for column in columns)[:200]
            raise SourceError(f"its first line names no column for title or text; it reads: {seen}")
        csv.field_size_limit(max(csv.field_size_limit(), RECORD_LIMIT))
        yield from _rows(csv.reader(_lines(text), delimiter=delimiter), columns, file.origin)


def _rows(rows: Iterator[list[str]], columns: Sequence[str], path: str) -> Iterator[Article | Skipped]:
    line = 2
    while True:
        origin = f"{path}#{line}"
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Skipped(origin, f"broken row: {error}")
            row = []
        if any(row[len(columns) :]):
            # An unquoted delimiter has moved the values: they would land under the wrong names.
            yield Skipped(origin, f"it has {len(row)} values, but the first line names {len(columns)} columns")
        elif any(map(str.strip, row)):
            try:
                yield article_from_record(dict(zip(columns, row, strict=False)), path=path, origin=origin)
            except SourceError as error:
                yield Skipped(origin, str(error))
        line = rows.line_num + 2  # type: ignore[attr-defined]


def _lines(text: TextIO) -> Iterator[str]:
    """Lines without NUL, which the csv module refuses; a line without end comes in pieces."""
    while line := text.readline(RECORD_LIMIT):
        yield line.replace("\0", "")


def _split(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def _known_columns(line: str, delimiter: str) -> int:
    return sum(normal_name(column) in _KNOWN for column in _split(line, delimiter))
