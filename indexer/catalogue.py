"""What filters and facets need of every article of a generation, as columns in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from indexer.errors import IndexDamaged

__all__ = ["NO_DATE", "Catalogue", "Mask", "Rows"]

NO_DATE = np.iinfo(np.int64).min
FIELDS = ("section", "source", "author")
_COLUMNS_FILE = "catalogue.npz"
_LABELS_FILE = "catalogue.json"

Rows = NDArray[np.int64]
"""Positions in a catalogue."""
Mask = NDArray[np.bool_]
"""One truth value for every position of a catalogue."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Columns over the articles of a generation, in ascending order of their store rows.

    `docs` int64: store rows. `dates` int64: seconds since 1970 in UTC, NO_DATE where there is none. `codes` int32 for
    each of section, source and author: positions in `labels`, -1 where there is none.
    """

    docs: Rows
    dates: NDArray[np.int64]
    codes: dict[str, NDArray[np.int32]]
    labels: dict[str, list[str]]

    def __len__(self) -> int:
        return len(self.docs)

    def rows_of(self, docs: Rows | Sequence[int]) -> Rows:
        """Positions of store rows; -1 for rows that are not in this generation."""
        wanted = np.asarray(docs, np.int64)
        if not len(self.docs):
            return np.full(len(wanted), -1, np.int64)
        found = np.minimum(np.searchsorted(self.docs, wanted), len(self.docs) - 1)
        return np.where(self.docs[found] == wanted, found, -1)

    def mask_of_labels(self, field: str, chosen: Iterable[int]) -> Mask:
        """The articles whose value of `field` is one of the label codes chosen."""
        return np.isin(self.codes[field], np.fromiter(chosen, np.int32))

    def mask_of_dates(self, since: datetime | None, until: datetime | None) -> Mask:
        """The articles dated in [since, until); articles without a date are in no bounded range."""
        mask = np.ones(len(self), np.bool_)
        if since is not None or until is not None:
            mask &= self.dates != NO_DATE
        if since is not None:
            mask &= self.dates >= int(since.timestamp())
        if until is not None:
            mask &= self.dates < int(until.timestamp())
        return mask

    def counts(self, field: str, rows: Rows) -> tuple[tuple[str, int], ...]:
        """How often each value of `field` occurs among `rows`: most frequent first, equals by name."""
        codes = self.codes[field][rows]
        counted = np.bincount(codes[codes >= 0], minlength=len(self.labels[field]))
        pairs = [(self.labels[field][code], int(counted[code])) for code in np.flatnonzero(counted)]
        return tuple(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))

    @classmethod
    def build(cls, rows: Iterable[tuple[int, str | None, str | None, str | None, str | None]]) -> Catalogue:
        """From (store row, section, source, author, ISO date), ascending by store row."""
        docs: list[int] = []
        dates: list[int] = []
        codes: dict[str, list[int]] = {field: [] for field in FIELDS}
        labels: dict[str, dict[str, int]] = {field: {} for field in FIELDS}
        for doc, section, source, author, date in rows:
            docs.append(doc)
            dates.append(int(datetime.fromisoformat(date).timestamp()) if date else NO_DATE)
            for field, value in zip(FIELDS, (section, source, author), strict=True):
                codes[field].append(labels[field].setdefault(value, len(labels[field])) if value else -1)
        return cls(
            docs=np.array(docs, np.int64),
            dates=np.array(dates, np.int64),
            codes={field: np.array(codes[field], np.int32) for field in FIELDS},
            labels={field: list(labels[field]) for field in FIELDS},
        )

    def save(self, folder: Path) -> None:
        """Write the columns into `folder`."""
        columns = {f"codes_{field}": self.codes[field] for field in FIELDS}
        np.savez(folder / _COLUMNS_FILE, docs=self.docs, dates=self.dates, **columns)  # type: ignore[arg-type]
        (folder / _LABELS_FILE).write_text(json.dumps(self.labels, ensure_ascii=False), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Catalogue:
        """Read what `save` wrote. Raises IndexDamaged when it is missing or broken."""
        try:
            with np.load(folder / _COLUMNS_FILE, allow_pickle=False) as columns:
                return cls(
                    docs=columns["docs"],
                    dates=columns["dates"],
                    codes={field: columns[f"codes_{field}"] for field in FIELDS},
                    labels=json.loads((folder / _LABELS_FILE).read_text("utf-8")),
                )
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise IndexDamaged(
                f"The catalogue in '{folder}' cannot be read ({error}): run 'concord rebuild' to make it new."
            ) from error
