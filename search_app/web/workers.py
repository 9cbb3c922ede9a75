"""Concurrent work, bounded: so many questions at a time, so many waiting, none longer than its time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from search_app.stages import OutOfTime, measured
from search_app.web.errors import Overloaded

__all__ = ["Workers"]

T = TypeVar("T")

Observer = Callable[[dict[str, float]], None]


class _Task(Generic[T]):
    __slots__ = ("deadline", "future", "work")

    def __init__(self, work: Callable[[], T], deadline: float) -> None:
        self.work = work
        self.deadline = deadline
        self.future: Future[T] = Future()


class Workers:
    """A pool of `count` daemon threads with a queue of `waiting`.

    A thread cannot be stopped from outside. So whoever asked is answered when the time is over, while the question
    keeps its place among the `count` until it ends by itself: at its next stage, or when it is done. However slow the
    questions are, no more than `count` are ever at work. The threads are daemons, so that one that hangs cannot keep
    the process from ending, which those of concurrent.futures would; they start with the first question, because
    threads do not survive the fork of a pre-forking server. `observe` gets the seconds by stage of every question.
    """

    def __init__(self, count: int, waiting: int, seconds: float, observe: Observer = lambda _: None) -> None:
        self._count = count
        self._most = count + waiting
        self._seconds = seconds
        self._observe = observe
        self._tasks: queue.SimpleQueue[_Task[Any]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0
        self._inside = 0

    @property
    def inside(self) -> int:
        """Questions at work and waiting."""
        return self._inside

    def run(self, work: Callable[[], T]) -> T:
        """The value of `work()`, called in a thread of the pool; what it raises is raised here.

        Raises Overloaded when too many wait or the turn did not come in time, OutOfTime when it did not finish.
        """
        task = _Task(work, time.monotonic() + self._seconds)
        self._enter()
        self._tasks.put(task)
        try:
            return task.future.result(timeout=self._seconds)
        except TimeoutError:
            if task.future.cancel():
                raise Overloaded(
                    f"The question waited {self._seconds:g} seconds for its turn: ask again in a moment."
                ) from None
            if task.future.done():  # it ended in the very moment that its time did, or raised a TimeoutError itself
                return task.future.result()
            raise OutOfTime(
                f"The question took longer than the {self._seconds:g} seconds that one may take: "
                "ask with fewer words or filters."
            ) from None

    def _enter(self) -> None:
        with self._lock:
            if self._inside >= self._most:
                raise Overloaded(
                    f"{self._inside} questions are at work or waiting, and no more than {self._most} may be: "
                    "ask again in a moment."
                )
            self._inside += 1
            if self._started < min(self._count, self._inside):
                self._started += 1
                threading.Thread(target=self._serve, name=f"concord-{self._started}", daemon=True).start()

    def _serve(self) -> None:
        while True:
            task = self._tasks.get()
            try:
                if task.future.set_running_or_notify_cancel():
                    self._answer(task)
            finally:
                with self._lock:
                    self._inside -= 1

    def _answer(self, task: _Task[Any]) -> None:
        with measured(task.deadline) as stages:
            try:
                answer = task.work()
            except BaseException as error:  # whatever it is, it belongs to the thread that asked
                task.future.set_exception(error)
            else:
                task.future.set_result(answer)
        self._observe(stages.seconds)
