"""The part of a passage that shows why an article is there, and the words to highlight in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from indexer.analysis import Token, analyse

from .results import Snippet

__all__ = ["MAX_CHARS", "highlights", "snippet"]

MAX_CHARS = 320
_ELLIPSIS = "…"

Spans = Sequence[tuple[int, int]]


def snippet(
    text: str,
    passage: tuple[int, int],
    weights: Mapping[str, float],
    phrases: Sequence[str] = (),
    *,
    sentences: Callable[[str], list[tuple[int, int]]],
    max_chars: int = MAX_CHARS,
) -> Snippet:
    """The run of whole sentences of a passage that carries most of the query.

    `weights` are the query's analysed terms with their idf; each counts once in a run, so a run that has all of them
    beats one that repeats a single one. Equal runs: the shorter, then the earlier. A single sentence longer than
    `max_chars` is cut between words; then `text` of the result ends or begins with an ellipsis.
    """
    start, end = passage
    spans = [(start + a, start + b) for a, b in sentences(text[start:end])]
    if not spans:
        return Snippet("", start, start)
    found = [{token.term for token in analyse(text[a:b])} & weights.keys() for a, b in spans]
    first, last = max(_runs(spans, max_chars), key=lambda run: _merit(run, found, weights))
    first, last = _fill(spans, first, last, max_chars)
    a, b = spans[first][0], spans[last][1]
    if b - a > max_chars:
        return _cut(text, a, b, weights, phrases, max_chars)
    return Snippet(text[a:b], a, b, highlights(text[a:b], weights, phrases))


def highlights(text: str, terms: Mapping[str, float], phrases: Sequence[str] = ()) -> tuple[tuple[int, int], ...]:
    """Where `text` has the query's terms in any form, and its phrases as one piece each: sorted, not overlapping."""
    tokens = analyse(text, keep_stop_words=True)
    spans = [(token.start, token.end) for token in tokens if token.term in terms]
    for phrase in phrases:
        spans.extend(_phrase_spans(tokens, analyse(phrase, keep_stop_words=True)))
    return _joined(spans)


def _runs(spans: Spans, max_chars: int) -> list[tuple[int, int]]:
    runs = []
    for first in range(len(spans)):
        for last in range(first, len(spans)):
            if last > first and spans[last][1] - spans[first][0] > max_chars:
                break
            runs.append((first, last))
    return runs


def _merit(run: tuple[int, int], found: Sequence[set[str]], weights: Mapping[str, float]) -> tuple[float, int, int]:
    first, last = run
    held = set().union(*found[first : last + 1])
    return sum(weights[term] for term in held), first - last, -first


def _fill(spans: Spans, first: int, last: int, max_chars: int) -> tuple[int, int]:
    """Take along the sentences that follow, then those before, while there is room: context costs nothing."""
    while last + 1 < len(spans) and spans[last + 1][1] - spans[first][0] <= max_chars:
        last += 1
    while first > 0 and spans[last][1] - spans[first - 1][0] <= max_chars:
        first -= 1
    return first, last


def _cut(
    text: str, start: int, end: int, weights: Mapping[str, float], phrases: Sequence[str], max_chars: int
) -> Snippet:
    """A window of one overlong sentence, from its first query term on, cut between words."""
    marked = highlights(text[start:end], weights, phrases)
    room = max_chars - 2 * len(_ELLIPSIS)
    begin = start
    if marked and marked[0][1] > room:
        begin = max(start, start + marked[0][0] - room // 4)
        space = text.find(" ", begin, start + marked[0][0])
        begin = space + 1 if space >= 0 else begin
    stop = min(end, begin + room)
    if stop < end:
        space = text.rfind(" ", begin + room // 2, stop)
        stop = space if space >= 0 else stop
    head, tail = (_ELLIPSIS if begin > start else ""), (_ELLIPSIS if stop < end else "")
    shown = f"{head}{text[begin:stop]}{tail}"
    return Snippet(shown, begin, stop, highlights(shown, weights, phrases))


def _phrase_spans(tokens: Sequence[Token], phrase: Sequence[Token]) -> list[tuple[int, int]]:
    if not phrase:
        return []
    wanted: list[set[str]] = []
    for token in phrase:
        if token.position == len(wanted):
            wanted.append(set())
        wanted[-1].add(token.term)
    by_position: dict[int, list[Token]] = {}
    for token in tokens:
        by_position.setdefault(token.position, []).append(token)
    spans = []
    for position in by_position:
        run = [by_position.get(position + offset, []) for offset in range(len(wanted))]
        if all(any(token.term in terms for token in at) for at, terms in zip(run, wanted, strict=True)):
            spans.append((run[0][0].start, run[-1][-1].end))
    return spans


def _joined(spans: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
