"""From a ranking of articles to a list of hits: near-duplicates folded into one, and no story over a whole page.

Which articles are near-duplicates is found at indexing (indexer/generations/near_duplicates.py). The rule that keeps a
story from filling a page is Concord's own, in whole articles: unlike maximal marginal relevance (Carbonell and
Goldstein 1998) it weighs no score against likeness, so scores stay what they are and the reason can be said.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue import NO_DATE, Catalogue, Rows
from search_app.ranking.candidates import Ranking

__all__ = ["Folded", "counts", "diversified", "fold"]

Vectors = NDArray[np.float32]
"""One vector a line, float32 (n, d)."""

DIVERSIFIED = 30
"""Articles, from the first on, that diversification may exchange."""
SPAN, OF_ONE_STORY = 10, 3
"""In each ten of them at most three are of one story."""
SAME_STORY = 0.7
"""Cosine of two articles' mean passage vectors from which they tell one story, if they are of the same time."""
STORY_DAYS = 7
"""Days between two articles of one story: what is alike and years apart is about one subject, not one story."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A ranking with one article of each group, its best.

    `others` has, by that article's catalogue row, the catalogue rows of the rest of its group in the answer, int64
    (m,), best first; nothing where there is no rest. `moved` are the catalogue rows that diversification placed behind
    articles with a lower score.
    """

    ranking: Ranking
    others: dict[int, Rows] = field(default_factory=dict)
    moved: frozenset[int] = frozenset()

    @property
    def articles(self) -> int:
        """The number of articles of the answer, those folded away included."""
        return len(self.ranking) + sum(len(rows) for rows in self.others.values())


def fold(ranking: Ranking, groups: Rows) -> Folded:
    """Let the first article of each group stand for all of the group.

    `ranking` is best first; `groups` int64 has a number for every row of the catalogue, the same for near-duplicates.
    The order stays.
    """
    labels = groups[ranking.rows]
    _, first, members = np.unique(labels, return_index=True, return_inverse=True)
    if len(first) == len(ranking):
        return Folded(ranking)
    leaders = first[members]
    others: dict[int, list[int]] = {}
    for position in np.flatnonzero(leaders != np.arange(len(ranking))).tolist():
        others.setdefault(int(ranking.rows[leaders[position]]), []).append(int(ranking.rows[position]))
    return Folded(
        ranking.take(np.sort(first)), {leader: np.array(rows, np.int64) for leader, rows in others.items()}
    )  # fmt: skip


def counts(catalogue: Catalogue, name: str, rows: Rows, groups: Rows | None) -> tuple[tuple[str, int], ...]:
    """(value, number of hits) for the values of a field among the articles at `rows`, catalogue rows int64 (n,).

    `name` is 'section', 'source' or 'author'. With `groups`, as for `fold`, an article counts only if no other of its
    group has the same value; None counts all.
    """
    if groups is not None:
        # A code is -1 where there is no value.
        keys = groups[rows] * (len(catalogue.labels[name]) + 1) + catalogue.codes[name][rows] + 1
        rows = rows[np.unique(keys, return_index=True)[1]]
    return catalogue.counts(name, rows)


def diversified(ranking: Ranking, vectors: Vectors, dates: NDArray[np.int64]) -> Ranking:
    """The ranking with at most three articles of one story in each ten of its first thirty, as far as there are others.

    `vectors` float32 (m, d) are unit vectors of its first m articles, `dates` int64 (m,) their dates in seconds or
    NO_DATE; an article tells the story of the best article that it is near to in both. What is too much for a ten comes
    as early as it can in the next. Nothing leaves the first m, and the scores stay as they are.
    """
    stories = _stories(vectors, dates)
    waiting = list(range(len(vectors)))
    order: list[int] = []
    while waiting:
        told: dict[int, int] = {}
        chosen: list[int] = []
        for position in waiting:
            if len(chosen) == SPAN:
                break
            if told.get(stories[position], 0) < OF_ONE_STORY:
                told[stories[position]] = told.get(stories[position], 0) + 1
                chosen.append(position)
        rest = [position for position in waiting if position not in chosen]
        # Where there is nothing else left, one story may go on.
        short = SPAN - len(chosen)
        order += chosen + rest[:short]
        waiting = rest[short:]
    return ranking.take(np.array([*order, *range(len(vectors), len(ranking))], np.int64))


def _stories(vectors: Vectors, dates: NDArray[np.int64]) -> list[int]:
    """For each article the position of the first one whose story it tells; its own where it is the first.

    An article without a date is of any time.
    """
    undated = dates == NO_DATE
    days = np.where(undated, 0, dates) / 86_400
    together = (np.abs(days[:, None] - days) <= STORY_DAYS) | undated[:, None] | undated
    alike = (vectors @ vectors.T >= SAME_STORY) & together
    stories: list[int] = []
    for position in range(len(vectors)):
        firsts = [first for first in range(position) if stories[first] == first and alike[position, first]]
        stories.append(firsts[0] if firsts else position)
    return stories
