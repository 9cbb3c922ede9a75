"""Whoosh's side of the lexical index: the schema, how positions are written, and how postings become arrays."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from whoosh import fields, formats
from whoosh.codec.whoosh3 import W3LeafMatcher

from . import whoosh_safety
from .analysis import Token

__all__ = ["decode", "schema"]

whoosh_safety.install()


class PackedPositions(formats.Positions):
    """Positions as packed 32-bit deltas; Whoosh's own format pickles a list for every posting."""

    def encode(self, positions: Sequence[int]) -> bytes:
        """Ascending positions to bytes."""
        deltas = array("I", (after - before for before, after in zip([0, *positions[:-1]], positions, strict=True)))
        return deltas.tobytes()

    def decode_positions(self, value: bytes) -> list[int]:
        """Bytes to ascending positions."""
        return [int(position) for position in np.cumsum(np.frombuffer(value, np.uint32))]

    def decode_frequency(self, value: bytes) -> int:
        """The number of positions."""
        return len(value) // 4

    def decode_weight(self, value: bytes) -> float:
        """The weight of a posting is its frequency."""
        return float(len(value) // 4)


class AnalysedText(fields.FieldType):
    """A field that takes the tokens of Concord's own analysis, so that nothing is analysed twice."""

    def __init__(self) -> None:
        self.format = PackedPositions()
        self.analyzer = None
        self.scorable = False
        self.stored = False
        self.unique = False
        self.vector = None
        self.multitoken_query = "default"
        self.spelling = False
        self.column_type = None

    def index(self, value: Sequence[Token], **_: Any) -> Iterator[tuple[bytes, int, float, bytes]]:
        """(term, frequency, weight, packed positions) of every distinct term."""
        positions: dict[str, list[int]] = defaultdict(list)
        for token in value:
            positions[token.term].append(token.position)
        for term, at in positions.items():
            yield term.encode("utf-8"), len(at), float(len(at)), self.format.encode(at)


def schema() -> Any:
    """Title and text with positions, and the store row as a column; nothing else is kept in Whoosh."""
    return fields.Schema(
        doc=fields.NUMERIC(int, bits=64, signed=True, unique=True, sortable=True),
        title=AnalysedText(),
        text=AnalysedText(),
    )


def decode(matcher: Any) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """All postings of one term in one segment: document numbers int64 and frequencies float32.

    Postings on disk are taken block by block: one step in Python for 128 postings. Whoosh has no public way to do so,
    hence the underscores; a test holds the result against the public one-by-one interface.
    """
    if not isinstance(matcher, W3LeafMatcher):
        ids, weights = [], []
        while matcher.is_active():
            ids.append(matcher.id())
            weights.append(matcher.weight())
            matcher.next()
        return np.array(ids, np.int64), np.array(weights, np.float32)
    id_blocks, weight_blocks = [], []
    while matcher.is_active():
        matcher._read_ids()
        matcher._read_weights()
        id_blocks.append(np.fromiter(matcher._ids, np.int64, len(matcher._ids)))
        weight_blocks.append(np.asarray(matcher._weights, np.float32))
        matcher._next_block()
    return np.concatenate(id_blocks), np.concatenate(weight_blocks)
