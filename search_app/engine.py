"""The one object that answers, for the library, the command line and HTTP alike."""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer.article import Article
from indexer.errors import ConcordError, IndexDamaged, IndexLocked, NotFound
from indexer.store.database import RowGone
from indexer.text.analysis import terms
from search_app.arranging import arranged, in_order, ranked
from search_app.denial.answering import Answer, denying_answer
from search_app.denial.query import denial
from search_app.denial.weighing import query_texts
from search_app.hits.builder import HitBuilder, telling_words
from search_app.options import NO_RERANKER, Mode, SearchOptions, with_keywords
from search_app.query.filters import given_filters
from search_app.query.parsed import ParsedQuery, interpret, parse, with_filters, without_filters
from search_app.query.spelling import RARE, suggest
from search_app.query.widening import suggest_filters
from search_app.ranking.candidates import MERGING, Ranking, fuse
from search_app.ranking.folding import Folded, counts
from search_app.ranking.freshness import Freshness
from search_app.ranking.fusion import Merging
from search_app.rerank.rerankers import Rerankers
from search_app.results import Hit, RerankScore, Results, Suggestion
from search_app.snapshot.encoders import QueryEncoders
from search_app.snapshot.passages import mean_vector
from search_app.snapshot.snapshot import ReadView, Snapshot
from search_app.snapshot.source import SnapshotSource
from search_app.snapshot.status import IndexStatus, index_status
from search_app.stages import stage

__all__ = ["SearchEngine"]

_ATTEMPTS = 3
_REHEARSED = 32
_REHEARSAL_SECONDS = 0.3

T = TypeVar("T")


class SearchEngine:
    """Searches one index. Safe to use from many threads; sees new generations of the index by itself.

    >>> with SearchEngine.open("index_data") as engine:
    ...     for hit in engine.search("prisoner exchange without mediation"):
    ...         print(hit.score, hit.article.title)
    """

    def __init__(self, source: SnapshotSource) -> None:
        self._source = source
        self._rerankers = Rerankers(source.encoders)
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
        folder = Path(index_dir)
        encoders = QueryEncoders(folder, threads=threads)
        return cls(SnapshotSource(folder, encoders=encoders, background=background, ahead=ahead))

    @property
    def stale(self) -> str | None:
        """Why an older generation answers although there is a newer one; None as long as the newest answers."""
        return self._source.stale

    def close(self) -> None:
        """Give back what is open; the engine must not be used afterwards."""
        self._source.close()

    def __enter__(self) -> SearchEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SearchEngine over '{self._source.index_dir}'>"

    def warm_up(self) -> None:
        """Load and use everything that a first query would otherwise wait for."""
        snapshot = self._source.current()
        self._source.encoders.of(snapshot.manifest).encode_queries(["warm up"])
        self.search("warm up")

    def answer(self, query: str, options: SearchOptions) -> Results:
        """The articles that answer `query`, best first, `options.k` to a page; see `search`."""
        started = time.perf_counter()
        with stage("parse"):
            typed = parse(query)
            filters = given_filters(options.since, options.until, options.section, options.source, options.author)
            parsed = with_filters(typed, filters)
        freshness = Freshness.given(options.half_life, options.as_of)

        def answer(view: ReadView) -> Results:
            snapshot = view.snapshot
            found = self._found(parsed, view, options.mode, Merging(method=options.fusion), options.rerank)
            # What filters alone ask for has no relevance that age could be weighed against.
            aged = freshness if found.asked.scoring or found.vector is not None else None
            folded = arranged(found.ranking, snapshot, fold=options.fold, diversify=options.diversify, freshness=aged)
            builder = HitBuilder(
                parsed,
                view,
                vector=found.vector,
                explain=options.explain,
                evidence=found.evidence,
                reranked=found.reranked,
                folded=folded,
                freshness=aged,
            )
            start = (options.page - 1) * options.k
            suggestions = self._suggestions(parsed, found, folded, snapshot, options)
            hits = builder.hits(folded.ranking, start, min(start + options.k, len(folded.ranking)))
            if not self._source.on_trial:
                self._asked.append(query)
            return Results(
                query=query,
                mode=options.mode,
                hits=hits,
                total=len(folded.ranking),
                page=options.page,
                k=options.k,
                interpretation=replace(interpret(parsed), notes=typed.notes),
                suggestions=suggestions,
                facets=_facets(parsed, found, snapshot, options),
                generation=snapshot.manifest.generation,
                took_ms=round((time.perf_counter() - started) * 1000, 2),
                folded=folded.articles - len(folded.ranking),
            )

        return self._on_one_generation(answer)

    @with_keywords(SearchOptions)
    def search(self, query: str, options: SearchOptions) -> Results:
        """The articles that answer `query`, best first, `k` to a page; the keywords are those of `SearchOptions`.

        `since` and `until` are inclusive days (or months, years); several values of section, source or author are
        alternatives. A query that has only filters is answered with the newest articles. `rerank` has the first 20
        articles read again, by 'maxsim' or by 'cross-encoder:MODEL', a name or a folder for sentence-transformers: a
        somewhat better order, for seconds a query. `fold` makes one hit of an article and its near-duplicates,
        `diversify` lets no story fill a page. With a `half_life` in days age takes up to 30 % of a score, counted from
        `as_of` (a day, month or year; now). Raises UsageError for what is out of range, and RerankerError for a model
        that cannot be loaded; syntax in the query is never an error.
        """
        return self.answer(query, options)

    def ranked(
        self,
        query: ParsedQuery,
        *,
        mode: Mode = "hybrid",
        merging: Merging = MERGING,
        rerank: str = NO_RERANKER,
        diversify: bool = False,
    ) -> tuple[tuple[str, ...], Ranking]:
        """The whole answer without hits: article ids, best first, and the ranking that they come from.

        For evaluation and batch work; the order and the scores are those of `search` without folding. Raises
        UsageError.
        """
        SearchOptions(mode=mode, fusion=merging.method, rerank=rerank)

        def answer(view: ReadView) -> tuple[tuple[str, ...], Ranking]:
            ranking = self._found(query, view, mode, merging, rerank).ranking
            ranking = arranged(ranking, view.snapshot, fold=False, diversify=diversify).ranking
            docs = view.snapshot.catalogue.docs[ranking.rows].tolist()
            ids = view.store.ids(docs)
            return tuple(ids[doc] for doc in docs), ranking

        return self._on_one_generation(answer)

    def related(self, article_id: str, k: int = 5) -> tuple[Hit, ...]:
        """The `k` articles most like an article, by its most telling words and the mean of its passages' vectors.

        Raises NotFound, and UsageError for k outside 1 to 100.
        """
        SearchOptions(k=k)

        def answer(view: ReadView) -> tuple[Hit, ...]:
            snapshot, store = view.snapshot, view.store
            doc = _doc(article_id, view)
            row = int(snapshot.catalogue.rows_of([doc])[0])
            article = store.articles_by_row([doc])[doc]
            atoms = telling_words(article, snapshot.lexical)
            # Its own copies are the article once more.
            others = snapshot.groups != snapshot.groups[row]
            vector = mean_vector(snapshot.vectors.article_vectors(row))
            ranking = fuse(atoms, vector, snapshot.lexical, snapshot.vectors, others, snapshot.scale)
            folded = arranged(in_order(ranking, view), snapshot)
            parsed = ParsedQuery(text="", semantic="", scoring=atoms)
            builder = HitBuilder(parsed, view, vector=vector, folded=folded)
            return builder.hits(folded.ranking, 0, min(k, len(folded.ranking)))

        return self._on_one_generation(answer)

    def article(self, article_id: str) -> Article:
        """An article with its text. Raises NotFound."""

        def answer(view: ReadView) -> Article:
            doc = _doc(article_id, view)
            return view.store.articles_by_row([doc])[doc]

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

    def _found(self, parsed: ParsedQuery, view: ReadView, mode: str, merging: Merging, rerank: str) -> Answer:
        """The whole answer to a query, in order."""

        def second_look(
            text: str, vector: NDArray[np.float32] | None, ranking: Ranking
        ) -> tuple[Ranking, dict[int, RerankScore]]:
            return self._rerankers.rerank(rerank, text, vector, ranking, view)

        snapshot = view.snapshot
        denied = denial(parsed) if mode == "hybrid" else None
        if denied:
            encoder = self._source.encoders.of(snapshot.manifest)
            return denying_answer(parsed, denied, view, encoder, merging, second_look)
        vector = None
        if mode != "lexical" and parsed.semantic:
            encoder = self._source.encoders.of(snapshot.manifest)
            with stage("encode"):
                vector = encoder.encode_queries(query_texts(parsed, None))[0]
        ranking = in_order(ranked(parsed, vector, snapshot, mode, merging), view)
        ranking, looks = second_look(parsed.semantic, vector, ranking)
        return Answer(parsed, merging, vector, ranking, {}, looks)

    def _suggestions(
        self, parsed: ParsedQuery, found: Answer, folded: Folded, snapshot: Snapshot, options: SearchOptions
    ) -> tuple[Suggestion, ...]:
        """'Did you mean', and for an empty answer the filters that exclude everything."""
        suggestions = self._spelling(parsed, snapshot)
        if len(folded.ranking):
            return suggestions

        def hits_of(wider: ParsedQuery) -> int:
            return len(arranged(_widened(found, wider, snapshot, options.mode), snapshot, fold=options.fold).ranking)

        with stage("suggestions"):
            return suggestions + suggest_filters(parsed, tuple(interpret(parsed).filters), hits_of)

    @stage("suggestions")
    def _spelling(self, parsed: ParsedQuery, snapshot: Snapshot) -> tuple[Suggestion, ...]:
        """'Did you mean', asked only when a word of the query is rare enough to be a slip."""
        words = {term for atom in parsed.scoring for term in terms(atom.text)}
        if all(snapshot.lexical.frequency(term) > RARE for term in words):
            return ()
        found = suggest(parsed, snapshot.speller.get())
        return (found,) if found else ()

    def _on_one_generation(self, answer: Callable[[ReadView], T]) -> T:
        """Run `answer` on the newest generation; again if that was collected meanwhile."""
        for attempt in range(_ATTEMPTS):
            snapshot = self._source.current()
            try:
                return answer(self._source.view(snapshot))
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


def _widened(found: Answer, wider: ParsedQuery, snapshot: Snapshot, mode: str) -> Ranking:
    """The answer to the same query with fewer filters."""
    return ranked(replace(found.asked, filters=wider.filters), found.vector, snapshot, mode, found.merging)


def _facets(
    parsed: ParsedQuery, found: Answer, snapshot: Snapshot, options: SearchOptions
) -> dict[str, tuple[tuple[str, int], ...]]:
    """How many hits have each section and source. Values of one field are alternatives, so its counts are those of the
    answer without that filter."""
    groups = snapshot.groups if options.fold else None
    facets = {}
    for field, chosen in (("section", parsed.filters.section), ("source", parsed.filters.source)):
        wider = without_filters(parsed, [field])
        rows = _widened(found, wider, snapshot, options.mode).rows if chosen else found.ranking.rows
        facets[field] = counts(snapshot.catalogue, field, rows, groups)
    return facets


def _doc(article_id: str, view: ReadView) -> int:
    doc = view.store.doc_of(article_id, view.snapshot.manifest.generation)
    if doc is None:
        raise NotFound(f"No article has the id '{article_id[:80]}': ids are shown with every hit.")
    return doc
