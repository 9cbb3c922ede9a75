"""BM25 against an implementation by other people, term by term of the same analysis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rank_bm25 import BM25Okapi

from indexer.article import Article
from indexer.catalogue import Catalogue
from indexer.lexical.bm25 import TITLE_WEIGHT, Atom, B, Bm25, bm25_idf
from indexer.lexical.index import LexicalIndex
from indexer.lexical.writing import LexicalUpdate, update_lexical
from indexer.text.analysis import terms

K1 = 1.2

ARTICLES = [
    Article(
        "a", "Harbour pilots strike", "The pilots of the harbour refuse to work. Ships wait in the bay for pilots."
    ),
    Article("b", "Ships delayed", "Forty ships are waiting outside the harbour. The strike has entered its third day."),
    Article("c", "Grain prices rise", "Prices of grain rise for a third week because no ships leave the harbour."),
    Article("d", "Mayor opens library", "The mayor opened a library with a reading room and a garden."),
    Article("e", "", "Pilots of an airline vote on a strike; the airline speaks of a misunderstanding."),
    Article("f", "Garden festival", "Roses, roses, roses: the garden festival opens on Sunday with music and cake."),
    Article(
        "g", "Third bridge for the city", "The mayor promises a third bridge across the river before the election."
    ),
]
EVERY = np.arange(len(ARTICLES))
QUERIES = [
    "harbour strike",
    "third",
    "roses in the garden",
    "mayor opens a bridge",
    "pilots pilots airline",
    "zebra harbour",
]


def catalogue() -> Catalogue:
    return Catalogue.build((doc, None, None, None, None) for doc in range(1, len(ARTICLES) + 1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lexical")
    update_lexical(
        LexicalUpdate(folder, None, catalogue=catalogue(), added=list(enumerate(ARTICLES, 1)), removed=[], name="1")
    )
    return folder


def reference(parameters: Bm25) -> BM25Okapi:
    """rank_bm25 on the same terms, titles repeated as often as they count, with Lucene's idf instead of its own."""
    texts = [terms(article.title) * int(parameters.title_weight) + terms(article.text) for article in ARTICLES]
    bm25 = BM25Okapi(texts, k1=parameters.k1, b=parameters.b)
    for term in bm25.idf:
        bm25.idf[term] = bm25_idf(len(texts), sum(term in text for text in texts))
    return bm25


@pytest.mark.parametrize("parameters", [Bm25(), Bm25(k1=0.9, b=0.4), Bm25(k1=2.0, b=1.0, title_weight=1)])
@pytest.mark.parametrize("query", QUERIES)
def test_scores_agree_with_rank_bm25(folder: Path, parameters: Bm25, query: str) -> None:
    index = LexicalIndex(folder, catalogue(), parameters)
    mine = index.score([Atom(word) for word in query.split()]).bm25(EVERY)
    theirs = reference(parameters).get_scores(terms(query))
    assert theirs.max() > 0
    np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_the_defaults_are_those_of_the_product() -> None:
    assert Bm25() == Bm25(k1=K1, b=B, title_weight=TITLE_WEIGHT)


@pytest.mark.parametrize("query", QUERIES)
def test_no_score_reaches_the_bound(folder: Path, query: str) -> None:
    scores = LexicalIndex(folder, catalogue()).score([Atom(word) for word in query.split()])
    assert 0 < scores.bm25(EVERY).max() < scores.bound


def test_an_article_that_repeats_the_query_comes_near_the_bound(tmp_path: Path) -> None:
    articles = [Article("x", "", "tariff dispute " * 500), Article("y", "", "A quiet day at the lake.")]
    rows = Catalogue.build((doc, None, None, None, None) for doc in (1, 2))
    update_lexical(
        LexicalUpdate(tmp_path, None, catalogue=rows, added=list(enumerate(articles, 1)), removed=[], name="1")
    )
    scores = LexicalIndex(tmp_path, rows).score([Atom("tariff"), Atom("dispute")])
    assert scores.bm25(np.array([0]))[0] > 0.99 * scores.bound


def test_words_that_no_article_holds_raise_the_bound_and_lower_the_coverage(folder: Path) -> None:
    index = LexicalIndex(folder, catalogue())
    known, unknown = index.score([Atom("harbour")]), index.score([Atom("harbour"), Atom("zeppelin")])
    np.testing.assert_array_equal(known.bm25(EVERY), unknown.bm25(EVERY))
    assert unknown.bound > 2 * known.bound
    assert known.coverage(EVERY).max() == 1
    assert unknown.coverage(EVERY).max() < 0.5
