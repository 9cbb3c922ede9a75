"""From a word as written to its terms: case, accents, stems, compounds, and scripts without spaces.

What becomes a term, in the order of the rules:

* Words of any script, case folded. Accents of Latin and Greek letters are folded ('Şuşa' and 'Susa' are one term), as
  are letters that news agencies write without their stroke or dot (ø, ł, æ, ı, ə ...), Arabic and Hebrew vowel signs
  and the Arabic letters that typists exchange. Marks that are letters of their own (й, が, Devanagari vowels) stay.
* Chinese, Japanese, Korean, Thai, Lao, Khmer and Burmese, written without spaces or with spaces that do not part words,
  give overlapping pairs of characters; a character that stands alone is a term by itself.
* Initialisms lose their dots (U.S. is 'us'), thousands their commas (10,000 is '10000'), decimals stay whole (5.4).
* The possessive 's and the ends of we'll, they've, she'd go. 'don't' is 'dont'.
* Compounds with a hyphen, an apostrophe or an ampersand give their parts, and each two neighbours also joined, at the
  position of the first: 'cease-fire' is found by 'cease', 'fire' and 'ceasefire', 'AT&T' by 'att', "Sana'a" by 'sanaa'.
* Words of Latin letters are stemmed with Snowball's English stemmer.

A chunk is a word as it is found in a text: letters and digits with single joiners between them.
"""

from __future__ import annotations

import itertools
import re
import string
import threading
import unicodedata
from functools import lru_cache
from typing import Any, NamedTuple

import regex
import Stemmer

__all__ = [
    "CONTENT",
    "MAX_TERM",
    "STOP",
    "STOP_WORDS",
    "TAIL",
    "TAIL_MARK",
    "Part",
    "chunk_heads",
    "chunk_pattern",
    "chunk_surfaces",
    "chunk_terms",
    "fold",
]

# Function words only. Not in it, because they carry news: us, no, not, nor, without, against, may, might, will, can,
# could, who, over, under, before, after, between, more, most, first, all, own.
_FUNCTION_WORDS = """
    a about am an and any are as at be because been being but by did do does doing for from had has have having he her
    hers him his how i if in into is it its itself me my of on or our ours she should so some such than that the their
    theirs them then there these they this those through to too very was we were what when where which while why with
    would you your yours
"""
STOP_WORDS = frozenset(_FUNCTION_WORDS.split())

MAX_TERM = 64
"""Characters of a term; longer ones are cut."""
CONTENT, STOP, TAIL = range(3)
"""What a term is: a word that counts, a stop word, or the mark of a joined compound's second word."""
TAIL_MARK = "\u2010"
"""Ends a term that is such a mark; no word can contain it."""

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\u30fc\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_INVISIBLE = r"\u00ad\u200c\u200d\u2060"
# What follows a character of an unspaced script without being one itself; the last two are Japanese voicing marks.
_EXTENDER = rf"\p{{M}}{_INVISIBLE}\uff9e\uff9f"
_LETTER = r"\p{L}\p{Nd}\p{Nl}⁰¹²³⁴-⁹₀-₉"
_HYPHEN = r"\-\u2010\u2011"
_APOSTROPHE = r"'\u2019\u02bc\uff07"

# All repeats are possessive: a word of ten million letters must not fill the memory with places to backtrack to.
_CHUNK = regex.compile(
    rf"[{_LETTER}][{_LETTER}\p{{M}}{_INVISIBLE}]*+"
    rf"(?:[{_HYPHEN}{_APOSTROPHE}&.,][{_LETTER}][{_LETTER}\p{{M}}{_INVISIBLE}]*+)*+(?:(?<=\.\p{{L}})\.)?+"
)
# The same for texts of ASCII, faster.
_ASCII_CHUNK = re.compile(r"[A-Za-z0-9]++(?:[-'&.,][A-Za-z0-9]++)*+(?:(?<=\.[A-Za-z])\.)?+")
_PIECE = regex.compile(
    rf"""
    (?P<initials> (?<![{_LETTER}]) \p{{L}} (?:\.\p{{L}})++ (?![{_LETTER}\p{{M}}]) \.? )
    | (?P<number> (?<![{_LETTER}.,]) (?: \d{{1,3}}(?:,\d{{3}})++(?:\.\d++)?+ | \d++\.\d++ ) (?![.,]?\d) )
    | (?P<unspaced> [{_UNSPACED}] [{_UNSPACED}{_EXTENDER}]*+ )
    | (?P<word> [[{_LETTER}]--[{_UNSPACED}]] [[{_LETTER}\p{{M}}{_INVISIBLE}]--[{_UNSPACED}]]*+ )
    """,
    regex.VERBOSE | regex.VERSION1,
)
_UNIT = regex.compile(rf"[{_UNSPACED}][{_EXTENDER}]*+")
_MARK = regex.compile(rf"[{_EXTENDER}]")
_JOINER = regex.compile(rf"[{_HYPHEN}{_APOSTROPHE}&]")
_APOSTROPHES = regex.compile(rf"[{_APOSTROPHE}]")
_CONTRACTED = frozenset({"s", "ll", "re", "ve", "d", "m"})

_ACCENTS = regex.compile(r"(?<=[\p{Latin}\p{Greek}])[\u0300-\u036f]++")
_VOWEL_SIGNS = regex.compile(r"[\u0591-\u05bd\u05bf-\u05c7\u0640\u064b-\u065f\u0670]++")
_LEFTOVER = regex.compile(rf"[\u0300-\u036f{_INVISIBLE}]++")
_LETTERS = str.maketrans(
    {
        "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ŋ": "n", "ı": "i",
        "ə": "a",  # as in Əliyev, Aliyev
        "ŧ": "t", "ĸ": "k", "ё": "е", "\u2044": "/",
        "ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه",
    }
)  # fmt: skip
_DIGIT = regex.compile(r"[^\P{Nd}0-9]")

_stemmer = Stemmer.Stemmer("english", 0)
# A Stemmer object keeps its working buffer between calls and must not be shared by two threads at once.
_stemmer_lock = threading.Lock()


class _Piece(NamedTuple):
    surface: str
    start: int
    end: int
    kind: str


class Part(NamedTuple):
    """A term of a chunk; `start`, `end` and `position` count from the chunk's beginning."""

    term: str
    start: int
    end: int
    position: int
    kind: int


def fold(text: str) -> str:
    """Fold case, accents, compatibility forms and digits, as the index does; spaces and punctuation stay."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", text.casefold()).casefold()
    # Composed again, й and が are letters; accents that are still apart then belong to no letter of an alphabet.
    folded = unicodedata.normalize("NFC", _VOWEL_SIGNS.sub("", _ACCENTS.sub("", folded)))
    folded = _LEFTOVER.sub("", folded).translate(_LETTERS)
    return _DIGIT.sub(lambda match: str(unicodedata.decimal(match[0], match[0])), folded)


def chunk_pattern(text: str) -> Any:
    """The pattern of the chunks of a text."""
    return _ASCII_CHUNK if text.isascii() else _CHUNK


def chunk_terms(chunk: str) -> tuple[tuple[Part, ...], int]:
    """The terms of one chunk, sorted by position, and the number of positions it takes."""
    # Long chunks are rare and mostly garbage: they would only push words out of the cache.
    return _expand_cached(chunk) if len(chunk) <= MAX_TERM else _expand(chunk)


def _expand(chunk: str) -> tuple[tuple[Part, ...], int]:
    parts: list[Part] = []
    position = 0
    previous: _Piece | None = None
    for piece in _pieces(chunk):
        if piece.kind == "unspaced":
            pairs = _pairs(piece)
            parts += (Part(term, start, end, position + i, CONTENT) for i, (term, start, end) in enumerate(pairs))
            position += len(pairs)
            previous = None
            continue
        folded = fold(piece.surface)
        joined = _joined(chunk, previous, piece)
        if joined and previous:
            parts.append(Part(joined, previous.start, piece.end, position - 1, CONTENT))
        kind = STOP if folded in STOP_WORDS else CONTENT
        parts.append(Part(_stem(folded), piece.start, piece.end, position, kind))
        if joined and previous:
            parts.append(Part(joined + TAIL_MARK, previous.start, piece.end, position, TAIL))
        previous = piece
        position += 1
    return tuple(parts), position


_expand_cached = lru_cache(maxsize=1 << 16)(_expand)


def _pieces(chunk: str) -> list[_Piece]:
    """The words of a chunk; a possessive or contracted ending belongs to the word before it, without its letters."""
    if chunk.isascii() and chunk.isalnum():  # as most are: nothing in it that could part words
        return [_Piece(chunk, 0, len(chunk), "word")]
    pieces: list[_Piece] = []
    for match in _PIECE.finditer(chunk):
        kind = match.lastgroup or "word"
        surface, start, end = match.group(), match.start(), match.end()
        if kind == "initials":
            surface = surface.replace(".", "")
        elif kind == "number":
            surface = surface.replace(",", "")
        before = pieces[-1] if pieces else None
        if before and before.end + 1 == start and before.kind != "number" and _APOSTROPHES.match(chunk, before.end):
            ending = surface.lower()
            if ending in _CONTRACTED:
                pieces[-1] = before._replace(end=end)
                continue
            if ending == "t" and before.surface[-1:] in "nN":
                pieces[-1] = before._replace(surface=before.surface + surface, end=end)
                continue
        pieces.append(_Piece(surface, start, end, kind))
    return pieces


def _joined(chunk: str, first: _Piece | None, second: _Piece) -> str | None:
    """The term of two words joined by a hyphen, apostrophe or ampersand, or None where they are not."""
    if first is None or first.end + 1 != second.start or not _JOINER.match(chunk, first.end):
        return None
    surface = first.surface + second.surface
    # '10-12' is a range and '2-1' a score: neither is a number of its own.
    return None if surface.replace(".", "").isdecimal() else _stem(fold(surface))


def _pairs(piece: _Piece) -> list[tuple[str, int, int]]:
    surface, begin = piece.surface, piece.start
    if not _MARK.search(surface) and unicodedata.is_normalized("NFKC", surface):
        # Nothing to fold: these scripts have no case.
        if len(surface) == 1:
            return [(surface, begin, piece.end)]
        return [(surface[i : i + 2], begin + i, begin + i + 2) for i in range(len(surface) - 1)]
    units = [(match.start(), match.end()) for match in _UNIT.finditer(surface)]
    spans = [(a, b) for (a, _), (_, b) in itertools.pairwise(units)] or units
    return [(fold(surface[a:b])[:MAX_TERM], begin + a, begin + b) for a, b in spans]


def _stem(folded: str) -> str:
    if len(folded) > MAX_TERM:
        return folded[:MAX_TERM]
    if not (folded.isascii() and folded.isalpha()):
        return folded
    with _stemmer_lock:
        return str(_stemmer.stemWord(folded))


def chunk_heads(term: str) -> set[str]:
    """How words without joiners, in ASCII, begin that may give `term`: their first two characters, in any case.

    Stemming keeps them but for 'dying' and the like ('die'), and for what is no word ('aing' is 'a').
    """
    seconds = term[1:2] or f" {string.ascii_lowercase}{string.digits}"
    if len(term) == 3 and term.endswith("ie"):
        seconds += "y"
    pairs = [(term[0] + second).strip() for second in seconds]
    return {head for pair in pairs for head in (pair, pair.upper(), pair.capitalize(), pair.capitalize().swapcase())}


@lru_cache(maxsize=1 << 16)
def chunk_surfaces(chunk: str) -> frozenset[str]:
    """The words of one chunk, folded but not stemmed: of three letters or more, without digits, and no pairs."""
    folded = (fold(piece.surface) for piece in _pieces(chunk) if piece.kind == "word")
    return frozenset(word for word in folded if 3 <= len(word) <= MAX_TERM and word.isalpha())
