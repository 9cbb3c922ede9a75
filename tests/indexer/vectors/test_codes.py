"""Large segments: codes give candidates, answers stay those of an exact search but for a measured share."""

from __future__ import annotations

import json
from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from indexer.catalogue import Catalogue
from indexer.errors import IndexDamaged
from indexer.vectors import codes as vector_codes
from indexer.vectors import faiss_index
from indexer.vectors.codes import half_vectors
from indexer.vectors.faiss_index import FaissIndex, update_vectors

ARTICLES, EACH, DIMENSION = 4000, 2, 32
COUNT = ARTICLES * EACH


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (vector_codes, faiss_index):
        monkeypatch.setattr(module, "EXACT_UP_TO", 1000)


@pytest.fixture(scope="module")
def matrix() -> NDArray[np.float32]:
    rng = np.random.default_rng(3)
    topics = rng.normal(size=(40, DIMENSION))
    vectors = topics[rng.integers(0, 40, COUNT)] + rng.normal(size=(COUNT, DIMENSION))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float16).astype(np.float32)


def catalogue(docs: range | list[int]) -> Catalogue:
    return Catalogue.build((doc, None, None, None, None) for doc in docs)


Block = list[tuple[list[int], list[int], NDArray[np.float32]]]


def block(docs: range | list[int], matrix: NDArray[np.float32]) -> Block:
    """Passage n belongs to article n // 2 + 1."""
    numbers = [number for doc in docs for number in ((doc - 1) * EACH, (doc - 1) * EACH + 1)]
    return [(numbers, [number // EACH + 1 for number in numbers], matrix[numbers])] if numbers else []


def build(folder: Path, matrix: NDArray[np.float32]) -> FaissIndex:
    folder.mkdir()
    docs = range(1, ARTICLES + 1)
    update_vectors(
        folder, None, catalogue=catalogue(docs), added=block(docs, matrix), removed=[], dimension=DIMENSION, name="one"
    )
    return FaissIndex(folder, catalogue(docs))


def best(matrix: NDArray[np.float32], query: NDArray[np.float32], usable: NDArray[np.bool_], count: int) -> set[int]:
    cosines = np.where(usable, matrix @ query, -2)
    return set(np.argsort(-cosines)[:count].tolist())


def test_answers_are_those_of_an_exact_search_but_for_few(tmp_path: Path, matrix: NDArray[np.float32]) -> None:
    index = build(tmp_path / "1", matrix)
    assert index.recall is not None
    assert index.recall >= vector_codes.LEAST_RECALL
    shares = []
    for query in matrix[::400]:
        found = index.search(query, 500)
        assert len(set(found.passages.tolist())) == 500
        assert (np.diff(found.scores) <= 0).all()
        np.testing.assert_allclose(found.scores, matrix[found.passages] @ query, atol=1e-5)
        np.testing.assert_array_equal(found.rows, found.passages // EACH)
        shares.append(len(best(matrix, query, np.ones(COUNT, np.bool_), 500) & set(found.passages.tolist())) / 500)
    assert np.mean(shares) > 0.95


def test_filters_hold_and_find_enough(tmp_path: Path, matrix: NDArray[np.float32]) -> None:
    index = build(tmp_path / "1", matrix)
    for share in (0.001, 0.1, 0.3, 0.8):
        allowed = np.random.default_rng(4).random(ARTICLES) < share
        usable = np.repeat(allowed, EACH)
        for query in matrix[::800]:
            found = index.search(query, 300, allowed)
            wanted = best(matrix, query, usable, min(300, int(usable.sum())))
            assert len(found.passages) == len(wanted)
            assert allowed[found.rows].all()
            overlap = len(wanted & set(found.passages.tolist())) / len(wanted)
            assert overlap == 1 if share < 0.25 else overlap > 0.9


def test_updates_take_codes_along_and_removed_articles_are_gone(tmp_path: Path, matrix: NDArray[np.float32]) -> None:
    build(tmp_path / "1", matrix)
    gone = list(range(1, 400))
    rest = list(range(400, ARTICLES + 1))
    (tmp_path / "2").mkdir()
    update_vectors(
        tmp_path / "2",
        tmp_path / "1",
        catalogue=catalogue(rest),
        added=[],
        removed=block(gone, matrix),
        dimension=DIMENSION,
        name="two",
    )
    one, two = (tmp_path / number / "one.codes.faiss" for number in "12")
    assert one.stat().st_ino == two.stat().st_ino
    index = FaissIndex(tmp_path / "2", catalogue(rest))
    for query in matrix[:400:50]:
        assert index.search(query, 400).passages.min() >= 399 * EACH
    # So many gone that the segment is written anew.
    few = list(range(2000, ARTICLES + 1))
    (tmp_path / "3").mkdir()
    update_vectors(
        tmp_path / "3",
        tmp_path / "2",
        catalogue=catalogue(few),
        added=[],
        removed=block(list(range(400, 2000)), matrix),
        dimension=DIMENSION,
        name="three",
    )
    assert json.loads((tmp_path / "3" / "vectors.json").read_text())["segments"].keys() == {"three"}
    assert FaissIndex(tmp_path / "3", catalogue(few)).recall is not None


def test_codes_that_find_too_little_are_not_used(
    tmp_path: Path, matrix: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_codes, "LEAST_RECALL", 1.1)
    index = build(tmp_path / "1", matrix)
    assert index.recall is None
    assert not (tmp_path / "1" / "one.codes.faiss").exists()
    found = index.search(matrix[7], 300)
    assert set(found.passages.tolist()) == best(matrix, matrix[7], np.ones(COUNT, np.bool_), 300)


def test_broken_codes_are_damage(tmp_path: Path, matrix: NDArray[np.float32]) -> None:
    build(tmp_path / "1", matrix)
    path = tmp_path / "1" / "one.codes.faiss"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(IndexDamaged, match="concord rebuild"):
        FaissIndex(tmp_path / "1", catalogue(range(1, ARTICLES + 1)))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
def test_a_full_disk_is_an_error_and_no_message_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    import faiss

    for size in (1, 50_000):  # fails when the file is closed, and while it is written
        index = faiss.IndexFlatIP(8)
        index.add(np.ones((size, 8), np.float32))
        with pytest.raises(OSError, match="No space left"):
            vector_codes.write_index(index, Path("/dev/full"))
    assert capfd.readouterr() == ("", "")


def test_vectors_in_another_precision_are_refused() -> None:
    index = faiss.IndexScalarQuantizer(4, faiss.ScalarQuantizer.QT_8bit_direct, faiss.METRIC_INNER_PRODUCT)
    index.add(np.ones((3, 4), np.float32))
    with pytest.raises(ValueError, match="12 bytes for 3 vectors of 4 dimensions"):
        half_vectors(index)
