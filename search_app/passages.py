"""An article's passages as a query sees them, and its passages' vectors as one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue import Rows
from indexer.store import RowGone, Store

from .snapshot import Snapshot

__all__ = ["mean_vector", "nearest_passages"]


def mean_vector(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The unit vector (d,) in the mean direction of unit vectors (n, d)."""
    mean: NDArray[np.float32] = vectors.mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-9)


def nearest_passages(
    rows: Rows, vector: NDArray[np.float32], snapshot: Snapshot, store: Store
) -> dict[int, list[tuple[int, int]]]:
    """The passages of the articles at `rows` as (start, end) in the article's text, nearest to `vector` first, by store
    row in the order of `rows`.

    Raises RowGone when the store has dropped one of the articles: none is without a passage.
    """
    docs = snapshot.catalogue.docs[rows].tolist()
    scored = snapshot.vectors.score(vector, rows)
    cosines = dict(zip(scored.passages.tolist(), scored.scores.tolist(), strict=True))
    found: dict[int, list[tuple[float, int, int]]] = {doc: [] for doc in docs}
    for passage in store.passages(docs):
        found[passage.doc].append((-cosines.get(passage.passage, -1.0), passage.start, passage.end))
    if not all(found.values()):
        raise RowGone("the passages of an article")
    return {doc: [(start, end) for _, start, end in sorted(passages)] for doc, passages in found.items()}
