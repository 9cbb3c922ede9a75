"""What every vector index does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue import Mask, Rows
from indexer.encoders.spec import Vectors

__all__ = ["PassageScores", "VectorIndex", "VectorSource"]

VectorSource = Iterable[tuple[list[int], list[int], Vectors]]
"""Blocks of (passage rows, article rows, unit vectors float32 (n, dimension)), as Store.vectors yields them."""


@dataclass(frozen=True, slots=True)
class PassageScores:
    """Scored passages: catalogue row of the article int64, passage row int64 and cosine float32, all of shape (n,)."""

    rows: Rows
    passages: NDArray[np.int64]
    scores: NDArray[np.float32]


class VectorIndex(Protocol):
    """Nearest passages by cosine; vectors are unit vectors, so the inner product is the cosine."""

    def search(self, query: NDArray[np.float32], count: int, allowed: Mask | None = None) -> PassageScores:
        """The `count` passages nearest to a unit vector (d,), best first, of articles that `allowed` admits."""
        ...

    def score(self, query: NDArray[np.float32], rows: Rows) -> PassageScores:
        """The cosine of every passage of the articles at `rows`."""
        ...

    def article_vectors(self, row: int) -> Vectors:
        """The vectors of one article's passages, float32 (n, dimension)."""
        ...

    @property
    def recall(self) -> float | None:
        """The share of an exact search's answer that a search finds, measured at build; None where all is exact."""
        ...

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean vector (d,) of the passages of this generation; zeros when there are none."""
        ...

    def __len__(self) -> int: ...
