"""Articles as readers hand them over, and the passages they are cut into."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

__all__ = ["Article", "Passage", "content_hash", "stable_id"]


@dataclass(frozen=True, slots=True)
class Article:
    """One news article, free of page furniture.

    `text` is the body with paragraphs separated by one blank line; every character offset in Concord points into it.
    `date` is a datetime with a time zone (UTC where the source names none), or None when the source has no date.
    `origin` says where the article was read: a path, with `#line` for a record inside a file.
    """

    id: str
    title: str
    text: str
    url: str | None = None
    source: str | None = None
    section: str | None = None
    author: str | None = None
    date: datetime | None = None
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of whole sentences of one article, `article.text[start:end]`, small enough for the encoder's window."""

    ordinal: int
    start: int
    end: int


def stable_id(given: str | None, url: str | None, origin: str, text: str) -> str:
    """The id of an article: the given one, else one from its URL, else one from its source path and `text`."""
    if given:
        return given
    seed = f"url:{url}" if url else f"origin:{origin}\0{text}"
    return hashlib.sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def content_hash(article: Article) -> str:
    """A digest of everything that the index shows or searches; equal digests mean 'unchanged'."""
    date = article.date.isoformat() if article.date else ""
    fields = (article.title, article.text, article.url, article.source, article.section, article.author, date)
    joined = "\0".join(field or "" for field in fields)
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()
