"""A second look: the first articles of a ranking read again by something slower and better, and how its word counts.

A reranker gives raw scores and says what they are worth as chances of being relevant. Both opinions, its own and that
of the first ranking, are pooled as a weighted mean of log-odds (the logarithmic opinion pool: Genest and Zidek 1986,
"Combining Probability Distributions"). What was measured: docs/relevance.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from search_app.ranking.candidates import Ranking
from search_app.ranking.odds import log_odds, logistic
from search_app.results import RerankScore

__all__ = ["DEPTH", "Article", "Reranker", "pooled", "reranked"]

DEPTH = 20
"""Articles, from the first on, that are read again."""
Article = Sequence[str]
"""The texts of an article's passages, its title in front of each."""
Floats = NDArray[np.float32]

# No single opinion is worth more than odds of a hundred to one.
_LEAST = 0.01
_STEP = 1e-6


class Reranker(Protocol):
    """Reads a query and articles together."""

    @property
    def weight(self) -> float:
        """How much its opinion counts against that of the first ranking, in (0, 1)."""
        ...

    def score(self, query: str, articles: Sequence[Article]) -> Floats:
        """Raw scores, float32 (n,); each article has a passage, and its best one counts. Raises OutOfTime."""
        ...

    def chances(self, scores: Floats) -> Floats:
        """Raw scores (n,) as chances in [0, 1] that the articles are relevant; a higher score is no lower a chance."""
        ...


def pooled(first: Floats, second: Floats, weight: float) -> NDArray[np.float64]:
    """Log-odds (n,) of two opinions, chances in [0, 1] (n,), of which the second has `weight` in [0, 1]."""
    mean: NDArray[np.float64] = (1 - weight) * log_odds(first, _LEAST) + weight * log_odds(second, _LEAST)
    return mean


def reranked(
    ranking: Ranking, raw: Floats, chances: Callable[[Floats], Floats], weight: float
) -> tuple[Ranking, dict[int, RerankScore]]:
    """The ranking, best first, after a second look, and that look by catalogue row.

    `raw` (m,) are the scores of the first m articles. These change places among themselves and stay before all others,
    which keep order and score: none of the first is scored lower than the best of the others.
    """
    count = len(raw)
    floor = float(ranking.scores[count:].max(initial=0))
    odds = pooled(ranking.scores[:count], chances(raw), weight)
    scores = ranking.scores.copy()
    best_first = np.argsort(-odds, kind="stable")
    # Of those that the floor holds up each still scores a step above the next, so that sorting again changes nothing.
    steps = np.empty(count)
    steps[best_first] = np.arange(count, 0, -1) * _STEP
    scores[:count] = np.minimum(np.maximum(logistic(odds), floor + steps), 1)
    order = np.append(best_first, np.arange(count, len(ranking)))
    ranks = np.empty(count, np.int64)
    ranks[np.argsort(-raw, kind="stable")] = np.arange(1, count + 1)
    looks = {
        row: RerankScore(rank, round(score, 4))
        for row, rank, score in zip(ranking.rows[:count].tolist(), ranks.tolist(), raw.tolist(), strict=True)
    }
    return ranking.with_scores(scores).take(order), looks
