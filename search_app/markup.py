"""Text of articles as HTML that cannot do anything: for the web pages, and for notebooks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from markupsafe import Markup

__all__ = ["breakable", "long_date", "mark", "original_link", "short", "showable", "table"]

_ORIGINAL = re.compile(r"https?://[^\s\x00-\x1f\x7f/?#][^\s\x00-\x1f\x7f]*", re.IGNORECASE)
_ENDLESS = re.compile(r"\S{1000}(?=\S)")
# What an article may hold and HTML may not, or UTF-8 has no bytes for: control characters, halves of surrogate pairs.
_UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def mark(text: str, spans: Iterable[tuple[int, int]]) -> Markup:
    """`text` as HTML with each (start, end) of the sorted `spans` in a <mark>; everything else is escaped. Spans that
    begin after the end of a text that was cut are passed over."""
    pieces = []
    done = 0
    for start, end in spans:
        if start >= len(text):
            break
        pieces.append(breakable(text[done:start]) + Markup("<mark>") + breakable(text[start:end]) + Markup("</mark>"))
        done = end
    return Markup("").join(pieces) + breakable(text[done:])


def breakable(text: str) -> Markup:
    """`text` as HTML, with places to break words of more than a thousand characters: browsers do not wrap a line that
    is longer than they can measure, whatever the style sheet says."""
    pieces = []
    done = 0
    for found in _ENDLESS.finditer(text):
        pieces.append(text[done : found.end()])
        done = found.end()
    return Markup("<wbr>").join([*pieces, text[done:]])


def short(text: str, most: int = 500) -> str:
    """`text`, cut where no title and no name ends: a word of megabytes is not for a heading."""
    return text if len(text) <= most else text[: most - 1] + "…"


def original_link(url: str | None) -> str | None:
    """The URL if it is a plain web address; `javascript:` and everything else is nothing to click on."""
    return url if url is not None and _ORIGINAL.fullmatch(url) else None


def long_date(date: datetime) -> str:
    """A date as newspapers print it, in the article's own time zone: 7 December 2023."""
    return f"{date.day} {date:%B} {date.year}"


def showable(html: str) -> str:
    """HTML with a mark in the place of every character that HTML or UTF-8 has no place for."""
    return _UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", html)


def table(names: Sequence[str], rows: Iterable[Sequence[str | Markup]]) -> Markup:
    """A table with a row of names; texts are escaped and stand alone, so that one in another direction turns no other
    one around."""
    head = Markup("").join(Markup('<th style="text-align:left">{}</th>').format(name) for name in names)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup('<td style="text-align:left" dir="auto">{}</td>').format(cell) for cell in row)
        )
        for row in rows
    )
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, body)
