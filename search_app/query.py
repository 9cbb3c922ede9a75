"""The query language: plain words, "exact phrases", +must, -mustnot, field:value, OR. Never an error."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from indexer.lexical import Atom

__all__ = ["Filters", "ParsedQuery"]


@dataclass(frozen=True, slots=True)
class Filters:
    """What an article must be, whatever it says. Values of one field are alternatives; fields are joined by 'and'.

    `since` is inclusive; `until` is exclusive and already moved to the end of the day, month or year that was named.
    Text values are compared after case folding and accent folding; author matches when all its words are in the
    article's author. `exclude` holds (field, value) pairs from -section:x, -source:x, -author:x.
    """

    section: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    author: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    exclude: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A query as it was understood.

    `semantic` is the plain text for the encoder (no operators, no filters, no excluded words). `scoring` are the atoms
    that BM25 scores; every group in `must` needs one of its atoms in the article; none of `must_not` may be in it.
    `notes` say in one sentence each what was read differently from what the syntax might have meant.
    """

    text: str
    semantic: str
    scoring: tuple[Atom, ...] = ()
    must: tuple[tuple[Atom, ...], ...] = ()
    must_not: tuple[Atom, ...] = ()
    filters: Filters = field(default_factory=Filters)
    notes: tuple[str, ...] = ()
