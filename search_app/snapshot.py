"""One generation, opened whole: what a search reads, and nothing that changes under it."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from pathlib import Path

from indexer.catalogue import Catalogue
from indexer.encoder import Encoder
from indexer.errors import IndexDamaged, IndexMismatch, IndexNotFound
from indexer.faiss_index import FaissIndex
from indexer.generation import LEXICAL_FOLDER, VECTOR_FOLDER
from indexer.lexical import Bm25, LexicalIndex
from indexer.manifest import (
    CURRENT_FILE,
    Manifest,
    current_generation,
    encoder_folder,
    generation_folder,
    read_current,
)
from indexer.onnx_encoder import OnnxEncoder
from indexer.store import Store
from indexer.vectors import VectorIndex
from indexer.whoosh_index import WhooshIndex

from .fusion import DenseScale, dense_scale
from .suggest import Speller

__all__ = ["Snapshot", "SnapshotSource"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The derived indexes of one generation. The encoder comes from its source: it outlives generations."""

    manifest: Manifest
    catalogue: Catalogue
    lexical: LexicalIndex
    vectors: VectorIndex
    scale: DenseScale

    @classmethod
    def load(cls, index_dir: Path, bm25: Bm25 | None = None) -> Snapshot:
        """Open the generation that answers now. Raises IndexNotFound, IndexDamaged or IndexMismatch."""
        while True:
            generation = current_generation(index_dir)
            try:
                return cls._open(index_dir, bm25)
            except IndexDamaged:
                # Writers that follow one another quickly may have cleared it away while it was being opened.
                if current_generation(index_dir) == generation:
                    raise

    @classmethod
    def _open(cls, index_dir: Path, bm25: Bm25 | None) -> Snapshot:
        manifest = read_current(index_dir)
        folder = generation_folder(index_dir, manifest.generation)
        manifest.check_files(folder)
        catalogue = Catalogue.load(folder)
        vectors = FaissIndex(folder / VECTOR_FOLDER, catalogue)
        return cls(
            manifest=manifest,
            catalogue=catalogue,
            lexical=WhooshIndex(folder / LEXICAL_FOLDER, catalogue, bm25),
            vectors=vectors,
            scale=dense_scale(vectors.moments.mean, len(vectors), manifest.encoder.background),
        )


class SnapshotSource:
    """Hands out the newest snapshot, an encoder for its queries, and a store connection for each thread."""

    def __init__(self, index_dir: Path, *, threads: int, bm25: Bm25 | None = None) -> None:
        self.index_dir = index_dir
        self._threads = threads
        self._bm25 = bm25
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._local = threading.local()
        # Weak, so that the connection of a thread that has ended is closed with it.
        self._stores: weakref.WeakSet[Store] = weakref.WeakSet()
        self._encoder: tuple[str, Encoder] | None = None
        self._speller: tuple[Snapshot, Speller] | None = None
        self._stamp = self._read_stamp()
        self._snapshot = Snapshot.load(index_dir, bm25)
        self.store()  # Says at once when the articles are missing.

    def current(self) -> Snapshot:
        """The newest generation; looking whether there is a newer one is one call to the file system."""
        stamp = self._read_stamp()
        # One thread opens the new generation; the others go on with the one they have meanwhile.
        if stamp != self._stamp and self._loading.acquire(blocking=False):
            try:
                self._snapshot = Snapshot.load(self.index_dir, self._bm25)
                self._stamp = stamp
            finally:
                self._loading.release()
        return self._snapshot

    def store(self) -> Store:
        """This thread's connection to the store."""
        store: Store | None = getattr(self._local, "store", None)
        if store is None:
            try:
                store = self._local.store = Store(self.index_dir)
            except IndexNotFound as error:
                raise IndexDamaged.no_store(self.index_dir) from error
            with self._lock:
                self._stores.add(store)
        return store

    def encoder(self, manifest: Manifest) -> Encoder:
        """The encoder of a generation's queries, loaded once."""
        with self._lock:
            spec = manifest.encoder
            if self._encoder is None or self._encoder[0] != spec.fingerprint:
                encoder: Encoder
                if manifest.query_encoder == "onnx":
                    encoder = OnnxEncoder(encoder_folder(self.index_dir, spec), threads=self._threads)
                else:
                    from indexer.torch_encoder import TorchEncoder

                    encoder = TorchEncoder(spec.name)
                    if not encoder.spec.same_vectors(spec):
                        raise IndexMismatch(
                            f"The encoder '{spec.name}' on this machine is not the one that the index was made with "
                            f"({encoder.spec.fingerprint[:12]} instead of {spec.fingerprint[:12]}): put that one back, "
                            "or index the articles into a new folder."
                        )
                self._encoder = (spec.fingerprint, encoder)
            return self._encoder[1]

    def speller(self, snapshot: Snapshot) -> Speller:
        """The spelling corrector over a generation's words, made when first needed."""
        with self._lock:
            if self._speller is None or self._speller[0] is not snapshot:
                self._speller = (snapshot, Speller(snapshot.lexical.vocabulary().items(), snapshot.lexical.frequency))
            return self._speller[1]

    def close(self) -> None:
        """Close all store connections."""
        with self._lock:
            for store in self._stores:
                store.close()
            self._stores.clear()

    def _read_stamp(self) -> tuple[int, int]:
        try:
            found = (self.index_dir / CURRENT_FILE).stat()
        except FileNotFoundError:
            return (0, 0)
        return (found.st_ino, found.st_mtime_ns)
