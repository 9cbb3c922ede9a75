"""Ways of fusing that lost against the product's, kept so that the comparison can be made again.

Each takes a ranking of the engine, with both legs' raw scores of every candidate, and the weight of the dense leg, and
returns new scores of shape (n,).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from search_app.ranking.candidates import Ranking

__all__ = ["SCALES"]

Scores = NDArray[np.float64]

_DEPTH = 100


def _min_max(ranking: Ranking, weight: float) -> Scores:
    """Each leg stretched from its 100th best candidate, 0, to its best, 1."""

    def stretched(scores: Scores) -> Scores:
        if not len(scores):
            return scores
        low = float(np.sort(scores)[::-1][:_DEPTH][-1])
        return np.maximum((scores - low) / max(float(scores.max()) - low, 1e-9), 0)

    lexical, dense = _legs(ranking)
    return (1 - weight) * stretched(lexical) + weight * stretched(dense)


def _theoretical(ranking: Ranking, weight: float) -> Scores:
    """Each leg from its least possible score, 0 for BM25 and -1 for a cosine, to its best (Bruch et al. 2023, TMM)."""
    lexical, dense = _legs(ranking)
    if not len(lexical):
        return lexical
    fused: Scores = (1 - weight) * lexical / max(lexical.max(), 1e-9) + weight * (dense + 1) / (dense.max() + 1 + 1e-9)
    return fused


def _legs(ranking: Ranking) -> tuple[Scores, Scores]:
    return ranking.lexical.astype(np.float64), ranking.dense.astype(np.float64)


SCALES: dict[str, Callable[[Ranking, float], Scores]] = {"min-max": _min_max, "theoretical": _theoretical}
