"""What a reranker is given to read, and the rerankers that an engine has loaded."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from indexer.chunking import fit_title, passage_input
from indexer.encoder import Encoder
from indexer.store import Store

from .maxsim import MaxSim
from .passages import nearest_passages
from .ranking import Ranking
from .rerank import DEPTH, NONE, Reranker, parts_of, reranked
from .results import RerankScore
from .snapshot import Snapshot, SnapshotSource
from .stages import stage

__all__ = ["Rerankers"]

_PASSAGES = 2
"""Passages of an article that are read: those nearest to the query."""


class Rerankers:
    """The rerankers of one engine; a cross-encoder is loaded when it is first asked for, and once."""

    def __init__(self, source: SnapshotSource) -> None:
        self._source = source
        self._loading = threading.Lock()
        self._loaded: dict[str, Reranker] = {}

    def rerank(
        self,
        name: str,
        query: str,
        vector: NDArray[np.float32] | None,
        ranking: Ranking,
        snapshot: Snapshot,
        store: Store,
    ) -> tuple[Ranking, dict[int, RerankScore]]:
        """The ranking after a second look of the reranker with this name, and that look by catalogue row.

        `vector` is the query's, for its nearest passages; None to have it made. A ranking that no words asked for stays
        as it is. Raises UsageError, RerankerError, RowGone and OutOfTime.
        """
        if name == NONE:
            return ranking, {}
        with stage("rerank"):
            # First, so that a model that cannot be loaded is told of whatever the query finds.
            reranker = self._named(name, snapshot)
            if not query.strip() or not len(ranking):
                return ranking, {}
            encoder = self._source.encoder(snapshot.manifest)
            if vector is None:
                vector = encoder.encode_queries([query])[0]
            raw = reranker.score(query, _articles(ranking.rows[:DEPTH], vector, encoder, snapshot, store))
            return reranked(ranking, raw, reranker.chances, reranker.weight)

    def _named(self, name: str, snapshot: Snapshot) -> Reranker:
        kind, model = parts_of(name)
        if kind == "maxsim":
            return MaxSim(self._source.token_encoder(snapshot.manifest))
        from .cross_encoder import CrossEncoderReranker

        with self._loading:
            if model not in self._loaded:
                self._loaded[model] = CrossEncoderReranker(model)
            return self._loaded[model]


def _articles(
    rows: NDArray[np.int64], vector: NDArray[np.float32], encoder: Encoder, snapshot: Snapshot, store: Store
) -> list[list[str]]:
    """The nearest passages of each article, as they were encoded: with the title in front. Raises RowGone."""
    docs = snapshot.catalogue.docs[rows].tolist()
    articles = store.articles_by_row(docs)
    nearest = nearest_passages(rows, vector, snapshot, store)
    window = min(snapshot.manifest.chunking.window, encoder.spec.window)
    read = []
    for doc in docs:
        title = fit_title(articles[doc].title, count_tokens=encoder.count_tokens, window=window)
        parts = [articles[doc].text[start:end] for start, end in nearest[doc][:_PASSAGES]]
        read.append([passage_input(title, part) for part in parts])
    return read
