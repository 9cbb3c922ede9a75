"""What happens to a ranking before it is shown: age, diversity, near-duplicates, in this order."""

from __future__ import annotations

import numpy as np

from .folding import DIVERSIFIED, Folded, diversified
from .folding import fold as folded
from .freshness import Freshness
from .ranking import Ranking
from .snapshot import Snapshot
from .stages import stage
from .weighing import mean_vector

__all__ = ["arranged"]


@stage("arranging")
def arranged(
    ranking: Ranking,
    snapshot: Snapshot,
    *,
    fold: bool = True,
    diversify: bool = False,
    freshness: Freshness | None = None,
) -> Folded:
    """The ranking, best first, as the pages of an answer show it. Its length does not depend on the page."""
    if freshness is not None:
        ranking = freshness.blended(ranking, snapshot.catalogue.dates[ranking.rows])
    answer = folded(ranking, snapshot.groups) if fold else Folded(ranking)
    if not diversify or not len(answer.ranking):
        return answer
    first = answer.ranking.rows[:DIVERSIFIED]
    vectors = np.stack([mean_vector(snapshot.vectors.article_vectors(row)) for row in first.tolist()])
    return Folded(diversified(answer.ranking, vectors, snapshot.catalogue.dates[first]), answer.others)
