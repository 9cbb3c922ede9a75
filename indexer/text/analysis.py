"""From text to terms: one analysis for the BM25 index, queries, highlights and spelling suggestions.

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

Stop words are few, take a position, and are indexed like all others, so that "The Who" and "state of the art" can be
found as exact phrases; they are left out only where articles are scored, and only when a query has other words.
"""

from __future__ import annotations

import itertools
import re
import string
import threading
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import regex
import Stemmer

__all__ = [
    "STOP_WORDS",
    "TermFinder",
    "Token",
    "Words",
    "analyse",
    "fold",
    "index_tokens",
    "index_words",
    "is_mark",
    "phrase_variants",
    "surfaces",
    "terms",
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

_MAX_TERM = 64
_MAX_VARIANTS = 16
_REMEMBERED = 1 << 17
_CONTENT, _STOP, _TAIL = range(3)
# Ends a term that marks the second word of a joined compound; no word can contain it.
_TAIL_MARK = "\u2010"

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\u30fc\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_INVISIBLE = r"\u00ad\u200c\u200d\u2060"
# What follows a character of an unspaced script without being one itself; the last two are Japanese voicing marks.
_EXTENDER = rf"\p{{M}}{_INVISIBLE}\uff9e\uff9f"
_LETTER = r"\p{L}\p{Nd}\p{Nl}⁰¹²³⁴-⁹₀-₉"
_HYPHEN = r"\-\u2010\u2011"
_APOSTROPHE = r"'\u2019\u02bc\uff07"

# A chunk is what is looked up in the cache: letters and digits with single joiners between them. All repeats are
# possessive: a word of ten million letters must not fill the memory with places to backtrack to.
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


class Token(NamedTuple):
    """A term at its place: `text[start:end]` is the word as written, `position` counts words from 0."""

    term: str
    start: int
    end: int
    position: int


@dataclass(frozen=True, slots=True)
class Words:
    """All that the indexes keep of a text.

    `positions`: where each term of `index_tokens` stands, ascending. `count`: the number of content words, tokens of
    `analyse`. `surfaces`: see the function of that name.
    """

    positions: dict[str, list[int]]
    count: int
    surfaces: set[str]


class _Piece(NamedTuple):
    surface: str
    start: int
    end: int
    kind: str


class _Plain(NamedTuple):
    """A chunk that is one word with one term, as nearly all are; `surface` is '' where it has none."""

    term: str
    content: bool
    surface: str


class _Part(NamedTuple):
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


def analyse(text: str, *, keep_stop_words: bool = False) -> list[Token]:
    """The tokens of `text` in the order of their positions; two tokens may share one (a word and its joined form)."""
    return _tokens(text, _STOP if keep_stop_words else _CONTENT)


def index_tokens(text: str) -> list[Token]:
    """Everything that an index stores of `text`: all words, and the marks that `phrase_variants` relies on."""
    return _tokens(text, _TAIL)


class TermFinder:
    """Finds those of `index_tokens(text)` whose term is `wanted`, without making the others."""

    def __init__(self, wanted: Iterable[str]) -> None:
        self._wanted = frozenset(wanted)
        self._heads = frozenset(head for term in self._wanted for head in _heads(term))

    def __call__(self, text: str) -> list[Token]:
        """The tokens, in the order of their positions."""
        tokens: list[Token] = []
        wanted, heads, expand = self._wanted, self._heads, _expand
        position = 0
        for match in _chunk(text).finditer(text):
            chunk = match[0]
            # What most words are is seen without looking them up.
            if chunk[:2] not in heads and chunk.isalnum() and chunk.isascii():
                position += 1
                continue
            parts, width = expand(chunk)
            for term, start, end, offset, _ in parts:
                if term in wanted:
                    begin = match.start()
                    tokens.append(Token(term, begin + start, begin + end, position + offset))
            position += width
        return tokens


def index_words(text: str) -> Words:
    """What `index_tokens`, the length of `analyse` and `surfaces` say of `text`, in a fraction of their time."""
    positions: defaultdict[str, list[int]] = defaultdict(list)
    count = position = 0
    chunks = _chunk(text).findall(text)
    for chunk, word in zip(chunks, map(_plain_words.__getitem__, chunks), strict=True):
        if word is not None:
            term, content, _ = word
            positions[term].append(position)
            count += content
            position += 1
            continue
        parts, width = _expand(chunk)
        for term, _, _, offset, kind in parts:
            positions[term].append(position + offset)
            count += kind == _CONTENT
        position += width
    return Words(dict(positions), count, _surfaces_of(chunks))


def is_mark(term: str) -> bool:
    """Whether a term of `index_tokens` is no word but a mark that `phrase_variants` relies on."""
    return term.endswith(_TAIL_MARK)


def terms(text: str) -> list[str]:
    """The terms that a query of this text is scored by: no stop words, unless there is nothing else."""
    parts = [part for _, of_chunk, _ in _chunks(text) for part in of_chunk]
    found = [part.term for part in parts if part.kind <= _CONTENT]
    return found or [part.term for part in parts if part.kind <= _STOP]


def phrase_variants(text: str, known: Callable[[str], bool]) -> list[list[tuple[str, int]]]:
    """The ways in which the index may hold the exact phrase `text`; an article has the phrase if it has any of them.

    A variant is a list of (term, offset): each term stands `offset` positions after the first. 'ceasefire deal' gives
    one for articles that write it so and one for 'cease-fire deal', which spans three positions there; 'cease-fire
    deal' gives both as well. `known` says whether the index has a term: variants with an unknown term are left out,
    so that the list is empty when no article can have the phrase. At most 16 variants.
    """
    by_position: dict[int, list[tuple[str, int]]] = {}
    last = -1
    for chunk_start, parts, width in _chunks(text):
        for part in parts:
            if part.kind == _TAIL:
                continue
            # The joined form of a compound stands at its first word and covers the second.
            covers = 2 if _is_joined(part, parts) else 1
            by_position.setdefault(chunk_start + part.position, []).append((part.term, covers))
        last = chunk_start + width - 1
    if last < 0:
        return []

    def walk(position: int, offset: int) -> Iterator[list[tuple[str, int]]]:
        if position > last:
            yield []
            return
        for term, covers in by_position[position]:
            if not known(term):
                continue
            after = position + covers
            for rest in walk(after, offset + 1):
                yield [(term, offset), *rest]
            if after <= last and known(term + _TAIL_MARK):
                for rest in walk(after, offset + 2):
                    yield [(term, offset), (term + _TAIL_MARK, offset + 1), *rest]

    return list(itertools.islice(walk(0, 0), _MAX_VARIANTS))


def surfaces(text: str) -> set[str]:
    """The distinct words of `text`, folded but not stemmed: the raw material of spelling suggestions.

    Only words of three letters or more, without digits, of scripts that part words by spaces.
    """
    return _surfaces_of(_chunk(text).findall(text))


def _tokens(text: str, most: int) -> list[Token]:
    tokens: list[Token] = []
    append, make, expand = tokens.append, tuple.__new__, _expand
    position = 0
    for match in _chunk(text).finditer(text):
        begin = match.start()
        parts, width = expand(match[0])
        for term, start, end, offset, kind in parts:
            if kind <= most:
                append(make(Token, (term, begin + start, begin + end, position + offset)))
        position += width
    return tokens


def _chunk(text: str) -> Any:
    """The pattern of the chunks of a text."""
    return _ASCII_CHUNK if text.isascii() else _CHUNK


def _chunks(text: str) -> Iterator[tuple[int, tuple[_Part, ...], int]]:
    """(position of the chunk's first word, its parts, how many positions it takes)."""
    position = 0
    for chunk in _chunk(text).findall(text):
        parts, width = _expand(chunk)
        yield position, parts, width
        position += width


def _is_joined(part: _Part, parts: tuple[_Part, ...]) -> bool:
    """Whether `part` is the joined form of two words: its mark stands at the second one."""
    mark = part.term + _TAIL_MARK
    return any(other.kind == _TAIL and other.term == mark and other.start == part.start for other in parts)


def _expand(chunk: str) -> tuple[tuple[_Part, ...], int]:
    # Long chunks are rare and mostly garbage: they would only push words out of the cache.
    return _expand_cached(chunk) if len(chunk) <= _MAX_TERM else _expand_now(chunk)


def _expand_now(chunk: str) -> tuple[tuple[_Part, ...], int]:
    """The terms of one chunk, sorted by position, and the number of positions it takes."""
    parts: list[_Part] = []
    position = 0
    previous: _Piece | None = None
    for piece in _pieces(chunk):
        if piece.kind == "unspaced":
            pairs = _pairs(piece)
            parts += (_Part(term, start, end, position + i, _CONTENT) for i, (term, start, end) in enumerate(pairs))
            position += len(pairs)
            previous = None
            continue
        folded = fold(piece.surface)
        joined = _joined(chunk, previous, piece)
        if joined and previous:
            parts.append(_Part(joined, previous.start, piece.end, position - 1, _CONTENT))
        kind = _STOP if folded in STOP_WORDS else _CONTENT
        parts.append(_Part(_stem(folded), piece.start, piece.end, position, kind))
        if joined and previous:
            parts.append(_Part(joined + _TAIL_MARK, previous.start, piece.end, position, _TAIL))
        previous = piece
        position += 1
    return tuple(parts), position


_expand_cached = lru_cache(maxsize=1 << 16)(_expand_now)


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
    return [(fold(surface[a:b])[:_MAX_TERM], begin + a, begin + b) for a, b in spans]


def _stem(folded: str) -> str:
    if len(folded) > _MAX_TERM:
        return folded[:_MAX_TERM]
    if not (folded.isascii() and folded.isalpha()):
        return folded
    with _stemmer_lock:
        return str(_stemmer.stemWord(folded))


def _heads(term: str) -> set[str]:
    """How words without joiners, in ASCII, begin that may give `term`: their first two characters, in any case.

    Stemming keeps them but for 'dying' and the like ('die'), and for what is no word ('aing' is 'a').
    """
    seconds = term[1:2] or f" {string.ascii_lowercase}{string.digits}"
    if len(term) == 3 and term.endswith("ie"):
        seconds += "y"
    pairs = [(term[0] + second).strip() for second in seconds]
    return {head for pair in pairs for head in (pair, pair.upper(), pair.capitalize(), pair.capitalize().swapcase())}


class _PlainWords(dict[str, _Plain | None]):
    """What is known of chunks, None of those that are not plain; a dictionary, because looking up is all that most
    words of an archive need."""

    def __missing__(self, chunk: str) -> _Plain | None:
        word = _plain(chunk)
        if len(chunk) <= _MAX_TERM:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[chunk] = word
        return word


_plain_words = _PlainWords()


def _plain(chunk: str) -> _Plain | None:
    parts, width = _expand(chunk)
    if width != 1 or len(parts) != 1:
        return None
    return _Plain(parts[0].term, parts[0].kind == _CONTENT, next(iter(_surfaces(chunk)), ""))


def _surfaces_of(chunks: list[str]) -> set[str]:
    words = {chunk: _plain_words[chunk] for chunk in set(chunks)}
    found = {word.surface for word in words.values() if word is not None}
    found.update(*(_surfaces(chunk) for chunk, word in words.items() if word is None))
    found.discard("")
    return found


@lru_cache(maxsize=1 << 16)
def _surfaces(chunk: str) -> frozenset[str]:
    folded = (fold(piece.surface) for piece in _pieces(chunk) if piece.kind == "word")
    return frozenset(word for word in folded if 3 <= len(word) <= _MAX_TERM and word.isalpha())
