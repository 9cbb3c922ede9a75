"""The ranking of one generation for a query, its order, and what happens to it before it is shown.

That is: age, diversity and near-duplicates, in this order.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from search_app.query.filters import mask_of
from search_app.query.parsed import ParsedQuery
from search_app.ranking.candidates import Ranking, dense_only, empty_ranking, fuse, lexical_only, newest_first, required
from search_app.ranking.folding import DIVERSIFIED, Folded, diversified
from search_app.ranking.folding import fold as folded
from search_app.ranking.freshness import Freshness
from search_app.ranking.fusion import Merging
from search_app.snapshot.passages import mean_vector
from search_app.snapshot.snapshot import ReadView, Snapshot
from search_app.stages import stage

__all__ = ["arranged", "in_order", "ranked"]


@stage("fusion")
def ranked(
    parsed: ParsedQuery, vector: NDArray[np.float32] | None, snapshot: Snapshot, mode: str, merging: Merging
) -> Ranking:
    """The ranking, in no order yet, that a mode has for a query and its unit vector (d,); None where words alone are
    asked."""
    lexical, vectors = snapshot.lexical, snapshot.vectors
    if not len(snapshot.catalogue):
        return empty_ranking()
    allowed = required(parsed, lexical, mask_of(parsed.filters, snapshot.catalogue))
    if allowed is not None and not allowed.any():
        return empty_ranking()
    if not parsed.scoring and vector is None:
        return empty_ranking() if allowed is None else newest_first(snapshot.catalogue, allowed)
    if vector is None:
        return lexical_only(parsed.scoring, lexical, allowed, merging)
    if mode == "semantic":
        if parsed.must:
            # What has the words that it must have has a reason to be shown, however far its meaning is.
            merging = replace(merging, floors=False)
        return dense_only(vector, vectors, allowed, snapshot.scale, merging)
    return fuse(parsed.scoring, vector, lexical, vectors, allowed, snapshot.scale, merging)


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
def in_order(ranking: Ranking, view: ReadView) -> Ranking:
    """The ranking best first; of equals the newest, then by id, so that the order is the same everywhere and always."""
    # NO_DATE is the smallest number there is, so articles without a date come last.
    dates = view.snapshot.catalogue.dates[ranking.rows]
    order = np.lexsort((dates, ranking.scores))[::-1]
    scores, dates = ranking.scores[order], dates[order]
    equal = (scores[1:] == scores[:-1]) & (dates[1:] == dates[:-1])
    # Reading the ids of all takes longer than ranking them, and only those of equals matter.
    tied = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
    if len(tied):
        docs = view.snapshot.catalogue.docs[ranking.rows[order[tied]]].tolist()
        group = np.cumsum(np.append(False, ~equal))[tied].tolist()
        ids = view.store.ids(docs)
        by_id = sorted(range(len(tied)), key=lambda n: (group[n], ids.get(docs[n], "")))
        order[tied] = order[tied[by_id]]
    return ranking.take(order)
