"""The one object that answers, for the library, the command line and HTTP alike."""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer.analysis import terms
from indexer.article import Article
from indexer.errors import ConcordError, IndexDamaged, IndexLocked, NotFound, UsageError
from indexer.store import RowGone, Store

from .arranging import arranged, in_order
from .filters import DateLike, given_filters, mask_of
from .folding import counts
from .freshness import Freshness
from .fusion import Merging
from .hits import HitBuilder, telling_words
from .negation import Denial, denial
from .passages import mean_vector
from .query import Filters, ParsedQuery, interpret, parse, with_filters, without_filters
from .ranking import (
    MERGING,
    Ranking,
    dense_only,
    empty_ranking,
    fuse,
    lexical_only,
    newest_first,
    on_topic,
    required,
)
from .rerank import NONE, parts_of
from .reranking import Rerankers
from .results import Hit, RerankScore, Results, Suggestion
from .snapshot import Snapshot, SnapshotSource
from .stages import stage
from .status import IndexStatus, index_status
from .suggest import RARE, suggest
from .suggestions import suggest_filters
from .weighing import DENSE_WEIGHT, Evidence, affirmed_query, query_texts, topic_vector, weigh

__all__ = ["DEFAULT_K", "FUSIONS", "MAX_K", "MODES", "SearchEngine"]

MODES = ("hybrid", "lexical", "semantic")
FUSIONS = ("convex", "rrf")
DEFAULT_K = 10
MAX_K = 100
MAX_PAGE = 1000
_ATTEMPTS = 3
_REHEARSED = 32
_REHEARSAL_SECONDS = 0.3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Answer:
    """A ranking and what it was made with: the query as both legs were asked it, how they were merged, its unit vector
    (None when words alone were asked), for a denying query the evidence by catalogue row, and what a reranker said by
    catalogue row."""

    asked: ParsedQuery
    merging: Merging
    vector: NDArray[np.float32] | None
    ranking: Ranking
    evidence: dict[int, Evidence]
    reranked: dict[int, RerankScore]


class SearchEngine:
    """Searches one index. Safe to use from many threads; sees new generations of the index by itself.

    >>> engine = SearchEngine.open("index_data")
    >>> for hit in engine.search("prisoner exchange without mediation"):
    ...     print(hit.score, hit.article.title)
    """

    def __init__(self, source: SnapshotSource) -> None:
        self._source = source
        self._rerankers = Rerankers(source)
        self._asked: deque[str] = deque(maxlen=_REHEARSED)
        source.rehearse = self._rehearse

    @classmethod
    def open(
        cls,
        index_dir: str | Path = "index_data",
        *,
        threads: int = 1,
        background: bool = False,
        ahead: bool = False,
    ) -> SearchEngine:
        """Open an index; `threads` is the number of cores that encoding one query may use.

        The first search after a new generation was made opens it, so a program finds what it has just indexed. With
        `background` a thread opens and warms it, and no search waits for that: what servers want. With `ahead` the
        encoder is loaded while the index is opened: for a program that opens an index only to ask it at once.
        Raises IndexNotFound, IndexDamaged or IndexMismatch.
        """
        return cls(SnapshotSource(Path(index_dir), threads=threads, background=background, ahead=ahead))

    @property
    def stale(self) -> str | None:
        """Why an older generation answers although there is a newer one; None as long as the newest answers."""
        return self._source.stale

    def close(self) -> None:
        """Give back what is open; the engine must not be used afterwards."""
        self._source.close()

    def warm_up(self) -> None:
        """Load and use everything that a first query would otherwise wait for."""
        snapshot = self._source.current()
        self._source.encoder(snapshot.manifest).encode_queries(["warm up"])
        self.search("warm up")

    def search(
        self,
        query: str,
        *,
        mode: str = "hybrid",
        k: int = DEFAULT_K,
        page: int = 1,
        since: DateLike = None,
        until: DateLike = None,
        section: str | Sequence[str] = (),
        source: str | Sequence[str] = (),
        author: str | Sequence[str] = (),
        fusion: str = "convex",
        rerank: str = NONE,
        fold: bool = True,
        diversify: bool = False,
        half_life: float | None = None,
        as_of: DateLike = None,
        explain: bool = False,
    ) -> Results:
        """The articles that answer `query`, best first, `k` to a page.

        `since` and `until` are inclusive days (or months, years); several values of section, source or author are
        alternatives. A query that has only filters is answered with the newest articles. `rerank` has the first 20
        articles read again, by 'maxsim' or by 'cross-encoder:MODEL', a name or a folder for sentence-transformers: a
        somewhat better order, for seconds a query. `fold` makes one hit of an article and its near-duplicates,
        `diversify` lets no story fill a page. With a `half_life` in days age takes up to 30 % of a score, counted from
        `as_of` (a day, month or year; now). Raises UsageError for what is out of range, and RerankerError for a model
        that cannot be loaded; syntax in the query is never an error.
        """
        started = time.perf_counter()
        _check(mode, k, page, fusion)
        parts_of(rerank)
        with stage("parse"):
            typed = parse(query)
            parsed = with_filters(typed, given_filters(since, until, section, source, author))
        merging = Merging(method=fusion)
        freshness = Freshness.given(half_life, as_of)

        def answer(snapshot: Snapshot, store: Store) -> Results:
            found = self._answer(parsed, snapshot, store, mode, merging, rerank)
            # What filters alone ask for has no relevance that age could be weighed against.
            aged = freshness if found.asked.scoring or found.vector is not None else None
            folded = arranged(found.ranking, snapshot, fold=fold, diversify=diversify, freshness=aged)
            ranking = folded.ranking
            groups = snapshot.groups if fold else None

            def widened(wider: ParsedQuery) -> Ranking:
                """The answer to the same query with fewer filters."""
                asked = replace(found.asked, filters=wider.filters)
                return _rank(asked, found.vector, snapshot, mode, found.merging)

            builder = HitBuilder(
                parsed,
                snapshot,
                store,
                vector=found.vector,
                explain=explain,
                evidence=found.evidence,
                reranked=found.reranked,
                folded=folded,
                freshness=aged,
            )
            start = (page - 1) * k
            suggestions = self._spelling(parsed, snapshot)
            if not len(ranking):
                names = tuple(interpret(parsed).filters)
                with stage("suggestions"):
                    suggestions += suggest_filters(
                        parsed, names, lambda wider: len(arranged(widened(wider), snapshot, fold=fold).ranking)
                    )
            # Values of one field are alternatives, so its counts are those of the answer without that filter.
            facets = {
                field: counts(
                    snapshot.catalogue,
                    field,
                    widened(without_filters(parsed, [field])).rows if chosen else found.ranking.rows,
                    groups,
                )
                for field, chosen in (("section", parsed.filters.section), ("source", parsed.filters.source))
            }
            hits = builder.hits(ranking, start, min(start + k, len(ranking)))
            if not self._source.on_trial:
                self._asked.append(query)
            return Results(
                query=query,
                mode=mode,
                hits=hits,
                total=len(ranking),
                page=page,
                k=k,
                interpretation=replace(interpret(parsed), notes=typed.notes),
                suggestions=suggestions,
                facets=facets,
                generation=snapshot.manifest.generation,
                took_ms=round((time.perf_counter() - started) * 1000, 2),
                folded=folded.articles - len(ranking),
            )

        return self._on_one_generation(answer)

    def ranked(
        self,
        query: ParsedQuery,
        *,
        mode: str = "hybrid",
        merging: Merging = MERGING,
        rerank: str = NONE,
        diversify: bool = False,
    ) -> tuple[tuple[str, ...], Ranking]:
        """The whole answer without hits: article ids, best first, and the ranking that they come from.

        For evaluation and batch work; the order and the scores are those of `search` without folding. Raises
        UsageError.
        """
        _check(mode, DEFAULT_K, 1, merging.method)
        parts_of(rerank)

        def answer(snapshot: Snapshot, store: Store) -> tuple[tuple[str, ...], Ranking]:
            ranking = self._answer(query, snapshot, store, mode, merging, rerank).ranking
            ranking = arranged(ranking, snapshot, fold=False, diversify=diversify).ranking
            docs = snapshot.catalogue.docs[ranking.rows].tolist()
            ids = store.ids(docs)
            return tuple(ids[doc] for doc in docs), ranking

        return self._on_one_generation(answer)

    def related(self, article_id: str, k: int = 5) -> tuple[Hit, ...]:
        """The `k` articles most like an article, by its most telling words and the mean of its passages' vectors.

        Raises NotFound, and UsageError for k outside 1 to 100.
        """
        _check("hybrid", k, 1, "convex")

        def answer(snapshot: Snapshot, store: Store) -> tuple[Hit, ...]:
            doc = _doc(article_id, snapshot, store)
            row = int(snapshot.catalogue.rows_of([doc])[0])
            article = store.articles_by_row([doc])[doc]
            atoms = telling_words(article, snapshot.lexical)
            # Its own copies are the article once more.
            others = snapshot.groups != snapshot.groups[row]
            vector = mean_vector(snapshot.vectors.article_vectors(row))
            ranking = fuse(atoms, vector, snapshot.lexical, snapshot.vectors, others, snapshot.scale)
            folded = arranged(in_order(ranking, snapshot, store), snapshot)
            parsed = ParsedQuery(text="", semantic="", scoring=atoms)
            builder = HitBuilder(parsed, snapshot, store, vector=vector, folded=folded)
            return builder.hits(folded.ranking, 0, min(k, len(folded.ranking)))

        return self._on_one_generation(answer)

    def article(self, article_id: str) -> Article:
        """An article with its text. Raises NotFound."""

        def answer(snapshot: Snapshot, store: Store) -> Article:
            doc = _doc(article_id, snapshot, store)
            return store.articles_by_row([doc])[doc]

        return self._on_one_generation(answer)

    def status(self) -> IndexStatus:
        """What the index is made of."""
        return index_status(self._source.current(), self._source.index_dir, self.stale)

    def _rehearse(self) -> None:
        """Ask a new snapshot what was asked lately, newest first, before others see it: a moment, not longer."""
        until = time.monotonic() + _REHEARSAL_SECONDS
        for query in [*reversed(list(self._asked)), "warm up"]:
            self.search(query)
            if time.monotonic() > until:
                break

    def _answer(
        self, parsed: ParsedQuery, snapshot: Snapshot, store: Store, mode: str, merging: Merging, rerank: str
    ) -> _Answer:
        denied = denial(parsed) if mode == "hybrid" else None
        if denied:
            return self._denying(parsed, denied, snapshot, store, merging, rerank)
        vector = None
        if mode != "lexical" and parsed.semantic:
            encoder = self._source.encoder(snapshot.manifest)
            with stage("encode"):
                vector = encoder.encode_queries(query_texts(parsed, None))[0]
        ranking = in_order(_rank(parsed, vector, snapshot, mode, merging), snapshot, store)
        ranking, reranked = self._rerankers.rerank(rerank, parsed.semantic, vector, ranking, snapshot, store)
        return _Answer(parsed, merging, vector, ranking, {}, reranked)

    def _denying(
        self, parsed: ParsedQuery, denied: Denial, snapshot: Snapshot, store: Store, merging: Merging, rerank: str
    ) -> _Answer:
        """The answer to a query that denies something: found by its topic, weighed by what articles say of the rest."""
        encoder = self._source.encoder(snapshot.manifest)
        with stage("encode"):
            vectors = encoder.encode_queries(query_texts(parsed, denied))
        lenient = replace(merging, lenient=True)
        # Whatever the filters, so that a filter picks from the answer and does not change it.
        anywhere = replace(parsed, filters=Filters())
        asked = affirmed_query(parsed, denied)

        def fitting(ranking: Ranking) -> Ranking:
            """Without what only resembles other articles, which are like the topic, and not the query itself."""
            if not merging.floors or not len(ranking):
                return ranking
            return on_topic(ranking, asked.scoring, vectors, snapshot.lexical, snapshot.vectors, snapshot.scale)

        first = in_order(fitting(_rank(anywhere, vectors[0], snapshot, "hybrid", lenient)), snapshot, store)
        if not len(first):
            return _Answer(parsed, lenient, vectors[0], first, {}, {})
        vector = topic_vector(vectors, first, snapshot)
        lenient = replace(lenient, dense_weight=DENSE_WEIGHT)
        ranking = in_order(fitting(_rank(asked, vector, snapshot, "hybrid", lenient)), snapshot, store)
        if not len(ranking):
            return _Answer(asked, lenient, vector, ranking, {}, {})
        # A reranker is asked for what the query affirms: it sees a denial no better than an encoder does.
        ranking, reranked = self._rerankers.rerank(rerank, denied.affirmed, vector, ranking, snapshot, store)
        with stage("denial"):
            ranking, evidence = weigh(ranking, denied, vector, snapshot, store, encoder.encode_passages)
        return _Answer(asked, lenient, vector, in_order(ranking, snapshot, store), evidence, reranked)

    @stage("suggestions")
    def _spelling(self, parsed: ParsedQuery, snapshot: Snapshot) -> tuple[Suggestion, ...]:
        """'Did you mean', asked only when a word of the query is rare enough to be a slip."""
        words = {term for atom in parsed.scoring for term in terms(atom.text)}
        if all(snapshot.lexical.frequency(term) > RARE for term in words):
            return ()
        found = suggest(parsed, snapshot.speller.get())
        return (found,) if found else ()

    def _on_one_generation(self, answer: Callable[[Snapshot, Store], T]) -> T:
        """Run `answer` on the newest generation; again if that was collected meanwhile."""
        for attempt in range(_ATTEMPTS):
            snapshot = self._source.current()
            try:
                return answer(snapshot, self._source.store(snapshot))
            except (RowGone, FileNotFoundError) as error:
                # A generation that two newer ones have followed may be cleared away under a slow search.
                if attempt + 1 == _ATTEMPTS or self._source.refreshed() is snapshot:
                    raise IndexDamaged(
                        f"The index lacks what generation {snapshot.manifest.generation} names ({error}): "
                        "run 'concord rebuild'."
                    ) from error
            except sqlite3.ProgrammingError as error:
                raise ConcordError(f"The engine over '{self._source.index_dir}' was closed: open a new one.") from error
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise IndexDamaged.broken_store(self._source.index_dir, error) from error
                raise IndexLocked(
                    f"The store of the index '{self._source.index_dir}' is busy ({error}): ask again in a moment."
                ) from error
            except sqlite3.DatabaseError as error:
                raise IndexDamaged.broken_store(self._source.index_dir, error) from error
        raise AssertionError("unreachable")


@stage("fusion")
def _rank(
    parsed: ParsedQuery, vector: NDArray[np.float32] | None, snapshot: Snapshot, mode: str, merging: Merging
) -> Ranking:
    lexical, vectors = snapshot.lexical, snapshot.vectors
    if not len(snapshot.catalogue):
        return empty_ranking()
    allowed = required(parsed, lexical, mask_of(parsed.filters, snapshot.catalogue))
    if allowed is not None and not allowed.any():
        return empty_ranking()
    if not parsed.scoring and vector is None:
        return empty_ranking() if allowed is None else newest_first(snapshot.catalogue, allowed)
    if vector is None:
        return lexical_only(parsed.scoring, lexical, allowed, merging)
    if mode == "semantic":
        if parsed.must:
            # What has the words that it must have has a reason to be shown, however far its meaning is.
            merging = replace(merging, floors=False)
        return dense_only(vector, vectors, allowed, snapshot.scale, merging)
    return fuse(parsed.scoring, vector, lexical, vectors, allowed, snapshot.scale, merging)


def _check(mode: str, k: int, page: int, fusion: str) -> None:
    for name, value, allowed in (("mode", mode, MODES), ("fusion", fusion, FUSIONS)):
        if value not in allowed:
            raise UsageError(f"'{value}' is no {name}: choose one of {', '.join(allowed)}.")
    for name, number, most in (("k", k, MAX_K), ("page", page, MAX_PAGE)):
        if not 1 <= number <= most:
            raise UsageError(f"{name} is {number}, and must be from 1 to {most}.")


def _doc(article_id: str, snapshot: Snapshot, store: Store) -> int:
    doc = store.doc_of(article_id, snapshot.manifest.generation)
    if doc is None:
        raise NotFound(f"No article has the id '{article_id[:80]}': ids are shown with every hit.")
    return doc
