"""From a record with common field names to an article."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from indexer.article import Article, stable_id
from indexer.errors import SourceError
from indexer.readers.cleaning import clean_line, clean_text
from indexer.readers.dates import parse_date
from indexer.readers.markup import html_to_text, inline_text

__all__ = ["FIELD_NAMES", "article_from_record", "make_article", "normal_name"]

FIELD_NAMES: Mapping[str, tuple[str, ...]] = {
    "title": ("title", "headline", "name", "heading", "webtitle"),
    "text": ("text", "body", "content", "articlebody", "fulltext", "maintext", "bodytext", "contenthtml",
             "contenttext"),
    "summary": ("description", "summary", "abstract", "excerpt", "standfirst", "lead", "leadparagraph"),
    "date": ("date", "publishedat", "pubdate", "published", "datepublished", "publisheddate", "publicationdate",
             "publishdate", "publishedtime", "webpublicationdate", "createdat", "datecreated", "created", "timestamp"),
    "source": ("source", "publisher", "site", "outlet", "sitename", "publication", "newspaper"),
    "section": ("section", "category", "desk", "articlesection", "sectionname", "categories", "rubric"),
    "author": ("author", "byline", "authors", "creator", "dccreator", "writer"),
    "url": ("url", "link", "canonicalurl", "permalink", "weburl", "guid"),
    "id": ("id", "guid", "uuid", "docid", "articleid"),
}  # fmt: skip
"""Field names that are understood, best first, in the form that `normal_name` gives them."""

_INNER = ("name", "rendered", "main", "title", "original", "text", "#text", "@value", "value", "url", "href")
_WRAPPERS = ("_source", "metadata", "meta", "fields")
_BY = re.compile(r"(?:by|von|par|por)[: ]\s*(?=[^\W\d_])", re.I)
_CUT_OFF = re.compile(r"\[\+\d+ chars\]\Z")
_ELLIPSIS = re.compile(r"(?:…|\.\.\.)\Z")
_LONGEST_ID = 512
_FEWEST_TITLE_WORDS = 3


def normal_name(name: object) -> str:
    """A field name without case, underscores, spaces and prefixes: 'Published_At' and 'publishedAt' are one."""
    return re.sub(r"[\W_]+", "", str(name).casefold())


def article_from_record(record: Mapping[str, object], *, path: str, origin: str) -> Article:
    """The article in a record; see `FIELD_NAMES`. Raises SourceError if it has neither text nor a title to speak of.

    Of several full texts the longest counts; a description or summary stands in where there is none. Wrapped records
    (`_source`, `metadata`, `fields`) are looked into for what the record itself does not say.
    """
    values = _normalised(record)
    given, url = _id(values), _first_url(_values(values, "url"))
    if given and _web_address(given):
        given, url = None, url or given
    # A feed's guid outlives a changed address, so it makes the id where it is an address itself.
    permanent = _first_url(_values(values, "id"))
    return make_article(
        title=next((text for value in _values(values, "title") if (text := _text(value))), ""),
        text=_body(values),
        url=url,
        source=next((text for value in _values(values, "source") if (text := _text(value))), None),
        section=next((text for value in _values(values, "section") if (text := _text(_head(value)))), None),
        author=next((text for value in _values(values, "author") if (text := _text(value))), None),
        date=next((moment for value in _values(values, "date") if (moment := parse_date(_plain(value)))), None),
        given_id=given or (stable_id(None, permanent, path, "") if permanent else None),
        path=path,
        origin=origin,
    )


def make_article(
    *,
    title: str,
    text: str,
    path: str,
    origin: str,
    url: str | None = None,
    source: str | None = None,
    section: str | None = None,
    author: str | None = None,
    date: datetime | None = None,
    given_id: str | None = None,
) -> Article:
    """An article with every field cleaned. Raises SourceError if there is no text and no title of three words.

    `path` is the file's path, which makes the id where neither `given_id` nor `url` does; `origin` may add a line. The
    source falls back to the host of the address. An address that is not http or https is left out.
    """
    title = clean_line(inline_text(title))
    text = _without_title(clean_text(text), title)
    if not text and not _tells_something(title):
        raise SourceError(
            f"it has no text, and its title has {len(title.split())} words; "
            f"without a text a title of at least {_FEWEST_TITLE_WORDS} words is needed"
        )
    url = _web_address(url or "")
    return Article(
        # A file with one article is that article, whatever becomes of its text; records have nothing but their text.
        id=stable_id(
            clean_line(given_id or "")[:_LONGEST_ID] or None, url, path, "" if origin == path else f"{title}\n{text}"
        ),
        title=title,
        text=text,
        url=url,
        source=_publisher(source, url),
        section=_line(section),
        author=_author(author),
        date=date,
        origin=origin,
    )


def _normalised(record: Mapping[str, object]) -> dict[str, object]:
    values: dict[str, object] = {}
    inner = [record[name] for name in _WRAPPERS if isinstance(record.get(name), Mapping)]
    for layer in (record, *inner):
        if isinstance(layer, Mapping):
            for name, value in layer.items():
                if value not in (None, "", [], {}):
                    values.setdefault(normal_name(name), value)
    return values


def _values(values: Mapping[str, object], field: str) -> Iterable[object]:
    return [values[name] for name in FIELD_NAMES[field] if name in values]


def _text(value: object, depth: int = 0) -> str:
    """A value as text: strings as they are, of objects their name, lists joined by commas."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or depth > 3:
        return ""
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        return next((text for name in _INNER if (text := _text(value.get(name), depth + 1))), "")
    if isinstance(value, list | tuple):
        return ", ".join(text for item in value if (text := _text(item, depth + 1)))
    return ""


def _plain(value: object) -> object:
    return _text(value) if isinstance(value, Mapping | list | tuple) else value


def _head(value: object) -> object:
    return value[0] if isinstance(value, list | tuple) and value else value


def _body(values: Mapping[str, object]) -> str:
    """The longest full text, else the first summary; lists are lists of paragraphs."""
    for field in ("text", "summary"):
        texts = [_paragraphs(value) for value in _values(values, field)]
        if best := max(texts if field == "text" else texts[:1], key=len, default=""):
            return best
    return ""


def _paragraphs(value: object) -> str:
    if isinstance(value, list | tuple):
        return "\n\n".join(filter(None, map(_paragraphs, map(_text, value))))
    text = html_to_text(_text(value)).strip()
    if mark := _CUT_OFF.search(text):
        # Each end by itself: a pattern that begins with any number of blanks would look for them everywhere.
        text = _ELLIPSIS.sub("", text[: mark.start()].rstrip()).strip()
    return text


def _id(values: Mapping[str, object]) -> str | None:
    return next((text for value in _values(values, "id") if (text := clean_line(_text(value)))), None)


def _first_url(values: Iterable[object]) -> str | None:
    return next((url for value in values if (url := _web_address(_text(_head(value))))), None)


def _web_address(text: str) -> str | None:
    text = clean_line(text)
    try:
        parts = urlsplit(text)
        usable = parts.scheme.lower() in {"http", "https"} and parts.hostname and " " not in text
    except ValueError:
        return None
    return text if usable else None


def _publisher(source: str | None, url: str | None) -> str | None:
    name = _line(source)
    address = _web_address(name or "") if name else url
    if name and not address:
        return name
    return (urlsplit(address).hostname or "").removeprefix("www.") or None if address else None


def _line(text: str | None) -> str | None:
    return clean_line(inline_text(text or "")) or None


def _author(author: str | None) -> str | None:
    name = _BY.sub("", _line(author) or "", count=1).strip(" ,;|")
    return name if name and not _web_address(name) else None


def _tells_something(title: str) -> bool:
    # Scripts without spaces have no words to count: two characters stand for one.
    return max(len(title.split()), sum(char >= "\u0e00" for char in title) // 2) >= _FEWEST_TITLE_WORDS


def _without_title(text: str, title: str) -> str:
    """The text without a first paragraph that only repeats the title."""
    first, _, rest = text.partition("\n\n")
    return rest if rest and title and first.casefold() == title.casefold() else text
