from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_app.ranking.fusion import (
    DenseScale,
    article_scores,
    convex,
    dense_confidence,
    dense_scale,
    lexical_confidence,
    near_enough,
    on_topic,
    relevant,
    rrf,
    words_enough,
)

BOUND = 20.0
bm25_scores = st.floats(0, BOUND, width=32)
cosines = st.floats(-1, 1, width=32)
candidates = st.lists(st.tuples(bm25_scores, cosines), min_size=1, max_size=30)
weights = st.floats(0, 1)


def columns(pairs: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    lexical, dense = np.array(pairs, np.float32).reshape(-1, 2).T
    return lexical, dense


@given(candidates, weights)
def test_scores_and_shares_are_in_bounds(pairs: list[tuple[float, float]], weight: float) -> None:
    lexical, dense = columns(pairs)
    fused = convex(lexical, BOUND, dense, weight)
    for values in (fused.scores, fused.lexical_share):
        assert values.dtype == np.float32
        assert ((values >= 0) & (values <= 1)).all()


@given(candidates, st.randoms(use_true_random=False))
def test_the_order_of_candidates_does_not_matter(pairs: list[tuple[float, float]], random: object) -> None:
    order = np.arange(len(pairs))
    random.shuffle(order)  # type: ignore[attr-defined]
    lexical, dense = columns(pairs)
    straight, shuffled = convex(lexical, BOUND, dense), convex(lexical[order], BOUND, dense[order])
    np.testing.assert_array_equal(straight.scores[order], shuffled.scores)


@given(candidates, st.tuples(bm25_scores, cosines))
def test_a_score_does_not_depend_on_the_other_candidates(
    pairs: list[tuple[float, float]], one: tuple[float, float]
) -> None:
    together = convex(*_call([*pairs, one]))
    alone = convex(*_call([one]))
    assert together.scores[-1] == alone.scores[0]


@given(bm25_scores, cosines, st.floats(0.01, 1), weights)
def test_more_of_either_leg_never_lowers_a_score(lexical: float, cosine: float, more: float, weight: float) -> None:
    legs = columns([(lexical, cosine), (min(lexical + more * BOUND, BOUND), cosine), (lexical, min(cosine + more, 1))])
    base, more_words, nearer = convex(legs[0], BOUND, legs[1], weight).scores
    assert more_words >= base
    assert nearer >= base


def test_the_weight_decides_between_the_legs() -> None:
    legs = columns([(BOUND, 0.0), (0.0, 1.0)])
    for weight, first in ((0.0, 0), (0.49, 0), (0.51, 1), (1.0, 1)):
        fused = convex(legs[0], BOUND, legs[1], weight)
        assert fused.scores.argmax() == first
    np.testing.assert_allclose(convex(legs[0], BOUND, legs[1]).lexical_share, [1, 0])


def test_a_better_article_of_a_poor_answer_still_scores_low() -> None:
    poor = convex(*_call([(1.0, 0.1), (0.5, 0.05)]))
    good = convex(*_call([(15.0, 0.8)]))
    assert poor.scores.max() < 0.1 < 0.7 < good.scores[0]


def test_without_any_score_in_either_leg_the_shares_are_halves() -> None:
    assert convex(*_call([(0.0, 0.0)])).lexical_share[0] == 0.5


@given(st.lists(st.integers(0, 200), min_size=1, max_size=30), st.lists(st.integers(0, 200), min_size=1, max_size=30))
def test_rrf_is_bounded_and_rewards_better_ranks(lexical: list[int], dense: list[int]) -> None:
    size = min(len(lexical), len(dense))
    ranks = np.array(lexical[:size]), np.array(dense[:size])
    fused = rrf(*ranks)
    assert ((fused.scores >= 0) & (fused.scores <= 1)).all()
    better = rrf(np.where(ranks[0] > 1, ranks[0] - 1, ranks[0]), ranks[1])
    assert (better.scores >= fused.scores).all()


def test_rrf_gives_one_to_the_first_of_both_and_nothing_for_not_ranked() -> None:
    fused = rrf(np.array([1, 1, 0]), np.array([1, 0, 0]))
    np.testing.assert_allclose(fused.scores, [1, 0.5, 0])
    np.testing.assert_allclose(fused.lexical_share, [0.5, 1, 0.5])


@given(st.lists(st.lists(cosines, min_size=1, max_size=6), min_size=1, max_size=8))
def test_article_scores_lie_between_the_passages(articles: list[list[float]]) -> None:
    ordered = [sorted(passages, reverse=True) for passages in articles]
    flat = np.array([score for passages in ordered for score in passages], np.float32)
    starts = np.cumsum([0, *(len(passages) for passages in ordered)])[:-1]
    scores = article_scores(flat, starts)
    for score, passages in zip(scores, ordered, strict=True):
        assert passages[-1] - 1e-6 <= score <= passages[0] + 1e-6
    np.testing.assert_allclose(article_scores(flat, starts, (1.0,)), flat[starts])


def test_a_short_article_is_no_worse_off_than_its_best_passage() -> None:
    scores = article_scores(np.array([0.8, 0.8, 0.6, 0.4], np.float32), np.array([0, 1]), (1, 0.5, 0.25))
    np.testing.assert_allclose(scores, [0.8, (0.8 + 0.3 + 0.1) / 1.75], rtol=1e-6)


@given(st.lists(bm25_scores, min_size=2, max_size=20))
def test_single_rankings_keep_their_order(scores: list[float]) -> None:
    values = np.sort(np.array(scores, np.float32))
    for confidence in (lexical_confidence(values, BOUND), dense_confidence(values / np.float32(BOUND))):
        assert (np.diff(confidence) >= 0).all()
        assert ((confidence > 0) & (confidence < 1)).all()


def test_the_best_scores_stay_apart() -> None:
    values = np.linspace(0.9, 1, 50, dtype=np.float32)
    assert len(set(lexical_confidence(values * np.float32(BOUND), BOUND).tolist())) == 50


def test_nothing_is_relevant_when_even_the_best_has_little_reason() -> None:
    best, coverage = np.array([0.36, 0.35], np.float32), np.array([0.1, 0.0], np.float32)
    assert not relevant(best, coverage).any()


def test_beside_a_good_article_a_fair_one_is_shown_and_a_poor_one_is_not() -> None:
    best, coverage = np.array([0.7, 0.38, 0.2], np.float32), np.array([0.5, 0.0, 0.1], np.float32)
    assert relevant(best, coverage).tolist() == [True, True, False]


def test_a_rare_name_typed_alone_is_reason_enough() -> None:
    assert relevant(np.array([0.05], np.float32), np.array([1.0], np.float32)).all()


def test_one_common_word_of_many_is_no_reason() -> None:
    coverage = np.array([0.15, 0.11], np.float32)
    assert not relevant(np.array([0.2, 0.1], np.float32), coverage).any()
    assert not words_enough(coverage).any()


def test_what_has_to_do_with_a_denying_query_does_so_by_meaning_or_by_words_however_little_the_best_does() -> None:
    best, coverage = np.array([0.20, 0.1, 0.1, 0.1, 0.0]), np.array([0, 0, 0.2, 0.1, 0.9])
    assert on_topic(best.astype(np.float32), coverage.astype(np.float32)).tolist() == [True, False, True, False, True]


@given(candidates)
def test_floors_take_empty_and_full_lists(pairs: list[tuple[float, float]]) -> None:
    _, best = columns(pairs)
    coverage = np.abs(best)
    for kept in (relevant(best, coverage), on_topic(best, coverage), near_enough(best), words_enough(coverage)):
        assert kept.shape == best.shape
    assert not relevant(best[:0], coverage[:0]).any()


def test_an_encoder_with_a_high_background_is_put_on_the_same_scale() -> None:
    scale = DenseScale(background=0.75)
    np.testing.assert_allclose(scale.of(np.array([0.75, 1.0], np.float32)), [0, 1], atol=1e-6)


def mean_of_length(squared: float) -> np.ndarray:
    return np.array([np.sqrt(squared), 0.0])


def test_passages_that_all_look_alike_lower_the_trust_in_cosines() -> None:
    assert dense_scale(mean_of_length(0.15), 5000, 0.03).trust == 1
    assert dense_scale(mean_of_length(0.72), 5000, 0.03).trust < 0.45


def test_looking_alike_is_judged_from_the_encoders_own_background() -> None:
    assert dense_scale(mean_of_length(0.78), 5000, 0.75).trust == 1


def test_a_small_corpus_says_nothing_about_the_encoder() -> None:
    assert dense_scale(mean_of_length(0.9), 20, 0.03) == DenseScale(0.03)


@pytest.mark.parametrize("background", [-0.2, 0.0, 1.0])
def test_any_background_gives_finite_scores(background: float) -> None:
    scale = dense_scale(mean_of_length(1.0), 1000, background)
    assert np.isfinite(scale.of(np.array([-1, 0, 1], np.float32))).all()
    assert 0 < scale.trust <= 1


def _call(pairs: list[tuple[float, float]]) -> tuple[np.ndarray, float, np.ndarray]:
    lexical, dense = columns(pairs)
    return lexical, BOUND, dense
