"""How many cores there are to divide work between."""

from __future__ import annotations

import os
import sys

__all__ = ["usable_cores"]


def usable_cores() -> int:
    """The cores that this process may run on, at least 1; `taskset` and containers may leave it few."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
