"""Did you mean: spelling suggestions from the words of the articles themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import regex
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

from indexer.text.analysis import terms
from indexer.text.word_forms import STOP_WORDS, fold
from search_app.query.parsed import ParsedQuery, replace_atoms
from search_app.results import Suggestion

__all__ = ["RARE", "Speller", "suggest"]

_LEAST_LETTERS = 4
# From this length on, two slips are allowed.
_LONG_WORD = 8
# A word of the articles is only doubted when it is in very few of them and a word next to it in very many.
RARE = 2
_FAR_MORE = 100
# In units of the logarithm of an article count: one more slip has to be made up for by twelve times the articles.
_SLIP_COST = 2.5
_OTHER_INITIAL_COST = 1.5

_WORD = regex.compile(r"(?<![\p{L}\p{M}\p{N}])\p{L}[\p{L}\p{M}]{3,63}(?![\p{L}\p{M}\p{N}])")


class Speller:
    """Finds the likeliest word of the articles for a word that is in none or nearly none of them.

    `vocabulary` gives (word, number of articles with it), the words as `analysis.surfaces` has them: folded but not
    stemmed, because a suggestion is shown to people. `frequency` says how many articles have a term of the index.
    The distance is the optimal string alignment distance (insertions, deletions, substitutions, swaps of neighbours):
    1, or 2 from eight letters on. Nothing changes after construction, so threads can share it.
    """

    def __init__(self, vocabulary: Iterable[tuple[str, int]], frequency: Callable[[str], int]) -> None:
        self._counts = dict(vocabulary)
        self._frequency = frequency
        self._words = list(self._counts)
        self._lengths = np.array([len(word) for word in self._words], dtype=np.int32)
        self._letters = _letter_sets(self._words, self._lengths)

    def correct(self, word: str) -> str | None:
        """The word that is meant, in the case of `word`, or None when there is nothing to correct.

        Never changed are words under four letters, with digits or marks, stop words, and words of which the articles
        have another form ('mediating' where they have 'mediation').
        """
        folded = fold(word)
        if len(folded) < _LEAST_LETTERS or not folded.isalpha() or folded in STOP_WORDS:
            return None
        count = max(map(self._frequency, terms(folded)))
        if count > RARE:
            return None
        slips = 2 if len(folded) >= _LONG_WORD and not count else 1
        best, best_value = None, -math.inf
        for candidate, distance, _ in process.extract(
            folded, self._alike(folded, slips), scorer=OSA.distance, score_cutoff=slips, limit=None
        ):
            articles = self._counts[candidate]
            if distance == 0 or (count and articles < _FAR_MORE * count):
                continue
            value = math.log(articles) - _SLIP_COST * distance - _OTHER_INITIAL_COST * (candidate[0] != folded[0])
            # Equals are told apart by the alphabet: the same articles give the same suggestion.
            if value > best_value or (value == best_value and best is not None and candidate < best):
                best, best_value = candidate, value
        return None if best is None else _in_case_of(word, best)

    def _alike(self, word: str, slips: int) -> list[str]:
        """All words that can be within `slips` of `word`, and few others: each slip changes two letters at most."""
        letters = _letter_sets([word], np.array([len(word)], dtype=np.int32))
        alike = np.abs(self._lengths - len(word)) <= slips
        alike &= np.bitwise_count(self._letters ^ letters) <= 2 * slips
        return [self._words[index] for index in np.flatnonzero(alike)]


def suggest(query: ParsedQuery, speller: Speller) -> Suggestion | None:
    """The query with its misspelt words corrected; operators, phrases, filters and excluded words stay as they are."""
    corrected: dict[str, str] = {}
    for atom in query.scoring:
        for word in _WORD.findall(atom.text):
            if word not in corrected:
                corrected[word] = speller.correct(word) or word
    texts = {atom: _WORD.sub(lambda match: corrected[match.group()], atom.text) for atom in query.scoring}
    if all(atom.text == text for atom, text in texts.items()):
        return None
    text = replace_atoms(query, texts).text
    return Suggestion(kind="spelling", text=text, query=text)


def _in_case_of(model: str, word: str) -> str:
    if model.isupper():
        return word.upper()
    return word.capitalize() if model[0].isupper() else word


def _letter_sets(words: list[str], lengths: NDArray[np.int32]) -> NDArray[np.uint64]:
    """For each word the set of its letters, as bits; letters that are 64 apart share one."""
    if not words:
        return np.empty(0, dtype=np.uint64)
    codes = np.frombuffer("".join(words).encode("utf-32-le"), dtype=np.uint32) % 64
    starts = np.concatenate(([0], np.cumsum(lengths[:-1])))
    bits: NDArray[np.uint64] = np.bitwise_or.reduceat(np.left_shift(np.uint64(1), codes.astype(np.uint64)), starts)
    return bits
