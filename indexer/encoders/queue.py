"""Encoding in the background: while batches are encoded, the next ones are read and the last ones are stored."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from indexer.encoders.spec import Vectors

__all__ = ["AHEAD", "EncodingQueue"]

AHEAD = 2
"""Batches encoded at a time: the second one keeps all cores busy while the last texts of the first are encoded."""

Item = TypeVar("Item")


class EncodingQueue(Generic[Item]):
    """Items with their texts in, the same items with their vectors out, in the same order.

    `encode` must be safe to share between threads, and `cancel` makes it end early. Whoever puts items in takes them
    out with `done`, so what waits here is bounded by what its caller lets wait.
    """

    def __init__(self, encode: Callable[[list[str]], Vectors], cancel: Callable[[], None]) -> None:
        self._encode = encode
        self._cancel = cancel
        self._pool = ThreadPoolExecutor(AHEAD, "batch")
        self._waiting: deque[tuple[Item, Future[Vectors]]] = deque()

    def put(self, item: Item, texts: list[str]) -> None:
        """Have the texts of an item encoded, after those that were put in before."""
        self._waiting.append((item, self._pool.submit(self._encode, texts)))

    def done(self, *, keep: int = 0) -> Iterator[tuple[Item, Vectors]]:
        """Take out, first in first out, what is encoded; waits as long as more than `keep` items are in here.

        Raises what `encode` raised.
        """
        while self._waiting and (len(self._waiting) > keep or self._waiting[0][1].done()):
            item, future = self._waiting.popleft()
            yield item, future.result()

    def close(self) -> None:
        """Give up what has not been taken out, and end the threads."""
        for _, future in self._waiting:
            future.cancel()
        self._waiting.clear()
        self._cancel()
        self._pool.shutdown()
