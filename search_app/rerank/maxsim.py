"""Late interaction without a further model: the encoder's own vectors of single tokens, compared one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from indexer.encoders.batching import by_length
from indexer.encoders.exported import ExportedEncoder, TokenVectors
from search_app.ranking.odds import logistic
from search_app.rerank.protocol import Article, Floats
from search_app.stages import stage

__all__ = ["MaxSim", "maxsim"]

_BATCH = 8
"""Passages between two looks at the deadline; larger batches are no faster."""
# The logistic curve from the score to the share of articles judged relevant: slope, middle.
_CURVE = (14.5, 0.69)
_PIECE_MARKS = "#Ġ▁"


class MaxSim:
    """The mean over the query's tokens of the greatest cosine with any token of a passage (Khattab and Zaharia 2020,
    "ColBERT", which trains an encoder for it). Punctuation in the query does not count."""

    weight = 0.2
    """Flat around its value on the collections measured."""

    def __init__(self, encoder: ExportedEncoder) -> None:
        self._encoder = encoder

    def score(self, query: str, articles: Sequence[Article]) -> Floats:
        """See Reranker; scores are in [-1, 1]."""
        spec = self._encoder.spec
        wanted = _worded(self._tokens([query], spec.query_prefix)[0])
        texts = [text for article in articles for text in article]
        of_texts = np.zeros(len(texts), np.float32)
        for batch in by_length([len(text) for text in texts], _BATCH):
            with stage("rerank"):
                for i, found in zip(batch, self._tokens([texts[i] for i in batch], spec.passage_prefix), strict=True):
                    of_texts[i] = maxsim(wanted, found)
        starts = np.cumsum([0, *(len(article) for article in articles)])[:-1]
        best: Floats = np.maximum.reduceat(of_texts, starts)
        return best

    def chances(self, scores: Floats) -> Floats:
        """See Reranker."""
        background = min(max(self._encoder.spec.background, 0.0), 0.95)
        related = (scores.astype(np.float64) - background) / (1 - background)
        return logistic(related, *_CURVE).astype(np.float32)

    def _tokens(self, texts: list[str], prefix: str) -> list[TokenVectors]:
        """The tokens of texts as the encoder reads them; those of its prefix are left out."""
        (skipped,) = self._encoder.count_tokens([prefix.strip()])
        read = self._encoder.encode_tokens([prefix + text for text in texts])
        return [TokenVectors(one.tokens[skipped:], one.vectors[skipped:]) for one in read]


def maxsim(query: TokenVectors, passage: TokenVectors) -> float:
    """Mean over the query's tokens of the greatest cosine with a token of the passage; 0 where either has none."""
    if not len(query.vectors) or not len(passage.vectors):
        return 0.0
    return float((query.vectors @ passage.vectors.T).max(axis=1).mean())


def _worded(query: TokenVectors) -> TokenVectors:
    """The query without tokens of punctuation; as it is when it has no others."""
    kept = [n for n, token in enumerate(query.tokens) if any(map(str.isalnum, token.strip(_PIECE_MARKS)))]
    if not kept:
        return query
    return TokenVectors(tuple(query.tokens[n] for n in kept), query.vectors[kept])
