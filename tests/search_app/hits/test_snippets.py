from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import UsageError
from search_app.hits.snippets import Wanted, find, highlight, snippet, wanted
from search_app.query.parsed import parse
from search_app.results import Snippet

ARTICLE = (
    "The two neighbours surprised their allies on Thursday. "
    "In a joint statement, they agreed to exchange prisoners of war. "
    "Thirty-two soldiers will go home, and two will return.\n\n"
    "The agreement was reached without a third country mediating between them. "
    "Earlier rounds of talks had taken place in Brussels and Washington. "
    "Analysts called the statement a breakthrough."
)


def sentences(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\S[^.]*\.?", text)]


def looking_for(query: str, **idf: float) -> Wanted:
    return wanted(parse(query), lambda term: idf.get(term, 1.0))


def snip(query: str, text: str = ARTICLE, max_chars: int = 90, **idf: float) -> Snippet:
    return snippet(text, (0, len(text)), find(text, looking_for(query, **idf)), sentences, max_chars)


def marked(found: Snippet) -> list[str]:
    return [found.text[start:end] for start, end in found.highlights]


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("mediation", "Mediated talks, mediators in a medium", ["Mediated", "mediators"]),
        ("prisoner exchange", "Prisoners exchanged", ["Prisoners", "exchanged"]),
        ("pashinyan", "Pashinyan’s plan", ["Pashinyan’s"]),
        ("Susa", "in Şuşa", ["Şuşa"]),
        ("ceasefire", "the cease-fire holds", ["cease-fire"]),
        ("cease-fire", "the ceasefire holds", ["ceasefire"]),
        ("US", "the U.S. envoy", ["U.S."]),
        ("10000", "some 10,000 people", ["10,000"]),
        ('"joint statement"', "a joint statement, jointly a statement", ["joint statement"]),
        ('"ceasefire deal"', "a cease-fire deal", ["cease-fire deal"]),
        ('"a b c" b', "a b c, b", ["a b c", "b"]),
        ("the statement", "the statement", ["statement"]),
        ("the", "the statement", ["the"]),
        ("京大", "北京大学", ["京大"]),
        ("北京大学", "北京大学", ["北京大学"]),
        ("-war peace section:war", "war and peace", ["peace"]),
        ("title:peace", "war and peace", ["peace"]),
        ("", "anything", []),
    ],
)
def test_highlights(query: str, text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in highlight(text, looking_for(query))] == expected


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("prisoner exchange", "In a joint statement, they agreed to exchange prisoners of war."),
        ("without mediation", "The agreement was reached without a third country mediating between them."),
        ("talks in Washington", "Earlier rounds of talks had taken place in Brussels and Washington."),
        ('statement "joint statement"', "In a joint statement, they agreed to exchange prisoners of war."),
        ("statement", "In a joint statement, they agreed to exchange prisoners of war."),
        ("nothing of this", "The two neighbours surprised their allies on Thursday."),
    ],
)
def test_the_sentence_that_carries_the_query(query: str, sentence: str) -> None:
    found = snip(query)
    assert found.text == sentence == ARTICLE[found.start : found.end]


def test_rare_words_weigh_more() -> None:
    assert "Brussels" in snip("statement brussels", statement=0.5, brussel=3.0).text
    assert "joint" in snip("statement brussels", statement=3.0, brussel=0.5).text.lower()


def test_near_words_weigh_more() -> None:
    text = f"Peace, and after {'so many ' * 5}words at last talks. Some said that peace talks would end."
    assert snip("peace talks", text).text == "Some said that peace talks would end."


def test_a_short_run_is_filled_with_its_neighbours() -> None:
    assert snip("third country", max_chars=150).text.endswith("Brussels and Washington.")
    assert snip("breakthrough", max_chars=150).text.startswith("Earlier rounds")
    assert len(snip("breakthrough", max_chars=150).text) <= 150


def test_only_the_passage_is_shown() -> None:
    start = ARTICLE.index("Earlier")
    found = snippet(
        ARTICLE, (start, len(ARTICLE)), find(ARTICLE[start:], looking_for("joint statement")), sentences, 90
    )
    assert found.text == "Analysts called the statement a breakthrough."
    assert marked(found) == ["statement"]
    assert ARTICLE[found.start : found.end] == found.text


def test_a_long_sentence_is_cut_between_words() -> None:
    text = f"{'long ' * 40}prisoner exchange {'story ' * 40}."
    found = snip("prisoner exchange", text)
    assert found.text[0] == found.text[-1] == "…"
    assert set(found.text[1:-1].split()) == {"long", "prisoner", "exchange", "story"}
    assert marked(found) == ["prisoner", "exchange"]
    assert found.text == f"…{text[found.start : found.end]}…"
    assert snip("long", text).text.startswith("long long")
    assert snip("story", f"{'long ' * 40}story").text.endswith("long story")


def test_unspaced_text_is_cut_between_characters() -> None:
    found = snip("会議", "北" * 200 + "会議" + "京" * 200)
    assert marked(found) == ["会議"]
    assert 80 <= len(found.text) <= 90


def test_an_empty_passage_gives_an_empty_snippet() -> None:
    assert snippet("  ", (0, 2), [], sentences).text == ""


def test_a_snippet_has_a_least_length() -> None:
    with pytest.raises(UsageError, match="59 characters is too short; ask for at least 60"):
        snip("x", max_chars=59)


TEXTS = st.lists(
    st.one_of(
        st.text(max_size=12), st.sampled_from(["a ", "b ", ". ", "\n\n", "joint statement ", "京都", "word" * 15])
    ),
    max_size=60,
).map("".join)


@given(TEXTS, st.sampled_from(["a", "a b", '"joint statement" b', "京都 word", ""]), st.integers(60, 120))
def test_any_text(text: str, query: str, max_chars: int) -> None:
    found = snip(query, text, max_chars)
    assert found.text.strip("…") == text[found.start : found.end].strip("…")
    assert len(found.text) <= max_chars
    previous = 0
    for start, end in found.highlights:
        assert previous <= start < end <= len(found.text)
        previous = end
    shift = found.start - found.text.index(text[found.start : found.end])
    everywhere = highlight(text, looking_for(query))
    for start, end in found.highlights:
        assert any(first <= start + shift and end + shift <= last for first, last in everywhere)
