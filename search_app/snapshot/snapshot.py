"""One generation, opened whole: what a search reads, and nothing that changes under it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from indexer.catalogue import Catalogue, Rows
from indexer.errors import IndexDamaged, IndexNotFound
from indexer.generations.manifest import (
    LEXICAL_FOLDER,
    VECTOR_FOLDER,
    Manifest,
    current_generation,
    generation_folder,
    read_current,
)
from indexer.generations.near_duplicate_groups import load_groups
from indexer.lexical.bm25 import Bm25
from indexer.lexical.index import LexicalIndex
from indexer.store.damage import check_token
from indexer.store.database import Store
from indexer.vectors.faiss_index import FaissIndex
from search_app.query.spelling import Speller
from search_app.ranking.fusion import DenseScale, dense_scale

__all__ = ["Lazy", "ReadView", "Snapshot", "store_file"]

T = TypeVar("T")


class Lazy(Generic[T]):
    """A value that is made once, when it is first asked for; others who ask wait for it."""

    __slots__ = ("_lock", "_make", "_value")

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._value: T | None = None

    @property
    def made(self) -> bool:
        """Whether it has been asked for."""
        return self._value is not None

    def get(self) -> T:
        """The value."""
        with self._lock:
            if self._value is None:
                self._value = self._make()
            return self._value


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Snapshot:
    """The derived indexes of one generation. The encoder comes from its source: it outlives generations.

    `store_file` is the device and inode of the store that the generation was derived from: rows of another store,
    put there by a restore, are not its articles. `groups` are their near-duplicates, see `load_groups`.
    """

    manifest: Manifest
    catalogue: Catalogue
    lexical: LexicalIndex
    vectors: FaissIndex
    scale: DenseScale
    store_file: tuple[int, int]
    speller: Lazy[Speller]
    groups: Rows

    @classmethod
    def load(cls, index_dir: Path, bm25: Bm25 | None = None, like: Snapshot | None = None) -> Snapshot:
        """Open the generation that answers now, with the parts of `like` that both have in common.

        Raises IndexNotFound, IndexDamaged or IndexMismatch.
        """
        while True:
            generation = current_generation(index_dir)
            try:
                return cls._open(index_dir, bm25, like)
            except IndexDamaged:
                # Writers that follow one another quickly may have cleared it away while it was being opened.
                if current_generation(index_dir) == generation:
                    raise

    @classmethod
    def _open(cls, index_dir: Path, bm25: Bm25 | None, like: Snapshot | None) -> Snapshot:
        manifest = read_current(index_dir)
        manifest.check_lexical()
        in_place = store_file(index_dir, manifest)
        _check_store(index_dir, manifest)
        folder = generation_folder(index_dir, manifest.generation)
        manifest.check_files(folder)
        catalogue = Catalogue.load(folder)
        vectors = FaissIndex(folder / VECTOR_FOLDER, catalogue, like=like.vectors if like else None)
        lexical = LexicalIndex(folder / LEXICAL_FOLDER, catalogue, bm25)
        return cls(
            manifest=manifest,
            catalogue=catalogue,
            lexical=lexical,
            vectors=vectors,
            scale=dense_scale(vectors.mean, len(vectors), manifest.encoder.background),
            store_file=in_place,
            speller=Lazy(lambda: Speller(lexical.vocabulary().items(), lexical.frequency)),
            groups=load_groups(folder),
        )


@dataclass(frozen=True, slots=True)
class ReadView:
    """One generation as one thread reads it: its snapshot, and this thread's connection to the store behind it.

    A store that has moved on raises RowGone for what the generation names and the store has dropped.
    """

    snapshot: Snapshot
    store: Store


def store_file(index_dir: Path, manifest: Manifest) -> tuple[int, int]:
    """Device and inode of the store that a generation names. Raises IndexDamaged when there is none."""
    try:
        found = (index_dir / manifest.store).stat()
    except FileNotFoundError as error:
        raise IndexDamaged.no_store(index_dir) from error
    return (found.st_dev, found.st_ino)


def _check_store(index_dir: Path, manifest: Manifest) -> None:
    """Raises IndexDamaged when the store is not the one that the generation was made from."""
    try:
        store = Store(index_dir, name=manifest.store)
    except IndexNotFound as error:
        raise IndexDamaged.no_store(index_dir) from error
    try:
        check_token(store, index_dir, manifest.generation, manifest.store_token)
    finally:
        store.close()
