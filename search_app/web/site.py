"""What the pages and the API stand on: the settings of the site and the engine, opened when there is an index."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar, get_type_hints

from indexer.article import Article
from indexer.errors import ConcordError
from search_app.options import SearchOptions
from search_app.results import Hit, Results
from search_app.web.access import KeyRing, TokenBuckets
from search_app.web.errors import Draining
from search_app.web.metrics import Metrics
from search_app.web.settings import WebSettings, read_keys
from search_app.web.workers import Workers

__all__ = ["Engine", "Site", "open_engine"]

T = TypeVar("T")


class Engine(Protocol):
    """The part of `SearchEngine` that the web face uses."""

    def answer(self, query: str, options: SearchOptions) -> Results: ...

    def related(self, article_id: str, k: int = 5) -> tuple[Hit, ...]: ...

    def article(self, article_id: str) -> Article: ...

    def status(self) -> Any:
        """A dataclass; what names this machine's folders, its fields `encoder` and `stale`, is not for everyone."""
        ...

    def warm_up(self) -> None: ...

    @property
    def stale(self) -> str | None: ...


class Site:
    """Settings and engine of one mounted site; safe to use from many threads.

    The engine is given, or opened from `index_dir` on first use. While it cannot be opened, `engine` raises the same
    error again and tries anew every `retry_seconds`, so a site started before its index comes alive without a restart.
    """

    def __init__(self, index_dir: str | Path | None, engine: Engine | None, settings: WebSettings | None) -> None:
        self.index_dir = Path(index_dir if index_dir is not None else "index_data")
        self.settings = settings or WebSettings()
        self.keys = KeyRing(read_keys(self.settings))
        self.buckets = TokenBuckets(self.settings.rate_per_minute / 60, self.settings.rate_burst)
        self.metrics = Metrics(lambda: self._engine, lambda: self.workers.inside)
        self.workers = Workers(
            self.settings.max_searches, self.settings.max_waiting, self.settings.query_seconds, self.metrics.stages
        )
        self.draining = False
        self._engine = engine
        self._error: ConcordError | None = None
        self._tried_at = 0.0
        self._lock = threading.Lock()

    @property
    def engine(self) -> Engine:
        """The open engine. Raises what opening it raises: IndexNotFound, IndexDamaged, ..."""
        if self._engine is None:
            with self._lock:
                if self._engine is None:
                    self._engine = self._open()
        return self._engine

    def ask(self, question: Callable[[Engine], T]) -> T:
        """What `question` makes of the engine, within the limits on concurrent work and time.

        It runs in another thread, without the request. Raises what opening the engine and the question raise, and
        Overloaded, OutOfTime or Draining.
        """
        if self.draining:
            raise Draining("This server is about to stop: ask again, another one will answer.")
        engine = self.engine
        return self.workers.run(lambda: question(engine))

    @property
    def status_type(self) -> Any:
        """The dataclass that the engine's `status()` returns, known even while there is no index."""
        return get_type_hints((type(self._engine) if self._engine is not None else _engine_class()).status)["return"]

    def _open(self) -> Engine:
        if self._error is not None and time.monotonic() - self._tried_at < self.settings.retry_seconds:
            # A copy: one exception that is raised for every request grows a traceback without end.
            raise type(self._error)(*self._error.args)
        self._tried_at = time.monotonic()
        try:
            return open_engine(self.index_dir)
        except ConcordError as error:
            self._error = error
            raise


def open_engine(index_dir: str | Path) -> Engine:
    """The engine over an index. Raises IndexNotFound and the other errors of `SearchEngine.open`."""
    engine: Engine = _engine_class().open(index_dir, background=True)
    return engine


def _engine_class() -> Any:
    # Imports faiss and a model runtime, which an app that brings its own engine may not need.
    from search_app.engine import SearchEngine

    return SearchEngine
