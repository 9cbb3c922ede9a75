"""One generation, opened whole: what a search reads, and nothing that changes under it."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from indexer.catalogue import Catalogue, Rows
from indexer.encoder import Encoder, named_by_index
from indexer.errors import ConcordError, IndexDamaged, IndexMismatch, IndexNotFound, UsageError
from indexer.exported_encoder import ExportedEncoder
from indexer.faiss_index import FaissIndex
from indexer.generation import LEXICAL_FOLDER, VECTOR_FOLDER
from indexer.lexical import Bm25, LexicalIndex
from indexer.lexical_engines import open_lexical
from indexer.manifest import (
    CURRENT_FILE,
    Manifest,
    current_generation,
    encoder_folder,
    generation_folder,
    read_current,
)
from indexer.near_duplicates import load_groups
from indexer.query_encoder import load_query_encoder
from indexer.store import RowGone, Store

from .fusion import DenseScale, dense_scale
from .suggest import Speller

__all__ = ["Snapshot", "SnapshotSource"]

T = TypeVar("T")

_LOOK_SECONDS = 0.1
"""How often the thread in the background looks for a newer generation."""
_RETRY_SECONDS = 5.0
"""How long a generation that could not be opened is left alone."""

_log = logging.getLogger(__name__)


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
    put there by a restore, are not its articles. `groups` is what `indexer.near_duplicates` says of them.
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
        store_file = _store_file(index_dir, manifest)
        _check_store(index_dir, manifest)
        folder = generation_folder(index_dir, manifest.generation)
        manifest.check_files(folder)
        catalogue = Catalogue.load(folder)
        vectors = FaissIndex(folder / VECTOR_FOLDER, catalogue, like=like.vectors if like else None)
        lexical = open_lexical(manifest.lexical, folder / LEXICAL_FOLDER, catalogue, bm25)
        return cls(
            manifest=manifest,
            catalogue=catalogue,
            lexical=lexical,
            vectors=vectors,
            scale=dense_scale(vectors.mean, len(vectors), manifest.encoder.background),
            store_file=store_file,
            speller=Lazy(lambda: Speller(lexical.vocabulary().items(), lexical.frequency)),
            groups=load_groups(folder),
        )


class SnapshotSource:
    """Hands out the newest snapshot, an encoder for its queries, and a store connection for each thread.

    A newer generation is opened by the first search after the switch; the others go on with the old one meanwhile. With
    `background` a thread of its own looks for it, opens it and lets `rehearse` try it, and no search ever waits. One
    that cannot be opened leaves the old one answering, and `stale` says why. With `ahead` the encoder is loaded in
    another thread while the index is opened.
    """

    def __init__(
        self,
        index_dir: Path,
        *,
        threads: int,
        bm25: Bm25 | None = None,
        background: bool = False,
        ahead: bool = False,
    ) -> None:
        self.index_dir = index_dir
        self.stale: str | None = None
        self.rehearse: Callable[[], None] = lambda: None
        self._threads = threads
        self._bm25 = bm25
        self._background = background
        self._ahead = ahead
        self._lock = threading.Lock()
        self._encoding = threading.Lock()
        self._loading = threading.Lock()
        self._closed = threading.Event()
        self._watched_in = 0
        self._local = threading.local()
        # Weak, so that the connection of a thread that has ended is closed with it.
        self._stores: weakref.WeakSet[Store] = weakref.WeakSet()
        self._encoder: tuple[str, Encoder] | None = None
        self._stamp = self._read_stamp()
        self._failed: tuple[tuple[int, int], float] | None = None
        if ahead:
            # No daemon: a process must not end in the middle of a runtime's start.
            threading.Thread(target=self._load_ahead, args=(read_current(index_dir),), name="concord-encoder").start()
        self._snapshot = self._open()
        self.store(self._snapshot)  # Says at once when the articles are missing.

    def current(self) -> Snapshot:
        """The newest generation that is open. Without `background`, looking for a newer one is one call to the file
        system, and opening it is the caller's business, if nobody else is at it."""
        if (trial := self._trial()) is not None:
            return trial
        if self._background:
            self._watch()
        elif self._read_stamp() != self._stamp and self._loading.acquire(blocking=False):
            try:
                self._refresh()
            finally:
                self._loading.release()
        return self._snapshot

    def refreshed(self) -> Snapshot:
        """The newest generation, waited for if it has to be opened."""
        if (trial := self._trial()) is not None:
            return trial
        with self._loading:
            self._refresh()
        return self._snapshot

    @property
    def on_trial(self) -> bool:
        """Whether this thread is trying out a snapshot that nobody else sees yet."""
        return self._trial() is not None

    def store(self, snapshot: Snapshot) -> Store:
        """This thread's connection to the store of a snapshot. Raises RowGone when another one has its place."""
        held: tuple[tuple[int, int], Store] | None = getattr(self._local, "store", None)
        if held is not None and held[0] == snapshot.store_file:
            return held[1]
        try:
            store = Store(self.index_dir, name=snapshot.manifest.store)
        except IndexNotFound as error:
            raise RowGone("the store is not there any more") from error
        if _store_file(self.index_dir, snapshot.manifest) != snapshot.store_file:
            store.close()
            raise RowGone("another store has taken its place")
        if held is not None:
            held[1].close()
        self._local.store = (snapshot.store_file, store)
        with self._lock:
            self._stores.add(store)
        return store

    def encoder(self, manifest: Manifest) -> Encoder:
        """The encoder of a generation's queries, loaded once."""
        with self._encoding:
            spec = manifest.encoder
            if self._encoder is None or self._encoder[0] != spec.fingerprint:
                encoder: Encoder
                if manifest.query_encoder == "onnx":
                    encoder = load_query_encoder(
                        encoder_folder(self.index_dir, spec), threads=self._threads, huge_pages=not self._ahead
                    )
                    if not encoder.spec.same_vectors(spec):
                        raise IndexDamaged(
                            f"The query encoder in '{encoder_folder(self.index_dir, spec)}' is not the one that the "
                            "index was made with: run 'concord rebuild' to write it again."
                        )
                else:
                    from indexer.torch_encoder import TorchEncoder

                    encoder = TorchEncoder(named_by_index(spec.name, self.index_dir))
                    if not encoder.spec.same_vectors(spec):
                        raise IndexMismatch(
                            f"The encoder '{spec.name}' on this machine is not the one that the index was made with "
                            f"({encoder.spec.fingerprint[:12]} instead of {spec.fingerprint[:12]}): put that one back, "
                            "or index the articles into a new folder."
                        )
                self._encoder = (spec.fingerprint, encoder)
            return self._encoder[1]

    def token_encoder(self, manifest: Manifest) -> ExportedEncoder:
        """The encoder of a generation's queries, for vectors of single tokens. Raises UsageError when the index carries
        none."""
        encoder = SnapshotSource.encoder(self, manifest)  # itself, not what a subclass wraps it in
        if not isinstance(encoder, ExportedEncoder):
            raise UsageError(
                "The reranker 'maxsim' needs the encoder that an index carries, and this index has none, because "
                f"'{manifest.encoder.name}' could not be exported: leave 'rerank' out, or use a cross-encoder."
            )
        return encoder

    def close(self) -> None:
        """Stop looking for newer generations and close all store connections."""
        self._closed.set()
        with self._lock:
            for store in self._stores:
                store.close()
            self._stores.clear()

    def _load_ahead(self, manifest: Manifest) -> None:
        # Whoever needs the encoder gets the error: it tries again.
        with contextlib.suppress(ConcordError):
            self.encoder(manifest)

    def _watch(self) -> None:
        """Start the thread that looks for newer generations; again after a fork, which threads do not survive."""
        process = os.getpid()
        if self._watched_in == process:
            return
        with self._lock:
            if self._watched_in != process:
                self._watched_in = process
                watcher = threading.Thread(
                    target=_keep_fresh, args=(weakref.ref(self), self._closed), name="concord-generations", daemon=True
                )
                watcher.start()

    def _refresh(self) -> None:
        """Open a newer generation if there is one; the caller holds the lock for loading."""
        stamp = self._read_stamp()
        if stamp == self._stamp:
            return
        if self._failed is not None and self._failed[0] == stamp and time.monotonic() < self._failed[1]:
            return
        try:
            snapshot = self._open(like=self._snapshot)
            if self._background:
                self._try_out(snapshot)
        except Exception as error:
            self._note(error, stamp)
            return
        self._snapshot, self._stamp = snapshot, stamp
        self._failed, self.stale = None, None

    def _open(self, like: Snapshot | None = None) -> Snapshot:
        snapshot = Snapshot.load(self.index_dir, self._bm25, like)
        if not self._ahead:
            snapshot.vectors.use_huge_pages()
        return snapshot

    def _try_out(self, snapshot: Snapshot) -> None:
        """Let this thread, and no other one, see a snapshot, so that what is read late is read before it answers."""
        self._local.trial = snapshot
        try:
            if self._snapshot.speller.made:
                snapshot.speller.get()
            self.rehearse()
        finally:
            self._local.trial = None

    def _trial(self) -> Snapshot | None:
        trial: Snapshot | None = getattr(self._local, "trial", None)
        return trial

    def _note(self, error: Exception, stamp: tuple[int, int]) -> None:
        """Say once for each switch why the old generation goes on answering."""
        if self._read_stamp() != stamp:
            return  # A still newer one has cleared it away; that is next.
        reason = str(error) if isinstance(error, ConcordError) else f"{type(error).__name__}: {error}"
        stale = f"Generation {self._snapshot.manifest.generation} answers, a newer one cannot be opened: {reason}"
        if stale != self.stale:
            _log.error("%s", stale, exc_info=None if isinstance(error, ConcordError) else error)
        self.stale = stale
        self._failed = (stamp, time.monotonic() + _RETRY_SECONDS)

    def _read_stamp(self) -> tuple[int, int]:
        try:
            found = (self.index_dir / CURRENT_FILE).stat()
        except OSError:
            # Gone, or out of reach for a while: opening what is there will say which.
            return (0, 0)
        return (found.st_ino, found.st_mtime_ns)


def _keep_fresh(source: weakref.ref[SnapshotSource], closed: threading.Event) -> None:
    """Open newer generations as they come, until the source is closed or forgotten."""
    while not closed.wait(_LOOK_SECONDS):
        found = source()
        if found is None:
            return
        found.refreshed()
        del found


def _store_file(index_dir: Path, manifest: Manifest) -> tuple[int, int]:
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
        committed = store.committed(manifest.generation)
    finally:
        store.close()
    if committed is None or committed.token != manifest.store_token:
        raise IndexDamaged.other_store(index_dir, manifest.generation)
