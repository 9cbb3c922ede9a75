"""Whoosh's side of the lexical index: the schema, and how positions are written."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from whoosh import fields, formats

from . import whoosh_safety
from .analysis import Token

__all__ = ["schema"]

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
