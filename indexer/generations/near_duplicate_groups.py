"""The near-duplicates of a generation as they are kept with it: what a search reads and an update goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue import Rows
from indexer.errors import IndexDamaged

__all__ = ["NearDuplicates", "Pairs", "Signatures", "load_groups"]

Signatures = NDArray[np.uint32]
"""MinHash values (n, 96); all ones for a text without words."""
Pairs = NDArray[np.int64]
"""Pairs of store rows or of catalogue rows (m, 2)."""

_FILE = "near_duplicates.npz"


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """The near-duplicates of a generation.

    `docs` int64 (n,): store rows, ascending. `signatures` uint32 (n, 96). `pairs` int64 (m, 2): store rows of articles
    that are near-duplicates. `groups` int64 (n,): for every catalogue row the first row of its group, which is its own
    where an article has no near-duplicate.
    """

    docs: Rows
    signatures: Signatures
    pairs: Pairs
    groups: Rows

    def save(self, folder: Path) -> None:
        """Write them into a generation's folder."""
        np.savez(
            folder / _FILE, docs=self.docs, signatures=self.signatures, pairs=self.pairs, groups=self.groups
        )  # fmt: skip

    @classmethod
    def load(cls, folder: Path) -> NearDuplicates:
        """Read what `save` wrote. Raises IndexDamaged when it is missing or broken."""
        return cls(*_read(folder, "docs", "signatures", "pairs", "groups"))


def load_groups(folder: Path) -> Rows:
    """The groups of a generation, see `NearDuplicates`, without the signatures. Raises IndexDamaged."""
    (groups,) = _read(folder, "groups")
    return groups


def _read(folder: Path, *names: str) -> tuple[NDArray[Any], ...]:
    try:
        with np.load(folder / _FILE, allow_pickle=False) as columns:
            return tuple(columns[name] for name in names)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise IndexDamaged(
            f"The near-duplicates in '{folder}' cannot be read ({error}): run 'concord rebuild' to make them new."
        ) from error
