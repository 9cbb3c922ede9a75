"""The few sentences of the winning passage that show why an article was found, with the words of the query marked."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import regex

from indexer.errors import UsageError
from indexer.text.analysis import TermFinder, Token, index_tokens, phrase_variants, terms
from search_app.query.parsed import ParsedQuery
from search_app.results import Snippet

__all__ = ["Match", "Wanted", "find", "highlight", "share_of", "snippet", "wanted"]

_SHORTEST = 60
_ELLIPSIS = "…"
# What near words may add to the weight of a run of sentences, as a share of it.
_NEARNESS = 0.25
# Longer runs without a blank are unspaced scripts or garbage, and may be cut between any two characters.
_LONGEST_WORD = 40
_WORD = regex.compile(r"\S+")
_CHARACTER = regex.compile(r"\X")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for in a text: terms with their weights, and exact phrases with theirs."""

    terms: Mapping[str, float]
    phrases: Mapping[str, float]
    finder: TermFinder

    @property
    def mass(self) -> float:
        """The weight of everything."""
        return sum(self.terms.values()) + sum(self.phrases.values())


@dataclass(frozen=True, slots=True)
class Match:
    """An occurrence of a term or phrase: its place in the text, the number of its first word, what it is worth."""

    start: int
    end: int
    position: int
    key: str
    weight: float


def wanted(query: ParsedQuery, idf: Callable[[str], float]) -> Wanted:
    """What snippets of this query look for. `idf` weighs a term of the index; a phrase weighs what its words do."""
    single: dict[str, float] = {}
    phrases: dict[str, float] = {}
    for atom in query.scoring:
        weights = {term: max(idf(term), 1e-6) for term in terms(atom.text)}
        if atom.phrase:
            phrases[atom.text] = sum(weights.values())
        else:
            single |= weights
    # Stop words only count where the whole query is made of them.
    content = set(terms(" ".join(atom.text for atom in query.scoring)))
    sought = {term: weight for term, weight in single.items() if term in content}
    return Wanted(sought, phrases, TermFinder(sought))


def highlight(text: str, what: Wanted) -> tuple[Span, ...]:
    """(start, end) of the query's words, in any form, and phrases in `text`; sorted, not overlapping."""
    return _merged((match.start, match.end) for match in find(text, what))


def share_of(found: Iterable[Match], what: Wanted) -> float:
    """The share, 0 to 1, of the weight of what is wanted that was found at least once."""
    weights = {match.key: match.weight for match in found}
    return sum(weights.values()) / (what.mass or 1.0)


def snippet(
    text: str,
    passage: Span,
    matches: Sequence[Match],
    sentences: Callable[[str], Sequence[Span]],
    max_chars: int = 320,
) -> Snippet:
    """The whole sentences of `text[passage[0]:passage[1]]` that carry most of the query.

    `matches` is what `find` finds in that part of the text. A run of sentences is worth the weights of the distinct
    terms and phrases in it, and up to a quarter more when they stand close together; of equals the shorter and then the
    earlier run wins, and is filled up with its neighbours. A sentence that is too long is cut between words, with '…'
    where something is missing. `sentences` gives the (start, end) of the sentences of a text, in order. Raises
    UsageError for `max_chars` under 60.
    """
    if max_chars < _SHORTEST:
        raise UsageError(f"A snippet of {max_chars} characters is too short; ask for at least {_SHORTEST}.")
    offset = passage[0]
    body = text[offset : passage[1]]
    spans = [span for span in (_stripped(body, *span) for span in sentences(body)) if span[0] < span[1]]
    spans = spans or [_stripped(body, 0, len(body))]
    best = _best_run(spans, matches, max_chars)
    start, end = best
    before = after = ""
    if end - start > max_chars:
        start, end = _cut(body, best, matches, max_chars - 2 * len(_ELLIPSIS))
        before, after = _ELLIPSIS * (start > best[0]), _ELLIPSIS * (end < best[1])
    shift = len(before) - start
    inside = (
        (match.start + shift, match.end + shift) for match in matches if start <= match.start and match.end <= end
    )
    return Snippet(before + body[start:end] + after, offset + start, offset + end, _merged(inside))


def find(text: str, what: Wanted) -> list[Match]:
    """All occurrences of what is wanted, sorted by start."""
    tokens = index_tokens(text) if what.phrases else what.finder(text)
    matches = [
        Match(token.start, token.end, token.position, token.term, what.terms[token.term])
        for token in tokens
        if token.term in what.terms
    ]
    if what.phrases:
        places: dict[str, dict[int, Token]] = {}
        for token in tokens:
            places.setdefault(token.term, {})[token.position] = token
        for phrase, weight in what.phrases.items():
            for variant in phrase_variants(phrase, places.__contains__):
                for first in places[variant[0][0]]:
                    words = [places[term].get(first + offset) for term, offset in variant]
                    found = [token for token in words if token]
                    if len(found) == len(words):
                        start, end = min(token.start for token in found), max(token.end for token in found)
                        matches.append(Match(start, end, first, f'"{phrase}"', weight))
    return sorted(matches, key=lambda match: (match.start, match.end))


def _best_run(spans: Sequence[Span], matches: Sequence[Match], max_chars: int) -> Span:
    """The best run of sentences, filled up to `max_chars`; longer only when it is one sentence."""
    best: tuple[float, int, int] | None = None
    chosen = (0, 0)
    for first in range(len(spans)):
        for last in range(first, len(spans)):
            if last > first and spans[last][1] - spans[first][0] > max_chars:
                break
            rank = (_worth(matches, spans[first][0], spans[last][1]), first - last, -first)
            if best is None or rank > best:
                best, chosen = rank, (first, last)
    first, last = chosen
    while last + 1 < len(spans) and spans[last + 1][1] - spans[first][0] <= max_chars:
        last += 1
    while first > 0 and spans[last][1] - spans[first - 1][0] <= max_chars:
        first -= 1
    return spans[first][0], spans[last][1]


def _worth(matches: Sequence[Match], start: int, end: int) -> float:
    """The weight of the distinct terms and phrases inside [start, end), more when they stand close together."""
    low = bisect_left(matches, start, key=lambda match: match.start)
    high = bisect_right(matches, end - 1, key=lambda match: match.start)
    inside = [match for match in matches[low:high] if match.end <= end]
    weights = {match.key: match.weight for match in inside}
    total = sum(weights.values())
    least = len(weights) - 1
    return total * (1 + _NEARNESS * least / _narrowest(inside, len(weights))) if least > 0 else total


def _narrowest(matches: Sequence[Match], distinct: int) -> int:
    """How many words apart the ends of the shortest stretch with all `distinct` keys are, at least `distinct` - 1."""
    counts: dict[str, int] = {}
    narrowest = matches[-1].position - matches[0].position
    left = 0
    for right in matches:
        counts[right.key] = counts.get(right.key, 0) + 1
        while len(counts) == distinct:
            narrowest = min(narrowest, right.position - matches[left].position)
            key = matches[left].key
            counts[key] -= 1
            if not counts[key]:
                del counts[key]
            left += 1
    return max(narrowest, distinct - 1)


def _cut(text: str, sentence: Span, matches: Sequence[Match], room: int) -> Span:
    """The best stretch of whole words of a sentence that is longer than `room` characters."""
    words = _words(text, *sentence)
    windows: list[Span] = []
    last = 0
    for first in range(len(words)):
        last = max(last, first)
        while last + 1 < len(words) and words[last + 1][1] - words[first][0] <= room:
            last += 1
        windows.append((words[first][0], words[last][1]))
        if last == len(words) - 1:
            break
    worth = [_worth(matches, start, end) for start, end in windows]
    best = max(worth)
    first = worth.index(best)
    if first == 0:
        return windows[0]
    # The middle of equally good windows has what was found in its middle.
    equal = first
    while equal + 1 < len(worth) and worth[equal + 1] == best:
        equal += 1
    return windows[(first + equal) // 2]


def _words(text: str, start: int, end: int) -> list[Span]:
    words: list[Span] = []
    for match in _WORD.finditer(text, start, end):
        if match.end() - match.start() <= _LONGEST_WORD:
            words.append(match.span())
        else:
            words += (character.span() for character in _CHARACTER.finditer(text, *match.span()))
    return words


def _stripped(text: str, start: int, end: int) -> Span:
    inner = text[start:end]
    start += len(inner) - len(inner.lstrip())
    return start, max(start, start + len(inner.strip()))


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
