"""Terms by number, while a segment is made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["TermNumbers"]


class TermNumbers(defaultdict[str, int]):
    """Numbers from 0; a term that is asked for and has none gets the next."""

    def __init__(self) -> None:
        super().__init__()
        self.default_factory = self.__len__

    def places(self, terms: Sequence[str]) -> NDArray[np.int64]:
        """For every number the place of its term in `terms`, int64 (numbers,); 0 for a term that is not there."""
        places = np.zeros(len(self), np.int64)
        places[np.fromiter((self[term] for term in terms), np.int64, len(terms))] = np.arange(len(terms))
        return places
