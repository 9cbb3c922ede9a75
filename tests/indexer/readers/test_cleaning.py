"""What text looks like once it is in an article."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.readers.cleaning import clean_line, clean_text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("One\r\ntwo\rthree", "One two three"),
        ("One  \n \t\n\n  two", "One\n\ntwo"),
        ("e\u0301lu", "\u00e9lu"),
        ("pri\u00adsoner\u200b exchange\ufeff", "prisoner exchange"),
        ("a\u202eb\u2066c", "abc"),
        ("a\x00b\x1b[31mc", "ab[31mc"),
        ("half \ud83d here", "half \ufffd here"),
        ("whole \ud83d\ude00 here", "whole \U0001f600 here"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("a\xa0b\u2009c", "a b c"),
    ],
)
def test_text(raw: str, expected: str) -> None:
    assert clean_text(raw) == expected


def test_hard_wrapped_lines_are_joined_and_long_lines_are_paragraphs() -> None:
    wrapped = "The agency said that the line\nwould open in spring."
    long = "The agency said " + "again and " * 12 + "again that the line would open."
    assert clean_text(wrapped) == "The agency said that the line would open in spring."
    assert clean_text(f"Heading\n{long}\nA short one.\nThe end.") == f"Heading\n\n{long}\n\nA short one.\n\nThe end."
    mixed = f"The firm said on Tuesday that it would sell its stake in\nEuropean Trams by June. {long}"
    assert clean_text(mixed) == mixed.replace("\n", " ")


def test_a_title_is_one_line() -> None:
    assert clean_line(" Bus\n strike\u2028ends ") == "Bus strike ends"


@given(st.text(alphabet=st.characters(codec=None), max_size=400))
def test_clean_text_keeps_its_promises(raw: str) -> None:
    text = clean_text(raw)
    assert text == text.strip()
    assert "\n\n\n" not in text
    assert all(line == line.strip() for line in text.split("\n"))
    assert all("\n" not in paragraph for paragraph in text.split("\n\n"))
    assert not [char for char in text if unicodedata.category(char) in {"Cc", "Cs"} and char != "\n"]
    assert clean_text(text) == text


@given(st.text(st.sampled_from(" \t\xa0\u2009\na.")))
def test_runs_of_blanks_become_one_space(raw: str) -> None:
    paragraphs = [" ".join(block.split()) for block in re.split(r"\n\s*\n", raw.strip())]
    assert clean_text(raw) == "\n\n".join(filter(None, paragraphs))


@given(st.text() | st.text(st.sampled_from(" ab\t\x00\x7f~")))
def test_a_line_is_the_words_of_its_text(raw: str) -> None:
    assert clean_line(raw) == " ".join(clean_text(raw).split())
