"""Merging two rankings: pure functions on arrays.

Both legs' scores are put on one scale before they are added: each is turned into standard deviations above the mean of
the whole corpus for this query, which holds for any query and any corpus size, unlike scaling by the maximum found
(Bruch, Gai and Ingber 2023, "An Analysis of Fusion Functions for Hybrid Retrieval", on convex combinations).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DENSE_FLOOR",
    "DENSE_WEIGHT",
    "LEXICAL_FLOOR",
    "PASSAGE_WEIGHTS",
    "Fused",
    "Merging",
    "article_scores",
    "convex",
    "dense_confidence",
    "lexical_confidence",
    "relevant",
    "rrf",
]

Floats = NDArray[np.float32]

DENSE_WEIGHT = 0.7
"""Weight of the dense leg; flat between 0.6 and 0.8 on the collections measured."""
PASSAGE_WEIGHTS = (1.0, 0.5, 0.25)
"""Weights of an article's best, second and third best passage in its dense score."""
DENSE_FLOOR = 0.30
"""Cosine of an article's best passage below which meaning alone is no reason to show it."""
LEXICAL_FLOOR = 0.5
"""Share of the query's idf mass below which words alone are no reason to show an article."""
RRF_K = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009)."""
_MIDPOINT = 4.0
_SLOPE = 0.8


@dataclass(frozen=True, slots=True)
class Merging:
    """How two rankings become one; what is not said is the product's default.

    `method` is 'convex' (by scores) or 'rrf' (by ranks), `dense_weight` in [0, 1] the share of the dense leg in the
    former. `passage_weights` are those of an article's best, second best ... passage. Without `floors` every candidate
    is ranked, relevant or not: that is for measuring what the floors do.
    """

    method: str = "convex"
    dense_weight: float = DENSE_WEIGHT
    passage_weights: tuple[float, ...] = PASSAGE_WEIGHTS
    floors: bool = True


@dataclass(frozen=True, slots=True)
class Fused:
    """Final scores in [0, 1] and the lexical leg's share of each, both float32 (n,)."""

    scores: Floats
    lexical_share: Floats


def article_scores(
    passage_scores: Floats, starts: NDArray[np.int64], weights: Sequence[float] = PASSAGE_WEIGHTS
) -> Floats:
    """An article's dense score: the weighted mean of its best passages.

    `passage_scores` (n,) holds the passages of one article after those of another, best first; `starts` (m,) says where
    each article begins. An article with fewer passages than weights counts its best one instead, so that a short
    article is no worse off than a long one.
    """
    counts = np.diff(np.append(starts, len(passage_scores)))
    total = np.zeros(len(starts))
    for place, weight in enumerate(weights):
        total += weight * passage_scores[np.where(counts > place, starts + place, starts)]
    return (total / sum(weights)).astype(np.float32)


def convex(
    lexical: Floats,
    lexical_corpus: Floats,
    dense: Floats,
    dense_mean: float,
    dense_deviation: float,
    weight: float = DENSE_WEIGHT,
) -> Fused:
    """Weighted sum of both legs' standard scores.

    `lexical` (n,) are the candidates' BM25 scores and `lexical_corpus` those of all articles, zeros included; `dense`
    (n,) cosines, with mean and standard deviation of the query's cosine over all passages.
    """
    lexical_part = (1 - weight) * _standard(lexical, float(lexical_corpus.mean()), float(lexical_corpus.std()))
    dense_part = weight * _standard(dense, dense_mean, dense_deviation)
    return Fused(_confidence(lexical_part + dense_part), _share(lexical_part, dense_part))


def rrf(lexical_rank: NDArray[np.int64], dense_rank: NDArray[np.int64]) -> Fused:
    """Reciprocal rank fusion, scaled so that first in both legs is 1; rank 0 means 'not ranked' and gives nothing."""
    parts = [np.where(rank > 0, (RRF_K + 1) / 2 / (RRF_K + rank), 0.0) for rank in (lexical_rank, dense_rank)]
    return Fused((parts[0] + parts[1]).astype(np.float32), _share(*parts))


def lexical_confidence(lexical: Floats, lexical_corpus: Floats, coverage: Floats) -> Floats:
    """Scores in [0, 1] for the lexical ranking alone; monotonous in BM25."""
    if not len(lexical):
        return np.empty(0, np.float32)
    return _confidence(_standard(lexical, float(lexical_corpus.mean()), float(lexical_corpus.std())))


def dense_confidence(dense: Floats, mean: float, deviation: float) -> Floats:
    """Scores in [0, 1] for the dense ranking alone; monotonous in the cosine."""
    return _confidence(_standard(dense, mean, deviation))


def relevant(dense: Floats, coverage: Floats) -> NDArray[np.bool_]:
    """Which candidates have a reason to be shown: near enough in meaning, or holding enough of the query's words."""
    return (dense >= DENSE_FLOOR) | (coverage >= LEXICAL_FLOOR)


def _standard(scores: NDArray[np.floating], mean: float, deviation: float) -> NDArray[np.float64]:
    if deviation <= 1e-9:
        return np.zeros(len(scores))
    return (scores.astype(np.float64) - mean) / deviation


def _confidence(standard: NDArray[np.floating]) -> Floats:
    return (1 / (1 + np.exp(-_SLOPE * (standard - _MIDPOINT)))).astype(np.float32)


def _share(lexical: NDArray[np.floating], dense: NDArray[np.floating]) -> Floats:
    """The part of the sum that came from the lexical leg; a leg that speaks against an article has no share in it."""
    mine, other = np.maximum(lexical, 0), np.maximum(dense, 0)
    total = mine + other
    return np.divide(mine, total, out=np.full(len(total), 0.5), where=total > 0).astype(np.float32)
