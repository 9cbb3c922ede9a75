"""Articles and vectors that nobody wrote: as many as wanted, the same for the same seed, without encoding anything.

Words follow the law of Zipf and Mandelbrot, p ~ 1 / (rank + 2.7)^1.07, over a made-up vocabulary; an article has about
240 words in sentences of 12 to 24, and its title is made of rarer words of its own text, as a headline's are. A vector
lies around one of the vectors given (those of real passages), so that cosines are spread as real ones are.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from indexer.article import Article, Passage

__all__ = ["articles", "vectors_around"]

_VOCABULARY = 200_000
_ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "br", "st", "tr")
_SYLLABLES = [onset + vowel for onset in _ONSETS for vowel in "aeiou"]
_COMMON = 200
_SENTENCES_A_PASSAGE = 5
_NOISE = 0.8


def articles(count: int, seed: int = 7) -> Iterator[tuple[Article, tuple[Passage, ...]]]:
    """`count` articles, cut into passages of five sentences."""
    rng = np.random.default_rng(seed)
    words = _words(rng)
    weights = 1 / (np.arange(_VOCABULARY) + 2.7) ** 1.07
    steps = np.cumsum(weights / weights.sum())
    start = datetime(2020, 1, 1, tzinfo=UTC)
    for number in range(count):
        ranks = np.minimum(np.searchsorted(steps, rng.random(int(rng.integers(160, 320)))), _VOCABULARY - 1)
        sentences, at = [], 0
        while at < len(ranks):
            size = int(rng.integers(12, 25))
            sentences.append(" ".join(words[rank] for rank in ranks[at : at + size]).capitalize() + ".")
            at += size
        rare = ranks[ranks >= _COMMON]
        title = " ".join(
            words[rank] for rank in rng.choice(rare, min(len(rare), int(rng.integers(5, 11))), replace=False)
        )
        text, passages = _cut(sentences)
        article = Article(
            id=f"generated-{number:07d}",
            title=title.capitalize(),
            text=text,
            section=f"Section {number % 12}",
            source=f"Source {number % 5}",
            date=start + timedelta(minutes=17 * number),
        )
        yield article, passages


def vectors_around(bases: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """`count` unit vectors, float32, each near one of the unit vectors `bases` (m, dimension): cosine about 0.78."""
    chosen = bases[rng.integers(len(bases), size=count)]
    noise = rng.standard_normal(chosen.shape, np.float32)
    noise *= _NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
    found = chosen + noise
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def _cut(sentences: list[str]) -> tuple[str, tuple[Passage, ...]]:
    parts, passages, length = [], [], 0
    for ordinal, first in enumerate(range(0, len(sentences), _SENTENCES_A_PASSAGE)):
        part = " ".join(sentences[first : first + _SENTENCES_A_PASSAGE])
        passages.append(Passage(ordinal=ordinal, start=length, end=length + len(part)))
        parts.append(part)
        length += len(part) + 2
    return "\n\n".join(parts), tuple(passages)


def _words(rng: np.random.Generator) -> list[str]:
    """Different words of two to four syllables, the short ones first, as in languages."""
    found: dict[str, None] = {}
    while len(found) < _VOCABULARY:
        syllables = 2 + (len(found) > 2_000) + (len(found) > 40_000)
        found["".join(_SYLLABLES[i] for i in rng.integers(len(_SYLLABLES), size=syllables))] = None
    return list(found)
