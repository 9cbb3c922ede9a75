"""Whatever an article says, it cannot drive the terminal of whoever reads it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from indexer.article import Article
from search_app.cli import main, search_command
from search_app.cli.terminal import harmless, inline, marked
from tests.search_app.web.fake_engine import FakeEngine

EVIL = (
    "\x1b[2J\x1b[31m\x1b]0;owned\x07\x1b]8;;http://192.0.2.1\x1b\\ \x9b31m \r\x08\x08 \u202egnp.exe\u202c "
    "\u2066x\u2069 \ud83d half \u2028 \x00 {red} [bold]markup[/bold] :smile:"
)
HOSTILE = Article(
    id=f"id {EVIL}",
    title=f"Crocodile {EVIL}\n 2. Forged hit",
    text=f"A crocodile {EVIL} sat in the fountain.\n\nThe crocodile went home.",
    url=f"javascript:{EVIL}",
    source=f"Gazette {EVIL}\n    score 1.00: forged",
    section=f"Odd {EVIL}",
    author=f"Nobody {EVIL}",
)
DRIVING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine([HOSTILE, replace(HOSTILE, id=f"second {EVIL}")])
    opens = type("Opens", (), {"open": staticmethod(lambda _, **options: engine)})
    monkeypatch.setattr(search_command, "SearchEngine", opens)


@pytest.mark.parametrize(
    "command", [["search", "crocodile", "--explain"], ["show", HOSTILE.id], ["related", HOSTILE.id], ["show", EVIL]]
)
@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.usefixtures("hostile")
def test_no_command_prints_what_drives_a_terminal(command: list[str], as_json: bool) -> None:
    given_options = [one for one in command if not (as_json and one == "--explain")] + (["--json"] if as_json else [])
    result = CliRunner().invoke(main, given_options)
    assert result.exit_code == (1 if command[1] == EVIL else 0), result.output
    assert not DRIVING.search(result.output)
    assert as_json or "[bold]markup[/bold]" in result.output.replace("\n", " ") or command[1] == EVIL


@pytest.mark.usefixtures("hostile")
def test_no_title_forges_a_hit() -> None:
    lines = CliRunner().invoke(main, ["search", "crocodile"]).output.splitlines()
    assert sum(bool(re.match(r" ?\d+\. ", line)) for line in lines) == 2
    assert not any(line.startswith("    score 1.00: forged") for line in lines)


def test_a_word_of_ten_megabytes_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    word = "w" * 10_000_000
    engine = FakeEngine([replace(HOSTILE, id="long", title=word, text=word, author=word)])
    opens = type("Opens", (), {"open": staticmethod(lambda _, **options: engine)})
    monkeypatch.setattr(search_command, "SearchEngine", opens)
    output = CliRunner().invoke(main, ["show", "long"]).output
    assert output.count("w") > len(word)
    assert output.count("\n") < 200


def test_a_file_name_in_an_error_is_harmless(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["search", "x", "--index-dir", str(tmp_path / "none\x1b[31m\nforged")])
    assert result.exit_code == 1
    assert not DRIVING.search(result.output)
    assert result.output.count("\n") == 1


@given(st.text(st.characters(), max_size=50))
def test_offsets_stay_and_nothing_of_the_control_categories_is_left(text: str) -> None:
    shown = harmless(text)
    assert len(shown) == len(inline(text)) == len(text)
    assert not any(unicodedata.category(one) in ("Cc", "Cs") and one not in "\n\t" for one in shown)
    assert marked(text, ()).plain == inline(text)
    shown.encode("utf-8")
