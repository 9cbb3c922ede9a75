"""Queries that deny something: 'prisoner exchange without mediation'.

Both rankings are blind to it: BM25 rewards the very word that should be absent, and sentence encoders hardly see 'not'.
So a denying query is taken apart into what it affirms and what it denies, and the best candidates are read sentence by
sentence: do they state that the denied thing was absent, or that it was there? Their scores move accordingly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from indexer.analysis import STOP_WORDS, terms
from indexer.lexical import Atom

from .negated_spans import Span, negative_base, spans
from .negation_words import (
    AUXILIARIES,
    CLAIMING,
    FIXED,
    METONYMS,
    PARTICIPLES,
    PREPOSITIONS,
    QUERY_CUES,
    QUERY_STOPS,
    RELATIVES,
    Phrases,
    matched,
)
from .query import ParsedQuery

__all__ = ["Denial", "Encode", "Verdict", "adjusted", "denial", "verdicts", "without_denied"]

Encode = Callable[[list[str]], NDArray[np.float32]]
Floats = NDArray[np.float32]

_COSINE_NONE, _COSINE_FULL = 0.25, 0.70
"""Cosines of two short texts at which they have nothing, and everything, in common for a verdict."""
_WORDS_WEIGHT = 0.9
_MEANING_WEIGHT = 0.6
"""Weight of likeness in meaning alone where a statement denies nothing: near misses are frequent among those."""
_PRESENT, _ABSENT = 0.3, 0.22
"""Strength that a statement of presence, and one of absence, needs to be about the denied thing."""
_ABSENCE_FIRST = 0.25
"""How much weaker a statement of absence may be than one of presence in the same article and still decide."""
_LIFT, _DROP = 3.0, 6.0
"""The most by which a verdict lifts and lowers a score, in log-odds.

An article that states the opposite holds all words of the query; the larger the archive, the farther it stands above.
"""
_REACH = (2.5, 5.0)
"""How far, in log-odds, a score may lie below the best for an article to be lifted fully, and not at all."""
_PUNCTUATION = ",;:!?()."
_DANGLING = frozenset(["that", "which", "where", "with", "who", "and", "in", "whom", "left", "has", "had"])
"""Words that lead to the denied part and are none of the affirmed one's."""
_KEY_WORDS = 6
_RANKS_A_SPAN = 2
"""Places in the ranking that cost an article one of the spans that are encoded."""
_MAX_SPANS = 48


@dataclass(frozen=True, slots=True)
class Denial:
    """What a query denies ('mediation'), by which cue ('without'), and the rest of it ('prisoner exchange')."""

    cue: str
    denied: str
    affirmed: str


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


def denial(query: ParsedQuery) -> Denial | None:
    """What the query denies, or None for the many that deny nothing, or affirm nothing besides.

    Cues count in plain words only. Phrases in quotes, names ('Doctors Without Borders') and fixed compounds ('not
    guilty') deny nothing; neither do claims with a finite verb ('aspirin does not prevent strokes'): who looks one up
    wants to read what speaks for it and what against it.
    """
    atoms = [atom for atom in query.scoring if not atom.field]
    written = [word for atom in atoms for word in (["\0"] if atom.phrase else atom.text.split())]
    words = [word.lower().replace("’", "'").strip(_PUNCTUATION) for word in written]
    found = _first_cue(written, words)
    if found is None:
        return None
    start, end = found
    cue = " ".join(words[start:end])
    base = negative_base(words[start]) if end == start + 1 else None
    if base:
        denied, rest = [base], [*written[:start], *written[end:]]
    else:
        stop = _stop(written, words, end)
        denied, rest = written[end:stop], [*written[:start], *written[stop:]]
        if not denied:
            denied, rest = _before(written, start)
    shown = [word.strip(_PUNCTUATION) for word in rest if word != "\0"]
    denied = [word.strip(_PUNCTUATION) for word in denied if word != "\0"]
    while denied and denied[0].lower() in ("a", "an", "the", "any"):
        denied.pop(0)
    while shown and shown[-1].lower() in _DANGLING:
        shown.pop()
    if not _has_content(denied) or not _has_content(shown):
        return None
    return Denial(cue, " ".join(denied), " ".join(shown))


def without_denied(atoms: Sequence[Atom], denied: Denial) -> tuple[Atom, ...]:
    """The atoms that BM25 should score: those of the affirmed part."""
    affirmed = set(denied.affirmed.split())
    return tuple(atom for atom in atoms if atom.phrase or atom.field or atom.text.strip(_PUNCTUATION) in affirmed)


def verdicts(articles: Sequence[Sequence[str]], denied: Denial, encode: Encode) -> list[Verdict]:
    """What each article, given as its sentences, says of the denied thing.

    `encode` turns texts into unit vectors, float32 (n, d); it is called once, with at most 49 texts of a few words.
    """
    wanted = frozenset(_meant(denied.denied))
    read = [_read(sentences, wanted) for sentences in articles]
    texts = _affordable(read)
    vectors = encode([denied.denied, *texts]) if texts else np.zeros((1, 1), np.float32)
    cosines = dict(zip(texts, (vectors[1:] @ vectors[0]).tolist(), strict=True)) if texts else {}
    return [_verdict(statements, cosines) for statements in read]


def adjusted(scores: Floats, found: Sequence[Verdict]) -> Floats:
    """Scores (n,) in [0, 1], moved by their verdicts: absence up, presence down, silence unchanged.

    Moves are bounded, in log-odds, and an article is lifted the less the farther it lies below the best: one that does
    not match the affirmed part never comes first. The order of articles with the same verdict and strength stays.
    """
    if not len(scores):
        return scores
    inside = np.clip(scores.astype(np.float64), 1e-6, 1 - 1e-6)
    odds = np.log(inside / (1 - inside))
    strength = np.array([verdict.strength for verdict in found])
    odds -= _DROP * strength * np.array([verdict.stance == "present" for verdict in found])
    near = np.clip((_REACH[1] - (odds.max() - odds)) / (_REACH[1] - _REACH[0]), 0, 1)
    odds += _LIFT * strength * near * np.array([verdict.stance == "absent" for verdict in found])
    silent = np.array([verdict.stance == "silent" for verdict in found])
    return np.where(silent, scores, 1 / (1 + np.exp(-odds))).astype(np.float32)


def _has_content(words: Sequence[str]) -> bool:
    return any(not STOP_WORDS.issuperset([word.lower()]) and terms(word) for word in words)


def _before(written: Sequence[str], end: int) -> tuple[list[str], list[str]]:
    """The last word that means something before a cue that ends the query ('attended by nobody'), and the rest."""
    for at in range(end - 1, -1, -1):
        if written[at].lower() not in STOP_WORDS:
            return [written[at]], list(written[:at])
    return [], []


def _first_cue(written: Sequence[str], words: Sequence[str]) -> tuple[int, int] | None:
    """The cue of the query: (first word, word after the last)."""
    at = 0
    prefix: tuple[int, int] | None = None
    while at < len(words):
        if length := _whole(FIXED, written, words, at):
            at += length
            continue
        if (length := _whole(QUERY_CUES, written, words, at)) and _denies(written, words, at, at + length):
            return at, at + length
        if prefix is None and _denying_word(words[at]) and written[at][:1].islower() and _is_short(words):
            prefix = at, at + 1
        at += 1
    return prefix


def _whole(phrases: Phrases, written: Sequence[str], words: Sequence[str], at: int) -> int:
    """The length of the phrase that begins at a word, if no punctuation stands inside it."""
    length = matched(phrases, words, at)
    return 0 if any(word[-1:] in ",;:.?" for word in written[at : at + length - 1]) else length


def _denies(written: Sequence[str], words: Sequence[str], start: int, end: int) -> bool:
    """Whether a cue denies what follows; not in a name, before a number, or in a claim."""
    cue = words[start]
    if _in_name(written, start, end) or written[end - 1][-1:] in ",.:;?!":
        return False
    following = words[end] if end < len(words) else ""
    if cue == "no" and following[:1].isdigit():
        return False
    alone = words[start:end] in (["not"], ["never"])
    if alone and not (_is_participle(following) or PREPOSITIONS.intersection(words[end + 1 : end + 2])):
        return False
    if (alone or words[start:end] == ["no"]) and not CLAIMING.isdisjoint(words[:start]):
        return False
    relative = any(word in RELATIVES for word in words[:start])
    if any(word in AUXILIARIES or word.endswith("n't") for word in words[end:]) and not relative:
        return False
    adverbial = cue in ("without", "with", "in", "except", "instead", "rather", "excluding", "apart")
    return adverbial or relative or not any(word in AUXILIARIES for word in words[:start])


def _is_participle(word: str) -> bool:
    return word in PARTICIPLES or word.endswith("ed")


def _denying_word(word: str) -> str | None:
    """The base of 'unarmed' or 'non-violent'; not of words in -less, most of which are names of what they mean."""
    return None if word.endswith("less") else negative_base(word)


def _is_short(words: Sequence[str]) -> bool:
    """Whether a query is a few key words, where a prefix is meant, and not a claim, where it may well be chance."""
    return len(words) <= _KEY_WORDS and AUXILIARIES.isdisjoint(words)


def _in_name(written: Sequence[str], start: int, end: int) -> bool:
    """Whether the cue is part of a capitalised name: 'Doctors Without Borders', 'No Time to Die'."""
    capital = written[start][:1].isupper()
    if not capital or all(word.isupper() for word in written):
        return False
    return start > 0 or (end < len(written) and written[end][:1].isupper())


def _stop(written: Sequence[str], words: Sequence[str], start: int) -> int:
    """Where the denied part that begins at a word ends: before a word that opens another part."""
    for at in range(start + 1, len(words)):
        if written[at - 1][-1:] in (":", ";", ",") or (
            words[at] in QUERY_STOPS and terms(" ".join(words[start:at])) and words[at - 1] not in PARTICIPLES
        ):
            return at
    return len(words)


@dataclass(frozen=True, slots=True)
class _Statement:
    """A span and the sentence that it stands in; `share` is the part of the denied words that it holds."""

    span: Span
    sentence: int
    share: float


def _read(sentences: Sequence[str], wanted: frozenset[str]) -> list[_Statement]:
    found = []
    for number, sentence in enumerate(sentences):
        for span in spans(sentence):
            held = wanted & _meant(span.text)
            found.append(_Statement(span, number, len(held) / max(len(wanted), 1)))
    return found


def _meant(text: str) -> set[str]:
    """The terms of a text, and those of the states that its words stand for."""
    # 'US' is a country, 'us' is not.
    words = (word if word.isupper() else word.lower() for word in text.replace(".", "").split())
    states = {METONYMS[word] for word in words if word in METONYMS}
    return {term for part in (text, *states) for term in terms(part)} if text else set()


def _affordable(read: Sequence[Sequence[_Statement]]) -> list[str]:
    """The texts worth encoding: of each article its denials, then the rest, and more of those that stand first.

    Not what words decide already.
    """

    def order(statement: _Statement) -> tuple[bool, bool, int]:
        return not statement.span.cue, not statement.share, statement.sentence

    wanted: list[tuple[float, int, str]] = []
    for rank, statements in enumerate(read):
        if any(item.span.cue and item.share == 1 and item.span.weight > _WORDS_WEIGHT for item in statements):
            continue
        queue = sorted((item for item in statements if item.span.text and item.share < 1), key=order)
        wanted += ((place + rank / _RANKS_A_SPAN, rank, item.span.text) for place, item in enumerate(queue))
    texts: dict[str, None] = {}
    for _, _, text in sorted(wanted):
        if len(texts) == _MAX_SPANS:
            break
        texts.setdefault(text)
    return list(texts)


def _verdict(statements: Sequence[_Statement], cosines: dict[str, float]) -> Verdict:
    absent, present = (0.0, None), (0.0, None)
    best: dict[bool, tuple[float, _Statement | None]] = {True: absent, False: present}
    for statement in statements:
        strength = statement.span.weight * _likeness(statement, cosines)
        denies = bool(statement.span.cue)
        if strength > best[denies][0]:
            best[denies] = strength, statement
    (against, no), (in_favour, yes) = best[True], best[False]
    if no is not None and against >= _ABSENT and against >= in_favour - _ABSENCE_FIRST:
        return Verdict("absent", no.sentence, no.span.cue, min(against, 1.0))
    if yes is not None and in_favour >= _PRESENT:
        return Verdict("present", yes.sentence, "", min(in_favour, 1.0))
    return SILENT


def _likeness(statement: _Statement, cosines: dict[str, float]) -> float:
    """How much a span is about the denied thing, 0 to 1: by word forms or by meaning, whichever says more."""
    cosine = cosines.get(statement.span.text, 0.0)
    meaning = min(max((cosine - _COSINE_NONE) / (_COSINE_FULL - _COSINE_NONE), 0.0), 1.0)
    return max(_WORDS_WEIGHT * statement.share**2, meaning * (1.0 if statement.span.cue else _MEANING_WEIGHT))
