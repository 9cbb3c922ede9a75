"""The second lexical engine: tantivy keeps the positions of terms and finds the best articles early.

tantivy knows lengths only to one byte, so it is asked for candidates and their scores are computed exactly. What makes
the answer the exact one all the same: tantivy rounds lengths down, so its score of an article, with idf set right, is
never below the exact one (times a factor for its idea of the mean length). Once `count` candidates score more than the
last candidate could, no article left out can be among the best; until then more candidates are asked for.

User text is never parsed by tantivy: queries are built of analysed terms. Its files hold no code.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tantivy
from numpy.typing import NDArray

from indexer.article import Article
from indexer.catalogue import Mask, Rows
from indexer.lexical.bm25 import VOCABULARY, Bm25Index, Bm25Model, Bm25Scores, best_rows, query_terms, update_shared
from indexer.lexical.protocol import TITLE_WEIGHT, Atom, Bm25, LexicalScores, LexicalUpdate, bm25_idf
from indexer.system.files import link_or_copy
from indexer.text.analysis import Words, is_mark, terms
from indexer.text.word_forms import STOP_WORDS

__all__ = ["TantivyIndex", "update_tantivy"]

_WRITER_BYTES = 128_000_000
_TOKENIZER = "terms"
_SEPARATOR = "\n"
# Rewritten in place; all other files are written once.
_CHANGING = frozenset({"meta.json", ".managed.json"})
_FEW_ALLOWED = 20_000
"""Articles that a filter admits up to which all of them are scored."""
_FEW_POSTINGS = 100_000
"""Postings of a query's terms up to which reading all of them is faster than asking tantivy for the best."""
_ARTICLES_A_POSTING = 8
"""Articles that cost as much as a posting where all postings are read: each is looked at for having a score."""
_MOST_CANDIDATES = 16
"""Times the articles wanted: beyond, all articles are scored."""
_ROUNDING = 1.0001
"""tantivy computes in single precision."""
# These stand in nearly every article: they would make lengths differ from those of the formula, which has none of them.
_STOP_TERMS = frozenset(term for word in STOP_WORDS for term in terms(word))


class _Statistics(NamedTuple):
    articles: int
    mean_length: float


class TantivyIndex(Bm25Index):
    """The lexical index of one generation, read-only and safe to share between threads."""

    def _open(self) -> None:
        try:
            self._index = _handle(self._folder)
            self._index.reload()
            self._searcher = self._index.searcher()
        except BaseException as error:
            if not os.access(self._folder, os.W_OK):
                raise PermissionError(f"tantivy needs a lock file in it, and it cannot be written: {error}") from error
            # What tantivy holds to be impossible comes as a panic, which is no Exception.
            if type(error).__name__ != "PanicException":
                raise
            raise ValueError(str(error)) from error
        if self._searcher.num_docs != len(self._catalogue):
            raise ValueError(f"it has {self._searcher.num_docs:,} articles instead of {len(self._catalogue):,}")

    def score(self, atoms: Sequence[Atom]) -> LexicalScores:
        """See LexicalIndex."""
        asked = query_terms(atoms)
        postings = sum(self.frequency(term) for term, _ in asked)
        few = postings + len(self._catalogue) // _ARTICLES_A_POSTING <= _FEW_POSTINGS
        plain = self._model.parameters == Bm25() and all(not field and term not in _STOP_TERMS for term, field in asked)
        if few or not plain or not self._statistics.articles:
            return Bm25Scores(self._model, asked)
        return _TantivyScores(self, self._model, asked)

    def _rows_with_phrase(self, field: str, words: list[str]) -> Rows:
        query = tantivy.Query.phrase_query(self._index.schema, field, list(words))
        return self.search(query, max(len(self._catalogue), 1))[0]

    def search(self, query: Any, count: int) -> tuple[Rows, NDArray[np.float32]]:
        """Catalogue rows and tantivy's scores of the `count` best answers to a query."""
        hits = self._searcher.search(query, count, count=False).hits
        docs = self._searcher.fast_field_values("doc", [address for _, address in hits])
        rows = self._catalogue.rows_of(np.array(docs, np.int64))
        return rows, np.array([score for score, _ in hits], np.float32)

    def term(self, term: str) -> Any:
        """The query for one term in the whole article."""
        return tantivy.Query.term_query(self._index.schema, "whole", term, "freq")

    def tantivy_idf(self, term: str) -> float:
        """The idf that tantivy computes with: articles removed since count in it until their segment is merged."""
        return bm25_idf(self._statistics.articles, self._searcher.doc_freq("whole", term))

    @cached_property
    def slack(self) -> float:
        """How many times tantivy's score an exact score can be at most."""
        return max(1.0, self._model.mean_length / self._statistics.mean_length) * _ROUNDING

    @cached_property
    def _statistics(self) -> _Statistics:
        """What tantivy computes with, read from the explanation of a score."""
        for term, _ in self._searcher.terms_with_prefix("whole", "", limit=100):
            query = self.term(term)
            hits = self._searcher.search(query, 1, count=False).hits
            if hits:
                numbers = dict(_numbers(json.loads(query.explain(self._searcher, hits[0][1]).to_json())))
                return _Statistics(int(numbers["N"]), numbers["avgdl"])
        return _Statistics(0, 0.0)


class _TantivyScores(Bm25Scores):
    """Exact scores of those articles only that are asked for or may be among the best."""

    def __init__(self, index: TantivyIndex, model: Bm25Model, terms: Mapping[tuple[str, str], int]) -> None:
        super().__init__(model, terms)
        self._index = index
        self._last: tuple[Rows, NDArray[np.float32], NDArray[np.float32]] | None = None
        self._held = {term: idf for (term, _), idf in self._terms.items() if model.frequencies.count(term)}

    def best(self, count: int, allowed: Mask | None = None) -> Rows:
        """See LexicalScores."""
        if not self._held:
            return np.empty(0, np.int64)
        if allowed is not None and np.count_nonzero(allowed) <= _FEW_ALLOWED:
            return self._best_of(np.flatnonzero(allowed), count)[0]
        corrected = [
            tantivy.Query.boost_query(self._index.term(term), idf / self._index.tantivy_idf(term))
            for term, idf in self._held.items()
        ]
        wanted = 2 * count
        while wanted <= _MOST_CANDIDATES * count and wanted < self._model.count:
            rows, rough = self._index.search(_any_of(corrected), wanted)
            best, least = self._best_of(rows if allowed is None else rows[allowed[rows]], count)
            if len(rows) < wanted or (len(best) == count and least > self._index.slack * rough[-1]):
                return best
            wanted *= 2
        return super().best(count, allowed)

    def bm25(self, rows: Rows) -> NDArray[np.float32]:
        """See LexicalScores."""
        return super().bm25(rows) if self._every is not None else self._of(rows)[0]

    def coverage(self, rows: Rows) -> NDArray[np.float32]:
        """See LexicalScores."""
        return super().coverage(rows) if self._every is not None else self._of(rows)[1]

    def most_covered(self, count: int) -> Rows:
        """See LexicalScores."""
        if self._every is not None or not self._held:
            return super().most_covered(count)
        weighed = [tantivy.Query.const_score_query(self._index.term(term), idf) for term, idf in self._held.items()]
        return self._index.search(_any_of(weighed), count)[0]

    def _best_of(self, rows: Rows, count: int) -> tuple[Rows, float]:
        """The best of `rows`, and the score of the last of them."""
        scores = self.bm25(rows)
        kept = scores > 0
        best = best_rows(rows[kept], scores[kept], count)
        return best, float(np.sort(scores)[-len(best)]) if len(best) else 0.0

    def _of(self, rows: Rows) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """BM25 and coverage of the articles at `rows`; the last answer is kept, for both are asked for one by one."""
        if self._last is None or self._last[0] is not rows:
            bm25, coverage = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.float32)
            for term, idf in self._held.items():
                frequency = self._model.frequency(term, "", rows)
                bm25 += self._model.part(idf, frequency, rows)
                coverage += np.float32(idf) * (frequency > 0)
            self._last = rows, bm25, coverage / np.float32(self._mass or 1)
        return self._last[1:]


def _any_of(queries: Sequence[Any]) -> Any:
    return tantivy.Query.boolean_query([(tantivy.Occur.Should, query) for query in queries])


def update_tantivy(update: LexicalUpdate) -> None:
    """Write the lexical index that an update asks for. Segments are never changed once written, so those that stay are
    hard links."""
    folder = update.folder
    if update.previous is not None:
        for file in update.previous.iterdir():
            if file.name in _CHANGING:
                shutil.copy2(file, folder / file.name)
            elif file.is_file() and file.name != VOCABULARY and file.suffix != ".lock":
                link_or_copy(file, folder / file.name)
    with _as_os_errors():
        _write(update)
    for lock in folder.glob(".tantivy-*.lock"):
        lock.unlink()


def _write(update: LexicalUpdate) -> None:
    index = _handle(update.folder)
    writer = index.writer(_WRITER_BYTES, 1)

    def deleted() -> Iterator[tuple[int, Article]]:
        for doc, article in update.removed:
            writer.delete_documents_by_query(tantivy.Query.term_query(index.schema, "doc", doc))
            yield doc, article

    for doc, title, text in update_shared(replace(update, removed=deleted())):
        document = tantivy.Document()
        document.add_unsigned("doc", doc)
        document.add_pre_tokenized_text("title", _positions(title))
        document.add_pre_tokenized_text("text", _positions(text))
        document.add_text("whole", _SEPARATOR.join(_scored(title) * TITLE_WEIGHT + _scored(text)))
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """tantivy says of a full disk that it is a ValueError, or panics, which is no Exception even."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, ValueError) and type(error).__name__ != "PanicException":
            raise
        raise OSError(f"tantivy: {error}") from error


def _handle(folder: Path) -> Any:
    """An index in `folder`, opened or made."""
    schema = (
        tantivy.SchemaBuilder()
        .add_unsigned_field("doc", indexed=True, fast=True)
        .add_text_field("title", tokenizer_name=_TOKENIZER)
        .add_text_field("text", tokenizer_name=_TOKENIZER)
        # What is scored: content words, those of the title as often as they count.
        .add_text_field("whole", tokenizer_name=_TOKENIZER, index_option="freq")
        .build()
    )
    index = tantivy.Index(schema, str(folder))
    tokenizer = tantivy.Tokenizer.regex(f"[^{_SEPARATOR}]+")
    index.register_tokenizer(_TOKENIZER, tantivy.TextAnalyzerBuilder(tokenizer).build())
    return index


def _positions(words: Words) -> Any:
    tokens = [tantivy.Token(term, position, 0, 0) for term, at in words.positions.items() for position in at]
    return tantivy.PreTokenizedString("", tokens)


def _scored(words: Words) -> list[str]:
    kept = (term for term in words.positions if term not in _STOP_TERMS and not is_mark(term))
    return [term for term in kept for _ in words.positions[term]]


def _numbers(explanation: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of an explanation by their names: what stands before the comma."""
    yield explanation["description"].partition(",")[0], explanation["value"]
    for detail in explanation.get("details", ()):
        yield from _numbers(detail)
