"""What a search spends its time on, and when it has to give up: a stopwatch that costs nothing where nobody looks.

    with measured(deadline=time.monotonic() + 5) as stages:
        engine.search("harbour")
    stages.seconds  # {"parse": 0.0001, "encode": 0.0016, ...}

The engine marks its stages with `stage`, as a decorator or around a block. Outside `measured` a mark does nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from indexer.errors import ConcordError

__all__ = ["OutOfTime", "Stages", "measured", "stage"]


class OutOfTime(ConcordError):
    """The question took longer than one question may."""

    status = 503
    slug = "out-of-time"


@dataclass(slots=True)
class Stages:
    """Seconds by stage: each moment counts for the innermost stage only, so that the sum is the time of all stages.

    `deadline` is on the clock of `time.monotonic`; the first stage that begins after it raises OutOfTime.
    """

    deadline: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)
    _since: float = 0.0

    def begin(self, name: str) -> None:
        """Enter a stage. Raises OutOfTime."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise OutOfTime("The question took too long and was given up: ask with fewer words or filters.")
        self._book()
        self._open.append(name)

    def end(self) -> None:
        """Leave the innermost stage."""
        self._book()
        self._open.pop()

    def _book(self) -> None:
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] = self.seconds.get(self._open[-1], 0.0) + now - self._since
        self._since = now


_current: ContextVar[Stages | None] = ContextVar("concord_stages", default=None)


@contextmanager
def measured(deadline: float | None = None) -> Iterator[Stages]:
    """Measure the stages of everything that this thread searches inside the block."""
    stages = Stages(deadline)
    token = _current.set(stages)
    try:
        yield stages
    finally:
        _current.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Mark a stage of a search. Raises OutOfTime when the deadline of the enclosing `measured` has passed."""
    stages = _current.get()
    if stages is None:
        yield
        return
    stages.begin(name)
    try:
        yield
    finally:
        stages.end()
