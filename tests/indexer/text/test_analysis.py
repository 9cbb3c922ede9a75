from __future__ import annotations

import threading
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexer.text.analysis import (
    TermFinder,
    analyse,
    index_tokens,
    index_words,
    phrase_variants,
    surfaces,
    terms,
)
from indexer.text.word_forms import _ASCII_CHUNK, _CHUNK, STOP_WORDS, fold


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("Şuşa", "Susa"),
        ("Şuşa", "S\u0327us\u0327a"),
        ("İstanbul", "istanbul"),
        ("ışık", "isik"),
        ("Straße", "STRASSE"),
        ("Łódź", "Lodz"),
        ("København", "Kobenhavn"),
        ("Ærø", "Aero"),
        ("Əliyev", "Aliyev"),
        ("Pashinyan's", "Pashinyan"),
        ("Pashinyan’s", "Pashinyan"),
        ("prisoners'", "prisoners"),
        ("they've", "they"),
        ("don’t", "don't"),
        ("mediation", "mediated"),
        ("U.S.", "US"),
        ("U.S", "us"),
        ("U.N.", "UN"),
        ("10,000", "10000"),
        ("1,234,567", "1234567"),
        ("٢٠٢٣", "2023"),
        ("CO₂", "CO2"),
        ("ﬁnance", "finance"),
        ("ＮＡＴＯ", "NATO"),
        ("Ёлка", "елка"),
        ("ΑΘΉΝΑ", "αθηνα"),
        ("مُحَمَّد", "محمد"),
        ("كـــتاب", "كتاب"),
        ("أرمينيا", "ارمينيا"),
        ("שָׁלוֹם", "שלום"),
        ("ｶﾞｽ", "ガス"),
        ("soft\u00adware", "software"),
    ],
)
def test_spellings_of_one_word_are_one_term(written: str, same: str) -> None:
    assert terms(written) == terms(same)
    assert len(terms(written)) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("й", "и"), ("が", "か"), ("हिन्दी", "हनद"), ("5.4", "54"), ("2023", "2024"), ("Iran", "Iraq")]
)
def test_different_words_stay_different(one: str, other: str) -> None:
    assert terms(one) != terms(other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COP29 in Baku", ["cop29", "baku"]),
        ("an A380", ["a380"]),
        ("5.4 percent", ["5.4", "percent"]),
        ("7.12.2023", ["7", "12", "2023"]),
        ("at 12:30", ["12", "30"]),
        ("won 2-1", ["won", "2", "1"]),
        ("10-12", ["10", "12"]),
        ("the end.The", ["end"]),
        ("Brazil\u2013Peru", ["brazil", "peru"]),
        ("snake_case", ["snake", "case"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("北京大学", ["北京", "京大", "大学"]),
        ("北", ["北"]),
        ("北,京", ["北", "京"]),
        ("ไทย", ["ไท", "ทย"]),
        ("한국어", ["한국", "국어"]),
        ("COP29会議", ["cop29", "会議"]),
        ("", []),
        ("?! -- …", []),
        ("🔥", []),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize("word", ["us", "not", "no", "without", "against", "may", "will", "can", "who", "over"])
def test_words_that_carry_news_are_not_stop_words(word: str) -> None:
    assert word not in STOP_WORDS
    assert len(terms(f"the {word}")) == 1


def test_stop_words_keep_their_place_but_give_no_term() -> None:
    assert [(token.term, token.position) for token in analyse("state of the art")] == [("state", 0), ("art", 3)]
    kept = analyse("state of the art", keep_stop_words=True)
    assert [token.position for token in kept] == [0, 1, 2, 3]


def test_a_query_of_stop_words_only_is_still_a_query() -> None:
    assert terms("it is as it was") == ["it", "is", "as", "it", "was"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cease-fire", [("ceas", 0), ("ceasefir", 0), ("fire", 1)]),
        ("cease\u2011fire", [("ceas", 0), ("ceasefir", 0), ("fire", 1)]),
        ("Sana'a", [("sana", 0), ("sanaa", 0), ("a", 1)]),
        ("R&D", [("r", 0), ("rd", 0), ("d", 1)]),
        ("F-16", [("f", 0), ("f16", 0), ("16", 1)]),
        ("O’Brien’s", [("o", 0), ("obrien", 0), ("brien", 1)]),
    ],
)
def test_compounds_give_parts_and_joined_form(text: str, expected: list[tuple[str, int]]) -> None:
    assert [(token.term, token.position) for token in analyse(text, keep_stop_words=True)] == expected


def test_offsets_span_the_word_as_written() -> None:
    text = "In Şuşa, the U.S.-led cease-fire: Pashinyan’s 10,000"
    spans = {token.term: text[token.start : token.end] for token in analyse(text)}
    assert spans["susa"] == "Şuşa"
    assert spans["us"] == "U.S."
    assert spans["ceasefir"] == "cease-fire"
    assert spans["fire"] == "fire"
    assert spans["pashinyan"] == "Pashinyan’s"
    assert spans["10000"] == "10,000"


def phrase_is_in(phrase: str, text: str) -> bool:
    """What a positional index does with the variants."""
    places: dict[str, set[int]] = {}
    for token in index_tokens(text):
        places.setdefault(token.term, set()).add(token.position)
    return any(
        all(start + offset in places[term] for term, offset in variant)
        for variant in phrase_variants(phrase, places.__contains__)
        for start in places[variant[0][0]]
    )


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("ceasefire", "The cease-fire holds."),
        ("ceasefire deal", "A cease-fire deal was signed."),
        ("the ceasefire deal holds", "Will the cease-fire deal hold? The cease-fire deal holds."),
        ("cease-fire deal", "A ceasefire deal was signed."),
        ("cease-fire deal", "A cease fire deal was signed."),
        ("cease fire deal", "A cease-fire deal was signed."),
        ("cease-fire deal", "A cease-fire deal was signed."),
        ("state of the art", "It is state-of-the-art."),
        ("The Who", "A concert by The Who in Leeds"),
        ("Sanaa airport", "Flights from Sana'a airport"),
        ("AT&T", "Shares in AT&T fell"),
        ("US election", "the U.S. election"),
        ("京大", "北京大学"),
        ("joint statements", "a joint\n\nstatement"),
    ],
)
def test_phrases_are_found_in_every_spelling(phrase: str, text: str) -> None:
    assert phrase_is_in(phrase, text)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("ceasefire deal", "A cease-fire and a deal"),
        ("ceasefire deal", "The ceasefire fire deal"),
        ("joint statement", "statement joint"),
        ("joint statement", "a joint written statement"),
        ("the who", "the man who"),
        ("", "anything"),
        ("!!", "anything!!"),
    ],
)
def test_phrases_are_exact(phrase: str, text: str) -> None:
    assert not phrase_is_in(phrase, text)


def test_the_number_of_variants_is_bounded() -> None:
    assert len(phrase_variants("a-b " * 30, lambda term: True)) == 16


def test_surfaces_are_folded_but_not_stemmed() -> None:
    assert surfaces("Şuşa's mediated talks; COP29, U.S., o'clock, mediated") == {"susa", "mediated", "talks", "clock"}


@given(st.text())
def test_analysis_of_any_text(text: str) -> None:
    tokens = index_tokens(text)
    for token in tokens:
        assert 0 <= token.start < token.end <= len(text)
        assert 0 < len(token.term) <= 65
        assert not any(character.isspace() for character in token.term)
    positions = [token.position for token in tokens]
    assert positions == sorted(positions)
    assert set(positions) == set(range(len(set(positions))))
    assert set(analyse(text)) <= set(analyse(text, keep_stop_words=True)) <= set(tokens)


@given(
    st.text()
    | st.lists(st.sampled_from(["a-b", "Sana'a", "cease-fire", "AT&T", "交渉", "the", "U.S.", ","])).map(" ".join)
)
def test_the_words_of_a_text_are_those_of_its_tokens(text: str) -> None:
    words = index_words(text)
    tokens = [(token.term, token.position) for token in index_tokens(text)]
    found = [(term, position) for term, at in words.positions.items() for position in at]
    assert sorted(found) == sorted(tokens)
    assert all(at == sorted(at) for at in words.positions.values())
    assert words.count == len(analyse(text))
    assert words.surfaces == surfaces(text)


@given(
    st.text()
    | st.text(st.sampled_from("aé09.,&-'’_ \n"))
    | st.lists(st.sampled_from(["the", "of", "a-b"])).map(" ".join)
)
def test_terms_are_those_of_the_tokens(text: str) -> None:
    found = [token.term for token in analyse(text)]
    assert terms(text) == (found or [token.term for token in analyse(text, keep_stop_words=True)])


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(min_size=1, max_size=40))
def test_every_text_with_a_word_has_itself_as_a_phrase(text: str) -> None:
    assert phrase_is_in(text, f"before {text} after") == bool(analyse(text, keep_stop_words=True))


@pytest.mark.slow
@pytest.mark.parametrize("text", ["a" * 1_000_000, "a-" * 50_000, "a." * 50_000, "1,000," * 50_000, "e\u0301" * 50_000])
def test_long_garbage_is_answered_with_short_terms(text: str) -> None:
    assert max(len(token.term) for token in index_tokens(text)) <= 65


def test_threads_get_the_same_terms() -> None:
    words = [f"nation{suffix}" for suffix in ("s", "al", "ally", "ality", "hood")] + [f"{n}mediators" for n in range(9)]
    text = " ".join(f"{word}{letter}ing" for word in words for letter in "abcdefghijklmnopqrstuvwxyz")
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(terms(text))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [terms(text)] * 4


@given(st.text(st.characters(max_codepoint=127)) | st.text(st.sampled_from("aZ09.,&-'_ \n")))
def test_the_faster_pattern_cuts_ascii_as_the_general_one_does(text: str) -> None:
    cuts = [[match.span() for match in pattern.finditer(text)] for pattern in (_ASCII_CHUNK, _CHUNK)]
    assert cuts[0] == cuts[1]


@given(
    st.text() | st.text(st.sampled_from("aZé09.,&-'’_ \n")) | st.text(st.sampled_from("aDYIngNGeds ")),
    st.sets(st.sampled_from(["a", "z", "é", "0", "9", "die", "dy"])),
)
@example("a dying man, dyING; AING AED", {"a"})
def test_finding_terms_gives_those_of_the_tokens(text: str, others: set[str]) -> None:
    tokens = index_tokens(text)
    wanted = others | {token.term for token in tokens[::2]}
    assert TermFinder(wanted)(text) == [token for token in tokens if token.term in wanted]


def test_every_word_of_three_letters_is_found_by_its_term_and_so_are_those_that_stemming_changes_most() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    endings = [
        "ying",
        "yings",
        "ing",
        "ings",
        "ed",
        "eds",
        "ied",
        "ies",
        "edly",
        *map("".join, product(letters, repeat=2)),
    ]
    words = [first + ending for first in letters for ending in endings]
    assert [word for word in words if not TermFinder(terms(word))(word.upper())] == []
