"""Dumps of pages in several styles, written for these tests, and texts that only look like dumps."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.readers.furniture import RULES, find_rule, without_furniture
from indexer.readers.page_dump import read_dump

FIRST = "The council of Karst approved the tram line on Tuesday after a debate that lasted until two in the morning."
SECOND = "Work on the bridge section starts in April, and the first trams are to run in the autumn of next year."
OTHER = "Two ferries collided in the fog outside Port Senn, and nine passengers were treated for bruises on the quay."
TITLE = "Karst council votes for tram line after night of debate"

STYLES = {
    "caption and related": f"""Media logo
Transport

{TITLE}

Image via Karst Pictures.
Image via Karst Pictures.

{FIRST}

What comes next

{SECOND}

Related Articles

A ferry in the fog. Photo: <em>Karst Pictures</em>.&nbsp;
Sea

Ferries collide outside Port Senn

Avatar

{OTHER}

Most Popular

Editor‘s Picks""",
    "menu, byline and share bar": f"""Skip to main content
Menu
Subscribe
Sign in

Home > News > Transport

{TITLE}

By Mara Lind
Published 12 March 2024, 08:15

Share
Facebook
X
Email
Save

{FIRST}

ADVERTISEMENT

Read more
Ferries collide outside Port Senn

What comes next

{SECOND}

Sign up for our weekly newsletter
All of Karst in five minutes.

Tags: trams, council

Editor’s Picks 3

{OTHER}

© 2024 The Karst Post. All rights reserved.""",
    "one line of data": f"""The Karst Post logo

{TITLE}
Transport | 12 March 2024 | By Mara Lind

Copy link  Telegram  WhatsApp

Photo: A tram at the depot
{FIRST}

Read also: Ferries collide outside Port Senn

What comes next

{SECOND}

We use cookies to improve your experience. Accept all

12 Comments

{OTHER}""",
    "labels": f"""Title: {TITLE}
Section: Transport
Date: 2024-03-12
Author: Mara Lind
Source: The Karst Post

{FIRST}

What comes next

{SECOND}

You may also like

{OTHER}""",
}


@pytest.mark.parametrize("style", STYLES)
def test_dumps_in_several_styles(style: str) -> None:
    dump = read_dump(STYLES[style])
    assert dump.title == TITLE
    assert dump.section == "Transport"
    assert dump.text == f"{FIRST}\n\nWhat comes next\n\n{SECOND}"


@pytest.mark.parametrize("style", [style for style in STYLES if style != "caption and related"])
def test_date_author_and_source_are_found(style: str) -> None:
    dump = read_dump(STYLES[style])
    assert dump.date is not None
    assert dump.date.date() == datetime(2024, 3, 12, tzinfo=UTC).date()
    assert dump.author == "Mara Lind"
    assert dump.source == "The Karst Post"


def test_the_credit_of_a_picture_is_not_the_publication() -> None:
    assert read_dump(STYLES["caption and related"]).source is None


@pytest.mark.parametrize(
    ("byline", "author", "source", "section"),
    [
        ("Mara Lind | The Karst Post\nMarch 12, 2024", "Mara Lind", None, "Transport"),
        ("The Karst Post, 12.03.2024 08:45", None, "The Karst Post", "Transport"),
        ("By Mara Lind, The Karst Post, 12 March 2024", "Mara Lind", "The Karst Post", "Transport"),
        ("Mara Lind\nMar 12, 2024 08:10 GMT+4", "Mara Lind", None, "Transport"),
    ],
)
def test_bylines(byline: str, author: str | None, source: str | None, section: str) -> None:
    dump = read_dump(f"Avatar\nTransport\n\n{TITLE}\n\n{byline}\n\n{FIRST}\n\n{SECOND}")
    assert (dump.title, dump.section, dump.author) == (TITLE, section, author)
    assert dump.source == source or (source is None and dump.source == "The Karst Post")
    assert dump.date is not None
    assert dump.text == f"{FIRST}\n\n{SECOND}"


def test_an_essay_comes_through_whole() -> None:
    body = "\n\n".join(
        [FIRST, "Home", SECOND, "Search", "I looked for the tram. It was not there.", OTHER, "Then it came."]
    )
    dump = read_dump(f"On waiting for the tram\n\n{body}")
    assert dump.title == "On waiting for the tram"
    assert dump.text == body


def test_a_hard_wrapped_essay_comes_through_whole() -> None:
    dump = read_dump(
        "On waiting\n\nThe council of Karst approved the tram line on Tuesday after\n"
        "a debate that lasted until two in the morning. Nobody cheered.\n\nThen they went home.\n"
    )
    assert dump.title == "On waiting"
    assert dump.text.startswith("The council of Karst approved the tram line on Tuesday after a debate")
    assert dump.text.endswith("Then they went home.")


def test_a_poem_with_a_refrain_loses_no_line() -> None:
    poem = "The tram\n\nIt comes, it comes\n\nIt comes, it comes\n\nIt never came"
    dump = read_dump(poem)
    assert f"{dump.title}\n\n{dump.text}".count("It comes, it comes") == 2
    assert "It never came" in dump.text


def test_prose_that_begins_like_furniture_stays() -> None:
    lines = [
        "Share prices fell by four percent in Karst on Tuesday after the council approved the tram line.",
        "Read more than one paper, the mayor of Karst told the pupils of the school on the hill on Tuesday.",
        "Photographs of the tram were taken by the police, who asked the passengers to stay in their seats.",
        "Comments by the minister drew laughter in the chamber, where the opposition had waited for hours.",
    ]
    assert [find_rule(line) for line in lines] == [None] * 4


def test_a_box_above_the_article_does_not_cut_the_article() -> None:
    dump = read_dump(f"Most Popular\n\nFerries collide\n\n{TITLE}\n\nBy Mara Lind\n\n{FIRST}\n\n{SECOND}")
    assert dump.text == f"{FIRST}\n\n{SECOND}"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Editor‘s Picks", "editors' picks"),
        ("Editors' Picks 12", "editors' picks"),
        ("EDITOR’S CHOICE", "editors' picks"),
        ("Related Articles", "related"),
        ("More from this author", "related"),
        ("Most Read", "popular"),
        ("Trending now", "popular"),
        ("3 Comments", "comments"),
        ("Leave a comment", "comments"),
        ("Back to top", "footer"),
        ("(c) 2023 The Post", "footer"),
        ("Avatar", "logo"),
        ("Media logo", "logo"),
        ("Image via Karst Pictures.", "picture"),
        ("Photo: Mara Lind / Post", "picture"),
        ("Caption: the tram depot", "picture"),
        ("A tram. (Photo: Mara Lind)", "picture"),
        ("Share on WhatsApp", "share bar"),
        ("Facebook | X | Copy link", "share bar"),
        ("— Advertisement —", "advertisement"),
        ("Story continues below", "advertisement"),
        ("Sign up to our daily briefing", "newsletter"),
        ("Join our Telegram channel", "newsletter"),
        ("Read also:", "teaser"),
        ("See also: Ferries collide", "teaser with its headline"),
        ("This site uses cookies", "cookie note"),
        ("4 min read", "page tool"),
    ],
)
def test_rules_by_name(line: str, name: str) -> None:
    rule = find_rule(line)
    assert rule is not None
    assert rule.name == name


def test_every_rule_has_a_name_of_its_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


@given(st.lists(st.one_of(st.text(max_size=80), st.sampled_from([FIRST, SECOND, "X", "", "Share", "Read more"]))))
def test_lines_come_back_in_order_and_unchanged(lines: list[str]) -> None:
    kept, _ = without_furniture(lines)
    rest = iter([line.strip() for line in lines])
    assert all(line in rest for line in kept)


@given(st.text(max_size=600))
def test_any_text_can_be_read(raw: str) -> None:
    dump = read_dump(raw)
    assert "\n" not in dump.title
