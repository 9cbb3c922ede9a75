from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from indexer.text.analysis import terms
from search_app.query.parsed import parse
from search_app.query.spelling import Speller, suggest

COUNTS = {
    "azerbaijan": 300,
    "azerbaijani": 150,
    "armenia": 280,
    "armenian": 120,
    "harutyunyan": 4,
    "prisoner": 90,
    "prisoners": 110,
    "mediation": 40,
    "statement": 200,
    "stalemate": 5,
    "state": 400,
    "talks": 250,
    "walks": 30,
    "baku": 180,
    "bake": 2,
    "form": 1,
    "from": 900,
    "election": 500,
    "elections": 450,
    "erection": 1,
    "ereban": 1,
    "yerevan": 170,
    "iran": 60,
    "iraq": 70,
    "киев": 50,
}


def speller_of(counts: dict[str, int]) -> Speller:
    frequency: Counter[str] = Counter()
    for word, count in counts.items():
        for term in terms(word):
            frequency[term] += count
    return Speller(counts.items(), frequency.__getitem__)


@pytest.fixture(scope="module")
def speller() -> Speller:
    return speller_of(COUNTS)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("Azerbijan", "Azerbaijan"),
        ("azerbiajan", "azerbaijan"),
        ("AZERBIJAN", "AZERBAIJAN"),
        ("Haratunyan", "Harutyunyan"),
        ("statment", "statement"),
        ("prisonner", "prisoner"),
        ("Yervan", "Yerevan"),
        ("tlaks", "talks"),
        ("balks", "talks"),
        ("кеив", "киев"),
        ("erection", "election"),
    ],
)
def test_misspelt_words(speller: Speller, word: str, meant: str) -> None:
    assert speller.correct(word) == meant


@pytest.mark.parametrize(
    "word",
    [
        "Azerbaijan",
        "mediating",  # its stem is known
        "armenians",
        "bake",  # rare, but no near word is far more frequent
        "irn",  # too short to tell
        "would",
        "zzzzzz",
        "talk5",
        "",
        "statuette",  # too far from everything
    ],
)
def test_words_that_stay(speller: Speller, word: str) -> None:
    assert speller.correct(word) is None


def test_frequent_words_win_and_ties_do_not_depend_on_order() -> None:
    assert speller_of({"halks": 3, "talks": 300}).correct("calks") == "talks"
    one, other = speller_of({"talks": 5, "walks": 5}), speller_of({"walks": 5, "talks": 5})
    assert one.correct("calks") == other.correct("calks") == "talks"


def test_the_same_initial_is_likelier() -> None:
    assert speller_of({"balks": 9, "talks": 10}).correct("balkz") == "balks"


@pytest.mark.parametrize(
    ("query", "suggested"),
    [
        ("Azerbijan talks", "Azerbaijan talks"),
        ('+Azerbijan "joint statment" -statment', '+Azerbaijan "joint statement" -statment'),
        ("title:Azerbijan section:Worlld after:2023-12-07", "title:Azerbaijan section:Worlld after:2023-12-07"),
        ('"joint statment" OR "prisonner talks"', '"joint statement" OR "prisoner talks"'),
        ("Azerbijan’s talks?", "Azerbaijan’s talks?"),
        ("Armenia-Azerbijan", "Armenia-Azerbaijan"),
        ("statment COP29 statment", "statement COP29 statement"),
    ],
)
def test_suggestions_keep_everything_but_the_words(speller: Speller, query: str, suggested: str) -> None:
    found = suggest(parse(query), speller)
    assert found is not None
    assert (found.kind, found.text, found.query) == ("spelling", suggested, suggested)


@pytest.mark.parametrize("query", ["Azerbaijan talks", "", "section:Azerbijan", "-Azerbijan", "zzzzzz", "12:30"])
def test_nothing_to_suggest(speller: Speller, query: str) -> None:
    assert suggest(parse(query), speller) is None


def test_an_empty_archive_suggests_nothing() -> None:
    assert suggest(parse("Azerbijan"), speller_of({})) is None


@given(st.sampled_from([word for word in COUNTS if len(word) >= 8 and COUNTS[word] > 2]), st.data())
def test_one_slip_in_a_long_word_leads_to_a_known_word(word: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(1, len(word) - 2))
    slip = data.draw(st.sampled_from(["delete", "swap", "insert", "replace"]))
    typed = {
        "delete": word[:place] + word[place + 1 :],
        "swap": word[:place] + word[place + 1] + word[place] + word[place + 2 :],
        "insert": word[:place] + "q" + word[place:],
        "replace": word[:place] + "q" + word[place + 1 :],
    }[slip]
    corrected = speller_of(COUNTS).correct(typed)
    assert corrected in COUNTS or corrected is None
    if slip in ("insert", "replace"):
        assert corrected is not None


@given(
    st.dictionaries(st.text("abcdeé", min_size=4, max_size=9), st.just(1), min_size=1), st.text("abcdef", min_size=4)
)
def test_no_word_within_reach_is_missed(counts: dict[str, int], typed: str) -> None:
    slips = 2 if len(typed) >= 8 else 1
    counts = {word: count for word, count in counts.items() if word != typed}
    near = [word for word in counts if OSA.distance(word, typed) <= slips]
    corrected = Speller(counts.items(), lambda term: 0).correct(typed)
    assert corrected in near if near else corrected is None


@given(st.text())
def test_any_query(text: str) -> None:
    found = suggest(parse(text), speller_of(COUNTS))
    assert found is None or parse(found.query).semantic != parse(text).semantic
