"""An article's passages as a query sees them, and its passages' vectors as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue import Rows
from indexer.store.database import RowGone, Store, StoredPassage
from search_app.snapshot.snapshot import ReadView

__all__ = ["mean_vector", "nearest_passages", "passages_of"]


def mean_vector(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The unit vector (d,) in the mean direction of unit vectors (n, d)."""
    mean: NDArray[np.float32] = vectors.mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-9)


def passages_of(docs: Sequence[int], store: Store) -> dict[int, list[StoredPassage]]:
    """The passages of the articles at the store rows `docs`, by row.

    Raises RowGone when the store has dropped one of the articles: none is without a passage.
    """
    found: dict[int, list[StoredPassage]] = {doc: [] for doc in docs}
    for passage in store.passages(docs):
        found[passage.doc].append(passage)
    if not all(found.values()):
        raise RowGone("the passages of an article")
    return found


def nearest_passages(rows: Rows, vector: NDArray[np.float32], view: ReadView) -> dict[int, list[tuple[int, int]]]:
    """The passages of the articles at `rows` as (start, end) in the article's text, nearest to `vector` first, by store
    row in the order of `rows`. Raises RowGone, see `passages_of`."""
    docs = view.snapshot.catalogue.docs[rows].tolist()
    scored = view.snapshot.vectors.score(vector, rows)
    cosines = dict(zip(scored.passages.tolist(), scored.scores.tolist(), strict=True))

    def nearest(passage: StoredPassage) -> tuple[float, int, int]:
        return -cosines.get(passage.passage, -1.0), passage.start, passage.end

    return {
        doc: [(passage.start, passage.end) for passage in sorted(passages, key=nearest)]
        for doc, passages in passages_of(docs, view.store).items()
    }
