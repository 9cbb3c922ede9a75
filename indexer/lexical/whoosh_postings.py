"""Whoosh's side of the lexical index: the schema, and how positions are written."""

from __future__ import annotations

from typing import Any

import numpy as np
from whoosh import fields, formats

__all__ = ["schema"]


class PackedPositions(formats.Positions):
    """Positions as 32-bit deltas, which `PositionsPool` packs; Whoosh's own format pickles a list for every posting."""

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
    """A field whose terms come with their positions, by `PositionsPool`: nothing is analysed twice."""

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


def schema() -> Any:
    """Title and text with positions, and the store row as a column; nothing else is kept in Whoosh."""
    return fields.Schema(
        doc=fields.NUMERIC(int, bits=64, signed=True, unique=True, sortable=True),
        title=AnalysedText(),
        text=AnalysedText(),
    )
