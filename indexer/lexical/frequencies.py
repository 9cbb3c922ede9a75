"""How often every term stands in every article: columns on disk, mapped into memory, from which BM25 is computed.

A term's articles and its frequencies in text and title lie side by side, so a term is read as fast the first time as
the hundredth, and nothing of it has to stay in memory. Segments are written once and merged as indexer/segments.py
says.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue import Catalogue, Rows
from indexer.lexical.term_numbers import TermNumbers
from indexer.segments import SegmentSize, merge_plan
from indexer.system.files import link_or_copy
from indexer.text.analysis import Words

__all__ = ["Frequencies", "FrequencyWriter", "Postings", "move_segments"]

_FILES = ("articles", "docs", "ends", "in_text", "in_title", "terms")
_REMEMBERED = 10_000
"""Terms of a segment whose place is remembered."""
_MAX_POSTINGS = 4_000_000
"""Postings of a segment; more are never sorted at once."""

Counts = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Postings:
    """The articles that hold a term: catalogue rows int64 (n,), and how often it stands in text and title, float32."""

    rows: Rows
    in_text: NDArray[np.float32]
    in_title: NDArray[np.float32]


class Frequencies:
    """The term frequencies of one generation, read-only and safe to share between threads."""

    def __init__(self, folder: Path, catalogue: Catalogue) -> None:
        """Raises OSError or ValueError when a segment is broken, or an article of the catalogue is in none of them."""
        self._segments = [_Segment(path, catalogue) for path in _segments(folder)]
        count = len(catalogue)
        self.title_lengths = np.zeros(count, np.int64)
        self.text_lengths = np.zeros(count, np.int64)
        # Where an article's frequencies lie: its segment, and its number there.
        self._segment_of = np.full(count, -1, np.int32)
        self._number_of = np.zeros(count, np.int64)
        for position, segment in enumerate(self._segments):
            rows = segment.rows[segment.alive]
            self._segment_of[rows] = position
            self._number_of[rows] = np.flatnonzero(segment.alive)
            self.title_lengths[rows] = segment.title_lengths[segment.alive]
            self.text_lengths[rows] = segment.text_lengths[segment.alive]
        missing = int(np.count_nonzero(self._segment_of < 0))
        if missing:
            raise ValueError(f"it lacks {missing:,} of {count:,} articles of its generation")

    def knows(self, term: str) -> bool:
        """Whether any article, of this generation or removed since, holds the term."""
        key = term.encode("utf-8")
        return any(segment.find(key) is not None for segment in self._segments)

    def count(self, term: str) -> int:
        """The number of articles that hold the term."""
        key = term.encode("utf-8")
        return sum(segment.count(key) for segment in self._segments)

    def postings(self, term: str) -> Postings:
        """Everything about a term."""
        key = term.encode("utf-8")
        parts = [part for segment in self._segments if (part := segment.postings(key)) is not None]
        if len(parts) == 1:
            return parts[0]
        return Postings(
            np.concatenate([np.empty(0, np.int64), *(part.rows for part in parts)]),
            np.concatenate([np.empty(0, np.float32), *(part.in_text for part in parts)]),
            np.concatenate([np.empty(0, np.float32), *(part.in_title for part in parts)]),
        )

    def at(self, term: str, rows: Rows) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """How often the term stands in text and title of the articles at `rows`, both float32 (n,)."""
        key = term.encode("utf-8")
        in_text, in_title = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)
        of, number = self._segment_of[rows], self._number_of[rows]
        for position, segment in enumerate(self._segments):
            mine = np.flatnonzero(of == position) if len(self._segments) > 1 else np.arange(len(rows))
            if len(mine) and (found := segment.at(key, number[mine])) is not None:
                in_text[mine], in_title[mine] = found
        return in_text, in_title


class _Segment:
    """One folder of columns: articles in ascending order of their store rows, terms in the order of their bytes."""

    __slots__ = (
        "_articles", "_found", "_in_text", "_in_title", "_posting_ends", "_term_ends", "_terms", "alive", "docs",
        "rows", "text_lengths", "title_lengths", "whole",
    )  # fmt: skip

    def __init__(self, path: Path, catalogue: Catalogue) -> None:
        columns = {name: np.load(path / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _FILES}
        # Slices of plain arrays over the same memory cost a fraction of those of numpy's memmap class.
        plain = {name: np.asarray(column) for name, column in columns.items()}
        self.docs, self.title_lengths, self.text_lengths = plain["docs"]
        self._term_ends, self._posting_ends = plain["ends"]
        self._terms = plain["terms"].data
        self._articles, self._in_text, self._in_title = plain["articles"], plain["in_text"], plain["in_title"]
        sizes = {len(self._articles), len(self._in_text), len(self._in_title), int(self._posting_ends[-1])}
        if len(sizes) != 1 or len(self._terms) != self._term_ends[-1]:
            raise ValueError(f"the columns of '{path}' do not fit one another")
        self.rows = catalogue.rows_of(self.docs)
        self.alive = self.rows >= 0
        self.whole = bool(self.alive.all())
        self._found: dict[bytes, tuple[int, int] | None] = {}

    @property
    def size(self) -> SegmentSize:
        """In postings; how many are those of articles that are still there, about."""
        share = self.alive.mean() if len(self.alive) else 0
        return SegmentSize(round(len(self._articles) * share), len(self._articles))

    def find(self, term: bytes) -> tuple[int, int] | None:
        """Where the postings of a term begin and end."""
        remembered = self._found
        if term in remembered:
            return remembered[term]
        found = self._search(term)
        # Threads share it: it is put away and never emptied under one that is reading.
        if len(remembered) >= _REMEMBERED:
            remembered = self._found = {}
        remembered[term] = found
        return found

    def _search(self, term: bytes) -> tuple[int, int] | None:
        ends, terms = self._term_ends, self._terms
        place = bisect_left(range(len(ends) - 1), term, key=lambda n: bytes(terms[ends[n] : ends[n + 1]]))
        if place == len(ends) - 1 or terms[ends[place] : ends[place + 1]] != term:
            return None
        return int(self._posting_ends[place]), int(self._posting_ends[place + 1])

    def count(self, term: bytes) -> int:
        if (span := self.find(term)) is None:
            return 0
        return span[1] - span[0] if self.whole else int(np.count_nonzero(self.alive[self._articles[slice(*span)]]))

    def postings(self, term: bytes) -> Postings | None:
        if (span := self.find(term)) is None:
            return None
        part = slice(*span)
        rows = self.rows[self._articles[part]]
        found = Postings(rows, self._in_text[part].astype(np.float32), self._in_title[part].astype(np.float32))
        if self.whole:
            return found
        kept = rows >= 0
        return Postings(rows[kept], found.in_text[kept], found.in_title[kept])

    def at(self, term: bytes, numbers: Rows) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        if (span := self.find(term)) is None:
            return None
        articles = self._articles[slice(*span)]
        places = np.minimum(np.searchsorted(articles, numbers.astype(articles.dtype)), len(articles) - 1)
        held = articles[places] == numbers
        places = places + span[0]
        return np.where(held, self._in_text[places], 0), np.where(held, self._in_title[places], 0)

    def living(self) -> tuple[list[bytes], Counts, Counts, Counts, Counts]:
        """Terms, and for every posting of an article that is still there its term, article, and two frequencies."""
        starts = self._term_ends
        terms = [bytes(self._terms[a:b]) for a, b in pairwise(starts)]
        kept = self.alive[self._articles]
        of = np.repeat(np.arange(len(terms), dtype=np.uint32), np.diff(self._posting_ends))
        return terms, of[kept], self._articles[kept], self._in_text[kept], self._in_title[kept]


class FrequencyWriter:
    """Writes the segments of a new generation: `add` what is new, then `finish`."""

    def __init__(self, folder: Path, name: str) -> None:
        """`name` is new for every update, so that a folder name never stands for two contents."""
        self._folder = folder
        self._name = name
        self._written = 0
        self._draft = _Draft()

    def add(self, doc: int, title: Words, text: Words) -> None:
        """An article by its store row and its words."""
        self._draft.add(doc, title, text)
        if len(self._draft) >= _MAX_POSTINGS:
            self._write()

    def finish(self, previous: Path | None, catalogue: Catalogue) -> None:
        """Take along from `previous` what `catalogue` still has."""
        old = {path: _Segment(path, catalogue) for path in _segments(previous)} if previous else {}
        plan = merge_plan({path: segment.size for path, segment in old.items()}, len(self._draft), _MAX_POSTINGS)
        for path in plan.merged:
            self._draft.absorb(old[path])
        self._write()
        for path in plan.rewritten:
            self._draft.absorb(old[path])
            self._write()
        for path in plan.kept:
            target = self._folder / path.name
            target.mkdir()
            for file in path.iterdir():
                link_or_copy(file, target / file.name)

    def _write(self) -> None:
        if len(self._draft.docs):
            target = self._folder / f"frequencies-{self._name}-{self._written}"
            target.mkdir()
            self._draft.save(target)
            self._written += 1
        self._draft = _Draft()


class _Draft:
    """Postings in memory, in the order in which they came."""

    def __init__(self) -> None:
        self.docs: list[tuple[int, int, int]] = []
        self._ids = TermNumbers()
        self._terms, self._articles = array("I"), array("I")
        self._in_text, self._in_title = array("I"), array("I")

    def __len__(self) -> int:
        return len(self._terms)

    def add(self, doc: int, title: Words, text: Words) -> None:
        in_title, in_text = title.positions, text.positions
        only_title = [term for term in in_title if term not in in_text]
        self._terms.extend(map(self._ids.__getitem__, (*in_text, *only_title)))
        self._articles.extend([len(self.docs)] * (len(in_text) + len(only_title)))
        self._in_text.extend(map(len, in_text.values()))
        self._in_text.extend([0] * len(only_title))
        self._in_title.extend(len(in_title[term]) if term in in_title else 0 for term in in_text)
        self._in_title.extend(len(in_title[term]) for term in only_title)
        self.docs.append((doc, title.count, text.count))

    def absorb(self, segment: _Segment) -> None:
        terms, of, articles, in_text, in_title = segment.living()
        ids = self._ids
        renamed = np.array([ids[term.decode("utf-8")] for term in terms], np.uint32)
        numbers = len(self.docs) + np.cumsum(segment.alive) - 1
        columns = segment.docs, segment.title_lengths, segment.text_lengths
        self.docs += zip(*(column[segment.alive].tolist() for column in columns), strict=True)
        self._terms.frombytes(renamed[of].tobytes())
        self._articles.frombytes(numbers[articles].astype(np.uint32).tobytes())
        self._in_text.frombytes(in_text.astype(np.uint32).tobytes())
        self._in_title.frombytes(in_title.astype(np.uint32).tobytes())

    def save(self, folder: Path) -> None:
        docs = np.array(self.docs, np.int64).T
        by_doc = np.argsort(docs[0])
        of = np.frombuffer(self._terms, np.uint32)
        # Merging brings along terms whose last article is gone.
        held = np.bincount(of, minlength=len(self._ids)) > 0
        # Strings and their UTF-8 have the same order.
        terms = sorted(term for term, number in self._ids.items() if held[number])
        place = self._ids.places(terms)
        number = np.empty(len(by_doc), np.int64)
        number[by_doc] = np.arange(len(by_doc))
        keys = place[of] << 32
        keys |= number[np.frombuffer(self._articles, np.uint32)]
        order = np.argsort(keys)
        keys = keys[order]
        ends = np.zeros((2, len(terms) + 1), np.int64)
        encoded = [term.encode("utf-8") for term in terms]
        np.cumsum([len(term) for term in encoded], out=ends[0, 1:])
        ends[1] = np.searchsorted(keys, np.arange(len(terms) + 1) << 32)
        np.save(folder / "docs.npy", docs[:, by_doc])
        np.save(folder / "terms.npy", np.frombuffer(b"".join(encoded), np.uint8))
        np.save(folder / "ends.npy", ends)
        np.save(folder / "articles.npy", (keys & 0xFFFFFFFF).astype(np.uint32))
        for name, column in (("in_text", self._in_text), ("in_title", self._in_title)):
            counts = np.frombuffer(column, np.uint32)
            # Few terms stand more than 255 times in an article, so most segments need one byte for it.
            kind = np.min_scalar_type(int(counts.max(initial=0)))
            np.save(folder / f"{name}.npy", counts[order].astype(kind))


def move_segments(source: Path, target: Path) -> None:
    """Give the segments of one folder to another that has none of their names."""
    for path in _segments(source):
        path.rename(target / path.name)


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("frequencies-*"))
