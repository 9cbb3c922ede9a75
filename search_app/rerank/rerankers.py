"""What a reranker is given to read, and the rerankers that an engine has loaded."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from indexer.encoders.spec import Encoder
from indexer.generations.manifest import Manifest
from indexer.text.chunking import fit_title, passage_input
from search_app.options import NO_RERANKER, reranker_parts
from search_app.ranking.candidates import Ranking
from search_app.rerank.maxsim import MaxSim
from search_app.rerank.protocol import DEPTH, Reranker, reranked
from search_app.results import RerankScore
from search_app.snapshot.encoders import QueryEncoders
from search_app.snapshot.passages import nearest_passages
from search_app.snapshot.snapshot import ReadView
from search_app.stages import stage

__all__ = ["Rerankers"]

_PASSAGES = 2
"""Passages of an article that are read: those nearest to the query."""


class Rerankers:
    """The rerankers of one engine; a cross-encoder is loaded when it is first asked for, and once."""

    def __init__(self, encoders: QueryEncoders) -> None:
        self._encoders = encoders
        self._loading = threading.Lock()
        self._loaded: dict[str, Reranker] = {}

    def rerank(
        self,
        name: str,
        query: str,
        vector: NDArray[np.float32] | None,
        ranking: Ranking,
        view: ReadView,
    ) -> tuple[Ranking, dict[int, RerankScore]]:
        """The ranking after a second look of the reranker with this name, and that look by catalogue row.

        `vector` is the query's, for its nearest passages; None to have it made. A ranking that no words asked for stays
        as it is. Raises UsageError, RerankerError, RowGone and OutOfTime.
        """
        if name == NO_RERANKER:
            return ranking, {}
        with stage("rerank"):
            # First, so that a model that cannot be loaded is told of whatever the query finds.
            reranker = self._named(name, view.snapshot.manifest)
            if not query.strip() or not len(ranking):
                return ranking, {}
            encoder = self._encoders.of(view.snapshot.manifest)
            if vector is None:
                vector = encoder.encode_queries([query])[0]
            raw = reranker.score(query, _articles(ranking.rows[:DEPTH], vector, encoder, view))
            return reranked(ranking, raw, reranker.chances, reranker.weight)

    def _named(self, name: str, manifest: Manifest) -> Reranker:
        kind, model = reranker_parts(name)
        if kind == "maxsim":
            return MaxSim(self._encoders.of_tokens(manifest))
        from search_app.rerank.cross_encoder import CrossEncoderReranker

        with self._loading:
            if model not in self._loaded:
                self._loaded[model] = CrossEncoderReranker(model)
            return self._loaded[model]


def _articles(
    rows: NDArray[np.int64], vector: NDArray[np.float32], encoder: Encoder, view: ReadView
) -> list[list[str]]:
    """The nearest passages of each article, as they were encoded: with the title in front. Raises RowGone."""
    docs = view.snapshot.catalogue.docs[rows].tolist()
    articles = view.store.articles_by_row(docs)
    nearest = nearest_passages(rows, vector, view)
    window = min(view.snapshot.manifest.chunking.window, encoder.spec.window)
    read = []
    for doc in docs:
        title = fit_title(articles[doc].title, count_tokens=encoder.count_tokens, window=window)
        parts = [articles[doc].text[start:end] for start, end in nearest[doc][:_PASSAGES]]
        read.append([passage_input(title, part) for part in parts])
    return read
