"""Where Whoosh's writer keeps postings until a segment is written: columns of numbers, not a tuple for each."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from whoosh.writing import PostingPool

from indexer.lexical.term_numbers import TermNumbers

__all__ = ["PositionsPool"]

_BLOCK = 50_000

Posting = tuple[str, bytes, int, float, bytes]
"""Field, term, document number, weight, packed positions."""


class PositionsPool(PostingPool):  # type: ignore[misc]  # Whoosh has no types for it
    """Whoosh's pool, which also takes the terms of whole fields with their positions.

    What comes by `add` (document numbers, small segments that are merged) is kept as ever.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._fields: defaultdict[str, _Columns] = defaultdict(_Columns)

    def __len__(self) -> int:
        """Postings that `add_positions` was given."""
        return sum(len(columns) for columns in self._fields.values())

    def add_positions(self, field: str, number: int, positions: Mapping[str, list[int]]) -> None:
        """All terms of a field of the document `number`; numbers ascend."""
        self._fields[field].add(number, positions)

    def iter_postings(self) -> Iterable[Posting]:
        """All postings in the order in which a segment has them."""
        mine = chain.from_iterable(self._fields[field].postings(field) for field in sorted(self._fields))
        # Document numbers come before all that: 'doc' is the first field.
        return merge(self.items(), mine) if self.fieldnames & self._fields.keys() else chain(self.items(), mine)


class _Columns:
    """The postings of a field in the order in which they came."""

    def __init__(self) -> None:
        self._ids = TermNumbers()
        self._terms, self._numbers = array("I"), array("I")
        self._counts, self._positions = array("I"), array("I")

    def __len__(self) -> int:
        return len(self._terms)

    def add(self, number: int, positions: Mapping[str, list[int]]) -> None:
        self._terms.extend(map(self._ids.__getitem__, positions))
        self._numbers.extend([number] * len(positions))
        self._counts.extend(map(len, positions.values()))
        self._positions.extend(chain.from_iterable(positions.values()))

    def postings(self, field: str) -> Iterator[Posting]:
        """By term and document, with positions packed as `PackedPositions` does."""
        # Strings and their UTF-8 have the same order.
        terms = sorted(self._ids)
        place = self._ids.places(terms).astype(np.uint32)
        encoded = [term.encode("utf-8") for term in terms]
        counts, numbers = np.frombuffer(self._counts, np.uint32), np.frombuffer(self._numbers, np.uint32)
        ends = np.cumsum(counts, dtype=np.uint32)
        packed = self._packed(ends - counts)
        of = place[np.frombuffer(self._terms, np.uint32)]
        order = np.argsort(of, kind="stable")
        for begin in range(0, len(order), _BLOCK):
            block = order[begin : begin + _BLOCK]
            last = 4 * ends[block].astype(np.int64)
            columns = of[block], numbers[block], counts[block], last - 4 * counts[block], last
            for term, number, count, start, end in zip(*(column.tolist() for column in columns), strict=True):
                yield field, encoded[term], number, float(count), packed[start:end]

    def _packed(self, starts: NDArray[np.uint32]) -> bytes:
        """The positions of all postings, which begin at `starts`, each as the distance from the one before."""
        positions = np.frombuffer(self._positions, np.uint32)
        deltas = positions.copy()
        deltas[1:] -= positions[:-1]
        deltas[starts] = positions[starts]
        return deltas.tobytes()
