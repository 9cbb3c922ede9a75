from __future__ import annotations

import mmap
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.system.huge_pages import _without, anonymous_memory, use_huge_pages

spans = st.lists(st.integers(0, 60), unique=True).map(sorted).map(lambda ends: list(pairwise(ends))[::2])


@given(spans, spans)
def test_what_is_new_is_what_was_not_there_before(now: list[tuple[int, int]], before: list[tuple[int, int]]) -> None:
    def addresses(listed: list[tuple[int, int]]) -> set[int]:
        return {address for start, end in listed for address in range(start, end)}

    new = list(_without(now, before))
    assert all(start < end for start, end in new)
    assert new == sorted(new)
    assert addresses(new) == addresses(now) - addresses(before)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked for huge pages")
def test_new_memory_is_found_and_keeps_what_is_in_it() -> None:
    before = anonymous_memory()
    # Mapped, because what a library asks for may lie in memory that the process has had before.
    with mmap.mmap(-1, 16 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        numbers = np.frombuffer(memory, np.int64)
        numbers[:] = np.arange(len(numbers))
        start = numbers.ctypes.data
        assert any(first <= start < end for first, end in _without(anonymous_memory(), before))
        use_huge_pages(before)
        assert (numbers == np.arange(len(numbers))).all()
        del numbers
