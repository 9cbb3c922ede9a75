"""Plain text: an essay, or the dump of a web page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from indexer.article import Article
from indexer.errors import SourceError
from indexer.readers.decoding import decode
from indexer.readers.fields import make_article
from indexer.readers.files import SourceFile
from indexer.readers.outcome import Skipped
from indexer.readers.page_dump import read_dump

__all__ = ["read", "title_from_name"]


def read(file: SourceFile) -> Iterator[Article | Skipped]:
    """The one article of a text file. Raises OSError and SourceError."""
    text = decode(file.read())
    if not text.strip():
        raise SourceError("it is empty")
    dump = read_dump(text)
    yield make_article(
        title=dump.title or title_from_name(file.origin),
        text=dump.text,
        url=dump.url,
        source=dump.source,
        section=dump.section,
        author=dump.author,
        date=dump.date,
        path=file.origin,
        origin=file.origin,
    )


def title_from_name(path: str) -> str:
    """A title from a file name like 'bus-strike-enters-third-day.txt'; '' for names that are no words."""
    words = re.findall(r"[^\W\d_]{2,}", PurePath(path).name.split(".")[0])
    return " ".join(words).capitalize() if len(words) >= 3 else ""
