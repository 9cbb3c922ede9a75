"""HTML fragments, as they stand in fields of records and come out of Markdown, to plain text."""

from __future__ import annotations

import html
import re

from lxml import etree
from lxml import html as lxml_html

__all__ = ["html_to_text", "inline_text", "is_crowded", "looks_like_html"]

_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "dd", "div", "dl", "dt", "figure", "h1", "h2", "h3", "h4", "h5", "h6"}
    | {"header", "hr", "li", "main", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul"}
)
_DROPPED = (
    *("audio", "button", "canvas", "figcaption", "footer", "form", "head", "iframe", "math", "nav", "noscript"),
    *("object", "script", "select", "style", "svg", "template", "textarea", "title", "video"),
)
_TAG = re.compile(
    r"</?(?:p|br|div|span|a|em|strong|b|i|u|small|sup|sub|ul|ol|li|h[1-6]|img|figure|blockquote|table|tr|td|pre|code"
    r"|section|article|script|style|iframe|hr|font|center)\b[^<>]*>|<!--",
    re.I,
)
# Parsers compare each attribute of a tag with all before it: tens of thousands take minutes.
_CROWDED = re.compile(
    r"<[a-z](?>[^\s<>/]*)(?>[\s/]*[^\s=<>\"'/]+(?>\s*=\s*(?>\"[^\"]*\"|'[^']*'|[^\s<>\"']+))?){1000}", re.I
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8}\d{0,2});", re.I)


def looks_like_html(text: str) -> bool:
    """Whether a string holds HTML tags, so that it must not be taken as plain text."""
    return _TAG.search(text) is not None


def is_crowded(text: str) -> bool:
    """Whether some tag has a thousand attributes, which no page of people has and no parser takes in good time."""
    return _CROWDED.search(text) is not None


def inline_text(text: str) -> str:
    """One line of text without tags and entities, for titles and names."""
    return html.unescape(_TAG.sub("", text)) if "<" in text or "&" in text else text


def html_to_text(text: str) -> str:
    """The text of an HTML fragment, its blocks separated by blank lines; text without tags comes back with its own.

    Scripts, styles, forms, captions and embedded media have no text. Never raises for bad markup.
    """
    if not looks_like_html(text):
        return html.unescape(text) if _ENTITY.search(text) else text
    try:
        if is_crowded(text):
            raise ValueError("a tag with a thousand attributes")  # noqa: TRY301
        root = lxml_html.fragment_fromstring(text, create_parent="div")
    except (etree.LxmlError, ValueError, AssertionError):
        # Not even the forgiving parser finds a tree in it: what is left without the tags is the text.
        return html.unescape(_TAG.sub(" ", text))
    etree.strip_elements(root, etree.Comment, etree.ProcessingInstruction, *_DROPPED, with_tail=False)
    pieces: list[str] = []
    for event, node in etree.iterwalk(root, events=("start", "end")):
        border = "\n\n" if node.tag in _BLOCKS else "\n" if node.tag == "br" and event == "start" else ""
        # Line breaks in the source are only spaces; those that mean something are the borders.
        content = " ".join(((node.text if event == "start" else node.tail) or "").split("\n"))
        pieces += (border, content)
    return "".join(pieces)
