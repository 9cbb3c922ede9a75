"""What all encoders share: prefixes, batches of texts of one length, unit vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.encoders.spec import EncoderSpec, Vectors

__all__ = ["BatchEncoder", "TokenEncoder", "by_length", "unit"]


class BatchEncoder(ABC):
    """An Encoder whose runtime encodes batch by batch."""

    spec: EncoderSpec
    _closed = False

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


class TokenEncoder(BatchEncoder):
    """An encoder that reads tokens; subclasses set `spec`, `_tokenizer` and, to use `_feeds`, the names of a graph's
    `_inputs`."""

    _tokenizer: Any
    _inputs: list[str]

    def count_tokens(self, texts: list[str]) -> list[int]:
        """See Encoder."""
        encoded = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [len(item) for item in encoded]

    def _feeds(
        self, texts: list[str], size: int, *, step: int = 1
    ) -> Iterator[tuple[list[int], dict[str, NDArray[np.int64]]]]:
        """Positions in `texts` and the graph's inputs, int64 (batch, tokens); the number of tokens divides by `step`.

        The longest come first, so that no thread is left with the longest batch at the end.
        """
        tokens = self._token_ids(texts)
        for batch in reversed(by_length([len(ids) for ids in tokens], size)):
            width = -(-max(len(tokens[i]) for i in batch) // step) * step
            ids = np.zeros((len(batch), width), np.int64)
            mask = np.zeros_like(ids)
            for row, i in enumerate(batch):
                ids[row, : len(tokens[i])] = tokens[i]
                mask[row, : len(tokens[i])] = 1
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            yield batch, {name: feed[name] for name in self._inputs}

    def _token_ids(self, texts: list[str]) -> list[list[int]]:
        """What the encoder reads of each text, special tokens included."""
        return [self._window(item.ids) for item in self._tokenizer.encode_batch_fast(texts)]

    def _window(self, ids: list[int]) -> list[int]:
        """Cut to the window the way the tokenizer's own truncation does: the last special token stays."""
        window = self.spec.window
        return ids if len(ids) <= window else [*ids[: window - 1], ids[-1]]


def unit(vectors: Vectors) -> Vectors:
    """Vectors (n, d), each divided by its length; those of length 0 as they are."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    divided: Vectors = np.divide(vectors, norms, out=vectors.copy(), where=norms > 0)
    return divided


def by_length(lengths: list[int], size: int) -> list[list[int]]:
    """Batches of at most `size` positions, short texts with short ones, so that little is spent on padding."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    return [order[i : i + size] for i in range(0, len(order), size)]
