"""From text to terms: one analysis for the BM25 index, queries, highlights and spelling suggestions.

What a single word gives: indexer/text/word_forms.py.

Stop words are few, take a position, and are indexed like all others, so that "The Who" and "state of the art" can be
found as exact phrases; they are left out only where articles are scored, and only when a query has other words.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from indexer.text.word_forms import (
    CONTENT,
    MAX_TERM,
    STOP,
    TAIL,
    TAIL_MARK,
    Part,
    chunk_heads,
    chunk_pattern,
    chunk_surfaces,
    chunk_terms,
)

__all__ = [
    "TermFinder",
    "Token",
    "Words",
    "analyse",
    "index_tokens",
    "index_words",
    "is_mark",
    "phrase_variants",
    "surfaces",
    "terms",
]

_MAX_VARIANTS = 16
_REMEMBERED = 1 << 17


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


class _Plain(NamedTuple):
    """A chunk that is one word with one term, as nearly all are; `surface` is '' where it has none."""

    term: str
    content: bool
    surface: str


def analyse(text: str, *, keep_stop_words: bool = False) -> list[Token]:
    """The tokens of `text` in the order of their positions; two tokens may share one (a word and its joined form)."""
    return _tokens(text, STOP if keep_stop_words else CONTENT)


def index_tokens(text: str) -> list[Token]:
    """Everything that an index stores of `text`: all words, and the marks that `phrase_variants` relies on."""
    return _tokens(text, TAIL)


class TermFinder:
    """Finds those of `index_tokens(text)` whose term is `wanted`, without making the others."""

    def __init__(self, wanted: Iterable[str]) -> None:
        self._wanted = frozenset(wanted)
        self._heads = frozenset(head for term in self._wanted for head in chunk_heads(term))

    def __call__(self, text: str) -> list[Token]:
        """The tokens, in the order of their positions."""
        tokens: list[Token] = []
        wanted, heads, expand = self._wanted, self._heads, chunk_terms
        position = 0
        for match in chunk_pattern(text).finditer(text):
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
    chunks = chunk_pattern(text).findall(text)
    for chunk, word in zip(chunks, map(_plain_words.__getitem__, chunks), strict=True):
        if word is not None:
            term, content, _ = word
            positions[term].append(position)
            count += content
            position += 1
            continue
        parts, width = chunk_terms(chunk)
        for term, _, _, offset, kind in parts:
            positions[term].append(position + offset)
            count += kind == CONTENT
        position += width
    return Words(dict(positions), count, _surfaces_of(chunks))


def is_mark(term: str) -> bool:
    """Whether a term of `index_tokens` is no word but a mark that `phrase_variants` relies on."""
    return term.endswith(TAIL_MARK)


def terms(text: str) -> list[str]:
    """The terms that a query of this text is scored by: no stop words, unless there is nothing else."""
    parts = [part for _, of_chunk, _ in _chunks(text) for part in of_chunk]
    found = [part.term for part in parts if part.kind <= CONTENT]
    return found or [part.term for part in parts if part.kind <= STOP]


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
            if part.kind == TAIL:
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
            if after <= last and known(term + TAIL_MARK):
                for rest in walk(after, offset + 2):
                    yield [(term, offset), (term + TAIL_MARK, offset + 1), *rest]

    return list(itertools.islice(walk(0, 0), _MAX_VARIANTS))


def surfaces(text: str) -> set[str]:
    """The distinct words of `text`, folded but not stemmed: the raw material of spelling suggestions.

    Only words of three letters or more, without digits, of scripts that part words by spaces.
    """
    return _surfaces_of(chunk_pattern(text).findall(text))


def _tokens(text: str, most: int) -> list[Token]:
    tokens: list[Token] = []
    append, make, expand = tokens.append, tuple.__new__, chunk_terms
    position = 0
    for match in chunk_pattern(text).finditer(text):
        begin = match.start()
        parts, width = expand(match[0])
        for term, start, end, offset, kind in parts:
            if kind <= most:
                append(make(Token, (term, begin + start, begin + end, position + offset)))
        position += width
    return tokens


def _chunks(text: str) -> Iterator[tuple[int, tuple[Part, ...], int]]:
    """(position of the chunk's first word, its parts, how many positions it takes)."""
    position = 0
    for chunk in chunk_pattern(text).findall(text):
        parts, width = chunk_terms(chunk)
        yield position, parts, width
        position += width


def _is_joined(part: Part, parts: tuple[Part, ...]) -> bool:
    """Whether `part` is the joined form of two words: its mark stands at the second one."""
    mark = part.term + TAIL_MARK
    return any(other.kind == TAIL and other.term == mark and other.start == part.start for other in parts)


class _PlainWords(dict[str, _Plain | None]):
    """What is known of chunks, None of those that are not plain; a dictionary, because looking up is all that most
    words of an archive need."""

    def __missing__(self, chunk: str) -> _Plain | None:
        word = _plain(chunk)
        if len(chunk) <= MAX_TERM:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[chunk] = word
        return word


_plain_words = _PlainWords()


def _plain(chunk: str) -> _Plain | None:
    parts, width = chunk_terms(chunk)
    if width != 1 or len(parts) != 1:
        return None
    return _Plain(parts[0].term, parts[0].kind == CONTENT, next(iter(chunk_surfaces(chunk)), ""))


def _surfaces_of(chunks: list[str]) -> set[str]:
    words = {chunk: _plain_words[chunk] for chunk in set(chunks)}
    found = {word.surface for word in words.values() if word is not None}
    found.update(*(chunk_surfaces(chunk) for chunk, word in words.items() if word is None))
    found.discard("")
    return found
