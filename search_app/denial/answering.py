"""The answer to a query that denies something: found by its topic, weighed by what articles say of the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from indexer.encoders.spec import Encoder
from search_app.arranging import in_order, ranked
from search_app.denial.query import Denial
from search_app.denial.weighing import DENSE_WEIGHT, Evidence, affirmed_query, query_texts, topic_vector, weigh
from search_app.query.parsed import Filters, ParsedQuery
from search_app.ranking.candidates import Ranking, on_topic
from search_app.ranking.fusion import Merging
from search_app.results import RerankScore
from search_app.snapshot.snapshot import ReadView
from search_app.stages import stage

__all__ = ["Answer", "SecondLook", "denying_answer"]

SecondLook = Callable[[str, NDArray[np.float32], Ranking], tuple[Ranking, dict[int, RerankScore]]]
"""A query, its unit vector (d,) and a ranking in; the ranking after a reranker has read it, and what that said by
catalogue row."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A ranking and what it was made with: the query as both legs were asked it, how they were merged, its unit vector
    (None when words alone were asked), for a denying query the evidence by catalogue row, and what a reranker said by
    catalogue row."""

    asked: ParsedQuery
    merging: Merging
    vector: NDArray[np.float32] | None
    ranking: Ranking
    evidence: dict[int, Evidence]
    reranked: dict[int, RerankScore]


def denying_answer(
    parsed: ParsedQuery, denied: Denial, view: ReadView, encoder: Encoder, merging: Merging, rerank: SecondLook
) -> Answer:
    """The answer of both rankings to a denying query. Raises RowGone."""
    snapshot = view.snapshot
    with stage("encode"):
        vectors = encoder.encode_queries(query_texts(parsed, denied))
    lenient = replace(merging, lenient=True)
    # Whatever the filters, so that a filter picks from the answer and does not change it.
    anywhere = replace(parsed, filters=Filters())
    asked = affirmed_query(parsed, denied)

    def fitting(ranking: Ranking) -> Ranking:
        """Without what only resembles other articles, which are like the topic, and not the query itself."""
        if not merging.floors or not len(ranking):
            return ranking
        return on_topic(ranking, asked.scoring, vectors, snapshot.lexical, snapshot.vectors, snapshot.scale)

    first = in_order(fitting(ranked(anywhere, vectors[0], snapshot, "hybrid", lenient)), view)
    if not len(first):
        return Answer(parsed, lenient, vectors[0], first, {}, {})
    vector = topic_vector(vectors, first, snapshot)
    lenient = replace(lenient, dense_weight=DENSE_WEIGHT)
    ranking = in_order(fitting(ranked(asked, vector, snapshot, "hybrid", lenient)), view)
    if not len(ranking):
        return Answer(asked, lenient, vector, ranking, {}, {})
    # A reranker is asked for what the query affirms: it sees a denial no better than an encoder does.
    ranking, looks = rerank(denied.affirmed, vector, ranking)
    with stage("denial"):
        ranking, evidence = weigh(ranking, denied, vector, view, encoder.encode_passages)
    return Answer(asked, lenient, vector, in_order(ranking, view), evidence, looks)
