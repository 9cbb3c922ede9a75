"""What all encoders share: prefixes, batches of texts of one length, unit vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import CancelledError

import numpy as np

from indexer.encoders.spec import EncoderSpec, Vectors

__all__ = ["BatchEncoder", "by_length", "unit"]


class BatchEncoder(ABC):
    """An Encoder whose runtime encodes batch by batch."""

    spec: EncoderSpec
    _closed = False

    @property
    @abstractmethod
    def runtime(self) -> str:
        """The library, and how precisely it computes: 'openvino bfloat16'."""

    @abstractmethod
    def count_tokens(self, texts: list[str]) -> list[int]:
        """See Encoder."""

    @abstractmethod
    def _blocks(self, texts: list[str]) -> Iterator[tuple[list[int], Vectors]]:
        """Positions in `texts` and their vectors, float32 (len(positions), dimension), of any length but 0."""

    def encode_passages(self, texts: list[str]) -> Vectors:
        """See Encoder."""
        return self._encode([self.spec.passage_prefix + text for text in texts])

    def encode_queries(self, texts: list[str]) -> Vectors:
        """See Encoder."""
        return self._encode([self.spec.query_prefix + text for text in texts])

    def close(self) -> None:
        """Give up what is being encoded, and end the threads of this encoder: it encodes nothing afterwards."""
        self._closed = True

    def _encode(self, texts: list[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.spec.dimension), np.float32)
        for positions, block in self._blocks(texts):
            if self._closed:
                raise CancelledError
            vectors[positions] = block
        return unit(vectors)


def unit(vectors: Vectors) -> Vectors:
    """Vectors (n, d), each divided by its length; those of length 0 as they are."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    divided: Vectors = np.divide(vectors, norms, out=vectors.copy(), where=norms > 0)
    return divided


def by_length(lengths: list[int], size: int) -> list[list[int]]:
    """Batches of at most `size` positions, short texts with short ones, so that little is spent on padding."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    return [order[i : i + size] for i in range(0, len(order), size)]
