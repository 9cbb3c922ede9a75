"""What a sentence states and what it denies: spans of words, each with its polarity.

NegEx for news (Chapman et al. 2001): a cue governs the words of its own clause, either those after it ('no outside
mediator') or all of them ('observers had not been invited').
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import regex

from search_app.denial.words import (
    ABSENCE_ADJECTIVES,
    ABSENCE_VERBS,
    BEFORE_NOUN,
    CLAUSE_WORDS,
    DOUBT,
    HYPOTHETICAL,
    IMPLIED,
    IMPLYING,
    NOT_LESS,
    NOT_NON,
    NOT_UN,
    PARTICIPLES,
    PAST,
    PSEUDO,
    UNDOING,
    UNDONE,
    VERBAL,
    by_first_word,
    matched,
)

__all__ = ["Span", "negative_base", "spans"]

_TOKEN = regex.compile(r"[\w'’]+(?:-[\w'’]+)*|[,;:()–—?]")
_BREAKS = frozenset(",;:()–—?")
_YEAR = regex.compile(r"(?:19|20)\d\d")
_WINDOW = 9
"""Words after a cue that it may govern."""
_FLIP = 3
"""Words between two cues that make each other undone: 'not without', 'failed to avoid'."""
_VERB_WEIGHT = 0.85
_SENTENCE_WEIGHT = 0.85
_SHORT, _DILUTION, _LEAST = 9, 0.06, 0.4
"""Words of a denied clause up to which each is surely denied, what every further one takes away, and what stays."""
_IMPLIED_WEIGHT = 0.8
_HYPOTHETICAL_WEIGHT = 0.5
_PAST_WEIGHT = 0.6


# Where a phrase is of two kinds, the first one holds: before all, of none, what only looks like a cue.
_KINDS = (
    (PSEUDO, ""),
    (IMPLYING, "implied"),
    (VERBAL, "verbal"),
    (BEFORE_NOUN, "noun"),
    (ABSENCE_VERBS, "verb"),
    (ABSENCE_ADJECTIVES, "adjective"),
)

_KIND_OF = {phrase: kind for phrases, kind in reversed(_KINDS) for several in phrases.values() for phrase in several}
_CUES = by_first_word(_KIND_OF)

_NOT_UN_HEADS = ("un-", "under", "unesco-", "uniform", "union")
"""Beginnings of words in which 'un' is no prefix."""


@dataclass(frozen=True, slots=True)
class Span:
    """Words of a sentence that it states (`cue` empty) or denies (by `cue`).

    `weight`, 0 to 1, says how surely: less for hypotheses, for background, and where the denial is only implied.
    """

    text: str
    cue: str
    weight: float


def spans(sentence: str) -> list[Span]:
    """What the sentence states and denies, in its order; each span is a few words long."""
    found: list[Span] = []
    before: list[str] = []
    question = sentence.rstrip("\"'”’)").endswith("?")
    background = _PAST_WEIGHT if _YEAR.search(sentence) or PAST.intersection(_TOKEN.findall(sentence)) else 1.0
    for clause in _clauses(sentence):
        doubtful = (question or not DOUBT.isdisjoint(clause), question or not HYPOTHETICAL.isdisjoint(clause))
        for span in _of_clause(clause, before):
            certainty = background * (_HYPOTHETICAL_WEIGHT if doubtful[not span.cue] else 1.0)
            found.append(Span(span.text, span.cue, span.weight * certainty))
        before += clause
    return found


def negative_base(word: str) -> str | None:
    """'armed' of 'unarmed', 'violent' of 'non-violent', 'lead' of 'lead-free', 'leader' of 'leaderless'; else None."""
    word = word.lower()
    if word.startswith("non-") and len(word) > 7 and word[4:] not in NOT_NON:
        return word[4:]
    if word.endswith("-free") and len(word) > 7:
        return word[:-5]
    # 'UN-backed' is backed, by the organisation.
    if word.startswith("un") and not word.startswith(_NOT_UN_HEADS) and word not in NOT_UN:
        base = word[2:]
        return base if (len(base) > 4 and base.endswith(("ed", "en"))) or base in PARTICIPLES else None
    if word.endswith("less") and len(word) > 7 and word not in NOT_LESS:
        return word[:-4].rstrip("-")
    return None


def _clauses(sentence: str) -> Iterator[list[str]]:
    clause: list[str] = []
    for token in _TOKEN.findall(sentence.replace("’", "'")):
        if token in _BREAKS or token.lower() in CLAUSE_WORDS:
            if clause:
                yield clause
            clause = []
        else:
            clause.append(token)
    if clause:
        yield clause


def _of_clause(clause: list[str], before: list[str]) -> Iterator[Span]:
    words = [word.lower() for word in clause]
    cues = _cues(words)
    if not cues:
        yield Span(" ".join(clause), "", 1.0)
        return
    if all(kind == "prefix" for *_, kind in cues):
        # The word with the prefix denies itself and nothing of what the clause states.
        yield Span(" ".join(clause), "", 1.0)
    first = cues[0][0]
    if first > 0 and cues[0][2] in ("noun", "implied"):
        yield Span(" ".join(clause[:first]), "", 1.0)
    if any(kind == "verbal" for *_, kind in cues):
        # 'They do not speak directly' implies nothing of what 'they speak directly' does.
        cues = [cue for cue in cues if cue[2] != "implied"]
    undone = False
    for number, (start, end, kind) in enumerate(cues):
        cue = " ".join(clause[start:end])
        following = cues[number + 1][0] if number + 1 < len(cues) else end + _FLIP
        if not undone and following - end < _FLIP and _undoes(words, cues[number], cues[number + 1]):
            undone = True
            continue
        sign = "" if undone else cue
        undone = False
        yield from _governed(clause, before, (start, end, kind), sign)


def _governed(clause: list[str], before: list[str], cue: tuple[int, int, str], sign: str) -> Iterator[Span]:
    start, end, kind = cue
    rest = [*clause[:start], *clause[end:]]
    if kind == "noun":
        yield Span(" ".join(clause[end : end + _WINDOW]), sign, 1.0)
    elif kind == "prefix":
        base = negative_base(clause[start]) or ""
        yield Span(base, sign, 1.0)
    elif kind == "implied":
        for text in IMPLIED[tuple(word.lower() for word in clause[start:end])].split(", "):
            yield Span(text, sign, _IMPLIED_WEIGHT)
        yield Span(" ".join(rest), "", 1.0)
    else:
        weight = (1.0 if kind == "verbal" else _VERB_WEIGHT) * _focus(rest)
        yield Span(" ".join(rest), sign, weight)
        if before and start <= 1:
            # The subject may stand before an inserted clause: 'Moscow, which had offered to host, was not involved'.
            yield Span(" ".join([*before, *rest]), sign, weight * _SENTENCE_WEIGHT)


def _focus(words: Sequence[str]) -> float:
    """How surely a clause denies any one thing in it: 'observers had not been invited' does, a long one less."""
    return max(1 - _DILUTION * max(len(words) - _SHORT, 0), _LEAST)


def _undoes(words: Sequence[str], cue: tuple[int, int, str], after: tuple[int, int, str]) -> bool:
    """Whether a cue turns the one after it round."""
    if matched(UNDOING, words, cue[0]) != cue[1] - cue[0]:
        return False
    return after[2] in ("verb", "prefix", "adjective") or matched(UNDONE, words, after[0]) == after[1] - after[0]


def _cues(words: Sequence[str]) -> list[tuple[int, int, str]]:
    """(start, end, kind) of the cues of a clause, not overlapping, in order."""
    found: list[tuple[int, int, str]] = []
    at = 0
    while at < len(words):
        length, kind = _cue_at(words, at)
        if length and kind:
            found.append((at, at + length, kind))
        at += max(length, 1)
    return found


def _cue_at(words: Sequence[str], at: int) -> tuple[int, str]:
    """Length and kind of the cue that begins at a word; (0, '') where none does, kind '' for what only looks so."""
    if length := matched(_CUES, words, at):
        return length, _KIND_OF[tuple(words[at : at + length])]
    if words[at].endswith("n't"):
        return 1, "verbal"
    return (1, "prefix") if negative_base(words[at]) else (0, "")
