"""What people see on a terminal: text made harmless, highlights, tables."""

from __future__ import annotations

import re
import sys
from datetime import datetime

from rich.console import Console
from rich.text import Text

__all__ = ["console", "harmless", "inline", "marked", "print_text", "when"]

# Everything that could move the cursor, change colours or the direction of the text, break a line where none ends, or
# that UTF-8 has no bytes for: C0, C1 and bidi controls, separators, half surrogates.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_BLANKS = {ord("\n"): " ", ord("\t"): " "}
_PIPE_WIDTH = 100
_LONGEST_LINE = 2000
_ENDLESS_WORD = re.compile(r"\S{5000}")


def console() -> Console:
    """Standard output: colours on a terminal, plain lines of a fixed width in a pipe."""
    return Console(
        highlight=False, markup=False, emoji=False, soft_wrap=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH
    )


def harmless(text: str) -> str:
    """Text from an article without control characters, so that it cannot drive the reader's terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def print_text(out: Console, text: str) -> None:
    """Print the text of an article, wrapped between words; a word of megabytes is left to the terminal to wrap, because
    rich takes minutes for it."""
    out.print(harmless(text), soft_wrap=_ENDLESS_WORD.search(text) is not None)


def inline(text: str) -> str:
    """`harmless` text in one line, cut where no title ends: it must not print what looks like another hit."""
    cut = text if len(text) <= _LONGEST_LINE else text[: _LONGEST_LINE - 1] + "…"
    return harmless(cut).translate(_BLANKS)


def marked(text: str, highlights: tuple[tuple[int, int], ...], style: str = "bold yellow") -> Text:
    """A line with its highlights; offsets stay right because control characters are replaced one for one."""
    shown = Text(inline(text))
    for start, end in highlights:
        shown.stylize(style, start, end)
    return shown


def when(date: datetime | None) -> str:
    """A date for people."""
    return f"{date.day} {date:%B %Y}" if date else "no date"
