"""What is fuzzed: functions from bytes to nothing that raise when a promise is broken.

Readers give articles or reasons, whatever they are given; queries mean the same when written out and read again; dates
are moments with a zone or none.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import indexer
from indexer.article import Article
from indexer.errors import SourceError
from indexer.readers import Skipped, read_sources
from indexer.readers.cleaning import clean_text
from indexer.readers.dates import FIRST_YEAR, LAST_YEAR, parse_date
from indexer.readers.decoding import decode
from indexer.readers.markup import html_to_text
from indexer.readers.page_dump import read_dump
from search_app.query.parsed import interpret, parse, to_text

__all__ = ["TARGETS"]

_OURS = Path(indexer.__file__).parent
_FOLDER = Path(tempfile.mkdtemp(prefix="concord-fuzz-"))


class _Surprise(logging.Handler):
    """Readers catch what they did not expect and note it in the log. What failed in a library is skipped with its
    reason, as it should be; what failed in our own code is a finding."""

    def emit(self, record: logging.LogRecord) -> None:
        error = (record.exc_info or (None, None, None))[1]
        frames = traceback.extract_tb(error.__traceback__) if error else []
        if frames and Path(frames[-1].filename).is_relative_to(_OURS):
            raise AssertionError("a reader failed in a way of its own") from error


def _reader(suffix: str) -> Callable[[bytes], None]:
    path = _FOLDER / f"fuzzed{suffix}"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        for item in read_sources([path]):
            if isinstance(item, Skipped):
                assert item.reason, item
            else:
                _sound(item)

    return read


def _sound(article: Article) -> None:
    assert article.id, article
    assert article.title or article.text, article
    for text in (article.id, article.title, article.text, article.source, article.section, article.author):
        (text or "").encode("utf-8")
    assert clean_text(article.text) == article.text, article
    assert article.url is None or article.url.lower().startswith(("http://", "https://")), article
    assert article.date is None or article.date.tzinfo is not None, article


def _query(data: bytes) -> None:
    query = parse(data.decode("utf-8", "replace"))
    again = parse(to_text(query))
    assert (again.must, again.must_not, again.filters, again.scoring, again.semantic) == (
        query.must, query.must_not, query.filters, query.scoring, query.semantic,
    )  # fmt: skip
    interpret(query)


def _date(data: bytes) -> None:
    moment = parse_date(data.decode("utf-8", "replace"))
    if moment is not None:
        assert moment.tzinfo is not None
        assert FIRST_YEAR <= moment.year <= LAST_YEAR
        assert parse_date(moment.isoformat()) == moment


def _dump(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    assert isinstance(read_dump(text).text, str)


def _decoding(data: bytes) -> None:
    with contextlib.suppress(SourceError):
        html_to_text(decode(data))


_log = logging.getLogger("indexer.readers.sources")
_log.setLevel(logging.DEBUG)
_log.propagate = False
_log.addHandler(_Surprise())

TARGETS: dict[str, Callable[[bytes], None]] = {
    "html": _reader(".html"),
    "json": _reader(".json"),
    "jsonl": _reader(".jsonl"),
    "csv": _reader(".csv"),
    "markdown": _reader(".md"),
    "text": _reader(".txt"),
    "dump": _dump,
    "date": _date,
    "decoding": _decoding,
    "query": _query,
}
"""Targets by name."""
