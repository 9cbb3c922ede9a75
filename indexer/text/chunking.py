"""Cutting articles into passages that an encoder reads whole.

An encoder drops what is beyond its window without a word, so lengths are counted in the encoder's own tokens, with the
title that is put before every passage and the special tokens. Tokens are counted per sentence and added up: joined
sentences never need more word pieces than the sentences alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from indexer.article import Article, Passage
from indexer.text.sentences import sentences
from indexer.text.token_counts import CountTokens

__all__ = ["OVERLAP_TOKENS", "PASSAGE_TOKENS", "cut", "fit_title", "passage_input", "sentences"]

PASSAGE_TOKENS = 256
"""Longest passage, title and special tokens included."""
OVERLAP_TOKENS = 50
"""How much of a passage is repeated at the head of the next one, as far as whole sentences allow."""
SPECIAL_TOKENS = 2
"""What a tokeniser adds to every text, such as [CLS] and [SEP]."""

_TITLE_SHARE = 3
_JOINT_TOKENS = 1
# One [UNK] can stand for a word of any length. So that no passage is endless, this many characters weigh one token.
_CHARS_PER_TOKEN = 20
_TITLE_STOPS = tuple(".!?…:;。！？؟։।")
_CLAUSE, _WORD = 0, 1
_BORDERS = {_CLAUSE: re.compile(r"(?<=[;:,—–)])\s+|(?<=[、，；：،])\s*"), _WORD: re.compile(r"\s+")}

_Unit = tuple[int, int, int]
"""Start and end in the text, and the weight in tokens."""


def passage_input(title: str, text: str) -> str:
    """The text that the encoder reads for a passage: the title (fitted before, see `fit_title`), then the passage."""
    if not title or not text:
        return title or text
    return f"{title} {text}" if title.endswith(_TITLE_STOPS) else f"{title}. {text}"


def fit_title(title: str, *, count_tokens: CountTokens, window: int = PASSAGE_TOKENS) -> str:
    """The title, cut after a word (inside one only if it must be), so that it takes at most a third of `window`."""
    title = title.strip()
    budget = max(window // _TITLE_SHARE - _JOINT_TOKENS, 1)
    if not title or _weights([title], budget, count_tokens)[0] <= budget:
        return title
    start, end, _ = _divide(title, (0, len(title)), budget, count_tokens, _WORD)[0]
    return title[start:end]


def cut(
    article: Article,
    *,
    count_tokens: CountTokens,
    window: int,
    limit: int = PASSAGE_TOKENS,
    overlap: int = OVERLAP_TOKENS,
    special_tokens: int = SPECIAL_TOKENS,
) -> tuple[Passage, ...]:
    """Cut an article into overlapping passages of whole sentences.

    `window` is the most that the encoder reads and `limit` the longest passage wanted, both in tokens with title and
    special tokens; the smaller one counts. Only a sentence that does not fit by itself is divided, at clauses, then at
    words, then at characters. Passages start and end on a non-space character and together hold every non-space
    character of the text. An article with a title and no text gets one empty passage, so that its title is encoded.
    Raises ValueError when the window has no room for a single token of text.
    """
    if not article.text.strip():
        return (Passage(0, 0, 0),) if article.title.strip() else ()
    size = min(window, limit)
    title = fit_title(article.title, count_tokens=count_tokens, window=size)
    budget = size - special_tokens - (count_tokens([title])[0] + _JOINT_TOKENS if title else 0)
    if budget < 1:
        raise ValueError(f"a window of {size} tokens leaves no room for text; it needs {size - budget + 1} or more")
    units = _units(article.text, budget, count_tokens)
    ranges = _ranges([weight for _, _, weight in units], budget, overlap)
    return tuple(Passage(n, units[first][0], units[last - 1][1]) for n, (first, last) in enumerate(ranges))


def _units(text: str, budget: int, count_tokens: CountTokens) -> list[_Unit]:
    """The sentences of a text, and the parts of those that do not fit."""
    spans = sentences(text)
    units: list[_Unit] = []
    for (start, end), weight in zip(
        spans, _weights([text[start:end] for start, end in spans], budget, count_tokens), strict=True
    ):
        if weight <= budget:
            units.append((start, end, weight))
        else:
            units.extend(_divide(text, (start, end), budget, count_tokens))
    return units


def _weights(texts: Sequence[str], budget: int, count_tokens: CountTokens) -> list[int]:
    """Tokens of each text. What is certainly over the budget by its length alone is not tokenised at all."""
    floors = [len(text) // _CHARS_PER_TOKEN for text in texts]
    counted = [text for text, floor in zip(texts, floors, strict=True) if floor <= budget]
    counts = iter(count_tokens(counted) if counted else [])
    return [max(next(counts), floor) if floor <= budget else floor for floor in floors]


def _divide(
    text: str, span: tuple[int, int], budget: int, count_tokens: CountTokens, level: int = _CLAUSE
) -> list[_Unit]:
    """Divide a span of the text into parts that fit, at clauses, below them at words, below those at characters."""
    spans = list(_pieces(text, span, budget, level))
    units: list[_Unit] = []
    for (a, b), weight in zip(spans, _weights([text[a:b] for a, b in spans], budget, count_tokens), strict=True):
        if weight <= budget or b - a == 1:
            units.append((a, b, weight))
        else:
            units.extend(_divide(text, (a, b), budget, count_tokens, level + 1))
    return _packed(units, budget)


def _pieces(text: str, span: tuple[int, int], budget: int, level: int) -> Iterator[tuple[int, int]]:
    start, end = span
    if level in _BORDERS:
        for border in _BORDERS[level].finditer(text, start, end):
            if border.start() > start:
                yield start, border.start()
            start = border.end()
        if start < end:
            yield start, end
    else:
        # Halved at each further level, down to single characters: a byte-level tokeniser may need several tokens each.
        step = max(budget >> (level - _WORD - 1), 1)
        for first in range(start, end, step):
            yield first, min(first + step, end)


def _packed(units: Sequence[_Unit], budget: int) -> list[_Unit]:
    """Neighbours joined from the left as long as they fit."""
    packed: list[_Unit] = []
    for start, end, weight in units:
        if packed and packed[-1][2] + weight <= budget:
            packed[-1] = (packed[-1][0], end, packed[-1][2] + weight)
        else:
            packed.append((start, end, weight))
    return packed


def _ranges(weights: Sequence[int], budget: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Runs of units, first and one past the last, that fill the budget and share about `overlap` tokens."""
    first = 0
    while True:
        last, total = first + 1, weights[first]
        while last < len(weights) and total + weights[last] <= budget:
            total += weights[last]
            last += 1
        yield first, last
        if last == len(weights):
            return
        # A unit is repeated when that brings the overlap nearer to what is wanted and the next unit still fits.
        kept, back = 0, last
        while (
            back - 1 > first
            and kept + weights[back - 1] / 2 <= overlap
            and kept + weights[back - 1] + weights[last] <= budget
        ):
            back -= 1
            kept += weights[back]
        first = back
