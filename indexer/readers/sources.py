"""All articles behind files, folders and patterns, as one stream."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import cast

from indexer.article import Article
from indexer.errors import SourceError
from indexer.readers.files import ARTICLE_LIMIT, SourceFile, find_files
from indexer.readers.outcome import ReadProgress, Skipped

__all__ = ["SUFFIXES", "read_sources"]

_READERS = {
    ".html": "html_pages:read",
    ".htm": "html_pages:read",
    ".xhtml": "html_pages:read",
    ".txt": "plain_text:read",
    ".md": "markdown_files:read",
    ".markdown": "markdown_files:read",
    ".json": "json_records:read_document",
    ".jsonl": "json_records:read_lines",
    ".ndjson": "json_records:read_lines",
    ".csv": "csv_tables:read",
    ".tsv": "csv_tables:read",
}
SUFFIXES = frozenset(_READERS)
"""File types that are read, each also with '.gz' behind it."""

_log = logging.getLogger(__name__)


def read_sources(
    sources: Sequence[Path | str],
    *,
    limit: int = ARTICLE_LIMIT,
    on_progress: Callable[[ReadProgress], None] = lambda _: None,
) -> Iterator[Article | Skipped]:
    """Stream the articles of files, folders (recursively, in sorted order) and glob patterns.

    Nothing here raises: a source, file or record that gives no article is yielded as Skipped with its reason, and the
    stream goes on. `limit` is the largest size, in unpacked bytes, of a file that holds one article. Only one file
    (of tables and JSON lines one record) is in memory at a time. `on_progress` hears after every item how far it is.
    """
    # The folders are walked twice, because the share that is done needs the whole, and keeping all names needs memory.
    total = sum(found.size for found in find_files(sources, SUFFIXES) if not isinstance(found, Skipped))
    done = 0
    for found in find_files(sources, SUFFIXES):
        if isinstance(found, Skipped):
            yield found
            continue
        found.limit = limit
        for item in _read_file(found):
            yield item
            on_progress(ReadProgress(min(done + found.position(), total), total))
        done += found.size


def _read_file(file: SourceFile) -> Iterator[Article | Skipped]:
    read = _reader(file.suffix)  # where a parser is not installed, that is no fault of the file
    try:
        yield from read(file)
    except SourceError as error:
        yield Skipped(file.origin, str(error))
    except OSError as error:
        yield Skipped(file.origin, f"it cannot be read: {error.strerror or error}")
    except Exception as error:
        # Parsers of foreign formats fail in ways of their own on hostile input; one file must never stop a run.
        # The reason goes into the report; where it happened is for those who ask for it, not for a terminal.
        _log.debug("%s cannot be read", file.origin, exc_info=True)
        yield Skipped(file.origin, f"it cannot be read: {type(error).__name__}: {error}")
    if file.damage:
        yield Skipped(file.origin, f"its gzip data are damaged ({file.damage}); what could be unpacked was read")


def _reader(suffix: str) -> Callable[[SourceFile], Iterator[Article | Skipped]]:
    """The reader of a file type, imported when it is needed: trafilatura alone takes half a second."""
    module, _, function = _READERS[suffix].partition(":")
    reader = getattr(import_module(f"indexer.readers.{module}"), function)
    return cast("Callable[[SourceFile], Iterator[Article | Skipped]]", reader)
