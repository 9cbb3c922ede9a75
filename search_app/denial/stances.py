"""What articles say of the thing that a query denies: that it was absent, that it was there, or nothing.

The best candidates of a denying query are read sentence by sentence, and their scores move accordingly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from indexer.text.analysis import terms
from search_app.denial.query import Denial
from search_app.denial.spans import Span, spans
from search_app.denial.words import METONYMS
from search_app.ranking.odds import log_odds, logistic

__all__ = ["Encode", "Verdict", "adjusted", "verdicts"]

Encode = Callable[[list[str]], NDArray[np.float32]]
Floats = NDArray[np.float32]

_COSINE_NONE, _COSINE_FULL = 0.25, 0.70
"""Cosines of the denied part and a denied span at which they have nothing, and everything, in common."""
_WORDS_WEIGHT = 0.9
_MOST_MENTIONS = 3.0
_FIRST_MENTION, _EACH_MENTION = 1.3, 1.4
"""What the surest statement of presence takes, in log-odds, and what each mention that is not denied takes besides."""
_LIFT = 2.7
_DROP = _FIRST_MENTION + _EACH_MENTION * _MOST_MENTIONS
"""The most by which a verdict lifts and lowers a score, in log-odds.

An article that states the opposite holds all words of the query; the larger the archive, the farther it stands above.
"""
_LEAST = 0.05
"""Strength below which an article says nothing of the denied thing."""
_REACH = (2.5, 5.0)
"""How far, in log-odds, a score may lie below the best for an article to be lifted fully, and not at all."""
_ODDS = 7.0
"""Log-odds beyond which a score counts as no surer: rank fusion puts its first article at 1."""
_RANKS_A_SPAN = 2
"""Places in the ranking that cost an article one of the spans that are encoded."""
_MAX_SPANS = 48


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one article says of the denied thing.

    `sentence` is the position, in the sentences given, of the one that decided, -1 if none did; `cue` the words that
    deny in it; `strength` in [0, 1] how surely.
    """

    stance: Literal["absent", "present", "silent"]
    sentence: int = -1
    cue: str = ""
    strength: float = 0.0


SILENT = Verdict("silent")


def verdicts(articles: Sequence[Sequence[str]], denied: Denial, encode: Encode) -> list[Verdict]:
    """What each article, given as its sentences, says of the denied thing.

    `encode` turns texts into unit vectors, float32 (n, d); it is called once, with at most 49 texts of a few words.
    """
    wanted = frozenset(_meant(denied.denied))
    read = [_read(sentences, wanted) for sentences in articles]
    texts = _affordable(read)
    vectors = encode([denied.denied, *texts]) if texts else np.zeros((1, 1), np.float32)
    cosines = dict(zip(texts, (vectors[1:] @ vectors[0]).tolist(), strict=True)) if texts else {}
    return [_verdict(statements, cosines, denied.excepts) for statements in read]


def adjusted(scores: Floats, found: Sequence[Verdict]) -> Floats:
    """Scores (n,) in [0, 1], moved by their verdicts: absence up, presence down, silence unchanged.

    Moves are bounded, in log-odds, and an article is lifted the less the farther it lies below the best: one that does
    not match the affirmed part never comes first. The order of articles with the same verdict and strength stays.
    """
    if not len(scores):
        return scores
    odds = np.clip(log_odds(scores, 1e-6), None, _ODDS)
    strength = np.array([verdict.strength for verdict in found])
    odds -= _DROP * strength * np.array([verdict.stance == "present" for verdict in found])
    near = np.clip((_REACH[1] - (odds.max() - odds)) / (_REACH[1] - _REACH[0]), 0, 1)
    odds += _LIFT * strength * near * np.array([verdict.stance == "absent" for verdict in found])
    silent = np.array([verdict.stance == "silent" for verdict in found])
    return np.where(silent, scores, logistic(odds)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Statement:
    """A span and the sentence that it stands in; `share` is the part of the denied words that it holds."""

    span: Span
    sentence: int
    share: float


def _read(sentences: Sequence[str], wanted: frozenset[str]) -> list[_Statement]:
    found = []
    for number, sentence in enumerate(sentences):
        stated = spans(sentence)
        # A query without cancelled operations is about a cancelling: 'were cancelled' states that it was there.
        inner = [bool(span.cue) and bool(wanted & _meant(span.cue)) for span in stated]
        denied = any(span.cue and not mine for span, mine in zip(stated, inner, strict=True))
        for span, mine in zip(stated, inner, strict=True):
            if mine and denied:
                continue
            read = Span(f"{span.cue} {span.text}", "", span.weight) if mine else span
            held = wanted & _meant(read.text)
            found.append(_Statement(read, number, len(held) / max(len(wanted), 1)))
    return found


def _meant(text: str) -> set[str]:
    """The terms of a text, and those of the states that its words stand for."""
    # 'US' is a country, 'us' is not.
    words = (word if word.isupper() else word.lower() for word in text.replace(".", "").split())
    states = {METONYMS[word] for word in words if word in METONYMS}
    return {term for part in (text, *states) for term in terms(part)} if text else set()


def _affordable(read: Sequence[Sequence[_Statement]]) -> list[str]:
    """The denied texts worth encoding: more of the articles that stand first, and none that words decide already."""
    wanted: list[tuple[float, int, str]] = []
    for rank, statements in enumerate(read):
        if any(item.span.cue and item.share == 1 and item.span.weight > _WORDS_WEIGHT for item in statements):
            continue
        queue = [item for item in statements if item.span.cue and item.span.text and item.share < 1]
        queue.sort(key=lambda item: (not item.share, item.sentence))
        wanted += ((place + rank / _RANKS_A_SPAN, rank, item.span.text) for place, item in enumerate(queue))
    texts: dict[str, None] = {}
    for _, _, text in sorted(wanted):
        if len(texts) == _MAX_SPANS:
            break
        texts.setdefault(text)
    return list(texts)


def _verdict(statements: Sequence[_Statement], cosines: dict[str, float], excepts: bool) -> Verdict:
    """Weighs an article's surest denial against its mentions that are not denied.

    Of an exception the first mention speaks neither for nor against.
    """
    against, surest = 0.0, 0.0
    no: _Statement | None = None
    yes: _Statement | None = None
    mentions = 0.0
    for statement in statements:
        weight = statement.span.weight
        if statement.span.cue:
            strength = weight * _likeness(statement, cosines)
            if strength > against:
                against, no = strength, statement
        else:
            strength = weight * statement.share**2
            mentions += weight * statement.share
            if strength > surest:
                surest, yes = strength, statement
    if excepts:
        surest, mentions = 0.0, max(mentions - 1, 0.0)
    moved = _LIFT * against - _FIRST_MENTION * surest - _EACH_MENTION * min(mentions, _MOST_MENTIONS)
    if no is not None and moved > _LEAST * _LIFT:
        return Verdict("absent", no.sentence, no.span.cue, min(moved / _LIFT, 1.0))
    if yes is not None and moved < -_LEAST * _DROP:
        return Verdict("present", yes.sentence, "", min(-moved / _DROP, 1.0))
    return SILENT


def _likeness(statement: _Statement, cosines: dict[str, float]) -> float:
    """How much a denied span is the denied thing, 0 to 1: by word forms or by meaning, whichever says more."""
    cosine = cosines.get(statement.span.text, 0.0)
    meaning = min(max((cosine - _COSINE_NONE) / (_COSINE_FULL - _COSINE_NONE), 0.0), 1.0)
    return max(_WORDS_WEIGHT * statement.share**2, meaning)
