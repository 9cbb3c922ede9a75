"""Merging two rankings: pure functions on arrays, of which entry i stands for the i-th of n candidate articles.

Both legs' scores are put on one scale, 0 to 1, that depends on nothing but the query: BM25 over the most that BM25 can
give for this query, and the cosine as it is. So a score means the same whatever else is in the corpus, and the sum of
both tells how good an article is, not only which article is better (Bruch, Gai and Ingber 2023, "An Analysis of Fusion
Functions for Hybrid Retrieval", on convex combinations with theoretical bounds). What was measured: docs/relevance.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_app.options import Fusion
from search_app.ranking.odds import logistic

__all__ = [
    "DENSE_WEIGHT",
    "PASSAGE_WEIGHTS",
    "DenseScale",
    "Fused",
    "Merging",
    "article_scores",
    "convex",
    "dense_confidence",
    "dense_scale",
    "lexical_confidence",
    "near_enough",
    "on_topic",
    "reasons",
    "relevant",
    "rrf",
    "words_enough",
]

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

DENSE_WEIGHT = 0.4
"""Weight of the dense leg, in [0, 1]; flat around its value on the collections measured."""
PASSAGE_WEIGHTS = (1.0,)
"""Weights of an article's best, second best ... passage in its dense score: the best one counts (MaxP: Dai and Callan
2019, "Deeper Text Understanding for IR with Contextual Neural Language Modeling")."""
RRF_K = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009)."""

# An article's reason to be shown is its best passage's cosine plus half the share of the query's idf mass that it
# holds. The second number is what the best article of an answer must reach for there to be an answer at all.
_COVERAGE_WEIGHT = 0.5
_REASON, _BEST_REASON = 0.30, 0.42
_LENIENT_REASONS = 0.10, 0.30
_ON_TOPIC = 0.18
"""Reason that an article must have to be in the answer to a denying query: who states an absence may use none of the
query's words. The articles that fit, of the pairs in docs/relevance.md, have 0.19 and more."""
_ALL_WORDS = 0.9
"""Coverage that is reason enough by itself: a rare name typed alone, whatever the encoder makes of it."""
_NEAR = 0.25
_COVERED, _BEST_COVERED = 0.05, 0.20

# Logistic curves from the sum, the lexical and the dense score to the share of articles judged relevant: slope, middle.
_HYBRID_CURVE = (8.0, 0.56)
_LEXICAL_CURVE = (7.0, 0.53)
_DENSE_CURVE = (7.3, 0.70)

_FEWEST_PASSAGES = 200
_USUAL_DIVERSITY = 0.75


@dataclass(frozen=True, slots=True)
class Merging:
    """How two rankings become one; what is not said is the product's default.

    `method` is 'convex' (by scores) or 'rrf' (by ranks), `dense_weight` in [0, 1] the share of the dense leg in the
    former. `passage_weights` are those of an article's best, second best ... passage. Without `floors` every candidate
    is ranked, relevant or not: that is for measuring what the floors do. `lenient` lowers them for queries whose denied
    words pull them away from what fits.
    """

    method: Fusion = "convex"
    dense_weight: float = DENSE_WEIGHT
    passage_weights: tuple[float, ...] = PASSAGE_WEIGHTS
    floors: bool = True
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Fused:
    """`scores` float32 (n,) in [0, 1], the final ones; `lexical_share` float32 (n,) in [0, 1], the part of each that
    came from the lexical leg (0.5 where neither leg gave anything)."""

    scores: Floats
    lexical_share: Floats


@dataclass(frozen=True, slots=True)
class DenseScale:
    """What a cosine is worth: `background` in [0, 0.95] is where the encoder puts texts that have nothing to do with
    one another, `trust` in (0, 1] how well it tells the passages of this corpus apart."""

    background: float = 0.0
    trust: float = 1.0

    def of(self, cosines: Floats) -> Floats:
        """Cosines, float32 (n,) in [-1, 1], on the scale of the fusion: trust (cosine - background) / (1 - background).

        float32 (n,): 0 for unrelated, at most 1; below 0 for less than unrelated.
        """
        factor = self.trust / (1 - self.background)
        return ((cosines - self.background) * factor).astype(np.float32)


def dense_scale(mean: NDArray[np.float64], passages: int, background: float) -> DenseScale:
    """The scale for a corpus of so many `passages`, with the mean vector `mean` of theirs, float64 (d,).

    `background` is the encoder's mean cosine between unrelated texts, measured when it was exported; it is taken to lie
    in [0, 0.95].

    The squared length of the mean is the mean cosine between passages, by which Ethayarajh (2019, "How Contextual are
    Contextualized Word Representations?") measures anisotropy. Where it is high beyond the encoder's background, all
    passages look alike to it, as they do in a language that it never learned: then words count more. Too few passages
    say nothing about that. From one to the other the rule is Concord's own.
    """
    background = min(max(background, 0.0), 0.95)
    if passages < _FEWEST_PASSAGES:
        return DenseScale(background)
    alike = (float(mean @ mean) - background) / (1 - background)
    return DenseScale(background, min(1.0, max(1 - alike, 0.05) / _USUAL_DIVERSITY))


def article_scores(
    passage_scores: Floats, starts: NDArray[np.int64], weights: Sequence[float] = PASSAGE_WEIGHTS
) -> Floats:
    """The dense scores of m articles, float32 (m,) in [-1, 1]: the weighted mean of the best passages of each.

    `passage_scores` float32 (p,) are cosines: the passages of one article after those of another, best first. `starts`
    int64 (m,) says where each article begins, `weights` what its best, second best ... passage counts; they need not
    add up to 1. An article with fewer passages than weights counts its best one instead, so that a short article is no
    worse off than a long one. With one weight this is MaxP, see PASSAGE_WEIGHTS.
    """
    counts = np.diff(np.append(starts, len(passage_scores)))
    total = np.zeros(len(starts))
    for place, weight in enumerate(weights):
        total += weight * passage_scores[np.where(counts > place, starts + place, starts)]
    return (total / sum(weights)).astype(np.float32)


def convex(lexical: Floats, bound: float, dense: Floats, weight: float = DENSE_WEIGHT) -> Fused:
    """Weighted sum of both legs' scores, turned into a probability: p((1 - weight) lexical / bound + weight dense).

    `lexical` float32 (n,) are BM25 scores, 0 or more, and `bound` the most that BM25 can give for the query
    (`Bm25Scores.bound`); `dense` float32 (n,) are cosines on the scale of `DenseScale`, `weight` is in [0, 1]. The
    sum is Bruch's convex combination with theoretical bounds (see above), p a logistic curve (`odds.logistic`) fitted
    to judged articles.
    """
    lexical_part = (1 - weight) * _of_bound(lexical, bound)
    dense_part = weight * dense.astype(np.float64)
    return Fused(
        logistic(lexical_part + dense_part, *_HYBRID_CURVE).astype(np.float32), _share(lexical_part, dense_part)
    )


def rrf(lexical_rank: NDArray[np.int64], dense_rank: NDArray[np.int64]) -> Fused:
    """Reciprocal rank fusion: (k + 1) / 2 times the sum over both legs of 1 / (k + rank), with k = RRF_K.

    Both ranks int64 (n,) count from 1, 0 means 'not ranked' and gives nothing; the factor makes first in both legs 1.
    Cormack, Clarke and Büttcher 2009, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
    Methods".
    """
    parts = [np.where(rank > 0, (RRF_K + 1) / 2 / (RRF_K + rank), 0.0) for rank in (lexical_rank, dense_rank)]
    return Fused((parts[0] + parts[1]).astype(np.float32), _share(*parts))


def lexical_confidence(lexical: Floats, bound: float) -> Floats:
    """Scores for the lexical ranking alone, float32 (n,) in [0, 1]: a logistic curve of BM25 over its bound.

    `lexical` float32 (n,) and `bound` as for `convex`. Monotonous in BM25.
    """
    return logistic(_of_bound(lexical, bound), *_LEXICAL_CURVE).astype(np.float32)


def dense_confidence(dense: Floats) -> Floats:
    """Scores for the dense ranking alone, float32 (n,) in [0, 1]: a logistic curve of `dense`.

    `dense` float32 (n,) as for `convex`. Monotonous in the cosine.
    """
    return logistic(dense, *_DENSE_CURVE).astype(np.float32)


def reasons(best: Floats, coverage: Floats) -> Floats:
    """How much speaks for showing each candidate of the hybrid ranking, float32 (n,), at most 1.5: best + coverage / 2.

    `best` float32 (n,) is each article's best passage on the scale of `DenseScale`, `coverage` float32 (n,) in [0, 1]
    the share of the query's idf mass that the article holds. A rule of Concord's own; what was measured:
    docs/relevance.md.
    """
    return (best + _COVERAGE_WEIGHT * coverage).astype(np.float32)


def relevant(best: Floats, coverage: Floats, *, most: float | None = None, lenient: bool = False) -> Mask:
    """Which candidates of the hybrid ranking have a reason to be shown, bool (n,); none where even the best has too
    little.

    `best` and `coverage`, float32 (n,), as for `reasons`. `most` is the greatest reason of any article, where filters
    keep the best ones out of the candidates: a filter must not make an answer of nothing out of one that fits.
    `lenient` is for queries whose denied words pull them away from what fits.
    """
    least, gate = _LENIENT_REASONS if lenient else (_REASON, _BEST_REASON)
    kept: Mask = _gated(reasons(best, coverage), least, gate, most) | (coverage >= _ALL_WORDS)
    return kept


def on_topic(best: Floats, coverage: Floats) -> Mask:
    """Which articles have to do with a denying query, whose best one may be any distance away: bool (n,).

    `best` and `coverage`, float32 (n,), as for `reasons`.
    """
    kept: Mask = (reasons(best, coverage) >= _ON_TOPIC) | (coverage >= _ALL_WORDS)
    return kept


def near_enough(best: Floats) -> Mask:
    """Which candidates of the dense ranking alone have a reason to be shown, bool (n,); `best` float32 (n,) as for
    `reasons`."""
    return best >= _NEAR


def words_enough(coverage: Floats, *, most: float | None = None) -> Mask:
    """Which candidates of the lexical ranking alone have a reason to be shown, bool (n,); one common word is none.

    `coverage` float32 (n,) in [0, 1] as for `reasons`; `most` is the greatest coverage of any article, see `relevant`.
    """
    return _gated(coverage, _COVERED, _BEST_COVERED, most)


def _gated(reason: Floats, floor: float, gate: float, most: float | None) -> Mask:
    if not len(reason) or (float(reason.max()) if most is None else most) < gate:
        return np.zeros(len(reason), np.bool_)
    return reason >= floor


def _of_bound(lexical: Floats, bound: float) -> NDArray[np.float64]:
    return lexical.astype(np.float64) / max(bound, 1e-9)


def _share(lexical: NDArray[np.float64], dense: NDArray[np.float64]) -> Floats:
    """The part of the sum that came from the lexical leg; a leg that speaks against an article has no share in it."""
    mine, other = np.maximum(lexical, 0), np.maximum(dense, 0)
    total = mine + other
    share: Floats = np.divide(mine, total, out=np.full(len(total), 0.5), where=total > 0).astype(np.float32)
    return share
