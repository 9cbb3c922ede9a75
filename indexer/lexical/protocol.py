"""What the lexical index does, and what a query looks like to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexer.article import Article
from indexer.catalogue import Catalogue, Mask, Rows

__all__ = ["K1", "TITLE_WEIGHT", "Atom", "B", "Bm25", "LexicalIndex", "LexicalScores", "LexicalUpdate", "bm25_idf"]

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


@dataclass(frozen=True, slots=True)
class LexicalUpdate:
    """An order to write into `folder` the lexical index of `catalogue`: what `previous` holds, less `removed`,
    plus `added`.

    With `previous` None, `added` must be everything; it is empty where what is added comes as indexes to be joined.
    Both are pairs of store row and article, and are read once. `name` is new for every update, so that a file name
    never stands for two contents.
    """

    folder: Path
    previous: Path | None
    catalogue: Catalogue
    added: Iterable[tuple[int, Article]]
    removed: Iterable[tuple[int, Article]]
    name: str


class LexicalScores(Protocol):
    """One query's view of the articles of a generation, computed only as far as it is asked for."""

    @property
    def bound(self) -> float:
        """What no score reaches: that of an article which says nothing but the query's words, over and over."""
        ...

    def best(self, count: int, allowed: Mask | None = None) -> Rows:
        """The `count` articles with the greatest BM25 that `allowed` admits, best first, equals by row.

        Articles without any word of the query are never among them.
        """
        ...

    def bm25(self, rows: Rows) -> NDArray[np.float32]:
        """BM25 of the articles at `rows`, float32 (n,): 0 where no word of the query occurs."""
        ...

    def coverage(self, rows: Rows) -> NDArray[np.float32]:
        """The share of the query's idf mass whose words each article at `rows` holds, float32 (n,), 0 to 1.

        Words that no article holds count with the greatest idf there can be.
        """
        ...

    def most_covered(self, count: int) -> Rows:
        """The `count` articles of all with the greatest coverage, best first, equals by row."""
        ...


class LexicalIndex(Protocol):
    """BM25 over whole articles, and exact matching."""

    def score(self, atoms: Sequence[Atom]) -> LexicalScores:
        """BM25 of every article (Robertson and Zaragoza 2009, with Lucene's never negative idf).

        tf and length are those of the text plus TITLE_WEIGHT times those of the title.
        """
        ...

    def held_words(self, atoms: Sequence[Atom], rows: Rows) -> list[tuple[str, ...]]:
        """For each article at `rows`, the words of the query, as typed, that it holds in any form."""
        ...

    def match(self, atom: Atom) -> Mask:
        """The articles that hold a word (any of its forms) or an exact phrase."""
        ...

    def idf(self, term: str) -> float:
        """The idf of an analysed term."""
        ...

    def frequency(self, term: str) -> int:
        """The number of articles that hold an analysed term."""
        ...

    def vocabulary(self) -> Mapping[str, int]:
        """Folded surface forms of words, with the number of articles each occurs in."""
        ...


def bm25_idf(count: int, frequency: int) -> float:
    """log(1 + (N - df + 0.5) / (df + 0.5)) for `count` articles, `frequency` of which hold the term."""
    return float(np.log1p((count - frequency + 0.5) / (frequency + 0.5)))
