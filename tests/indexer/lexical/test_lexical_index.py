"""The lexical index: BM25 against the formula, through updates and deletes; exact matching."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rank_bm25 import BM25Okapi

from indexer.article import Article
from indexer.catalogue import Catalogue
from indexer.errors import IndexDamaged
from indexer.lexical.bm25 import K1, TITLE_WEIGHT, Atom, B, Bm25Scores, bm25_idf
from indexer.lexical.index import LexicalIndex
from indexer.lexical.writing import LexicalUpdate, update_lexical
from indexer.text.analysis import analyse, index_tokens, terms

PLACES = ("harbour", "valley", "bridge", "market", "council", "ferry", "tunnel", "mill")
DEEDS = ("opens", "closes", "floods", "burns", "reopens", "moves")


def article(number: int, rng: np.random.Generator) -> Article:
    place, deed = rng.choice(PLACES), rng.choice(DEEDS)
    body = " ".join(rng.choice([*PLACES, *DEEDS, "the", "of", "Thursday", "mayor"], size=rng.integers(5, 120)))
    return Article(id=str(number), title=f"The {place} {deed}", text=body)


class Corpus:
    """Articles by store row, with the index of the newest generation."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._generation = 0
        self.articles: dict[int, Article] = {}

    def update(self, added: dict[int, Article], removed: Sequence[int] = ()) -> LexicalIndex:
        gone = [(doc, self.articles.pop(doc)) for doc in removed]
        self.articles |= added
        previous = self._folder / str(self._generation) if self._generation else None
        self._generation += 1
        target = self._folder / str(self._generation)
        target.mkdir()
        order = LexicalUpdate(
            target,
            previous,
            catalogue=self.catalogue,
            added=sorted(added.items()),
            removed=gone,
            name=str(self._generation),
        )
        update_lexical(order)
        return self.open()

    def open(self) -> LexicalIndex:
        return LexicalIndex(self._folder / str(self._generation), self.catalogue)

    @property
    def catalogue(self) -> Catalogue:
        return Catalogue.build((doc, None, None, None, None) for doc in sorted(self.articles))

    @property
    def segments(self) -> int:
        return len(list((self._folder / str(self._generation)).glob("frequencies-*")))

    def in_order(self) -> list[Article]:
        return [self.articles[doc] for doc in sorted(self.articles)]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path)


def everything(scores: Bm25Scores, corpus: Corpus) -> NDArray[np.float32]:
    return scores.bm25(np.arange(len(corpus.articles)))


def bm25_by_hand(articles: Sequence[Article], query: str) -> list[float]:
    """The sum over the query's terms of idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length))."""
    counts = []
    for one in articles:
        count = Counter(token.term for token in analyse(one.text))
        for token in analyse(one.title):
            count[token.term] += TITLE_WEIGHT
        counts.append(count)
    mean = sum(count.total() for count in counts) / len(counts)
    scores = []
    for count in counts:
        score = 0.0
        for term in terms(query):
            holders = sum(term in other for other in counts)
            idf = math.log(1 + (len(counts) - holders + 0.5) / (holders + 0.5))
            norm = K1 * (1 - B + B * count.total() / mean)
            score += idf * count[term] * (K1 + 1) / (count[term] + norm)
        scores.append(score)
    return scores


QUERIES = ("ferry", "harbour floods Thursday", "the mayor of the valley", "mayor mayor bridge", "tunnel glacier")


def agrees(index: LexicalIndex, corpus: Corpus) -> bool:
    for query in QUERIES:
        atoms = [Atom(word) for word in query.split()]
        expected = bm25_by_hand(corpus.in_order(), query)
        np.testing.assert_allclose(everything(index.score(atoms), corpus), expected, rtol=0, atol=1e-4)
    return True


def test_bm25_agrees_with_the_formula_through_updates_and_deletes(corpus: Corpus) -> None:
    rng = np.random.default_rng(5)
    index = corpus.update({doc: article(doc, rng) for doc in range(1, 301)})
    assert agrees(index, corpus)
    segments = []
    for step in range(6):
        removed = rng.choice(sorted(corpus.articles), size=17, replace=False).tolist()
        first = max(corpus.articles) + 1
        index = corpus.update({doc: article(doc, rng) for doc in range(first, first + 5 * step + 1)}, removed)
        assert agrees(index, corpus)
        segments.append(corpus.segments)
    assert max(segments) > 1


@pytest.mark.slow
def test_segments_are_merged(corpus: Corpus) -> None:
    rng = np.random.default_rng(8)
    most = 0
    for doc in range(1, 61):
        index = corpus.update({doc: article(doc, rng)})
        most = max(most, corpus.segments)
    assert 1 < most <= 12
    assert agrees(index, corpus)


def test_bm25_agrees_with_rank_bm25_up_to_its_idf(corpus: Corpus) -> None:
    rng = np.random.default_rng(6)
    index = corpus.update({doc: article(doc, rng) for doc in range(1, 201)})
    tokens = [
        [token.term for text in (*[one.title] * TITLE_WEIGHT, one.text) for token in analyse(text)]
        for one in corpus.in_order()
    ]
    reference = BM25Okapi(tokens, k1=K1, b=B)
    for word in PLACES:
        (term,) = terms(word)
        expected = reference.get_scores([term]) / reference.idf[term] * index.idf(term)
        np.testing.assert_allclose(everything(index.score([Atom(word)]), corpus), expected, rtol=0, atol=1e-4)


PHRASES = {
    1: Article("1", "State of the art", "A cease-fire was signed. The Who played on."),
    2: Article("2", "A ceasefire holds", "The art of the state is slow. Who played?"),
    3: Article("3", "Nothing new", "Prisoners' exchange; an exchange of prisoners without a mediator."),
    4: Article("4", "Exchange of prisoners", "Fire, and then cease. COP29 went to Baku."),
}


@pytest.mark.parametrize(
    ("text", "phrase", "field", "expected"),
    [
        ("state of the art", True, None, [1]),
        ("art of the state", True, None, [2]),
        ("the who", True, None, [1]),
        ("cease fire", True, None, [1]),
        ("ceasefire", False, None, [1, 2]),
        ("cease-fire", True, None, [1, 2]),
        ("exchange of prisoners", True, None, [3, 4]),
        ("exchange of prisoners", True, "title", [4]),
        ("prisoner", False, None, [3, 4]),
        ("prisoner", False, "title", [4]),
        ("cop29", False, None, [4]),
        ("who", False, "title", []),
        ("glacier", False, None, []),
        ("state of the glacier", True, None, []),
        ("", True, None, []),
    ],
)
def test_words_and_phrases_match_exactly(
    corpus: Corpus, text: str, phrase: bool, field: str | None, expected: list[int]
) -> None:
    index = corpus.update(PHRASES)
    assert [doc + 1 for doc in np.flatnonzero(index.match(Atom(text, phrase, field)))] == expected


def test_matching_follows_updates(corpus: Corpus) -> None:
    corpus.update(PHRASES)
    index = corpus.update({5: Article("5", "Art", "State of the art again.")}, removed=[1])
    assert np.flatnonzero(index.match(Atom("state of the art", phrase=True))).tolist() == [3]
    assert everything(index.score([Atom("signed")]), corpus).tolist() == [0, 0, 0, 0]
    assert "signed" not in index.vocabulary()
    assert index.vocabulary()["art"] == 2
    assert index.frequency("art") == 2


def test_a_word_whose_last_article_went_is_unknown(corpus: Corpus) -> None:
    corpus.update({1: PHRASES[1], 2: PHRASES[2], 3: PHRASES[3]})
    index = corpus.update({4: PHRASES[4]}, removed=[3])
    assert corpus.segments == 1
    assert index.frequency("mediat") == 0
    assert everything(index.score([Atom("mediator"), Atom("signed")]), corpus).tolist()[1:] == [0, 0]
    assert index.held_words([Atom("mediator"), Atom("fire")], np.array([0, 2])) == [("fire",), ("fire",)]


def test_title_words_are_scored_in_the_title_alone(corpus: Corpus) -> None:
    index = corpus.update(PHRASES)
    assert (everything(index.score([Atom("exchange", field="title")]), corpus) > 0).tolist() == [
        False,
        False,
        False,
        True,
    ]
    assert (everything(index.score([Atom("exchange")]), corpus) > 0).tolist() == [False, False, True, True]


def test_coverage_is_the_share_of_idf_and_unknown_words_weigh_most(corpus: Corpus) -> None:
    index = corpus.update(PHRASES)
    everything = index.score([Atom("prisoners"), Atom("exchange")]).coverage(np.arange(4))
    np.testing.assert_allclose(everything, [0, 0, 1, 1], atol=1e-6)
    half = index.score([Atom("prisoners"), Atom("glacier")]).coverage(np.array([3]))[0]
    known, unknown = bm25_idf(4, 2), bm25_idf(4, 0)
    assert half == pytest.approx(known / (known + unknown), abs=1e-6)
    assert half < 0.5


def test_held_words_are_those_typed(corpus: Corpus) -> None:
    index = corpus.update(PHRASES)
    atoms = [Atom("prisoner"), Atom("exchanges"), Atom("Baku"), Atom("the")]
    assert index.held_words(atoms, np.array([3, 0])) == [("prisoner", "exchanges", "Baku"), ()]
    assert index.held_words([Atom("the")], np.array([0])) == [("the",)]


def test_the_best_are_the_best_of_all_in_the_order_of_their_scores(corpus: Corpus) -> None:
    rng = np.random.default_rng(9)
    corpus.update({doc: article(doc, rng) for doc in range(1, 801)})
    index = corpus.update({doc: article(doc, rng) for doc in range(801, 901)}, removed=list(range(5, 400, 3)))
    rows = np.arange(len(corpus.articles))
    filters = [None, rows % 2 == 0, rows == 7, rows < 0]
    for query in (*QUERIES, "ferry title:mill", "", "the of", "glacier"):
        atoms = [Atom(word.removeprefix("title:"), field="title" if ":" in word else None) for word in query.split()]
        expected = everything(index.score(atoms), corpus)
        for allowed in filters:
            scores = index.score(atoms)
            for count in (1, 20, 2000):
                held = np.flatnonzero(expected > 0 if allowed is None else (expected > 0) & allowed)
                order = held[np.lexsort((held, -expected[held]))][:count]
                best = scores.best(count, allowed)
                np.testing.assert_array_equal(best, order)
                np.testing.assert_allclose(scores.bm25(best), expected[order], rtol=1e-6)
        covered = index.score(atoms).coverage(rows)
        most = index.score(atoms).most_covered(10)
        np.testing.assert_allclose(covered[most], np.sort(covered)[::-1][: len(most)], rtol=1e-6)


@pytest.mark.slow
def test_the_best_are_found_through_many_small_updates(corpus: Corpus) -> None:
    rng = np.random.default_rng(10)
    index = corpus.update({doc: article(doc, rng) for doc in range(1, 3001)})
    for doc in range(3001, 3006):
        index = corpus.update({doc: article(doc, rng)}, removed=[doc - 2990, doc - 1500])
    scores = index.score([Atom("harbour"), Atom("floods"), Atom("Thursday")])
    found = scores.best(10)
    expected = everything(index.score([Atom("harbour"), Atom("floods"), Atom("Thursday")]), corpus)
    np.testing.assert_array_equal(found, np.lexsort((np.arange(len(expected)), -expected))[:10])


def test_stop_words_count_only_where_there_is_nothing_else(corpus: Corpus) -> None:
    index = corpus.update(PHRASES)
    assert everything(index.score([Atom("the"), Atom("glacier")]), corpus).max() == 0
    assert everything(index.score([Atom("the"), Atom("of")]), corpus).max() > 0


def test_joined_compounds_are_stored_for_phrases_only(corpus: Corpus) -> None:
    assert len(index_tokens("cease-fire")) > len(analyse("cease-fire"))
    index = corpus.update({1: Article("1", "Cease-fire", "Cease-fire holds.")})
    np.testing.assert_allclose(
        everything(index.score([Atom("ceasefire")]), corpus), bm25_by_hand(corpus.in_order(), "ceasefire"), atol=1e-4
    )


def test_an_index_of_other_articles_is_damaged(corpus: Corpus, tmp_path: Path) -> None:
    corpus.update(PHRASES)
    corpus.articles[9] = PHRASES[1]
    with pytest.raises(IndexDamaged, match="1 of 5 articles"):
        corpus.open()
    with pytest.raises(IndexDamaged, match="concord rebuild"):
        LexicalIndex(tmp_path / "nowhere", Catalogue.build([]))


def test_threads_find_the_same_while_places_of_terms_are_forgotten(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.lexical.frequencies._REMEMBERED", 2)
    rng = np.random.default_rng(11)
    index = corpus.update({doc: article(doc, rng) for doc in range(1, 101)})
    atoms = [Atom(word) for word in (*PLACES, *DEEDS)]
    expected = index.score(atoms).best(50).tolist()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: index.score(atoms).best(50).tolist(), range(100)))
    assert all(rows == expected for rows in found)
