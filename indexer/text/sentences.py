"""Where sentences begin and end in news text, as exact character offsets."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["sentences"]

_CLOSERS = "\"'’”»›)\\]）」』】〉》"
_OPENERS = "\"'‘“«‹([¿¡„—–-（「『【"

# A stop with what closes after it. Scripts that set no space after a stop end a sentence with the stop itself; Latin,
# Greek, Cyrillic, Arabic, Armenian and Indic stops need white space, or 'U.S.-led' and '3.5' would be cut. The pattern
# begins with a set of characters because the search for one of a set is fast, and for one of several patterns is not.
_WIDE, _SPACED = "。！？｡", ".!?؟۔।։॥…"
_STOP = re.compile(rf"[{_WIDE}{_SPACED}](?:(?<=[{_WIDE}])[{_WIDE}]*|[{_SPACED}]*)[{_CLOSERS}]*")
_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_WORD_BEFORE = re.compile(r"[^\s(\[{\"'‘’“”«»/–—]+\Z")
_FIRST_WORD = re.compile(r"[^\W\d_]+(?:['’]\w+)?")


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Titles and the like: a name follows, so their stop never ends a sentence.
_TITLES = _words(
    """mr mrs ms mx messrs mme mlle dr drs prof gov govs sen sens rep reps gen lt col maj sgt cpl capt cmdr adm brig det
    insp supt pres amb atty rev fr hon msgr pvt cdr st ste mt ft vs v viz cf e.g i.e eg ie approx ca fig figs eq pp
    al"""
)
# A number follows: 'No. 5', 'Art. 7', '14 Dec. 2023'; otherwise the stop ends the sentence.
_BEFORE_NUMBER = _words("no nos nr art arts sec ch vol para p jan feb mar apr jun jul aug sep sept oct nov dec")
# Before a capital these may or may not end a sentence: they do when a word follows that usually opens one.
_MAYBE = _words(
    """inc corp co cos ltd plc llc bros jr sr esq dept univ assn intl gov't etc a.m p.m am pm b.c a.d ph.d m.d ave blvd
    rd calif fla mass conn ill tenn ariz colo mich minn wash pa va md ga del ala okla nev kan ky la miss mo neb wis wyo
    mon tue tues wed thu thur thurs fri sat sun"""
)
_STARTERS = _words(
    """a an the this that these those he she it they we you i his her its their our there here in on at for from by with
    but and or so yet if when while after before since as although however meanwhile earlier later last on under
    according both some many most all no not one two what who why how where is was are were will would could should
    yesterday today also another each such once until despite during instead still then thus let do did does has have
    had may might must asked"""
)
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]\Z")


def sentences(text: str) -> list[tuple[int, int]]:
    """Cut `text` into sentences: (start, end) character offsets, sorted, not overlapping, without outer white space.

    Every non-space character of the text is inside exactly one sentence. A blank line always ends a sentence. Known
    abbreviations, initials and numbers do not; a closing quote or bracket belongs to the sentence that it closes.
    Case is only evidence where the text has capitals, so lower-cased and unicameral texts are cut too.
    """
    cased = any(char.isupper() for char in text) and any(char.islower() for char in text)
    found: list[tuple[int, int]] = []
    for start, end in _paragraphs(text):
        begin = start
        for stop in _STOP.finditer(text, start, end):
            if text[stop.start()] in _WIDE or _ends_sentence(text, begin, stop, end, cased):
                _append(found, text, begin, stop.end())
                begin = stop.end()
        _append(found, text, begin, end)
    return found


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for blank in _PARAGRAPH.finditer(text):
        yield start, blank.start()
        start = blank.end()
    yield start, len(text)


def _append(found: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    """Add text[start:end] without its outer white space, if anything is left."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        found.append((start, end))


def _ends_sentence(text: str, begin: int, stop: re.Match[str], end: int, cased: bool) -> bool:
    if stop.end() == end or not text[stop.end()].isspace():
        return False
    following = _next_word(text, stop.end(), end)
    if not following or (cased and following[0].islower()):
        return not following
    if stop[0] != ".":
        return True
    before = _WORD_BEFORE.search(text, max(begin, stop.start() - 40), stop.start())
    return before is None or _abbreviation_ends(before[0].casefold(), following)


def _abbreviation_ends(word: str, following: str) -> bool:
    """Whether the stop after `word` ends a sentence although `word` may be an abbreviation."""
    if word in _TITLES:
        return False
    if word in _BEFORE_NUMBER:
        return not following[0].isdigit()
    if word in _MAYBE or _INITIALS.match(word):
        return following.casefold() in _STARTERS
    return True


def _next_word(text: str, start: int, end: int) -> str:
    """The word (or digit) that follows, behind white space and opening quotes; '' when the paragraph ends first."""
    while start < end and (text[start].isspace() or text[start] in _OPENERS):
        start += 1
    word = _FIRST_WORD.match(text, start, end)
    return word[0] if word else text[start:end][:1]
