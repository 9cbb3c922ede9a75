"""Engines for evaluation: as the product opens them, but a query is encoded once, however many settings ask it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from indexer.encoders.spec import Encoder, EncoderSpec, Vectors
from indexer.generations.manifest import Manifest
from indexer.lexical.bm25 import Bm25
from search_app.engine import SearchEngine
from search_app.snapshot.encoders import QueryEncoders
from search_app.snapshot.source import SnapshotSource

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
            self._open[bm25] = SearchEngine(
                SnapshotSource(self._index_dir, bm25=bm25, encoders=_Encoders(self._index_dir, self._vectors))
            )
        return self._open[bm25]


class _Encoders(QueryEncoders):
    """Encoders that remember queries."""

    def __init__(self, index_dir: Path, vectors: dict[str, Vectors]) -> None:
        super().__init__(index_dir, threads=_THREADS)
        self._vectors = vectors

    def of(self, manifest: Manifest) -> Encoder:
        return _Remembering(super().of(manifest), self._vectors)


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
