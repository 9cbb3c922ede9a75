from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.segments import MergePlan, SegmentSize, merge_plan


@pytest.mark.parametrize(
    ("sizes", "added", "most", "expected"),
    [
        ({}, 5, None, ([], [], [])),
        ({"large": (200, 200), "small": (30, 30)}, 10, None, (["large"], ["small"], [])),
        ({"a": (30, 30), "b": (120, 120)}, 10, None, ([], ["a", "b"], [])),  # merging one makes room for the next
        ({"a": (31, 31)}, 10, None, (["a"], [], [])),
        ({"worn": (700, 1000), "sound": (9000, 12_000)}, 10, None, (["sound"], ["worn"], [])),
        ({"a": (30, 30)}, 10, 39, (["a"], [], [])),
        ({"a": (30, 30)}, 10, 40, ([], ["a"], [])),
        ({"worn": (30, 60)}, 20, 40, ([], [], ["worn"])),
        ({"gone": (0, 50), "left": (4, 4)}, 0, None, (["left"], ["gone"], [])),
    ],
)
def test_what_becomes_of_older_segments(
    sizes: dict[str, tuple[int, int]], added: int, most: int | None, expected: tuple[list[str], list[str], list[str]]
) -> None:
    found = merge_plan({name: SegmentSize(*size) for name, size in sizes.items()}, added, most)
    assert found == MergePlan(*expected)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=300), st.integers(100, 2000))
def test_segments_stay_few_and_within_their_size(updates: list[int], most: int) -> None:
    segments: dict[int, SegmentSize] = {}
    for number, added in enumerate(updates):
        plan = merge_plan(segments, added, most)
        assert not plan.rewritten
        written = added + sum(segments[key].alive for key in plan.merged)
        segments = {key: segments[key] for key in plan.kept} | {number: SegmentSize(written, written)}
    assert sum(size.alive for size in segments.values()) == sum(updates)
    assert max(size.alive for size in segments.values()) <= most
    assert len(segments) <= 8 + sum(updates) // (most // 4)
