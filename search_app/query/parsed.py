"""What a query says: its value, its plain text, and how it is changed and described. `syntax` reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from indexer.lexical.bm25 import Atom
from search_app.query.syntax import Item, read
from search_app.results import Interpretation

__all__ = [
    "Filters",
    "ParsedQuery",
    "interpret",
    "parse",
    "plain",
    "replace_atoms",
    "to_text",
    "with_filters",
    "without_filters",
]

_TEXT_FIELDS = ("section", "source", "author")


@dataclass(frozen=True, slots=True)
class Filters:
    """What an article must be, whatever it says. Values of one field are alternatives; fields are joined by 'and'.

    `since` is inclusive, `until` exclusive. Text values are compared after case folding and accent folding; author
    matches when all its words are in the article's author. `exclude` holds (field, value) pairs from -section:x,
    -source:x, -author:x.
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

    `text` is what was typed, cleaned. `semantic` is the plain text for the encoder: no operators, no filters, no
    excluded words; empty when the query only filters. `scoring` are the atoms that BM25 scores, in the order typed;
    every group in `must` needs one of its atoms in the article; none of `must_not` may be in it. Atoms of `must` and
    `must_not` that the index holds as several words are phrases ('+cease-fire'). `notes` say in one sentence each what
    was read differently from what the syntax might have meant.
    """

    text: str
    semantic: str
    scoring: tuple[Atom, ...] = ()
    must: tuple[tuple[Atom, ...], ...] = ()
    must_not: tuple[Atom, ...] = ()
    filters: Filters = field(default_factory=Filters)
    notes: tuple[str, ...] = ()


def parse(text: str) -> ParsedQuery:
    """Read a query; never an error, whatever is typed.

    ==========================  ========================================================================================
    `prisoner exchange`         plain words: the more of them an article has, the better
    `"joint statement"`         the exact phrase must be in the article, in every mode; curly and angle quotes as well
    `+word`, `-word`            must, must not be in it; also before a phrase. A hyphen inside a word is no operator
    `NOT word`                  the same as `-word`
    `a AND b`                   the same as `+a +b`
    `"a b" OR "c d"`            one of the two must be in it. Between plain words OR changes nothing. OR binds closer
                                than AND
    `title:word`                must be in the title; also `title:"a phrase"`, `-title:word`
    `section:x`, `source:x`,    only articles of this section, source, author; several of one field are alternatives,
    `author:"Ann Lee"`          `-section:x` excludes
    `after:2023-12-07`          that day and later; a month (2023-12) or year counts from its first day
    `before:2023-12-07`         earlier than that day, month or year. `-before:` is `after:`, and the other way round
    ==========================  ========================================================================================

    Operators are upper case. What makes no sense is read as words, and a note says so. Of long queries the first 1,000
    characters and 64 words are read.
    """
    reading = read(text)
    filters = Filters()
    for item in reading.filters:
        filters = _with_item(filters, item)
    notes = list(reading.notes)
    if filters.since and filters.until and filters.since >= filters.until:
        notes.append(
            f"No article can be both from {_date(filters.since)} or later and from before {_date(filters.until)}."
        )
    return ParsedQuery(
        text=reading.text,
        semantic=_semantic(reading.scoring),
        scoring=reading.scoring,
        must=reading.must,
        must_not=reading.must_not,
        filters=filters,
        notes=tuple(notes),
    )


def plain(text: str) -> ParsedQuery:
    """A query of words only: quotes, signs, colons and the rest are text, as in a headline or a test collection."""
    cleaned = " ".join(text.split())
    return ParsedQuery(text=cleaned, semantic=cleaned, scoring=tuple(Atom(word) for word in cleaned.split()))


def to_text(query: ParsedQuery) -> str:
    """Write a query so that `parse` reads the same value from it (`text` and `notes` apart)."""
    written: list[str] = []
    open_groups = list(query.must)
    place = 0
    while place < len(query.scoring):
        group = open_groups[0] if open_groups else ()
        # Groups stand in the order of their atoms, so the first one that is still open is the next one to come.
        if group and query.scoring[place : place + len(group)] == group:
            open_groups.pop(0)
            written.append(" OR ".join(_write_must(atom) for atom in group))
            place += len(group)
        else:
            written.append(_write(query.scoring[place]))
            place += 1
    written += (f"-{_write(atom)}" for atom in query.must_not)
    for name, values in _describe(query.filters).items():
        written += (f"{name}:{_quoted(value)}" for value in values)
    return " ".join(written)


def interpret(query: ParsedQuery) -> Interpretation:
    """How the query was read, for people; `filters` has the names that `without_filters` takes."""
    return Interpretation(
        words=tuple(_plain(atom) for atom in query.scoring if not atom.phrase),
        phrases=tuple(_plain(atom) for atom in query.scoring if atom.phrase),
        must=tuple(" OR ".join(_write(atom) for atom in group) for group in query.must),
        must_not=tuple(_write(atom) for atom in query.must_not),
        filters=_describe(query.filters),
        notes=query.notes,
    )


def without_filters(query: ParsedQuery, names: Iterable[str]) -> ParsedQuery:
    """The query without the filters of these names: section, source, author, after, before, and -section etc."""
    dropped = set(names)
    old = query.filters
    filters = Filters(
        section=() if "section" in dropped else old.section,
        source=() if "source" in dropped else old.source,
        author=() if "author" in dropped else old.author,
        since=None if "after" in dropped else old.since,
        until=None if "before" in dropped else old.until,
        exclude=tuple(pair for pair in old.exclude if f"-{pair[0]}" not in dropped),
    )
    return _refiltered(query, filters)


def with_filters(query: ParsedQuery, more: Filters) -> ParsedQuery:
    """The query with further filters: text values become further alternatives, the narrower dates win."""
    old = query.filters
    filters = Filters(
        section=_union(old.section, more.section),
        source=_union(old.source, more.source),
        author=_union(old.author, more.author),
        since=max((date for date in (old.since, more.since) if date), default=None),
        until=min((date for date in (old.until, more.until) if date), default=None),
        exclude=_excluding(old.exclude, more.exclude),
    )
    return _refiltered(query, filters)


def replace_atoms(query: ParsedQuery, texts: dict[Atom, str]) -> ParsedQuery:
    """The query with the words of some scored atoms changed, wherever they stand; operators and filters stay."""

    def changed(atoms: tuple[Atom, ...]) -> tuple[Atom, ...]:
        return tuple(replace(atom, text=texts.get(atom, atom.text)) for atom in atoms)

    scoring = changed(query.scoring)
    new = replace(query, scoring=scoring, must=tuple(map(changed, query.must)), semantic=_semantic(scoring), notes=())
    return replace(new, text=to_text(new))


def _refiltered(query: ParsedQuery, filters: Filters) -> ParsedQuery:
    new = replace(query, filters=filters, notes=())
    return replace(new, text=to_text(new))


def _with_item(filters: Filters, item: Item) -> Filters:
    if item.period is not None:
        # '-before:2023' is everything that 'before:2023' is not.
        later = (item.field == "after") != (item.sign == "-")
        start = item.period.start
        if later:
            return replace(filters, since=max(start, filters.since or start))
        return replace(filters, until=min(start, filters.until or start))
    if item.sign == "-":
        return replace(filters, exclude=_excluding(filters.exclude, ((item.field, item.text),)))
    if item.field == "section":
        return replace(filters, section=_union(filters.section, (item.text,)))
    if item.field == "source":
        return replace(filters, source=_union(filters.source, (item.text,)))
    return replace(filters, author=_union(filters.author, (item.text,)))


def _union(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*old, *new)))


def _excluding(old: tuple[tuple[str, str], ...], new: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(dict.fromkeys((*old, *new)), key=lambda pair: _TEXT_FIELDS.index(pair[0])))


def _semantic(atoms: tuple[Atom, ...]) -> str:
    return " ".join(atom.text for atom in atoms)


def _describe(filters: Filters) -> dict[str, tuple[str, ...]]:
    described = {"section": filters.section, "source": filters.source, "author": filters.author}
    if filters.since:
        described["after"] = (_date(filters.since),)
    if filters.until:
        described["before"] = (_date(filters.until),)
    for name in _TEXT_FIELDS:
        described[f"-{name}"] = tuple(value for excluded, value in filters.exclude if excluded == name)
    return {name: values for name, values in described.items() if values}


def _date(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return moment.date().isoformat() if moment.time() == datetime.min.time() else moment.isoformat()


def _plain(atom: Atom) -> str:
    return f"{atom.field}:{atom.text}" if atom.field else atom.text


def _write(atom: Atom) -> str:
    text = f'"{atom.text}"' if atom.phrase else atom.text
    return f"{atom.field}:{text}" if atom.field else text


def _write_must(atom: Atom) -> str:
    return _write(atom) if atom.phrase or atom.field else f"+{atom.text}"


def _quoted(value: str) -> str:
    return value if value.replace("-", "").replace(":", "").isalnum() else f'"{value}"'
