"""Short codes of the vectors of a large segment: candidates are found among them and scored again with the vectors.

Product quantisation with 4 bits for every two dimensions (Jégou, Douze and Schmid 2011), scanned in registers (André,
Kermarrec and Le Scouarnec 2015; FAISS's FastScan). All codes of a segment are scanned: cut into lists of which only
those near the query are scanned, they find less for short queries than for the passages that recall is measured with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue import Mask, Rows

__all__ = ["EXACT_UP_TO", "LEAST_RECALL", "Codes", "half_vectors", "only", "read_index", "write_index"]

EXACT_UP_TO = 50_000
"""Vectors of a segment up to which all are looked at: that takes about 4 ms."""
LEAST_RECALL = 0.99
"""Where the codes of a segment find less of what an exact search finds, all vectors are looked at after all."""
_CANDIDATES = 2
"""Candidates for every passage wanted."""
_SAMPLE = 100
_WANTED, _ARTICLES = 1000, 200
_TRAINING = 20_000
_BLOCK = 50_000
_WRITTEN_AT_ONCE = 1 << 20
_SEED = 7


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of a segment.

    `recall` was measured when they were made: vectors of the segment itself as queries, the share of the first 200
    articles of an exact search of 1,000 passages that are among the first 200 found with the codes.
    """

    index: Any
    recall: float

    def nearest(
        self, exact: Any, query: NDArray[np.float32], count: int, usable: Mask | None = None
    ) -> tuple[Rows, NDArray[np.float32]]:
        """The numbers of the `count` nearest vectors of those that are `usable`, best first, and their cosines.

        Fewer where too few of the candidates are usable.
        """
        import faiss

        share = 1.0 if usable is None else max(float(usable.mean()), 1e-3)
        wanted = min(int(_CANDIDATES * count / share), self.index.ntotal)
        scores, numbers = faiss.IndexRefine(self.index, exact).search(query[None, :], wanted)
        kept = numbers[0] >= 0
        if usable is not None:
            kept &= usable[numbers[0]]
        return numbers[0][kept][:count], scores[0][kept][:count]

    def settings(self) -> dict[str, float]:
        """For `load`."""
        return {"recall": self.recall}

    def save(self, path: Path) -> None:
        """Write the codes; `settings` go elsewhere. Raises OSError."""
        write_index(self.index, path)

    @classmethod
    def load(cls, path: Path, settings: Mapping[str, float]) -> Codes:
        """Raises RuntimeError, OSError, KeyError or ValueError for what is no file of codes."""
        return cls(read_index(path, b"IPfs"), float(settings["recall"]))

    @classmethod
    def make(cls, exact: Any, articles: Rows) -> Codes | None:
        """Codes for the vectors of `exact`, of which `articles` (n,) says whose they are.

        None where they are not worth it: too few vectors, or codes that find too little.
        """
        import faiss

        count, dimension = exact.ntotal, exact.d
        if count <= EXACT_UP_TO or dimension % 2:
            return None
        rng = np.random.default_rng(_SEED)
        index = faiss.IndexPQFastScan(dimension, dimension // 2, 4, faiss.METRIC_INNER_PRODUCT)
        trained = np.sort(rng.choice(count, min(count, _TRAINING), replace=False))
        index.train(exact.reconstruct_batch(trained))
        for start in range(0, count, _BLOCK):
            index.add(exact.reconstruct_n(start, min(_BLOCK, count - start)))
        queries = exact.reconstruct_batch(rng.choice(count, _SAMPLE, replace=False))
        truth = [_first_articles(exact.search(query[None, :], _WANTED)[1][0], articles) for query in queries]
        codes = cls(index, 0.0)
        found = [_first_articles(codes.nearest(exact, query, _WANTED)[0], articles) for query in queries]
        shares = [len(np.intersect1d(*pair)) / len(pair[1]) for pair in zip(found, truth, strict=True)]
        recall = round(float(np.mean(shares)), 4)
        return cls(index, recall) if recall >= LEAST_RECALL else None


def only(chosen: Mask) -> Any:
    """What has FAISS look at the `chosen` vectors of an index only, bool (n,)."""
    import faiss

    module: Any = faiss  # its types know neither of the two arguments
    return module.SearchParameters(sel=module.IDSelectorBitmap(np.packbits(chosen, bitorder="little")))


def half_vectors(exact: Any) -> NDArray[np.float16]:
    """The vectors of an index in half precision, (n, d), where they lie in it: valid as long as the index is there.

    Raises ValueError when the index has not two bytes for each number.
    """
    import faiss

    if exact.codes.size() != 2 * exact.ntotal * exact.d:
        raise ValueError(f"{exact.codes.size():,} bytes for {exact.ntotal:,} vectors of {exact.d} dimensions")
    module: Any = faiss  # its types do not know the function
    data = module.rev_swig_ptr(exact.codes.data(), 2 * exact.ntotal * exact.d)
    halves: NDArray[np.float16] = data.view(np.float16).reshape(exact.ntotal, exact.d)
    return halves


def read_index(path: Path, kind: bytes, flags: int = 0) -> Any:
    """Read a FAISS index of one kind, by the four letters that files of it begin with. Raises RuntimeError, OSError, or
    ValueError for another kind: FAISS has some that open further files, and an index may come from someone else."""
    import faiss

    with path.open("rb") as stream:
        if stream.read(len(kind)) != kind:
            raise ValueError(f"'{path}' is no FAISS index of the kind {kind.decode()}")
    return faiss.read_index(str(path), flags)


def write_index(index: Any, path: Path) -> None:
    """Write a FAISS index. Raises OSError, where FAISS by itself only prints that a file could not be closed."""
    from faiss import PyCallbackIOWriter  # type: ignore[attr-defined]  # comes out of its compiled half
    from faiss import write_index as write_to

    failed: list[OSError] = []

    def write(data: bytes) -> None:
        try:
            stream.write(data)
        except OSError as error:  # FAISS would forget which it was
            failed.append(error)
            raise

    try:
        with path.open("wb") as stream:
            write_to(index, PyCallbackIOWriter(write, _WRITTEN_AT_ONCE))
    except RuntimeError:
        if failed:
            raise failed[0] from None
        raise


def _first_articles(found: Rows, articles: Rows) -> Rows:
    of = articles[found]
    return of[np.sort(np.unique(of, return_index=True)[1])][:_ARTICLES]
