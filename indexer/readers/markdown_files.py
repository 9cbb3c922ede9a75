"""Markdown with or without front matter."""

from __future__ import annotations

import re
from collections.abc import Iterator

import frontmatter
import yaml
from markdown_it import MarkdownIt

from indexer.article import Article
from indexer.errors import SourceError
from indexer.readers.decoding import decode
from indexer.readers.fields import article_from_record, normal_name
from indexer.readers.files import SourceFile
from indexer.readers.markup import html_to_text
from indexer.readers.outcome import Skipped
from indexer.readers.page_dump import PageDump, read_dump
from indexer.readers.plain_text import title_from_name

__all__ = ["read"]

_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_FENCED = re.compile(r"\A---[ \t]*\n(?P<head>.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_PAIR = re.compile(r"^(?P<name>[A-Za-z][\w -]{0,40}):[ \t]*(?P<value>\S.*)$", re.M)


def read(file: SourceFile) -> Iterator[Article | Skipped]:
    """The one article of a Markdown file. Raises OSError and SourceError.

    Front matter has the field names of records. Where it says nothing, the first heading is the title, and a byline and
    date may stand under it.
    """
    source = decode(file.read()).replace("\r\n", "\n")
    if not source.strip():
        raise SourceError("it is empty")
    record, body = _front_matter(source)
    heading, text = _rendered(body)
    names = {normal_name(name) for name in record}
    title = str(record["title"]) if record.get("title") else heading
    dump = _dump(title, heading, text)
    found = {
        "title": dump.title or title_from_name(file.origin), "section": dump.section, "author": dump.author,
        "date": dump.date, "source": dump.source, "url": dump.url,
    }  # fmt: skip
    record |= {name: value for name, value in found.items() if value and name not in names}
    yield article_from_record(record | {"text": dump.text}, path=file.origin, origin=file.origin)


def _dump(title: str, heading: str, text: str) -> PageDump:
    if not title:
        return read_dump(text)
    # A heading under front matter that differs from its title is part of the text.
    lead = f"{heading}\n\n" if heading and heading != title else ""
    return read_dump(f"Title: {' '.join(title.split())}\n\n{lead}{text}")


def _front_matter(source: str) -> tuple[dict[str, object], str]:
    """Metadata and body. Front matter that is not sound YAML (an unquoted colon, mostly) is read line by line."""
    try:
        metadata, body = frontmatter.parse(source)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError):
        fenced = _FENCED.match(source)
        if fenced is None:
            return {}, source
        pairs = {pair["name"]: pair["value"].strip("\"' ") for pair in _PAIR.finditer(fenced["head"])}
        return dict(pairs), source[fenced.end() :]
    return (dict(metadata) if isinstance(metadata, dict) else {}), body


def _rendered(body: str) -> tuple[str, str]:
    """The heading that the document starts with, or '', and the rest as plain text."""
    tokens = _MARKDOWN.parse(body)
    heading = ""
    if len(tokens) > 2 and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        heading = " ".join(html_to_text(_render(tokens[:3])).split())
        tokens = tokens[3:]
    return heading, html_to_text(_render(tokens))


def _render(tokens: list) -> str:  # type: ignore[type-arg]
    return str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))
