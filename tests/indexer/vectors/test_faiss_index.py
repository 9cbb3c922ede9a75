"""The vector index against numpy, through updates, deletes and merges."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.catalogue import Catalogue
from indexer.errors import IndexDamaged
from indexer.vectors.faiss_index import FaissIndex, update_vectors

DIMENSION = 24


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float16).astype(np.float32)


class Vectors:
    """Two passages for every article, with the index of the newest generation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rng = np.random.default_rng(11)
        self._passage = 0
        self._generation = 0
        self.passages: dict[int, tuple[list[int], NDArray[np.float32]]] = {}

    def update(self, added: list[int], removed: list[int]) -> FaissIndex:
        gone = [(doc, *self.passages.pop(doc)) for doc in removed]
        for doc in added:
            centre = np.ones(DIMENSION) + self._rng.normal(size=DIMENSION)
            block = unit((centre + self._rng.normal(size=(2, DIMENSION))).astype(np.float32))
            self.passages[doc] = ([self._passage + 1, self._passage + 2], block)
            self._passage += 2
        previous = self.folder if self._generation else None
        self._generation += 1
        self.folder.mkdir()
        update_vectors(
            self.folder,
            previous,
            catalogue=self.catalogue,
            added=[(self.passages[doc][0], [doc] * 2, self.passages[doc][1]) for doc in added],
            removed=[(rows, [doc] * 2, block) for doc, rows, block in gone],
            dimension=DIMENSION,
            name=f"segment-{self._generation:08d}",
        )
        return FaissIndex(self.folder, self.catalogue)

    @property
    def folder(self) -> Path:
        return self._folder / str(self._generation)

    @property
    def catalogue(self) -> Catalogue:
        return Catalogue.build((doc, None, None, None, None) for doc in sorted(self.passages))

    @property
    def segments(self) -> list[str]:
        return list(json.loads((self.folder / "vectors.json").read_text())["segments"])

    def flat(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Catalogue rows, passage rows and vectors of everything that is there."""
        docs = sorted(self.passages)
        rows = np.repeat(np.arange(len(docs)), 2)
        passages = np.array([row for doc in docs for row in self.passages[doc][0]])
        return rows, passages, np.concatenate([self.passages[doc][1] for doc in docs])

    def query(self) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = unit(self._rng.normal(size=(1, DIMENSION)).astype(np.float32) + 0.5)[0]
        return vector


@pytest.fixture
def vectors(tmp_path: Path) -> Vectors:
    return Vectors(tmp_path)


def check(index: FaissIndex, vectors: Vectors) -> None:
    rows, passages, matrix = vectors.flat()
    assert len(index) == len(matrix)
    query = vectors.query()
    cosines = matrix @ query
    allowed = np.arange(len(vectors.catalogue)) % 3 == 0
    for mask in (None, allowed):
        usable = np.ones(len(rows), np.bool_) if mask is None else mask[rows]
        order = np.lexsort((passages, -cosines))
        order = order[usable[order]][:20]
        found = index.search(query, 20, mask)
        np.testing.assert_array_equal(found.passages, passages[order])
        np.testing.assert_array_equal(found.rows, rows[order])
        np.testing.assert_allclose(found.scores, cosines[order], atol=1e-5)
    some = np.array([0, len(vectors.catalogue) - 1])
    scored = index.score(query, some)
    expected = {int(p): float(c) for r, p, c in zip(rows, passages, cosines, strict=True) if r in some}
    assert dict(zip(scored.passages.tolist(), scored.scores.tolist(), strict=True)) == pytest.approx(expected, abs=1e-5)
    own = index.article_vectors(0)
    np.testing.assert_allclose(np.sort(own, axis=0), np.sort(matrix[rows == 0], axis=0), atol=1e-6)
    np.testing.assert_allclose(index.mean, matrix.astype(np.float64).mean(axis=0), atol=1e-9)


def test_search_scores_and_mean_agree_with_numpy_after_every_update(vectors: Vectors) -> None:
    check(vectors.update(list(range(1, 101)), []), vectors)
    rng = np.random.default_rng(12)
    for _ in range(12):
        docs = sorted(vectors.passages)
        removed = rng.choice(docs, size=rng.integers(0, 9), replace=False).tolist()
        first = docs[-1] + 1
        check(vectors.update(list(range(first, first + int(rng.integers(1, 7)))), removed), vectors)


def test_segments_grow_with_the_logarithm_of_the_updates(vectors: Vectors) -> None:
    most = 0
    for doc in range(1, 201):
        vectors.update([doc], [])
        most = max(most, len(vectors.segments))
    assert most <= 8
    check(FaissIndex(vectors.folder, vectors.catalogue), vectors)


def test_what_is_large_is_linked_and_not_written_again(vectors: Vectors) -> None:
    vectors.update(list(range(1, 101)), [])
    (large,) = vectors.segments
    written = (vectors.folder / f"{large}.faiss").stat()
    vectors.update([101], [1])
    assert large in vectors.segments
    assert (vectors.folder / f"{large}.faiss").stat().st_ino == written.st_ino


def test_a_segment_of_mostly_dead_passages_is_rewritten(vectors: Vectors) -> None:
    vectors.update(list(range(1, 101)), [])
    (old,) = vectors.segments
    index = vectors.update([], list(range(1, 60)))
    assert old not in vectors.segments
    assert sum(len(np.load(vectors.folder / f"{name}.npy")[0]) for name in vectors.segments) == 82
    check(index, vectors)


def test_nothing_at_all(vectors: Vectors) -> None:
    vectors.update([1], [])
    index = vectors.update([], [1])
    assert (len(index), vectors.segments) == (0, [])
    assert index.search(vectors.query(), 5).rows.tolist() == []
    assert index.score(vectors.query(), np.array([], np.int64)).rows.tolist() == []
    assert not index.mean.any()


def test_no_allowed_article_is_no_hit(vectors: Vectors) -> None:
    index = vectors.update([1, 2], [])
    assert index.search(vectors.query(), 5, np.zeros(2, np.bool_)).rows.tolist() == []


@pytest.mark.parametrize("suffix", [".faiss", ".npy", ".npz", ".json"])
def test_a_file_that_is_cut_short_is_damage(vectors: Vectors, suffix: str) -> None:
    vectors.update([1, 2, 3], [])
    (path,) = (path for path in vectors.folder.iterdir() if path.suffix == suffix)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(IndexDamaged, match="concord rebuild"):
        FaissIndex(vectors.folder, vectors.catalogue)
