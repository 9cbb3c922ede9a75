"""Which articles are copies or updates of one another: wire copies, corrections, write-throughs of one story.

Candidates come from MinHash signatures (Broder 1997) by locality-sensitive hashing: 32 bands of 3 values find nearly
every pair that has half of its four-word runs in common. Every candidate is then compared word by word, because a
signature cannot tell an update from another day's report on the same template. What was measured: docs/relevance.md.

Signatures and pairs of a generation are kept with it, so an added article is hashed and compared, and nothing else is.
The bands are compared as arrays: the dictionaries of a MinHashLSH would have to be filled with the whole archive for
every article that is added.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import AnyStr

import numpy as np
import regex
from numpy.typing import NDArray

from indexer.article import Article
from indexer.catalogue import Rows
from indexer.generations.near_duplicate_groups import NearDuplicates, Pairs, Signatures

__all__ = ["Sketches", "Wording", "near_duplicates", "update_near_duplicates"]

RESEMBLANCE = 0.5
"""Least share of both articles' runs of words that they have in common."""
CONTAINMENT = 0.8
"""Least share of the shorter article's runs that the longer one has, and of its numbers and of its names."""
_RUN = 4
"""Words of a run."""
_FEWEST_RUNS = 16
"""Runs of the shorter article below which only the same words count: a few lines share half of their runs by chance."""
_BAND, _BANDS = 3, 32
_LIKELY = 0.35
"""Share of equal MinHash values from which a candidate is compared: three standard errors below RESEMBLANCE."""
_NEIGHBOURS = 32
"""Earlier articles with the same band that one is compared with at most, so that ten thousand equal texts cost no
hundred million comparisons: they are joined one to the next."""
_BLOCK = 256
_HASHED_AT_ONCE = 10_000
"""Runs of an article, each with 96 values of 8 bytes: a text of 10 MB has two million."""
_NO_WORDS = np.uint32(0xFFFFFFFF)
_MIXING = (np.uint32(16), np.uint32(0x85EBCA6B)), (np.uint32(13), np.uint32(0xC2B2AE35))
# Scripts written without spaces count by character.
_WORD = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]|\w++(?:[.,'\u2019]\w++)*+", regex.VERSION1
)
# The same for texts of ASCII, three times as fast.
_ASCII_WORD = re.compile(r"\w++(?:[.,']\w++)*+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wording:
    """What of an article is compared: its runs of four words, case folded, and how often it has each number and each
    word with a capital."""

    runs: frozenset[str]
    numbers: Counter[str]
    names: Counter[str]

    @classmethod
    def of(cls, article: Article) -> Wording:
        """The wording of title and text."""
        words = _words(article)
        return cls(
            runs=frozenset(_runs(list(map(str.casefold, words)), " ")),
            numbers=Counter(word for word in words if any(map(str.isdigit, word))),
            names=Counter(word.casefold() for word in words if len(word) > 1 and word[0].isupper()),
        )


class Sketches:
    """MinHash signatures of articles, made as they pass by."""

    def __init__(self) -> None:
        self._docs: list[int] = []
        self._made: list[Signatures] = []

    def noting(self, articles: Iterable[tuple[int, Article]]) -> Iterator[tuple[int, Article]]:
        """The same articles, by store row; each is noted before it goes on."""
        for doc, article in articles:
            self._docs.append(doc)
            self._made.append(_signature(article))
            yield doc, article

    def columns(self) -> tuple[Rows, Signatures]:
        """Store rows and signatures of the articles noted."""
        return np.array(self._docs, np.int64), np.array(self._made, np.uint32).reshape(-1, _BAND * _BANDS)

    def save(self, path: Path) -> None:
        """Write them to `path`."""
        docs, signatures = self.columns()
        np.savez(path, docs=docs, signatures=signatures)

    def absorb(self, path: Path) -> None:
        """Take in what another process has saved."""
        with np.load(path, allow_pickle=False) as columns:
            self._docs += columns["docs"].tolist()
            self._made += list(columns["signatures"])


def near_duplicates(one: Wording, other: Wording) -> bool:
    """Whether two articles are copies or updates of one another.

    They have half of their runs in common, and the longer one has nearly all of the shorter one's runs, numbers and
    names, and each that the shorter one repeats. So reports on one template, with other numbers or about somebody else,
    are not near-duplicates however much of the template they share.
    """
    short, long = sorted((one, other), key=lambda wording: len(wording.runs))
    shared = len(short.runs & long.runs)
    if len(short.runs) < _FEWEST_RUNS:
        return bool(short.runs) and short == long
    if shared < RESEMBLANCE * (len(short.runs) + len(long.runs) - shared) or shared < CONTAINMENT * len(short.runs):
        return False
    return all(_held(few, many) for few, many in ((short.numbers, long.numbers), (short.names, long.names)))


def update_near_duplicates(
    folder: Path,
    previous: Path | None,
    *,
    docs: Rows,
    added: Sketches,
    articles: Callable[[list[int]], Iterator[tuple[int, Article]]],
) -> None:
    """Write the near-duplicates of a generation with the store rows `docs` into `folder`.

    `previous` is the folder of the generation that it follows, `added` the sketches of the articles that are not in
    that one, and `articles` looks up some of `docs`. Raises IndexDamaged when the previous ones cannot be read.
    """
    old = NearDuplicates.load(previous) if previous else _nothing()
    fresh, hashed = added.columns()
    kept = np.isin(old.docs, docs)
    joined = np.concatenate((old.docs[kept], fresh))
    order = np.argsort(joined)
    signatures = np.concatenate((old.signatures[kept], hashed))[order]
    candidates = docs[_candidates(signatures, np.isin(docs, fresh))]
    pairs = np.concatenate((old.pairs[np.isin(old.pairs, docs).all(axis=1)], _compared(candidates, articles)))
    NearDuplicates(docs, signatures, pairs, _groups(docs, pairs)).save(folder)


def _nothing() -> NearDuplicates:
    none = np.empty(0, np.int64)
    return NearDuplicates(none, np.empty((0, _BAND * _BANDS), np.uint32), none.reshape(0, 2), none)


def _held(few: Counter[str], many: Counter[str]) -> bool:
    """Whether `many` has nearly all of `few`, and each that `few` has twice."""
    missing = [word for word in few if word not in many]
    return len(missing) <= (1 - CONTAINMENT) * len(few) and all(few[word] < 2 for word in missing)


def _signature(article: Article) -> Signatures:
    """The MinHash values (96,) of an article's runs.

    They are those of datasketch's scheme 'affine32', with which the tests compare them: CRC-32, mixed by the finalizer
    of MurmurHash3, times an odd number and plus another, for each value its own. The library itself imports 0.3 s of
    scipy, and whoever adds an article would wait for that.
    """
    # Half a surrogate pair has no UTF-8.
    folded = [word.casefold().encode("utf-8", "surrogatepass") for word in _words(article)]
    runs = iter(_runs(folded, b" "))
    factors, offsets = _permutations()
    least = np.full(_BAND * _BANDS, _NO_WORDS, np.uint32)
    while block := list(islice(runs, _HASHED_AT_ONCE)):
        hashes = np.fromiter(map(zlib.crc32, block), np.uint32, len(block))
        for shift, factor in _MIXING:
            hashes = (hashes ^ (hashes >> shift)) * factor
        hashes ^= hashes >> np.uint32(16)
        np.minimum(least, (hashes[:, None] * factors + offsets).min(axis=0), out=least)
    return least


@cache
def _permutations() -> tuple[Signatures, Signatures]:
    """What hashes are multiplied by, odd so that no two become one, and what is added, both (96,)."""
    random = np.random.RandomState(1)
    factors = random.randint(0, 1 << 31, _BAND * _BANDS, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return factors, random.randint(0, 1 << 32, _BAND * _BANDS, dtype=np.uint32)


def _words(article: Article) -> list[str]:
    """The words of title and text; none for an article without a text, which its title alone does not tell apart."""
    if not article.text.strip():
        return []
    text = f"{article.title}\n{article.text}"
    return (_ASCII_WORD if text.isascii() else _WORD).findall(text)


def _runs(folded: list[AnyStr], space: AnyStr) -> Iterable[AnyStr]:
    if 0 < len(folded) < _RUN:
        return [space.join(folded)]
    return map(space.join, zip(*(folded[start:] for start in range(_RUN)), strict=False))


def _candidates(signatures: Signatures, fresh: NDArray[np.bool_]) -> Pairs:
    """Positions of pairs that have a band in common and are alike by their signatures, one of each pair `fresh`."""
    usable = (signatures != _NO_WORDS).any(axis=1)
    found = [np.empty(0, np.int64)]
    count = len(signatures)
    for band in range(_BANDS if fresh.any() else 0):
        keys = _keys(signatures[:, band * _BAND : (band + 1) * _BAND])
        rows = np.flatnonzero(usable & np.isin(keys, keys[fresh & usable]))
        rows = rows[np.argsort(keys[rows], kind="stable")]
        for step in range(1, min(_NEIGHBOURS, len(rows) - 1) + 1):
            one, other = rows[:-step], rows[step:]
            same = keys[one] == keys[other]
            if not same.any():
                break
            same &= fresh[one] | fresh[other]
            found.append(one[same] * count + other[same])
    one, other = np.divmod(np.unique(np.concatenate(found)), max(count, 1))
    likely = [
        (signatures[one[start : start + _BLOCK]] == signatures[other[start : start + _BLOCK]]).mean(axis=1) >= _LIKELY
        for start in range(0, len(one), _BLOCK)
    ]
    pairs: Pairs = np.column_stack((one, other))
    return pairs[np.concatenate(likely)] if likely else pairs


def _keys(values: Signatures) -> NDArray[np.uint64]:
    """One number for the values of a band; that two bands get the same by chance costs a comparison and no more."""
    keys = np.zeros(len(values), np.uint64)
    for column in values.T:
        keys = keys * np.uint64(0x9E3779B97F4A7C15) + column
    return keys


def _compared(candidates: Pairs, articles: Callable[[list[int]], Iterator[tuple[int, Article]]]) -> Pairs:
    """The candidates, pairs of store rows, that are near-duplicates; the texts of some hundred at a time are read."""
    true = [np.empty((0, 2), np.int64)]
    for start in range(0, len(candidates), _BLOCK):
        block = candidates[start : start + _BLOCK]
        wordings = {doc: Wording.of(article) for doc, article in articles(np.unique(block).tolist())}
        alike = [near_duplicates(wordings[one], wordings[other]) for one, other in block.tolist()]
        true.append(block[np.array(alike, np.bool_)])
    return np.concatenate(true)


def _groups(docs: Rows, pairs: Pairs) -> Rows:
    """For every position of `docs` the first position of the group that the pairs join it to.

    Every position points to the first one that it is known to be joined to, and then to what that one points to, until
    nothing changes: a chain of n pairs takes about log n rounds (Shiloach and Vishkin 1982). scipy has this too, and
    importing it would be a tenth of the time that an added article takes.
    """
    groups = np.arange(len(docs))
    one, other = np.searchsorted(docs, pairs).T
    while not np.array_equal(groups[one], groups[other]):
        least = np.minimum(groups[one], groups[other])
        for end in (one, other):
            np.minimum.at(groups, groups[end], least)
        while not np.array_equal(groups, further := groups[groups]):
            groups = further
    return groups
