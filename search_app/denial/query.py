"""Queries that deny something: 'prisoner exchange without mediation'.

Both rankings are blind to it: BM25 rewards the very word that should be absent, and sentence encoders hardly see 'not'.
So a denying query is taken apart here into what it affirms and what it denies; `stances` reads what articles say of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.lexical.bm25 import Atom
from indexer.text.analysis import terms
from indexer.text.word_forms import STOP_WORDS
from search_app.denial.spans import negative_base
from search_app.denial.words import (
    AUXILIARIES,
    CLAIMING,
    DANGLING,
    ENDING,
    EXCEPTING,
    FIXED,
    FOLLOWING_VERBS,
    LEADING,
    PARTICIPLES,
    PAST_AUXILIARIES,
    PREPOSITIONS,
    QUERY_CUES,
    QUERY_STOPS,
    RELATIVES,
    SUBJECTS,
    VERBAL_QUERY_CUES,
    Phrases,
    matched,
)
from search_app.query.parsed import ParsedQuery

__all__ = ["Denial", "denial", "without_denied"]

_PUNCTUATION = ",;:!?()."
_NOUN_PREPOSITIONS = frozenset(["on", "for"])
"""What ends the denied part only before a name, a day or a number: 'a question on religion', 'no talks on Monday'."""
_SPEAKERS = frozenset(["i", "you", "we"])
"""Subjects of sentences, not of what is looked for."""
_KEY_WORDS = 6
_CLAIM_WORDS = 12
"""Words from which on a query with a finite denial is a claim."""


@dataclass(frozen=True, slots=True)
class Denial:
    """What a query denies ('mediation'), by which cue ('without'), and the rest of it ('prisoner exchange')."""

    cue: str
    denied: str
    affirmed: str

    @property
    def excepts(self) -> bool:
        """Whether the denied thing is an exception, which an article that fits has to name.

        'Local but not national elections' makes one; 'quake but no injuries' is a quake without them.
        """
        return self.cue.split()[0] in EXCEPTING and self.cue != "but no"


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
    denied, rest = _parts(written, words, start, end)
    denied, rest = _plain_words(denied), _plain_words(rest)
    while denied and denied[0].lower() in LEADING:
        denied.pop(0)
    while denied and denied[-1].lower() in ("by", "or", "to"):
        denied.pop()
    while rest and rest[-1].lower() in DANGLING:
        rest.pop()
    if not _has_content(denied) or not _has_content(rest):
        return None
    return Denial(" ".join(words[start:end]), " ".join(denied), " ".join(rest))


def without_denied(atoms: Sequence[Atom], denied: Denial) -> tuple[Atom, ...]:
    """The atoms that BM25 should score: those of the affirmed part, and a word that denies in itself ('unmanned')."""
    affirmed = {*denied.affirmed.split(), *([denied.cue] if negative_base(denied.cue) else [])}
    return tuple(atom for atom in atoms if atom.phrase or atom.field or atom.text.strip(_PUNCTUATION) in affirmed)


def _plain_words(words: Sequence[str]) -> list[str]:
    return [bare for word in words if word != "\0" and (bare := word.strip(_PUNCTUATION))]


def _has_content(words: Sequence[str]) -> bool:
    return any(not STOP_WORDS.issuperset([word.lower()]) and terms(word) for word in words)


def _parts(written: Sequence[str], words: Sequence[str], start: int, end: int) -> tuple[list[str], list[str]]:
    """The denied words of a query with a cue at [start, end), and the others."""
    base = negative_base(words[start]) if end == start + 1 else None
    if base:
        return [base], [*written[:start], *written[end:]]
    if words[start] in ("absent", "nowhere"):
        return _subject(written, words, start, end)
    stop = _stop(written, words, end)
    denied, before = list(written[end:stop]), start
    if not _has_content(_plain_words(denied)) and matched(ENDING, words, start) != end - start:
        # What it denies has been left away, or is not typed yet.
        return [], []
    if words[start] in SUBJECTS:
        if start > 1 and words[start - 1] == "by" and _is_participle(words[start - 2]):
            # 'backed by neither the board nor the union' denies that the board or the union backed it.
            before, denied = start - 2, [*written[start - 2 : start], *denied]
        denied = ["or" if word.lower() == "nor" else word for word in denied]
    if not _has_content(_plain_words(denied)):
        return _before(written, start)
    return denied, [*written[:before], *written[stop:]]


def _before(written: Sequence[str], end: int) -> tuple[list[str], list[str]]:
    """The last word that means something before a cue that ends the query ('attended by nobody'), and the rest."""
    for at in range(end - 1, -1, -1):
        if written[at].lower() not in STOP_WORDS:
            return [written[at]], list(written[:at])
    return [], []


def _subject(written: Sequence[str], words: Sequence[str], start: int, end: int) -> tuple[list[str], list[str]]:
    """What is said to be absent: 'summit with the president absent', 'king absent from the coronation'."""
    if words[end : end + 1] in (["from"], ["at"]):
        return list(written[:start]), list(written[end + 1 :])
    for at in range(start - 1, 0, -1):
        if words[at] in ("with", "and", "but", "while"):
            return list(written[at + 1 : start]), list(written[:at])
    return [], []


def _first_cue(written: Sequence[str], words: Sequence[str]) -> tuple[int, int] | None:
    """The cue of the query: (first word, word after the last)."""
    at = 0
    prefix: tuple[int, int] | None = None
    while at < len(words):
        if length := _whole(FIXED, written, words, at):
            at += length
            continue
        if length := _finite(written, words, at):
            return at, at + length
        if (length := _whole(QUERY_CUES, written, words, at)) and _denies(written, words, at, at + length):
            return at, at + length
        if prefix is None and negative_base(words[at]) and written[at][:1].islower() and _is_short(words):
            prefix = at, at + 1
        at += 1
    return prefix


def _whole(phrases: Phrases, written: Sequence[str], words: Sequence[str], at: int) -> int:
    """The length of the phrase that begins at a word, if no punctuation stands inside it."""
    length = matched(phrases, words, at)
    return 0 if any(word[-1:] in ",;:.?" for word in written[at : at + length - 1]) else length


def _finite(written: Sequence[str], words: Sequence[str], at: int) -> int:
    """The length of a cue with a verb that begins at a word ('did not', 'failed to'); 0 where it makes a claim.

    After 'that' or 'who' it qualifies what is looked for. Elsewhere only the past tells of an event, and only in words
    typed as key words are: a headline or a sentence is a claim.
    """
    if not at or _in_name(written, at, at + 1) or words[at - 1] in _SPEAKERS:
        return 0
    relative = not RELATIVES.isdisjoint(words[:at])
    if words[at].endswith("n't"):
        length, past = 1, words[at][:-3] in PAST_AUXILIARIES
    elif words[at] in AUXILIARIES and words[at + 1 : at + 2] in (["not"], ["never"]):
        length, past = 2, words[at] in PAST_AUXILIARIES
    else:
        length, past = _whole(VERBAL_QUERY_CUES, written, words, at), True
    if not length or written[at + length - 1][-1:] in ",.:;?!":
        return 0
    return length if relative or (past and not _is_claim(written, words)) else 0


def _is_claim(written: Sequence[str], words: Sequence[str]) -> bool:
    long = [word for word in written[1:] if len(word) > 3 and word.isalpha()]
    titled = sum(word[0].isupper() for word in long) * 2 > len(long)
    stressed = "NOT" in written or any(word.endswith(":") for word in written)
    return titled or stressed or len(written) >= _CLAIM_WORDS or not CLAIMING.isdisjoint(words)


def _denies(written: Sequence[str], words: Sequence[str], start: int, end: int) -> bool:
    """Whether a cue denies what follows; not in a name, before a number, or in a claim."""
    cue, phrase = words[start], words[start:end]
    following = words[end] if end < len(words) else ""
    if _in_name(written, start, end) or written[end - 1][-1:] in ",.:;?!":
        return False
    if (cue == "no" and following[:1].isdigit()) or (cue.startswith("avoid") and words[start - 1 : start] == ["to"]):
        return False
    alone = phrase in (["not"], ["never"])
    if alone and not (_is_participle(following) or PREPOSITIONS.intersection(words[end + 1 : end + 2])):
        return words[start - 1 : start] in (["having"], ["being"]) and following != ""
    if (alone or phrase == ["no"]) and not CLAIMING.isdisjoint(words[:start]):
        return False
    if start and (cue in SUBJECTS - {"no"} or phrase == ["no", "one"]):
        return True
    return _in_fragment(words, start, end)


def _in_fragment(words: Sequence[str], start: int, end: int) -> bool:
    """Whether the words around a cue look for something, and do not claim it with a verb of their own."""
    if any(word in RELATIVES for word in words[:start]):
        return True
    if any(word in AUXILIARIES or word.endswith("n't") for word in words[end:]):
        return False
    adverbial = words[start] in ("without", "with", "in", "except", "instead", "rather", "excluding", "apart", "but")
    return adverbial or not any(word in AUXILIARIES for word in words[:start])


def _is_participle(word: str) -> bool:
    return word in PARTICIPLES or word.endswith("ed")


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
        if written[at - 1][-1:] in (":", ";", ","):
            return at
        if not terms(" ".join(words[start:at])) or words[at - 1] in PARTICIPLES:
            continue
        inner = words[at] in _NOUN_PREPOSITIONS and at + 1 < len(words) and written[at + 1][:1].islower()
        if (words[at] in QUERY_STOPS and not inner) or words[at] in FOLLOWING_VERBS:
            return at
    return len(words)
