"""What every vector index does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .catalogue import Mask, Rows
from .encoder import Vectors

__all__ = ["Moments", "PassageScores", "VectorIndex", "VectorSource"]

VectorSource = Iterable[tuple[list[int], list[int], Vectors]]
"""Blocks of (passage rows, article rows, unit vectors float32 (n, dimension)), as Store.vectors yields them."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean vector (d,) and covariance (d, d) of all passage vectors, float64.

    With them the mean and the variance of a query's cosine over the whole corpus are exact without a pass over it:
    E[q·x] = q·mean and Var[q·x] = q' C q.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]

    def of(self, query: NDArray[np.float32]) -> tuple[float, float]:
        """Mean and standard deviation of the cosine of a unit query vector (d,) with the corpus."""
        wide = query.astype(np.float64)
        return float(wide @ self.mean), float(np.sqrt(max(float(wide @ self.covariance @ wide), 0.0)))


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
    def moments(self) -> Moments:
        """Mean and covariance of the passages of this generation."""
        ...

    def __len__(self) -> int: ...
