"""From a parsed query to a ranking: candidates of both legs, missing scores computed, fused, floored, sorted.

The formulas and their sources: indexer/lexical/bm25.py, search_app/ranking/fusion.py (all others).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue import Catalogue, Mask, Rows
from indexer.lexical.bm25 import Atom, Bm25Scores
from indexer.lexical.index import LexicalIndex
from indexer.vectors.protocol import PassageScores, VectorIndex
from search_app.query.parsed import ParsedQuery
from search_app.ranking import fusion
from search_app.ranking.fusion import DenseScale, Merging
from search_app.stages import stage

__all__ = [
    "ARTICLE_DEPTH",
    "MERGING",
    "Ranking",
    "dense_only",
    "empty_ranking",
    "fuse",
    "lexical_only",
    "newest_first",
    "on_topic",
    "required",
]

ARTICLE_DEPTH = 200
"""Articles that each leg contributes, whatever the page: so totals and scores do not change between pages."""
BROWSE_DEPTH = 10_000
"""Articles listed when a query has only filters."""
MERGING = Merging()
"""The product's way of merging."""
_SEEN_FOR_MOST = 20
"""Articles of each leg among which the one with the greatest reason to be shown is looked for."""
_PASSAGES_PER_ARTICLE = (3, 5)
"""Passages asked of the vector index for every article wanted: first, and where they are of too few articles."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """An answer; all arrays have shape (n,), and entry i is about the i-th article.

    `rows` int64 catalogue rows; `scores` float32 in [0, 1]; `lexical` float32 BM25, 0 or more, and `dense` float32
    cosines in [-1, 1], both NaN where the leg was not asked; `lexical_rank` and `dense_rank` int64 from 1, 0 where the
    article is not among that leg's own; `lexical_share` float32 in [0, 1], the lexical leg's part of the score;
    `passages` int64 passage rows of the best passage, -1 where the dense leg was not asked.
    """

    rows: Rows
    scores: NDArray[np.float32]
    lexical: NDArray[np.float32]
    dense: NDArray[np.float32]
    lexical_rank: NDArray[np.int64]
    dense_rank: NDArray[np.int64]
    lexical_share: NDArray[np.float32]
    passages: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, order: NDArray[np.int64]) -> Ranking:
        """The ranking with its articles picked and ordered by position; `order` int64 (m,) are positions in [0, n)."""
        return Ranking(*(getattr(self, name)[order] for name in self.__dataclass_fields__))

    def with_scores(self, scores: NDArray[np.float32]) -> Ranking:
        """The same articles in the same order with other scores, float32 (n,) in [0, 1]."""
        return replace(self, scores=scores)


@dataclass(frozen=True, slots=True)
class _Dense:
    """The dense leg: its own articles, best first, with score, best passage and that passage's cosine."""

    rows: Rows
    scores: NDArray[np.float32]
    passages: NDArray[np.int64]
    best: NDArray[np.float32]

    def take(self, order: NDArray[np.int64] | slice) -> _Dense:
        return _Dense(self.rows[order], self.scores[order], self.passages[order], self.best[order])

    def joined(self, other: _Dense) -> _Dense:
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)
        return _Dense(*(np.concatenate(pair) for pair in pairs))


@stage("lexical")
def required(parsed: ParsedQuery, lexical: LexicalIndex, allowed: Mask | None) -> Mask | None:
    """`allowed`, narrowed to the articles that hold every must, and none of what must not be in them.

    Both are bool, one entry for every row of the catalogue; None stands for all articles.
    """
    mask = allowed
    for group in parsed.must:
        either = np.logical_or.reduce([lexical.match(atom) for atom in group])
        mask = either if mask is None else mask & either
    for atom in parsed.must_not:
        absent = ~lexical.match(atom)
        mask = absent if mask is None else mask & absent
    return mask


def empty_ranking() -> Ranking:
    """The ranking of nothing: n is 0."""
    return _unscored(np.empty(0, np.int64))


def newest_first(catalogue: Catalogue, allowed: Mask) -> Ranking:
    """The articles that filters alone ask for, newest first, 10,000 at most.

    `allowed` is bool, one entry for every row of the catalogue. Neither leg has a say: all scores are 1, `lexical` and
    `dense` NaN.
    """
    rows = np.flatnonzero(allowed)
    # NO_DATE is the smallest number there is, so articles without a date come last.
    order = np.lexsort((rows, catalogue.dates[rows]))[::-1][:BROWSE_DEPTH]
    return _unscored(rows[order])


def lexical_only(
    atoms: Sequence[Atom], lexical: LexicalIndex, allowed: Mask | None, merging: Merging = MERGING
) -> Ranking:
    """The BM25 ranking alone, best first, 200 articles at most.

    `allowed` is bool, one entry for every row of the catalogue; None stands for all. Scores are
    `fusion.lexical_confidence`; articles without a reason to be shown (`fusion.words_enough`) are left out if `merging`
    has floors.
    """
    scores = _bm25(atoms, lexical)
    rows = _top_lexical(scores, allowed)
    count = len(rows)
    bm25 = scores.bm25(rows)
    ranking = Ranking(
        rows=rows,
        scores=fusion.lexical_confidence(bm25, scores.bound),
        lexical=bm25,
        dense=np.full(count, np.nan, np.float32),
        lexical_rank=np.arange(1, count + 1),
        dense_rank=np.zeros(count, np.int64),
        lexical_share=np.ones(count, np.float32),
        passages=np.full(count, -1, np.int64),
    )
    most = float(scores.coverage(scores.most_covered(1)).max(initial=0))
    return _kept(ranking, fusion.words_enough(scores.coverage(rows), most=most), merging)


def dense_only(
    query: NDArray[np.float32],
    vectors: VectorIndex,
    allowed: Mask | None,
    scale: DenseScale,
    merging: Merging = MERGING,
) -> Ranking:
    """The dense ranking alone, best first, 200 articles at most.

    `query` is a unit vector, float32 (d,), `allowed` as for `lexical_only`, `scale` that of the corpus. Scores are
    `fusion.dense_confidence`; articles that are not `fusion.near_enough` are left out if `merging` has floors.
    """
    dense = _top_dense(query, vectors, allowed, merging).take(slice(ARTICLE_DEPTH))
    count = len(dense.rows)
    ranking = Ranking(
        rows=dense.rows,
        scores=fusion.dense_confidence(scale.of(dense.scores)),
        lexical=np.full(count, np.nan, np.float32),
        dense=dense.scores,
        lexical_rank=np.zeros(count, np.int64),
        dense_rank=np.arange(1, count + 1),
        lexical_share=np.zeros(count, np.float32),
        passages=dense.passages,
    )
    return _kept(ranking, fusion.near_enough(scale.of(dense.best)), merging)


def fuse(
    atoms: Sequence[Atom],
    query: NDArray[np.float32],
    lexical: LexicalIndex,
    vectors: VectorIndex,
    allowed: Mask | None,
    scale: DenseScale,
    merging: Merging = MERGING,
) -> Ranking:
    """Both rankings, merged by scores (`fusion.convex`) or by ranks (`fusion.rrf`), in the order of rows.

    `query` is a unit vector, float32 (d,), which need not be that of `atoms`; `allowed` is bool, one entry for every
    row of the catalogue, None for all; `scale` that of the corpus. Each leg gives 200 articles. One that only one leg
    found gets the other leg's score computed, not zero. Articles that are not `fusion.relevant` are left out if
    `merging` has floors.
    """
    bm25 = _bm25(atoms, lexical)
    own_lexical = _top_lexical(bm25, allowed)
    seen = _top_dense(query, vectors, allowed, merging)
    own_dense = seen.rows[:ARTICLE_DEPTH]
    rows = np.union1d(own_lexical, own_dense)
    dense = _complete(query, vectors, rows, seen, merging)
    lexical_rank, dense_rank = _ranks(own_lexical, rows), _ranks(own_dense, rows)
    raw = bm25.bm25(rows)
    if merging.method == "rrf":
        fused = fusion.rrf(lexical_rank, dense_rank)
    else:
        fused = fusion.convex(raw, bm25.bound, scale.of(dense.scores), merging.dense_weight)
    ranking = Ranking(
        rows=rows,
        scores=fused.scores,
        lexical=raw,
        dense=dense.scores,
        lexical_rank=lexical_rank,
        dense_rank=dense_rank,
        lexical_share=fused.lexical_share,
        passages=dense.passages,
    )
    most = None if allowed is None else _most_reason(query, bm25, vectors, scale)
    kept = fusion.relevant(scale.of(dense.best), bm25.coverage(rows), most=most, lenient=merging.lenient)
    return _kept(ranking, kept, merging)


def on_topic(
    ranking: Ranking,
    atoms: Sequence[Atom],
    queries: NDArray[np.float32],
    lexical: LexicalIndex,
    vectors: VectorIndex,
    scale: DenseScale,
) -> Ranking:
    """Those articles of a ranking that have to do with a query (`fusion.on_topic`), in the same order.

    They are near to one of the unit vectors `queries`, float32 (q, d), or hold words of `atoms`; `scale` is that of the
    corpus.
    """
    found = [_by_article(vectors.score(query, ranking.rows), MERGING) for query in queries]
    best = np.max([part.best for part in found], axis=0)[np.searchsorted(found[0].rows, ranking.rows)]
    kept = fusion.on_topic(scale.of(best), _bm25(atoms, lexical).coverage(ranking.rows))
    return ranking.take(np.flatnonzero(kept))


def _kept(ranking: Ranking, reasons: Mask, merging: Merging) -> Ranking:
    return ranking.take(np.flatnonzero(reasons)) if merging.floors else ranking


def _most_reason(query: NDArray[np.float32], bm25: Bm25Scores, vectors: VectorIndex, scale: DenseScale) -> float:
    """The greatest reason that any article of the index has to be shown, whatever the filters."""
    rows = np.union1d(vectors.search(query, _SEEN_FOR_MOST).rows, bm25.most_covered(_SEEN_FOR_MOST))
    best = _by_article(vectors.score(query, rows), MERGING)
    return float(fusion.reasons(scale.of(best.best), bm25.coverage(best.rows)).max(initial=0))


def _unscored(rows: Rows) -> Ranking:
    count = len(rows)
    missing = np.full(count, np.nan, np.float32)
    unranked = np.zeros(count, np.int64)
    scores = np.ones(count, np.float32)
    return Ranking(rows, scores, missing, missing, unranked, unranked, np.zeros(count, np.float32), unranked - 1)


@stage("lexical")
def _bm25(atoms: Sequence[Atom], lexical: LexicalIndex) -> Bm25Scores:
    return lexical.score(atoms)


@stage("lexical")
def _top_lexical(scores: Bm25Scores, allowed: Mask | None) -> Rows:
    return scores.best(ARTICLE_DEPTH, allowed)


@stage("dense")
def _top_dense(query: NDArray[np.float32], vectors: VectorIndex, allowed: Mask | None, merging: Merging) -> _Dense:
    """The articles whose passages are nearest, best first: the leg's own, and behind them others seen on the way."""
    for factor in _PASSAGES_PER_ARTICLE:
        found = vectors.search(query, ARTICLE_DEPTH * factor, allowed)
        if len(found.rows) < ARTICLE_DEPTH * factor or len(np.unique(found.rows)) >= ARTICLE_DEPTH:
            break
    if len(merging.passage_weights) > 1:
        # All of an article's passages count, not only those found.
        _, first = np.unique(found.rows, return_index=True)
        found = vectors.score(query, found.rows[np.sort(first)][:ARTICLE_DEPTH])
    articles = _by_article(found, merging)
    return articles.take(np.lexsort((articles.rows, -articles.scores)))


@stage("dense")
def _complete(query: NDArray[np.float32], vectors: VectorIndex, rows: Rows, seen: _Dense, merging: Merging) -> _Dense:
    """Dense scores of all of `rows` (ascending): those of articles that were seen, and the others computed."""
    missing = np.setdiff1d(rows, seen.rows, assume_unique=True)
    others = _by_article(vectors.score(query, missing), merging)
    joined = seen.joined(others)
    order = np.argsort(joined.rows)
    return joined.take(order[np.searchsorted(joined.rows, rows, sorter=order)])


def _by_article(found: PassageScores, merging: Merging) -> _Dense:
    """Article scores and best passages, ascending by row."""
    order = np.lexsort((found.passages, -found.scores, found.rows))
    rows, starts = np.unique(found.rows[order], return_index=True)
    scores = found.scores[order]
    return _Dense(
        rows,
        fusion.article_scores(scores, starts, merging.passage_weights),
        found.passages[order][starts],
        scores[starts],
    )


def _ranks(own: Rows, rows: Rows) -> NDArray[np.int64]:
    """1-based rank in `own` of each of `rows`, 0 for those that are not in it."""
    ranks = np.zeros(len(rows), np.int64)
    _, mine, theirs = np.intersect1d(rows, own, assume_unique=True, return_indices=True)
    ranks[mine] = theirs + 1
    return ranks
