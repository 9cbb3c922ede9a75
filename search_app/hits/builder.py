"""From a ranking to hits: the winning passage, its snippet, and the reason for the rank."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.article import Article
from indexer.lexical.bm25 import Atom
from indexer.lexical.index import LexicalIndex
from indexer.store.database import StoredPassage
from indexer.text.analysis import analyse, terms
from indexer.text.sentences import sentences
from search_app.denial.weighing import Evidence
from search_app.hits.snippets import Match, find, highlight, share_of, snippet, wanted
from search_app.query.parsed import ParsedQuery
from search_app.ranking.candidates import Ranking
from search_app.ranking.folding import Folded
from search_app.ranking.freshness import Freshness
from search_app.results import ArticleInfo, Hit, LegScore, RerankScore, Similar
from search_app.snapshot.passages import passages_of
from search_app.snapshot.snapshot import ReadView
from search_app.stages import stage

__all__ = ["HitBuilder", "article_info", "telling_words"]

_COSINE_WEIGHT = 0.5
"""How much the cosine decides which passage of an article is shown; the rest is the share of the query's words."""
_NEAREST = 3
"""Passages of an article, nearest first, that may be the one shown."""
_TELLING_WORDS = 12
_LISTED = 10
"""Near-duplicates that a hit names; it counts all."""


class HitBuilder:
    """Builds the hits of one page."""

    def __init__(
        self,
        parsed: ParsedQuery,
        view: ReadView,
        *,
        vector: NDArray[np.float32] | None = None,
        explain: bool = False,
        evidence: Mapping[int, Evidence] | None = None,
        reranked: Mapping[int, RerankScore] | None = None,
        folded: Folded | None = None,
        freshness: Freshness | None = None,
    ) -> None:
        self._snapshot = view.snapshot
        self._store = view.store
        self._vector = vector
        self._explain = explain
        self._evidence = evidence or {}
        self._reranked = reranked or {}
        self._others = folded.others if folded else {}
        self._moved = folded.moved if folded else frozenset()
        self._freshness = freshness
        self._atoms = parsed.scoring
        self._wanted = wanted(parsed, view.snapshot.lexical.idf)
        # Words that are asked for in one field only may stand in the others all the same.
        self._anywhere = {term for atom in parsed.scoring if atom.field for term in terms(atom.text)}

    @stage("snippets")
    def hits(self, ranking: Ranking, start: int, end: int) -> tuple[Hit, ...]:
        """The hits at positions [start, end) of a ranking. Raises RowGone when the store has dropped one of them."""
        rows = ranking.rows[start:end]
        if not len(rows):
            return ()
        docs = self._snapshot.catalogue.docs[rows].tolist()
        articles = self._store.articles_by_row(docs)
        passages = passages_of(docs, self._store)
        cosines = self._cosines(rows)
        held = self._snapshot.lexical.held_words(self._atoms, rows)
        similar = self._similar(rows.tolist())
        return tuple(
            self._hit(ranking, start + n, articles[doc], passages[doc], cosines, held[n], similar[n])
            for n, doc in enumerate(docs)
        )

    def _similar(self, rows: Sequence[int]) -> list[Similar]:
        """What is folded into each of the articles shown."""
        listed = [
            self._snapshot.catalogue.docs[self._others[row][:_LISTED]].tolist() for row in rows if row in self._others
        ]
        articles = self._store.articles_by_row([doc for docs in listed for doc in docs]) if listed else {}
        folded = iter(listed)
        return [
            Similar(len(self._others[row]), tuple(article_info(articles[doc]) for doc in next(folded)))
            if row in self._others
            else Similar()
            for row in rows
        ]

    def _cosines(self, rows: NDArray[np.int64]) -> dict[int, float]:
        """Cosine of every passage of the articles shown, where the query has a vector."""
        if self._vector is None:
            return {}
        found = self._snapshot.vectors.score(self._vector, rows)
        return dict(zip(found.passages.tolist(), found.scores.tolist(), strict=True))

    def _hit(
        self,
        ranking: Ranking,
        position: int,
        article: Article,
        passages: Sequence[StoredPassage],
        cosines: dict[int, float],
        held: tuple[str, ...],
        similar: Similar,
    ) -> Hit:
        evidence = self._evidence.get(int(ranking.rows[position]))
        telling = [part for part in passages if evidence and part.start <= evidence.start and evidence.end <= part.end]
        best, matches = self._best_passage(article, telling or passages, cosines, self._most_share(held))
        lexical, dense = _legs(ranking, position)
        rerank = self._reranked.get(int(ranking.rows[position]))
        date = int(self._snapshot.catalogue.dates[ranking.rows[position]])
        return Hit(
            rank=position + 1,
            score=round(float(ranking.scores[position]), 4),
            article=article_info(article),
            passage=best,
            snippet=snippet(article.text, best, matches, sentences),
            title_highlights=highlight(article.title, self._wanted),
            lexical=lexical,
            dense=dense,
            why=_why(lexical, dense, held, evidence, rerank, self._displaced(int(ranking.rows[position]), date)),
            explanation=self._explanation(held, evidence, date) if self._explain else None,
            similar=similar,
            rerank=rerank,
        )

    def _most_share(self, held: Sequence[str]) -> float:
        """The greatest share of the query that a passage of an article with these words of it can have."""
        possible = self._anywhere.union(*map(terms, held))
        absent = sum(weight for term, weight in self._wanted.terms.items() if term not in possible)
        return 1 - absent / (self._wanted.mass or 1.0)

    def _best_passage(
        self, article: Article, passages: Sequence[StoredPassage], cosines: dict[int, float], most_share: float
    ) -> tuple[tuple[int, int], list[Match]]:
        """The passage to show, and what of the query stands in it."""

        def merit(passage: StoredPassage, share: float) -> float:
            return _COSINE_WEIGHT * cosines.get(passage.passage, 0.0) + (1 - _COSINE_WEIGHT) * share

        nearest = sorted(passages, key=lambda passage: -cosines.get(passage.passage, 0.0))
        best: tuple[tuple[int, int], list[Match]] = (0, 0), []
        most = -math.inf
        # Words are looked up only where the meaning is near already: analysing whole articles would take longer than
        # the search itself.
        for passage in nearest[:_NEAREST] if cosines else nearest:
            if merit(passage, most_share) <= most:
                break  # with all of the article's words it would not be better, nor would those that follow
            found = find(article.text[passage.start : passage.end], self._wanted)
            worth = merit(passage, share_of(found, self._wanted))
            if worth > most:
                best, most = ((passage.start, passage.end), found), worth
        return best

    def _displaced(self, row: int, date: int) -> list[str]:
        """What its age took from its score, and whether others of its story keep it down."""
        aged = [self._freshness.line(date)] if self._freshness else []
        return aged + (["placed behind other stories"] if row in self._moved else [])

    def _explanation(self, held: tuple[str, ...], evidence: Evidence | None, date: int) -> dict[str, object]:
        asked = {term for atom in self._atoms for term in terms(atom.text)}
        explanation: dict[str, object] = {
            "words_held": list(held),
            "idf": {term: round(self._snapshot.lexical.idf(term), 3) for term in sorted(asked)},
        }
        if evidence:
            explanation["denial"] = evidence.explanation()
        if self._freshness:
            explanation["freshness"] = self._freshness.explanation(date)
        return explanation


def article_info(article: Article) -> ArticleInfo:
    """An article without its text."""
    return ArticleInfo(
        id=article.id,
        title=article.title,
        url=article.url,
        source=article.source,
        section=article.section,
        author=article.author,
        date=article.date,
    )


def telling_words(article: Article, lexical: LexicalIndex) -> tuple[Atom, ...]:
    """The words of an article that set it apart: greatest tf-idf, those of the title counted three times."""
    counts: Counter[str] = Counter()
    surface: dict[str, str] = {}
    for text, weight in ((article.title, 3), (article.text, 1)):
        for token in analyse(text):
            counts[token.term] += weight
            surface.setdefault(token.term, text[token.start : token.end])
    common = counts.most_common(8 * _TELLING_WORDS)
    best = sorted(common, key=lambda pair: -pair[1] * lexical.idf(pair[0]))[:_TELLING_WORDS]
    return tuple(Atom(surface[term]) for term, _ in best)


def _legs(ranking: Ranking, position: int) -> tuple[LegScore | None, LegScore | None]:
    share = float(ranking.lexical_share[position])

    def leg(ranks: NDArray[np.int64], scores: NDArray[np.float32], part: float) -> LegScore | None:
        score = float(scores[position])
        if np.isnan(score):
            return None
        return LegScore(int(ranks[position]) or None, round(score, 4), round(part, 4))

    return leg(ranking.lexical_rank, ranking.lexical, share), leg(ranking.dense_rank, ranking.dense, 1 - share)


def _why(
    lexical: LegScore | None,
    dense: LegScore | None,
    held: tuple[str, ...],
    evidence: Evidence | None = None,
    rerank: RerankScore | None = None,
    displaced: Sequence[str] = (),
) -> str:
    """One line for people: what it says of a thing denied, which ranking put it where it is, by which words, what a
    reranker made of it, and what else changed its place."""
    parts = [evidence.line()] if evidence else []
    if lexical is not None and lexical.score > 0:
        place = _ordinal(lexical.rank) if lexical.rank else "further down"
        parts.append(f"{place} by words" + (f" ({', '.join(held)})" if held else ""))
    elif lexical is not None:
        parts.append("none of the words")
    if dense is not None:
        parts.append(f"{_ordinal(dense.rank) if dense.rank else 'further down'} by meaning")
    parts += [f"{_ordinal(rerank.rank)} on a second look"] if rerank else []
    parts += displaced
    return ", ".join(parts) if parts else "newest first"


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
