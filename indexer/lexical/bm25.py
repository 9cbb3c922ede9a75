"""BM25: the formula over stored frequencies, its parameters, and what a query is to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue import Mask, Rows
from indexer.lexical.frequencies import Frequencies
from indexer.text.analysis import analyse

__all__ = [
    "K1",
    "TITLE_WEIGHT",
    "Atom",
    "B",
    "Bm25",
    "Bm25Model",
    "Bm25Scores",
    "best_rows",
    "bm25_idf",
    "query_terms",
]

K1 = 1.2
"""How soon further occurrences of a word stop to count (BM25's k1)."""
B = 0.75
"""How much the length of an article matters (BM25's b)."""
TITLE_WEIGHT = 3
"""How many times an occurrence in the title counts, in term frequency and in length."""


@dataclass(frozen=True, slots=True)
class Bm25:
    """BM25's parameters; what is not said is the product's default. None of them needs another index."""

    k1: float = K1
    b: float = B
    title_weight: float = TITLE_WEIGHT


@dataclass(frozen=True, slots=True)
class Atom:
    """A word or an exact phrase of a query, looked up in the whole article (title and text) or in one field.

    `text` is as typed, without quotes and operators; the index analyses it. `field` is None or 'title'.
    """

    text: str
    phrase: bool = False
    field: str | None = None


class Bm25Model:
    """The formula over the articles of a generation."""

    def __init__(self, frequencies: Frequencies, parameters: Bm25) -> None:
        self.frequencies = frequencies
        self.parameters = parameters
        lengths = frequencies.text_lengths + parameters.title_weight * frequencies.title_lengths
        self.count = len(lengths)
        self.mean_length = float(lengths.mean()) if len(lengths) else 1.0
        k1, b = parameters.k1, parameters.b
        self._norm = (k1 * (1 - b + b * lengths / max(self.mean_length, 1.0))).astype(np.float32)

    def postings(self, term: str, field: str) -> tuple[Rows, NDArray[np.float32]]:
        """The articles that hold a term in `field` ('' for the whole article), and its weighted frequency there."""
        found = self.frequencies.postings(term)
        if field == "title":
            held = found.in_title > 0
            return found.rows[held], found.in_title[held]
        return found.rows, found.in_text + self.parameters.title_weight * found.in_title

    def frequency(self, term: str, field: str, rows: Rows) -> NDArray[np.float32]:
        """The weighted frequency of a term in `field` of the articles at `rows`."""
        in_text, in_title = self.frequencies.at(term, rows)
        return in_title if field == "title" else in_text + self.parameters.title_weight * in_title

    def holders(self, term: str, field: str) -> int:
        """The number of articles that hold a term in `field`."""
        return len(self.postings(term, field)[0]) if field else self.frequencies.count(term)

    def part(self, idf: float, frequency: NDArray[np.float32], rows: Rows) -> NDArray[np.float32]:
        """What one term gives to the scores of the articles at `rows`."""
        return (np.float32(idf * (self.parameters.k1 + 1)) * frequency) / (frequency + self._norm[rows])


class Bm25Scores:
    """One query's view of the articles of a generation, computed when first asked for."""

    def __init__(self, model: Bm25Model, terms: Mapping[tuple[str, str], int]) -> None:
        self._model = model
        self._terms = {
            (term, field): weight * bm25_idf(model.count, model.holders(term, field))
            for (term, field), weight in terms.items()
        }
        self._mass = sum(self._terms.values())
        self._every: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    @property
    def bound(self) -> float:
        """What no score reaches: that of an article which says nothing but the query's words, over and over."""
        return self._mass * (self._model.parameters.k1 + 1)

    def best(self, count: int, allowed: Mask | None = None) -> Rows:
        """The `count` articles with the greatest BM25 that `allowed` admits, best first, equals by row.

        Articles without any word of the query are never among them.
        """
        scores = self._all()[0]
        rows = np.flatnonzero(scores > 0 if allowed is None else allowed & (scores > 0))
        return best_rows(rows, scores[rows], count)

    def bm25(self, rows: Rows) -> NDArray[np.float32]:
        """BM25 of the articles at `rows`, float32 (n,): 0 where no word of the query occurs."""
        return self._all()[0][rows]

    def coverage(self, rows: Rows) -> NDArray[np.float32]:
        """The share of the query's idf mass whose words each article at `rows` holds, float32 (n,), 0 to 1.

        Words that no article holds count with the greatest idf there can be.
        """
        return self._all()[1][rows]

    def most_covered(self, count: int) -> Rows:
        """The `count` articles of all with the greatest coverage, best first, equals by row."""
        coverage = self._all()[1]
        return best_rows(np.arange(len(coverage)), coverage, count)

    def _all(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """BM25 and coverage of every article."""
        if self._every is None:
            bm25 = np.zeros(self._model.count, np.float32)
            coverage = np.zeros(self._model.count, np.float32)
            for (term, field), idf in self._terms.items():
                rows, frequency = self._model.postings(term, field)
                bm25[rows] += self._model.part(idf, frequency, rows)
                coverage[rows] += np.float32(idf)
            if self._mass:
                coverage /= np.float32(self._mass)
            self._every = bm25, coverage
        return self._every


def best_rows(rows: Rows, scores: NDArray[np.float32], count: int) -> Rows:
    """The `count` of `rows` with the greatest scores (n,), best first, equals by row."""
    if len(rows) > count:
        least = np.partition(scores, len(rows) - count)[len(rows) - count]
        above = np.flatnonzero(scores > least)
        equal = np.flatnonzero(scores == least)
        kept = np.concatenate([above, equal[np.argsort(rows[equal])][: count - len(above)]])
        rows, scores = rows[kept], scores[kept]
    return rows[np.lexsort((rows, -scores))]


def query_terms(atoms: Sequence[Atom]) -> Counter[tuple[str, str]]:
    """(term, field) of a query and how often each is asked for; stop words only where there is nothing else."""
    terms: Counter[tuple[str, str]] = Counter()
    for keep in (False, True):
        for atom in atoms:
            terms.update((token.term, atom.field or "") for token in analyse(atom.text, keep_stop_words=keep))
        if terms:
            break
    return terms


def bm25_idf(count: int, frequency: int) -> float:
    """log(1 + (N - df + 0.5) / (df + 0.5)) for `count` articles, `frequency` of which hold the term."""
    return float(np.log1p((count - frequency + 0.5) / (frequency + 0.5)))
