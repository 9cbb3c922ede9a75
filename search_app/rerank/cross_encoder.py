"""A cross-encoder as a reranker: any model that sentence-transformers loads as one, by name or folder."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from indexer.errors import RerankerError
from search_app.ranking.odds import logistic
from search_app.rerank.protocol import Article, Floats
from search_app.stages import stage

__all__ = ["CrossEncoderReranker"]

_BATCH = 8
"""Pairs between two looks at the deadline."""


class CrossEncoderReranker:
    """Reads the query and each passage as one text. Safe to share between threads.

    Imports torch and takes seconds to load: keep it. Raises RerankerError when `model` cannot be loaded or does not
    give one score for a pair.
    """

    weight = 0.5
    """As much as the first ranking: how good a model is that nobody has named yet cannot be measured."""

    def __init__(self, model: str) -> None:
        folder = Path(model).expanduser()
        if not folder.is_dir() and (folder.is_absolute() or model.startswith((".", "~"))):
            raise RerankerError(f"There is no folder '{model}': name one that holds a cross-encoder.")
        if folder.is_dir():
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from indexer.encoders.original import quieten

        quieten()
        try:
            from sentence_transformers import CrossEncoder

            self._model: Any = CrossEncoder(str(folder) if folder.is_dir() else model)
            outputs, kinds = self._model.num_labels, self._model.config.architectures or []
        except Exception as error:
            reason = (str(error).strip().splitlines() or ["no reason given"])[0][:200]
            raise RerankerError(
                f"The cross-encoder '{model}' cannot be loaded ({type(error).__name__}: {reason}). Name a folder saved "
                "by sentence-transformers, or a model that this machine can download or has in its cache."
            ) from error
        # transformers would give such a model a layer of random numbers, and call that a warning.
        if all(kind.endswith("Model") for kind in kinds):
            raise RerankerError(f"'{model}' is an encoder of single texts ({', '.join(kinds)}): name a cross-encoder.")
        if outputs != 1:
            raise RerankerError(
                f"The cross-encoder '{model}' gives {outputs} scores for a pair, and must give 1: name one that was "
                "trained to rank."
            )
        self._model.eval()
        self._turn = threading.Lock()

    def score(self, query: str, articles: Sequence[Article]) -> Floats:
        """See Reranker; scores are logits."""
        from torch.nn import Identity

        pairs = [(query, text) for article in articles for text in article]
        of_pairs = np.zeros(len(pairs), np.float32)
        for start in range(0, len(pairs), _BATCH):
            # A tokenizer must not be shared between threads.
            with stage("rerank"), self._turn:
                of_pairs[start : start + _BATCH] = self._model.predict(
                    pairs[start : start + _BATCH], activation_fn=Identity(), show_progress_bar=False
                )
        starts = np.cumsum([0, *(len(article) for article in articles)])[:-1]
        best: Floats = np.maximum.reduceat(of_pairs, starts)
        return best

    def chances(self, scores: Floats) -> Floats:
        """See Reranker: the logistic function, which such models are trained with."""
        return logistic(scores).astype(np.float32)
