"""What people see on a terminal: text made harmless, highlights, tables."""

from __future__ import annotations

import re
import sys
from datetime import datetime

from rich.console import Console
from rich.text import Text

__all__ = ["console", "harmless", "marked", "when"]

# Everything that could move the cursor, change colours or the direction of the text: C0, C1 and bidi controls. Lone
# surrogates cannot be encoded at all.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_PIPE_WIDTH = 100


def console() -> Console:
    """Standard output: colours on a terminal, plain lines of a fixed width in a pipe."""
    return Console(
        highlight=False, markup=False, emoji=False, soft_wrap=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH
    )


def harmless(text: str) -> str:
    """Text from an article without control characters, so that it cannot drive the reader's terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def marked(text: str, highlights: tuple[tuple[int, int], ...], style: str = "bold yellow") -> Text:
    """Text with its highlights; offsets stay right because control characters are replaced one for one."""
    shown = Text(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))
    for start, end in highlights:
        shown.stylize(style, start, end)
    return shown


def when(date: datetime | None) -> str:
    """A date for people."""
    return f"{date.day} {date:%B %Y}" if date else "no date"
