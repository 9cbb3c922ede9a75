"""Which generation answers: the newest one, opened when it comes, with a store connection for each thread."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

from indexer.errors import ConcordError, IndexNotFound
from indexer.generations.manifest import CURRENT_FILE, read_current
from indexer.lexical.bm25 import Bm25
from indexer.store.database import RowGone, Store
from search_app.snapshot.encoders import QueryEncoders
from search_app.snapshot.snapshot import ReadView, Snapshot, store_file

__all__ = ["SnapshotSource"]

_LOOK_SECONDS = 0.1
"""How often the thread in the background looks for a newer generation."""
_RETRY_SECONDS = 5.0
"""How long a generation that could not be opened is left alone."""

_log = logging.getLogger(__name__)


class SnapshotSource:
    """Hands out the newest snapshot, and a view of it for each thread; `encoders` are those of its queries.

    A newer generation is opened by the first search after the switch; the others go on with the old one meanwhile. With
    `background` a thread of its own looks for it, opens it and lets `rehearse` try it, and no search ever waits. One
    that cannot be opened leaves the old one answering, and `stale` says why. With `ahead` the encoder is loaded in
    another thread while the index is opened.
    """

    def __init__(
        self,
        index_dir: Path,
        *,
        encoders: QueryEncoders,
        bm25: Bm25 | None = None,
        background: bool = False,
        ahead: bool = False,
    ) -> None:
        self.index_dir = index_dir
        self.stale: str | None = None
        self.rehearse: Callable[[], None] = lambda: None
        self.encoders = encoders
        self._bm25 = bm25
        self._background = background
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._closed = threading.Event()
        self._watched_in = 0
        self._local = threading.local()
        # Weak, so that the connection of a thread that has ended is closed with it.
        self._stores: weakref.WeakSet[Store] = weakref.WeakSet()
        self._stamp = self._read_stamp()
        self._failed: tuple[tuple[int, int], float] | None = None
        if ahead:
            self.encoders.load_ahead(read_current(index_dir))
        self._snapshot = self._open()
        self.view(self._snapshot)  # Says at once when the articles are missing.

    def current(self) -> Snapshot:
        """The newest generation that is open. Without `background`, looking for a newer one is one call to the file
        system, and opening it is the caller's business, if nobody else is at it. Raises ConcordError once closed."""
        if (trial := self._trial()) is not None:
            return trial
        if self._closed.is_set():
            raise self.closed_error()
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

    def view(self, snapshot: Snapshot) -> ReadView:
        """A snapshot as this thread reads it. Raises RowGone when another store has the place of its own."""
        held: tuple[tuple[int, int], Store] | None = getattr(self._local, "store", None)
        if held is not None and held[0] == snapshot.store_file:
            return ReadView(snapshot, held[1])
        try:
            store = Store(self.index_dir, name=snapshot.manifest.store)
        except IndexNotFound as error:
            raise RowGone("the store is not there any more") from error
        if store_file(self.index_dir, snapshot.manifest) != snapshot.store_file:
            store.close()
            raise RowGone("another store has taken its place")
        if held is not None:
            held[1].close()
        self._local.store = (snapshot.store_file, store)
        with self._lock:
            self._stores.add(store)
        if self._closed.is_set():  # meanwhile: `close` may have been through with the stores
            store.close()
        return ReadView(snapshot, store)

    def closed_error(self) -> ConcordError:
        """What whoever asks after `close` is told."""
        return ConcordError(f"The engine over '{self.index_dir}' was closed: open a new one.")

    def close(self) -> None:
        """Stop looking for newer generations and close all store connections; again is harmless."""
        self._closed.set()
        with self._lock:
            for store in self._stores:
                store.close()
            self._stores.clear()

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
        return Snapshot.load(self.index_dir, self._bm25, like)

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
        if self._closed.is_set() or self._read_stamp() != stamp:
            return  # Nobody asks any more, or a still newer one has cleared it away; that is next.
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
