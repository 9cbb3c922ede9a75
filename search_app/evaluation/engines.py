"""Engines for evaluation: as the product opens them, but a query is encoded once, however many settings ask it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from indexer.encoder import Encoder, EncoderSpec, Vectors
from indexer.lexical import Bm25
from indexer.manifest import Manifest
from search_app.engine import SearchEngine
from search_app.snapshot import SnapshotSource

__all__ = ["Engines"]

_THREADS = 2


class Engines:
    """The engines of one index, one for each way to score words. They share the vectors of the queries."""

    def __init__(self, index_dir: Path) -> None:
        self._index_dir = index_dir
        self._open: dict[Bm25, SearchEngine] = {}
        self._vectors: dict[str, Vectors] = {}

    def of(self, bm25: Bm25) -> SearchEngine:
        """The engine with these parameters of BM25. Raises what `SearchEngine.open` raises."""
        if bm25 not in self._open:
            self._open[bm25] = SearchEngine(_Source(self._index_dir, bm25, self._vectors))
        return self._open[bm25]


class _Source(SnapshotSource):
    """A source whose encoder remembers queries."""

    def __init__(self, index_dir: Path, bm25: Bm25, vectors: dict[str, Vectors]) -> None:
        super().__init__(index_dir, threads=_THREADS, bm25=bm25)
        self._vectors = vectors

    def encoder(self, manifest: Manifest) -> Encoder:
        return _Remembering(super().encoder(manifest), self._vectors)


class _Remembering:
    """An encoder that encodes no query twice."""

    def __init__(self, encoder: Encoder, vectors: dict[str, Vectors]) -> None:
        self._encoder = encoder
        self._vectors = vectors

    @property
    def spec(self) -> EncoderSpec:
        return self._encoder.spec

    def count_tokens(self, texts: list[str]) -> list[int]:
        return self._encoder.count_tokens(texts)

    def encode_passages(self, texts: list[str]) -> Vectors:
        return self._encoder.encode_passages(texts)

    def encode_queries(self, texts: list[str]) -> Vectors:
        for text in texts:
            if text not in self._vectors:
                self._vectors[text] = self._encoder.encode_queries([text])[0]
        return np.stack([self._vectors[text] for text in texts])
