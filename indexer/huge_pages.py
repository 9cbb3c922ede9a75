"""Memory in pages of two megabytes, where Linux gives them to who asks.

A query reads all weights of its encoder once. In pages of four kilobytes a good part of that time goes into finding
where they are. Runtimes do not ask, so it is done for them: for what they have allocated while an encoder was loaded.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["anonymous_memory", "use_huge_pages"]

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
    """Put what this process has allocated since `before`, an earlier `anonymous_memory`, into huge pages.

    Whole ones only. A system that has none, or has them switched off, leaves everything as it is: that is slower, and
    no error.
    """
    spans = list(_without(anonymous_memory(), before))
    if not spans:
        return
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for start, end in spans:
        first, last = -(-start // _PAGE) * _PAGE, end // _PAGE * _PAGE
        for advice in (_ADVISE, _COLLAPSE) if first < last else ():
            madvise(first, last - first, advice)


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
