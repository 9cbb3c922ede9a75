from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexer.lexical.bm25 import Atom
from search_app.query.parsed import (
    Filters,
    ParsedQuery,
    interpret,
    parse,
    replace_atoms,
    to_text,
    with_filters,
    without_filters,
)


def word(text: str) -> Atom:
    return Atom(text)


def phrase(text: str) -> Atom:
    return Atom(text, phrase=True)


def day(year: int, month: int = 1, number: int = 1) -> datetime:
    return datetime(year, month, number, tzinfo=UTC)


def meaning(query: ParsedQuery) -> ParsedQuery:
    return replace(query, text="", notes=())


def test_plain_words_are_scored_and_read_by_the_encoder() -> None:
    query = parse("  prisoner exchange\twithout   mediation? ")
    assert query.scoring == tuple(map(word, ["prisoner", "exchange", "without", "mediation?"]))
    assert query.semantic == "prisoner exchange without mediation?"
    assert (query.must, query.must_not, query.filters, query.notes) == ((), (), Filters(), ())


@pytest.mark.parametrize(
    "text", ['"joint statement"', "“joint statement”", "„joint statement“", "«joint statement»", '"joint  statement”']
)
def test_quoted_words_are_a_mandatory_phrase(text: str) -> None:
    query = parse(f"baku {text} yerevan")
    assert query.scoring == (word("baku"), phrase("joint statement"), word("yerevan"))
    assert query.must == ((phrase("joint statement"),),)
    assert query.semantic == "baku joint statement yerevan"
    assert not query.notes


@pytest.mark.parametrize(
    ("text", "must", "must_not"),
    [
        ("+baku", ((word("baku"),),), ()),
        ("-baku", (), (word("baku"),)),
        ("NOT baku", (), (word("baku"),)),
        ('+"joint statement"', ((phrase("joint statement"),),), ()),
        ('-"joint statement"', (), (phrase("joint statement"),)),
        ('NOT "joint statement"', (), (phrase("joint statement"),)),
        ("+cease-fire", ((phrase("cease-fire"),),), ()),
        ("-AT&T", (), (phrase("AT&T"),)),
        ("cease-fire", (), ()),
        ("baku AND yerevan", ((word("baku"),), (word("yerevan"),)), ()),
        ("a AND b AND c", ((word("a"),), (word("b"),), (word("c"),)), ()),
        ("a AND NOT b", ((word("a"),),), (word("b"),)),
        ("a AND section:x", ((word("a"),),), ()),
        ('"a b" OR "c d"', ((phrase("a b"), phrase("c d")),), ()),
        ('"a b" OR c OR +d', ((phrase("a b"), word("c"), word("d")),), ()),
        ("a OR b", (), ()),
        ("a or b and not c", (), ()),
        ("title:baku", ((Atom("baku", field="title"),),), ()),
        ('title:"joint statement"', ((Atom("joint statement", phrase=True, field="title"),),), ()),
        ("title:a OR title:b", ((Atom("a", field="title"), Atom("b", field="title")),), ()),
        ("-title:baku", (), (Atom("baku", field="title"),)),
        ("Title:Nagorno-Karabakh", ((Atom("Nagorno-Karabakh", phrase=True, field="title"),),), ()),
        ("talks - baku -- yerevan – x | +", (), ()),
    ],
)
def test_operators(text: str, must: tuple[tuple[Atom, ...], ...], must_not: tuple[Atom, ...]) -> None:
    query = parse(text)
    assert query.must == must
    assert query.must_not == must_not
    assert not query.notes
    assert {atom for group in must for atom in group} <= set(query.scoring)


def test_dashes_between_words_are_nothing() -> None:
    assert parse("talks - baku -- yerevan – x --y").semantic == "talks baku yerevan x y"


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("section:World", Filters(section=("World",))),
        ("SECTION:World section:Sport section:World", Filters(section=("World", "Sport"))),
        ("section:World OR section:Sport", Filters(section=("World", "Sport"))),
        ('source:"Reuters News"', Filters(source=("Reuters News",))),
        ("author:“Ann Lee”", Filters(author=("Ann Lee",))),
        ("-section:World NOT source:x", Filters(exclude=(("section", "World"), ("source", "x")))),
        ("after:2023", Filters(since=day(2023))),
        ("before:2023", Filters(until=day(2023))),
        ("after:2023-12", Filters(since=day(2023, 12))),
        ("after:2023-12-07 before:2023-12-09", Filters(since=day(2023, 12, 7), until=day(2023, 12, 9))),
        ("-before:2023-12-07", Filters(since=day(2023, 12, 7))),
        ("NOT after:2023-12-07", Filters(until=day(2023, 12, 7))),
        ("after:2021 after:2023 after:2022", Filters(since=day(2023))),
        ("before:2021 before:2023", Filters(until=day(2021))),
        ('after:"7 December 2023"', Filters(since=day(2023, 12, 7))),
        ("after:7.12.2023", Filters(since=day(2023, 12, 7))),
        ('before:"Dec 2023"', Filters(until=day(2023, 12))),
        ("after:2023-12-07T10:30+04:00", Filters(since=datetime(2023, 12, 7, 6, 30, tzinfo=UTC))),
    ],
)
def test_filters(text: str, filters: Filters) -> None:
    query = parse(text)
    assert query.filters == filters
    assert (query.scoring, query.semantic, query.notes) == ((), "", ())


@pytest.mark.parametrize(
    ("text", "semantic", "note"),
    [
        ("foo:bar baku", "foo:bar baku", "'foo:bar' was read as words"),
        ("at 12:30", "at 12:30", "no field '12'"),
        ("https://example.org/a", "https://example.org/a", "no field 'https'"),
        ('foo:"bar baz"', "foo: bar baz", "no field 'foo'"),
        ('say "joint statement', "say joint statement", "without a partner"),
        ('""', "", "nothing between"),
        ('title:"" x', "title: x", "nothing between"),
        ("title: x", "title: x", "'title:' was read as a word"),
        ("after:soon", "after:soon", "'soon' is no date"),
        ("after:2023-13", "after:2023-13", "'2023-13' is no date"),
        ("after:7/12/2023", "after:7/12/2023", "two different days"),
        ('before:"next week"', "before: next week", "'next week' is no date"),
        ("(baku OR yerevan) talks", "baku yerevan talks", "Parentheses"),
        ("OR baku", "or baku", "word 'or'"),
        ("baku OR", "baku or", "word 'or'"),
        ("baku OR OR yerevan", "baku or or yerevan", "word 'or'"),
        ("AND baku", "and baku", "word 'and'"),
        ("baku NOT", "baku not", "word 'not'"),
        ("baku NOT OR yerevan", "baku not yerevan", "word 'not'"),
        ("DO NOT ENTER", "DO", "small letters"),
        ("a OR -b", "a", "OR was ignored"),
        ("a OR section:b", "a", "OR was ignored"),
        ("a AND b OR c", "a b c", "OR binds closer"),
        ("+!! baku", "baku", "'!!' has no letter or digit"),
        ("after:2024 before:2023 x", "x", "No article can be"),
    ],
)
def test_nonsense_is_read_as_words_and_said(text: str, semantic: str, note: str) -> None:
    query = parse(text)
    assert query.semantic == semantic
    assert len(query.notes) == 1
    assert note in query.notes[0]


def test_a_colon_after_a_word_is_punctuation() -> None:
    query = parse("Breaking: 32 prisoners freed")
    assert query.semantic == "Breaking: 32 prisoners freed"
    assert not query.notes


def test_or_binds_closer_than_and() -> None:
    assert parse("a AND b OR c").must == ((word("a"),), (word("b"), word("c")))


@pytest.mark.parametrize(
    "text",
    [
        "word " * 2000,
        "w" * 10_000,
        '"' + "long phrase " * 1000 + '"',
        "-x " * 5000,
        "(" * 10_000 + "x",
        "a OR " * 3000,
        "section:x " * 3000,
        "x" * 1001,
    ],
)
def test_long_queries_are_cut_and_say_so(text: str) -> None:
    query = parse(text)
    assert any("too long" in note and f"{len(text):,}" in note for note in query.notes)
    assert len(query.semantic) <= 1000
    assert len(query.semantic.split()) <= 64


def test_the_longest_query_is_read_whole() -> None:
    text = " ".join(["prisoners12345"] * 64)
    assert parse(text).semantic == text
    assert not parse(text).notes
    assert parse("x" * 1000).semantic == "x" * 1000


def test_invisible_characters_are_removed() -> None:
    query = parse("ba\u202eku\x00 \u200bS\u0327us\u0327a\ud800\ufeff")
    assert query.text == query.semantic == "baku Şuşa"


def test_to_text_keeps_operators_and_filters() -> None:
    text = '+baku talks "joint statement" OR deal -moscow after:2023-12-07 section:"World news"'
    expected = '+baku talks "joint statement" OR +deal -moscow section:"World news" after:2023-12-07'
    assert to_text(parse(text)) == expected


OPERATORS = ["OR", "AND", "NOT", "+", "-", '"', "“", "”", "(", ")", ":", " ", "  "]
FIELDS = ["title:", "section:", "-source:", "author:", "before:", "after:2023", "after:", "7 Dec 2023", "foo:"]
WORDS = ["a", "b", "cease-fire", "AT&T", "the", "!!", "é", "北京"]
FRAGMENTS = st.sampled_from([*OPERATORS, *FIELDS, *WORDS])
QUERIES = st.one_of(st.text(), st.lists(st.one_of(FRAGMENTS, st.text(max_size=3)), max_size=90).map("".join))


@given(QUERIES)
@example("+a b +a OR +b")
@example('"a b" OR c "a b" OR c')
@example("-author:x -section:y")
@example('"x" OR b ' * 40)
@example('OR"x"OR')
def test_written_queries_read_the_same(text: str) -> None:
    query = parse(text)
    again = parse(to_text(query))
    assert meaning(again) == meaning(query)
    assert query.semantic == " ".join(atom.text for atom in query.scoring)
    assert len(query.semantic) <= 1000
    assert all(note.endswith((".", ").")) for note in query.notes)


def test_interpretation_and_dropping_filters() -> None:
    query = parse('baku +talks "joint statement" -moscow section:World -source:x after:2023 before:2024 foo:bar')
    view = interpret(query)
    assert view.words == ("baku", "talks", "foo:bar")
    assert view.phrases == ("joint statement",)
    assert view.must == ("talks", '"joint statement"')
    assert view.must_not == ("moscow",)
    assert view.filters == {
        "section": ("World",),
        "-source": ("x",),
        "after": ("2023-01-01",),
        "before": ("2024-01-01",),
    }
    assert view.notes == query.notes != ()
    assert without_filters(query, view.filters).filters == Filters()
    fewer = without_filters(query, ["after", "-source"])
    assert fewer.filters == Filters(section=("World",), until=day(2024))
    assert fewer.text == to_text(fewer)
    assert fewer.scoring == query.scoring


def test_adding_filters() -> None:
    query = parse("baku section:World after:2022 before:2025")
    more = Filters(section=("Sport", "World"), since=day(2023), until=day(2026), exclude=(("source", "x"),))
    assert with_filters(query, more).filters == Filters(
        section=("World", "Sport"), since=day(2023), until=day(2025), exclude=(("source", "x"),)
    )
    assert meaning(with_filters(query, Filters())) == meaning(query)


def test_replacing_atoms_keeps_everything_else() -> None:
    query = parse('+Azerbijan "joint statment" -moscow section:World')
    corrected = replace_atoms(query, {word("Azerbijan"): "Azerbaijan", phrase("joint statment"): "joint statement"})
    assert corrected.text == '+Azerbaijan "joint statement" -moscow section:World'
    assert meaning(parse(corrected.text)) == meaning(corrected)
