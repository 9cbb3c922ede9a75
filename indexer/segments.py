"""Which segments of an index an update takes along as they are, and which it merges into the one that it writes.

Segments are written once. An update writes one for what it adds and merges into it the older ones that are not much
larger, so that its work is in proportion to what changed and the number of segments grows with the logarithm of the
corpus (the log-structured merge of O'Neil et al. 1996).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["MergePlan", "SegmentSize", "merge_plan"]

_MERGE_RATIO = 3
"""A segment at most this many times as large as what is written is merged into it."""
_MAX_DEAD = 0.25
"""A segment with a larger share of removed entries is written anew."""

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class SegmentSize:
    """Entries of a segment that are still in the index, and all that it has."""

    alive: int
    total: int


@dataclass(frozen=True, slots=True)
class MergePlan(Generic[Key]):
    """The older segments by what becomes of them, the smallest first: taken along as they are, merged into the new one,
    or written anew by themselves."""

    kept: list[Key] = field(default_factory=list)
    merged: list[Key] = field(default_factory=list)
    rewritten: list[Key] = field(default_factory=list)


def merge_plan(segments: Mapping[Key, SegmentSize], added: int, most: int | None = None) -> MergePlan[Key]:
    """What becomes of `segments` when `added` entries are written; one segment shall have no more than `most`."""
    plan: MergePlan[Key] = MergePlan()
    # What has been merged so far decides whether the next larger one is merged too.
    for key, size in sorted(segments.items(), key=lambda item: item[1].alive):
        worn = size.total - size.alive > _MAX_DEAD * size.total
        if size.alive > _MERGE_RATIO * max(added, 1) and not worn:
            plan.kept.append(key)
        elif most is None or added + size.alive <= most:
            plan.merged.append(key)
            added += size.alive
        else:
            (plan.rewritten if worn else plan.kept).append(key)
    return plan
