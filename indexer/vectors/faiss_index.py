"""The vector index: FAISS segments that are written once, inner product over half-precision vectors.

All vectors of a segment are looked at, except in large ones: there short codes give candidates
(indexer/vectors/codes.py). Segments are merged as indexer/segments.py says; those that stay are hard links.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue import Catalogue, Mask, Rows
from indexer.encoders.spec import Vectors
from indexer.errors import IndexDamaged
from indexer.segments import SegmentSize, merge_plan
from indexer.system.files import link_or_copy
from indexer.vectors.codes import EXACT_UP_TO, Codes, half_vectors, only, read_index, write_index
from indexer.vectors.protocol import PassageScores, VectorSource

__all__ = ["FaissIndex", "update_vectors"]

_MANIFEST = "vectors.json"
_SUM = "sum.npz"
_MERGED_AT_ONCE = 50_000
"""Vectors that are expanded to single precision at once."""
_LEAST_USABLE = 0.25
"""Share of a segment that has to be usable for its codes to be worth scanning."""

FileId = tuple[int, int, int]
"""Device, inode and time of the last change."""


class FaissIndex:
    """The vectors of one generation, read-only and safe to share between threads.

    Passages of articles that are not in the catalogue are never returned, whatever the segments still hold.
    """

    def __init__(self, folder: Path, catalogue: Catalogue, like: FaissIndex | None = None) -> None:
        """`like` is the index of another generation: segments that both have are shared, not read again."""
        try:
            self._manifest = json.loads((folder / _MANIFEST).read_text("utf-8"))
            known = {segment.file: segment for segment in like._segments} if like is not None else {}
            self._segments: list[_Segment] = [
                _Segment.load(folder, name, self._manifest, catalogue, known) for name in self._manifest["segments"]
            ]
            self._mean = _Sum.load(folder / _SUM).mean()
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, BadZipFile) as error:
            raise IndexDamaged(
                f"The vector index in '{folder}' cannot be read ({error}): run 'concord rebuild' to make it new."
            ) from error
        order = np.concatenate([segment.rows for segment in self._segments] or [np.empty(0, np.int64)])
        self._sorted = np.argsort(order, kind="stable")
        self._first = np.searchsorted(order[self._sorted], np.arange(len(catalogue) + 1))
        self._offsets = np.cumsum([0, *(len(segment.rows) for segment in self._segments)])

    def __len__(self) -> int:
        return int(sum(np.count_nonzero(segment.rows >= 0) for segment in self._segments))

    @property
    def recall(self) -> float | None:
        """See VectorIndex."""
        sizes = [len(segment.rows) for segment in self._segments]
        if all(segment.codes is None for segment in self._segments):
            return None
        found = [1.0 if segment.codes is None else segment.codes.recall for segment in self._segments]
        return float(np.average(found, weights=sizes))

    @property
    def mean(self) -> NDArray[np.float64]:
        """See VectorIndex."""
        return self._mean

    def search(self, query: NDArray[np.float32], count: int, allowed: Mask | None = None) -> PassageScores:
        """See VectorIndex."""
        _use_one_core()
        found = [segment.search(query, count, allowed) for segment in self._segments]
        rows = np.concatenate([part.rows for part in found] or [np.empty(0, np.int64)])
        passages = np.concatenate([part.passages for part in found] or [np.empty(0, np.int64)])
        scores = np.concatenate([part.scores for part in found] or [np.empty(0, np.float32)])
        order = np.lexsort((passages, -scores))[:count]
        return PassageScores(rows[order], passages[order], scores[order])

    def score(self, query: NDArray[np.float32], rows: Rows) -> PassageScores:
        """See VectorIndex."""
        _use_one_core()
        positions = self._positions(np.asarray(rows, np.int64))
        parts = []
        for segment, start, end in zip(self._segments, self._offsets[:-1], self._offsets[1:], strict=True):
            local = positions[(positions >= start) & (positions < end)] - start
            if len(local):
                parts.append((segment.rows[local], segment.passages[local], segment.cosines(query, local)))
        if not parts:
            return PassageScores(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
        return PassageScores(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def article_vectors(self, row: int) -> Vectors:
        """See VectorIndex."""
        _use_one_core()
        positions = self._positions(np.array([row], np.int64))
        parts = [np.empty((0, self._manifest["dimension"]), np.float32)]
        for segment, start, end in zip(self._segments, self._offsets[:-1], self._offsets[1:], strict=True):
            local = positions[(positions >= start) & (positions < end)] - start
            if len(local):
                parts.append(segment.index.reconstruct_batch(local))
        return np.concatenate(parts)

    def _positions(self, rows: Rows) -> Rows:
        """Positions, counted through all segments, of the passages of articles that are in the catalogue."""
        first, counts = self._first[rows], self._first[rows + 1] - self._first[rows]
        # Each article's places in the sorted order follow one another.
        steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        positions: Rows = self._sorted[np.repeat(first, counts) + steps]
        return positions


class _Segment:
    """One FAISS file with, beside it, the passage and article rows of its vectors, and codes where it is large."""

    __slots__ = ("_halves", "alive", "codes", "docs", "file", "index", "passages", "rows")

    def __init__(self, file: FileId, index: Any, codes: Codes | None, passages: Rows, docs: Rows, rows: Rows) -> None:
        self.file = file
        self.index = index
        self.codes = codes
        self.passages = passages
        self.docs = docs
        self.rows = rows
        self.alive = rows >= 0
        self._halves = half_vectors(index)

    @classmethod
    def load(
        cls,
        folder: Path,
        name: str,
        manifest: Mapping[str, Any],
        catalogue: Catalogue,
        known: Mapping[FileId, _Segment] = MappingProxyType({}),
    ) -> _Segment:
        """`manifest` is that of the index, with the dimension and, by segment, the settings of codes or None."""
        import faiss

        # Segments are never changed and go from generation to generation as hard links.
        found = (folder / f"{name}.faiss").stat()
        file = (found.st_dev, found.st_ino, found.st_mtime_ns)
        if (same := known.get(file)) is not None:
            return cls(file, same.index, same.codes, same.passages, same.docs, catalogue.rows_of(same.docs))
        # Mapped, so that servers and generations share the memory, and only what is read takes any.
        index = read_index(folder / f"{name}.faiss", b"IxSQ", faiss.IO_FLAG_MMAP_IFC)
        settings = manifest["segments"][name]
        codes = None if settings is None else Codes.load(folder / f"{name}.codes.faiss", settings)
        for found_index in (index, *([codes.index] if codes else [])):
            if found_index.d != manifest["dimension"]:
                raise ValueError(f"segment {name} has {found_index.d} dimensions instead of {manifest['dimension']}")
        columns = np.load(folder / f"{name}.npy", allow_pickle=False)
        if columns.shape != (2, index.ntotal) or (codes and codes.index.ntotal != index.ntotal):
            raise ValueError(f"segment {name} has {index.ntotal} vectors and rows of shape {columns.shape}")
        return cls(file, index, codes, columns[0], columns[1], catalogue.rows_of(columns[1]))

    @property
    def size(self) -> SegmentSize:
        """In vectors."""
        return SegmentSize(int(np.count_nonzero(self.alive)), len(self.rows))

    def cosines(self, query: NDArray[np.float32], numbers: Rows) -> NDArray[np.float32]:
        """The inner products of the query (d,) with the vectors at `numbers`."""
        # Not `@`: for so little work, BLAS spends more time on waking threads.
        products: NDArray[np.float32] = np.einsum("nd,d->n", self._halves[numbers].astype(np.float32), query)
        return products

    def search(self, query: NDArray[np.float32], count: int, allowed: Mask | None) -> PassageScores:
        usable = self.alive if allowed is None else self.alive & allowed[self.rows]
        usable_count = int(np.count_nonzero(usable))
        wanted = min(count, usable_count)
        if wanted == 0:
            return PassageScores(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
        all_usable = usable_count == len(usable)
        # Of few, all are looked at: that is exact, and no slower.
        if self.codes is not None and usable_count > max(EXACT_UP_TO, _LEAST_USABLE * len(usable)):
            hits, scores = self.codes.nearest(self.index, query, wanted, None if all_usable else usable)
            if len(hits) == wanted:
                return PassageScores(self.rows[hits], self.passages[hits], scores)
        parameters = None if all_usable else only(usable)
        scores, found = self.index.search(query[None, :], wanted, params=parameters)
        hits = found[0]
        kept = hits >= 0
        return PassageScores(self.rows[hits[kept]], self.passages[hits[kept]], scores[0][kept])


def update_vectors(
    folder: Path,
    previous: Path | None,
    *,
    catalogue: Catalogue,
    added: VectorSource,
    removed: VectorSource,
    dimension: int,
    name: str,
) -> int:
    """Write into `folder` the vector index of `catalogue`: what `previous` holds, less `removed`, plus `added`.

    Returns how many passages it has.

    `name` is new for every update, so that a file name never stands for two contents. With previous None, `added` must
    be everything.
    """
    _use_one_core()
    old: dict[str, _Segment] = {}
    manifest: dict[str, Any] = {"segments": {}}
    total = _Sum(0, np.zeros(dimension))
    if previous is not None:
        manifest = json.loads((previous / _MANIFEST).read_text("utf-8"))
        old = {name: _Segment.load(previous, name, manifest, catalogue) for name in manifest["segments"]}
        total = _Sum.load(previous / _SUM)
    for _, _, block in removed:
        total.add(block, -1)
    draft = _Draft(dimension)
    for passages, docs, block in added:
        total.add(block, 1)
        draft.add(passages, docs, block)

    plan = merge_plan({name: segment.size for name, segment in old.items()}, len(draft))
    for merged in plan.merged:
        draft.absorb(old[merged], catalogue)
    settings = {kept: manifest["segments"][kept] for kept in plan.kept}
    if previous is not None:
        for kept in plan.kept:
            for suffix in ("faiss", "npy", *(["codes.faiss"] if settings[kept] else [])):
                link_or_copy(previous / f"{kept}.{suffix}", folder / f"{kept}.{suffix}")
    if len(draft):
        settings[name] = draft.save(folder, name)
    total.save(folder / _SUM)
    (folder / _MANIFEST).write_text(json.dumps({"dimension": dimension, "segments": settings}) + "\n", "utf-8")
    return len(draft) + sum(old[kept].size.alive for kept in plan.kept)


class _Draft:
    """The segment that an update writes."""

    def __init__(self, dimension: int) -> None:
        import faiss

        self._index = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        self._index.is_trained = True
        self._columns: list[NDArray[np.int64]] = []

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, passages: Sequence[int], docs: Sequence[int], block: Vectors) -> None:
        """Vectors (n, d) with their passage and article rows."""
        self._index.add(np.ascontiguousarray(block, np.float32))
        self._columns.append(np.array([passages, docs], np.int64))

    def absorb(self, segment: _Segment, catalogue: Catalogue) -> None:
        """What is still there of an older segment."""
        positions = np.flatnonzero(segment.alive)
        for start in range(0, len(positions), _MERGED_AT_ONCE):
            self._index.add(segment.index.reconstruct_batch(positions[start : start + _MERGED_AT_ONCE]))
        self._columns.append(np.array([segment.passages[positions], catalogue.docs[segment.rows[positions]]], np.int64))

    def save(self, folder: Path, name: str) -> dict[str, float] | None:
        """Write the files of the segment; returns the settings of its codes, None where it has none."""
        rows = np.concatenate(self._columns, axis=1)
        write_index(self._index, folder / f"{name}.faiss")
        np.save(folder / f"{name}.npy", rows)
        codes = Codes.make(self._index, rows[1])
        if codes is None:
            return None
        codes.save(folder / f"{name}.codes.faiss")
        return codes.settings()


def _use_one_core() -> None:
    """Keep FAISS from dividing what the calling thread does next between threads of its own.

    A search has one query and training codes has thousands of small steps: waking threads for them, and waiting for
    the slowest, costs more than the work. FAISS keeps the number for each thread that calls it.
    """
    import faiss

    faiss.omp_set_num_threads(1)


class _Sum:
    """Count and sum of vectors, float64, from which their mean follows through additions and removals."""

    def __init__(self, count: int, total: NDArray[np.float64]) -> None:
        self.count = count
        self.total = total

    def add(self, block: Vectors, sign: int) -> None:
        # The index answers with half-precision vectors, so the mean is theirs too.
        self.count += sign * len(block)
        self.total += sign * block.astype(np.float16).astype(np.float64).sum(axis=0)

    def mean(self) -> NDArray[np.float64]:
        return self.total / self.count if self.count > 0 else np.zeros_like(self.total)

    @classmethod
    def load(cls, path: Path) -> _Sum:
        with np.load(path, allow_pickle=False) as columns:
            return cls(int(columns["count"]), columns["total"])

    def save(self, path: Path) -> None:
        np.savez(path, count=self.count, total=self.total)
