"""Sentence borders: the cases that news text is full of, and what must hold for any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.text.sentences import sentences


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    "text",
    [
        "The talks were held in the U.S. Senate building on Monday.",
        "Mr. Petrosyan met Dr. Aliyeva and Gov. Moreno in St. Petersburg.",
        "The novel by J. K. Rowling sold 3.5 million copies.",
        "Prisoner No. 5 was moved under Art. 7 of the code on 14 Dec. 2023.",
        "Shares of Lori Mining Inc. (LMI.N) fell 2.4 percent to $3.10.",
        "‘Why now?’ he asked the committee.",
        "The list … was not complete.",
        "Residents of Washington, D.C., voted early.",
        "It opens at 9 a.m. on weekdays.",
        "The U.S.-led round ended.",
    ],
)
def test_one_sentence_stays_whole(text: str) -> None:
    assert cut(text) == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It was over. They left.", ["It was over.", "They left."]),
        ("‘It is over.’ They left.", ["‘It is over.’", "They left."]),
        ("“Is it over?” They left.", ["“Is it over?”", "They left."]),
        ('"We signed." He smiled.', ['"We signed."', "He smiled."]),
        ("It was over (at last.) They left.", ["It was over (at last.)", "They left."]),
        ("He flew to the U.S. The talks began.", ["He flew to the U.S.", "The talks began."]),
        ("The train left at 5 p.m. It was full.", ["The train left at 5 p.m.", "It was full."]),
        ("Was there a vote? No. A recount followed.", ["Was there a vote?", "No.", "A recount followed."]),
        ("They waited... Nobody came.", ["They waited...", "Nobody came."]),
        ("Prices rose 4.5 percent. 32 people were freed.", ["Prices rose 4.5 percent.", "32 people were freed."]),
        ("Details\n\nThe deal is signed", ["Details", "The deal is signed"]),
        ("a hard\nline break. Next one", ["a hard\nline break.", "Next one"]),
        ("the vote passed . nobody objected .", ["the vote passed .", "nobody objected ."]),
        ("THE VOTE PASSED. NOBODY OBJECTED.", ["THE VOTE PASSED.", "NOBODY OBJECTED."]),
        (
            "首相は会談した。合意はなかった！「本当か？」と聞いた。",
            ["首相は会談した。", "合意はなかった！", "「本当か？」", "と聞いた。"],
        ),
        ("هل انتهت المحادثات؟ لم يعلن شيء.", ["هل انتهت المحادثات؟", "لم يعلن شيء."]),
        ("Պայմանագիրը ստորագրվեց։ Գերիները վերադարձան։", ["Պայմանագիրը ստորագրվեց։", "Գերիները վերադարձան։"]),
        ("समझौता हो गया। कैदी लौट आए।", ["समझौता हो गया।", "कैदी लौट आए।"]),
        ("", []),
        (" \n\n ", []),
    ],
)
def test_borders(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


news_like = st.text(
    alphabet=st.one_of(st.sampled_from(list(" \n\t.!?…'’”\"()ab AB1U.S。؟।")), st.characters()), max_size=300
)


@given(news_like)
def test_every_non_space_character_is_in_exactly_one_sentence(text: str) -> None:
    spans = sentences(text)
    covered = [position for start, end in spans for position in range(start, end)]
    assert len(covered) == len(set(covered))
    assert spans == sorted(spans)
    assert {i for i, char in enumerate(text) if not char.isspace()} <= set(covered)


@given(news_like)
def test_sentences_have_no_outer_white_space_and_hold_no_blank_line(text: str) -> None:
    for start, end in sentences(text):
        piece = text[start:end]
        assert piece
        assert piece == piece.strip()
        assert "\n\n" not in piece
