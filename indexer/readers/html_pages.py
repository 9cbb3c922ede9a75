"""HTML pages: the article by trafilatura, its data from JSON-LD and meta tags first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import trafilatura

from indexer.article import Article
from indexer.errors import SourceError
from indexer.readers.cleaning import clean_line
from indexer.readers.dates import parse_date
from indexer.readers.decoding import decode
from indexer.readers.fields import article_from_record
from indexer.readers.files import SourceFile
from indexer.readers.markup import is_crowded
from indexer.readers.outcome import Skipped

__all__ = ["read"]

_CHARSET = re.compile(rb"<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*[\"']?\s*([\w-]{2,20})", re.I)
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_ARTICLE_TYPES = re.compile(r"(?:\w*Article|BlogPosting|Report|LiveBlogPosting)\Z")
# Meta tags that say the same thing, surest first.
_META = {
    "title": ("og:title", "twitter:title", "dc.title", "headline", "title"),
    "date": ("article:published_time", "datepublished", "og:article:published_time", "parsely-pub-date", "pubdate",
             "publish-date", "publication_date", "dc.date.issued", "dcterms.created", "dc.date", "date",
             "sailthru.date"),
    "section": ("article:section", "og:article:section", "parsely-section", "section", "category", "news_section"),
    "author": ("author", "article:author", "byl", "parsely-author", "dc.creator", "sailthru.author"),
    "source": ("og:site_name", "dc.publisher", "publisher"),
    "url": ("og:url", "twitter:url"),
}  # fmt: skip
_BREADCRUMBS = "//*[contains(translate(concat(@class, ' ', @id), 'BC', 'bc'), 'breadcrumb')]//a"
_SECTIONS = (
    "//*[@itemprop='articleSection']|//*[contains(@class, 'article-section') or contains(@class, 'section-label')"
    " or contains(@class, 'rubric') or contains(@class, 'kicker')]"
)
_TITLE_JOINT = re.compile(r"\A\s*[|:·–—-]\s+|\s*[|:·–—-]\s*\Z")
# A page that does not call itself an article has to have at least a sentence or two: menus leave a few words.
_SHORTEST_TEXT = 60
_MOST_ELEMENTS = 30_000
_HOME = frozenset({"home", "homepage", "news", "start", "main", "front page"})


def read(file: SourceFile) -> Iterator[Article | Skipped]:
    """The one article of a page. Raises OSError and SourceError."""
    data = file.read()
    if not data.strip():
        raise SourceError("it is empty")
    declared = _CHARSET.search(data[:4096])
    source = _XML_DECLARATION.sub("", decode(data, declared[1].decode("ascii") if declared else None))
    if is_crowded(source):
        raise SourceError("it has a tag with a thousand attributes or more, which no page needs")
    tree = trafilatura.load_html(source)
    if tree is None:
        raise SourceError("no HTML was found in it")
    elements = sum(1 for _ in tree.iter())
    if elements > _MOST_ELEMENTS:
        raise SourceError(
            f"it has {elements:,} elements; a page may have {_MOST_ELEMENTS:,} at most: more take minutes to read"
        )
    record, is_article = _metadata(tree)
    document = trafilatura.bare_extraction(
        tree, include_comments=False, include_tables=False, with_metadata=True, favor_precision=True,
        date_extraction_params={"original_date": True, "extensive_search": False},
    )  # fmt: skip
    if document is not None:
        # A line of trafilatura's is a paragraph, and a line break alone would be a hard wrap.
        record["text"] = (document.text or "").replace("\n", "\n\n")
        found = {
            "title": document.title, "date": document.date, "author": document.author,
            "source": document.sitename, "url": document.url, "section": next(iter(document.categories or []), None),
        }  # fmt: skip
        for name, value in found.items():
            # trafilatura takes the site's name out of the title tag, and sometimes the whole title for it.
            if not (name == "source" and value and value in str(record["title"])):
                record[name] = record.get(name) or value
    if not is_article and len(str(record.get("text") or "")) < _SHORTEST_TEXT:
        raise SourceError("no article text was found in the page")
    yield article_from_record(record, path=file.origin, origin=file.origin)


def _metadata(tree: Any) -> tuple[dict[str, object], bool]:
    """What the page says about its article, and whether it calls itself one."""
    linked = _linked_data(tree)
    metas = _metas(tree)
    record: dict[str, object] = {}
    for field, names in _META.items():
        record[field] = next((metas[name] for name in names if metas.get(name)), None)
    for field, names in {
        "title": ("headline", "name"), "date": ("datePublished", "dateCreated"), "section": ("articleSection",),
        "author": ("author", "creator"), "source": ("publisher",),
    }.items():  # fmt: skip
        record[field] = next((linked[name] for name in names if linked.get(name)), None) or record[field]
    if parse_date(record["date"]) is None:
        record["date"] = next(iter(tree.xpath("//article//time/@datetime|//time[@pubdate]/@datetime")), None)
    canonical = next(iter(tree.xpath("//link[@rel='canonical']/@href")), None)
    record["url"] = canonical or record["url"] or linked.get("url") or linked.get("mainEntityOfPage")
    record["title"] = _headline(tree, record["title"], record["source"])
    record["source"] = record["source"] or _site_in_title(tree, record["title"])
    record["section"] = record["section"] or _section(tree)
    return record, bool(linked) or metas.get("og:type", "").lower() == "article"


def _metas(tree: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for meta in tree.iter("meta"):
        name = meta.get("property") or meta.get("name") or meta.get("itemprop")
        content = clean_line(meta.get("content") or "")
        if name and content:
            found.setdefault(name.strip().lower(), content)
    # Facebook wants the address of a profile in article:author: that is no name.
    return {name: value for name, value in found.items() if "author" not in name or not value.startswith("http")}


def _linked_data(tree: Any) -> Mapping[str, Any]:
    """The first JSON-LD object of an article type, or nothing."""
    for script in tree.iter("script"):
        if "ld+json" in (script.get("type") or "").lower():
            try:
                # Sites put raw line breaks into strings; a script that is broken otherwise says nothing.
                data = json.loads((script.text or "").strip().removesuffix(";"), strict=False)
            except (ValueError, RecursionError):
                continue
            if found := _find_article(data):
                return found
    return {}


def _find_article(data: object, depth: int = 0) -> Mapping[str, Any] | None:
    if depth > 4:
        return None
    if isinstance(data, list):
        return next((found for item in data if (found := _find_article(item, depth + 1))), None)
    if not isinstance(data, Mapping):
        return None
    kinds = data.get("@type")
    if any(_ARTICLE_TYPES.match(str(kind)) for kind in (kinds if isinstance(kinds, list) else [kinds])):
        return data
    return next(
        (found for name in ("@graph", "mainEntity") if (found := _find_article(data.get(name), depth + 1))), None
    )


def _headline(tree: Any, title: object, source: object) -> object:
    """The title without the site's name: as the page's heading has it, if that is a part of it."""
    headings = [clean_line(heading.text_content()) for heading in tree.iter("h1")]
    if not title:
        return headings[0] if len(headings) == 1 else None
    text = clean_line(str(title))
    part = next((heading for heading in headings if len(heading.split()) > 2 and heading in text), None)
    if part:
        return part
    site = re.escape(clean_line(str(source or ""))) or r"\b\B"
    return re.sub(rf"\s+[|–—-]\s+{site}\Z|\A{site}\s*[:|–—-]\s+", "", text, flags=re.I)


def _site_in_title(tree: Any, title: object) -> str | None:
    """The name of the site, where the title tag is the headline with one more part before or behind it."""
    headline = clean_line(str(title or "")) or next((clean_line(h1.text_content()) for h1 in tree.iter("h1")), "")
    whole = clean_line(next((node.text_content() for node in tree.iter("title")), ""))
    if not headline or headline not in whole:
        return None
    before, _, behind = whole.partition(headline)
    name = _TITLE_JOINT.sub("", behind or before)
    return name if 0 < len(name.split()) <= 5 and name != behind + before else None


def _section(tree: Any) -> str | None:
    """The last step of the breadcrumbs that is a word or three, else what is marked as the section."""
    steps = [clean_line(step.text_content()) for step in tree.xpath(_BREADCRUMBS)]
    marked = [clean_line(node.text_content()) for node in tree.xpath(_SECTIONS)]
    usable = [name for name in (*steps[::-1], *marked) if 0 < len(name.split()) <= 4 and name.casefold() not in _HOME]
    return usable[0] if usable else None
