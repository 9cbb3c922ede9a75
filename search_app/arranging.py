"""The order of a ranking, and what happens to it before it is shown: age, diversity, near-duplicates, in this order."""

from __future__ import annotations

import numpy as np

from indexer.store import Store

from .folding import DIVERSIFIED, Folded, diversified
from .folding import fold as folded
from .freshness import Freshness
from .passages import mean_vector
from .ranking import Ranking
from .snapshot import Snapshot
from .stages import stage

__all__ = ["arranged", "in_order"]


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
    diverse = diversified(answer.ranking, vectors, snapshot.catalogue.dates[first])
    before = {row: position for position, row in enumerate(first.tolist())}
    moved = frozenset(row for position, row in enumerate(diverse.rows[: len(first)].tolist()) if position > before[row])
    return Folded(diverse, answer.others, moved)


@stage("fusion")
def in_order(ranking: Ranking, snapshot: Snapshot, store: Store) -> Ranking:
    """The ranking best first; of equals the newest, then by id, so that the order is the same everywhere and always."""
    # NO_DATE is the smallest number there is, so articles without a date come last.
    dates = snapshot.catalogue.dates[ranking.rows]
    order = np.lexsort((dates, ranking.scores))[::-1]
    scores, dates = ranking.scores[order], dates[order]
    equal = (scores[1:] == scores[:-1]) & (dates[1:] == dates[:-1])
    # Reading the ids of all takes longer than ranking them, and only those of equals matter.
    tied = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
    if len(tied):
        docs = snapshot.catalogue.docs[ranking.rows[order[tied]]].tolist()
        group = np.cumsum(np.append(False, ~equal))[tied].tolist()
        ids = store.ids(docs)
        by_id = sorted(range(len(tied)), key=lambda n: (group[n], ids.get(docs[n], "")))
        order[tied] = order[tied[by_id]]
    return ranking.take(order)
