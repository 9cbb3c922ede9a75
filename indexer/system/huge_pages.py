"""Memory in pages of two megabytes, where Linux gives them to who asks.

A query reads all weights of its layers once, and all codes of the vectors. In pages of four kilobytes a good part of
that time goes into finding where they are. Libraries do not ask, so it is done for them.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["advise", "anonymous_memory", "use_huge_pages"]

_PAGE = 2 << 20
_ADVISE, _COLLAPSE = 14, 25
"""MADV_HUGEPAGE: whenever there is a chance; MADV_COLLAPSE (Linux 6.1): at once. See madvise(2)."""

Span = tuple[int, int]
"""First address, and the one after the last."""


def anonymous_memory() -> list[Span]:
    """The writable memory of this process that belongs to no file, ascending; nothing on other systems than Linux."""
    if sys.platform != "linux":
        return []
    found = []
    for line in Path("/proc/self/maps").read_text("ascii", "replace").splitlines():
        span, permissions, _, _, inode, *name = line.split()
        if permissions == "rw-p" and inode == "0" and name in ([], ["[heap]"]):
            start, end = span.split("-")
            found.append((int(start, 16), int(end, 16)))
    return found


def use_huge_pages(before: Sequence[Span]) -> None:
    """Put what this process has allocated since `before`, an earlier `anonymous_memory`, into huge pages, as `advise`
    does."""
    for start, end in _without(anonymous_memory(), before):
        advise(start, end)


def advise(start: int, end: int) -> None:
    """Put the memory between two addresses into huge pages.

    Whole ones only. A system that has none, or has them switched off, leaves everything as it is: that is slower, and
    no error.
    """
    first, last = -(-start // _PAGE) * _PAGE, end // _PAGE * _PAGE
    if first >= last or sys.platform != "linux":
        return
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    madvise(first, last - first, _ADVISE)
    # One by one: Linux stops at the first that it cannot put together, such as one that nothing was written to.
    for page in range(first, last, _PAGE):
        madvise(page, _PAGE, _COLLAPSE)


def _without(spans: Sequence[Span], taken: Sequence[Span]) -> Iterator[Span]:
    """The parts of `spans` that none of `taken` covers; both ascending, and no two of one list overlap."""
    for start, end in spans:
        free = start
        for other_start, other_end in taken:
            if other_end <= free or other_start >= end:
                continue
            if free < other_start:
                yield free, other_start
            free = other_end
        if free < end:
            yield free, end
