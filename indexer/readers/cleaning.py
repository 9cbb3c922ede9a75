"""Text as the index wants it: normal form, paragraphs, no control characters."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

__all__ = ["clean_line", "clean_text"]

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LINE_ENDS = re.compile(r"\r\n?|[\v\f\x1c\x1d\x1e\x85\u2028]")
# Control characters, and the invisible ones that break words or turn the direction of what follows them. The joiners
# U+200C and U+200D stay: Persian and Indic spelling needs them.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
# Blanks of a line, but not the single spaces that nearly all of them are.
_BLANKS = re.compile(r"(?:[^\S\n ]| (?=[^\S\n]))[^\S\n]*")
_PARAGRAPH = re.compile(r"\n\s*\n")
# Hard-wrapped text has lines of 60 to 100 characters. A line beyond this was not wrapped.
_LONGEST_WRAPPED_LINE = 120
_LONGEST_HEADING = 40
_SENTENCE_END = re.compile(r"[.!?:…。！？؟։।][\"'’”»)\]]*\Z")


def clean_line(text: str) -> str:
    """One line of text, for titles, names and sections: NFC, no control characters, single spaces."""
    if not (text.isascii() and text.isprintable()):  # as most lines are, in which there is nothing to change
        text = _normalised(text)
    return " ".join(text.split())


def clean_text(text: str) -> str:
    """Body text: NFC, no control characters, paragraphs separated by exactly one blank line.

    A single line break inside a paragraph is a hard wrap and becomes a space. Only in a block with a line too long to
    be wrapped can it be more: behind a line that is a whole paragraph or a heading, a new paragraph begins.
    """
    blocks = _PARAGRAPH.split(_BLANKS.sub(" ", _normalised(text).replace("\u2029", "\n\n")))
    paragraphs = [paragraph for block in blocks for paragraph in _paragraphs(block.strip())]
    return "\n\n".join(paragraphs)


def _paragraphs(block: str) -> list[str]:
    """The paragraphs of a block without blank lines."""
    lines = [line.strip() for line in block.split("\n")]
    if max(map(len, lines)) <= _LONGEST_WRAPPED_LINE:
        return [" ".join(lines)] if block else []
    paragraphs = [[lines[0]]]
    for before, line in pairwise(lines):
        ends = _SENTENCE_END.search(before) is not None
        whole = len(paragraphs[-1]) == 1
        is_paragraph = ends and (whole or len(before) > _LONGEST_WRAPPED_LINE)
        is_heading = not ends and whole and len(before) <= _LONGEST_HEADING
        if (is_paragraph or is_heading) and not line[:1].islower():
            paragraphs.append([line])
        else:
            paragraphs[-1].append(line)
    return [" ".join(parts) for parts in paragraphs]


def _normalised(text: str) -> str:
    if _SURROGATE.search(text):
        # Halves that belong together become their character, those left alone the replacement character.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text)))
