"""Plain-text dumps of article pages: what a person copies from a browser, or a simple scraper saves."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from indexer.readers.cleaning import clean_line, clean_text
from indexer.readers.dates import parse_date
from indexer.readers.furniture import is_prose, without_furniture

__all__ = ["PageDump", "read_dump"]


@dataclass(frozen=True, slots=True)
class PageDump:
    """What a dump says; empty or None where it says nothing."""

    title: str
    text: str
    section: str | None = None
    author: str | None = None
    date: datetime | None = None
    source: str | None = None
    url: str | None = None


_TAG = re.compile(r"</?(?:em|i|b|strong|a|span|br|p|div|u|small|img|figcaption)\b[^<>]*>", re.I)
_BYLINE = re.compile(
    r"(?:(?:written |words |text |story |report(?:ed|ing)? )?by|from)[: ]\s*(?P<name>\S.{1,100})", re.I
)
_LABEL = re.compile(
    r"(?P<label>title|headline|date|published|updated|author|authors|writer|byline|section|category|desk|rubric|topic"
    r"|source|publisher|outlet|url|link)\s*:\s*(?P<value>\S.*)",
    re.I,
)
_LABELS = {
    "headline": "title", "published": "date", "updated": "date", "authors": "author", "writer": "author",
    "byline": "author", "category": "section", "desk": "section", "rubric": "section", "topic": "section",
    "publisher": "source", "outlet": "source", "link": "url",
}  # fmt: skip
_MONTH_OR_YEAR = re.compile(r"(?<!\d)(?:1[6-9]|2[01])\d\d(?!\d)|\d{1,2}[./]\d{1,2}[./]\d\d(?!\d)")
_SEPARATOR = re.compile(r"\s+[|·•—–]\s+|\s*[|·•]\s*")
_BREADCRUMB = re.compile(r"\s*[>›»/]\s+|\s+[>›»/]\s*")
_WORD = r"[^\W\d_][\w.'’-]*"
_NAME = re.compile(rf"{_WORD}(?:(?:,? (?:and|&) |, | ){_WORD}){{0,7}}")
_PARTICLES = frozenset(
    {"and", "&", "of", "the", "de", "del", "der", "di", "da", "dos", "la", "van", "von", "bin", "al", "el"}
)
_LOGO = re.compile(r"(?P<name>(?!media\b|site\b|our\b).{2,60}) logo", re.I)
_CREDIT = re.compile(
    r"(?:image|photo|picture|illustration)s? (?:via|by|courtesy of) (?P<name>.{2,60}?)\.?"
    r"|.*\b(?:image|photo|illustration): ?(?P<other>[^.]{2,60})\.?",
    re.I,
)
_COPYRIGHT = re.compile(
    r"(?:©|\(c\)|copyright)\s*(?:©\s*)?(?:(?:19|20)\d\d\s*[-–]?\s*)*(?P<name>[^\W\d][^.|,©]{1,60}?)(?:\s*[.|,].*)?",
    re.I,
)
_PUBLICATION = re.compile(
    r"\b(?:news|times|post|gazette|courier|ledger|herald|tribune|weekly|daily|wire|review|press|media|agency|journal"
    r"|chronicle|observer|guardian|telegraph|dispatch|mail|star|today|radio|tv|reuters|afp|ap|bbc|cnn|interfax|tass)\b",
    re.I,
)
_SOURCE_LINE = re.compile(r"\(?source\s*:\s*(?P<name>[^.()]{2,60})\.?\)?", re.I)
_WRAPPED_LINE = 120
_LONGEST_TITLE_WORDS = 35


@dataclass(frozen=True, slots=True)
class _Sites:
    """Names of organisations on the page: `sure` ones are the publication, `credits` stand under pictures."""

    sure: tuple[str, ...] = ()
    credits: tuple[str, ...] = ()


@dataclass(slots=True)
class _Header:
    """What the lines above the first paragraph say; `lines` are those whose meaning is open."""

    given: dict[str, str] = field(default_factory=dict)
    date: datetime | None = None
    names: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    beside_date: set[int] = field(default_factory=set)


def read_dump(raw: str) -> PageDump:
    """Find title, section, date, author and body in a dump of a page, and leave its furniture out.

    Text without furniture comes through whole: its first short line is the title, everything else the body.
    """
    lines = [clean_line(_TAG.sub("", html.unescape(line))) for line in _unix_lines(raw).split("\n")]
    kept, is_page = without_furniture(lines, title=_title_above(lines))
    start = next((index for index in range(len(kept)) if _starts_body(kept, index)), len(kept))
    header = _read_header(kept[:start])
    return _assemble(header, kept[start:], is_page, _sites(lines))


def _unix_lines(raw: str) -> str:
    return re.sub(r"\r\n?|[\v\f\x85\u2028\u2029]", "\n", raw)


def _title_above(lines: Sequence[str]) -> str:
    """The first line of several words, which a page may show twice without it being a caption."""
    return next((line for line in lines if len(line.split()) >= 4 and not is_prose(line)), "")


def _starts_body(lines: Sequence[str], index: int) -> bool:
    line = lines[index]
    if len(line) < 45 and not is_prose(line):
        return False
    block = [line]
    for following in lines[index + 1 :]:
        if not following:
            break
        block.append(following)
    if max(map(len, block)) > _WRAPPED_LINE or len(block) == 1:
        return is_prose(line) and not _is_question_title(lines, index)
    return is_prose(" ".join(block)) and not _BYLINE.fullmatch(line) and not _LABEL.fullmatch(line)


def _is_question_title(lines: Sequence[str], index: int) -> bool:
    """A long question is a headline when nothing but short lines stand above it."""
    line = lines[index]
    alone = index + 1 >= len(lines) or not lines[index + 1]
    return (
        line.endswith("?")
        and line.count("?") == 1
        and len(line.split()) <= 20
        and alone
        and not any(len(above.split()) >= 4 for above in lines[:index])
    )


def _read_header(lines: Sequence[str]) -> _Header:
    header = _Header()
    last_was_date = False
    for line in filter(None, lines):
        had_date = header.date
        _read_parts(_parts(line), header)
        is_date = header.date is not had_date
        if (is_date and header.lines) or (last_was_date and header.lines):
            header.beside_date.add(len(header.lines) - 1)
        last_was_date = is_date
    return header


def _parts(line: str) -> list[str]:
    """The parts of 'By A. Name | The Post | 14 December 2023', or of 'The Wire, 14.12.2023 09:30'; else the line."""
    parts = [part for part in _SEPARATOR.split(line) if part]
    if len(parts) > 1 and any(_date(part) or _BYLINE.fullmatch(part) for part in parts):
        return parts
    for comma in re.finditer(", ", line):
        names, day = line[: comma.start()], line[comma.end() :]
        if _date(day) and not _date(line) and len(names.split()) <= 12:
            return [*names.split(", "), day]
    return [line]


def _date(line: str) -> datetime | None:
    return parse_date(line) if len(line) <= 80 and _MONTH_OR_YEAR.search(line) else None


def _read_parts(parts: Sequence[str], header: _Header) -> None:
    # Beside a date or a byline stand names: of the author, the publication, the section.
    is_meta = len(parts) > 1
    for part in parts:
        if labelled := _LABEL.fullmatch(part):
            label = labelled["label"].lower()
            _set(header, _LABELS.get(label, label), labelled["value"])
        elif moment := _date(part):
            header.date = header.date or moment
        elif byline := _BYLINE.fullmatch(part):
            header.names.append(byline["name"])
        elif is_meta and _PUBLICATION.search(part):
            header.given.setdefault("source", part)
        elif is_meta and (header.names or len(header.lines) < 2 or len(part.split()) == 1):
            header.given.setdefault("section", part)
        elif is_meta:
            header.names.append(part)
        else:
            header.lines.append(part)


def _set(header: _Header, label: str, value: str) -> None:
    if label == "date":
        header.date = header.date or parse_date(value)
    else:
        header.given.setdefault(label, value)


def _assemble(header: _Header, body: Sequence[str], is_page: bool, sites: _Sites) -> PageDump:
    place = _title_place(header)
    above = header.lines[: place or 0]
    section = header.given.get("section") or _section(above)
    known = (*sites.sure, *sites.credits)
    names, lead = list(header.names), [] if is_page else [line for line in above if line != section]
    for index, line in enumerate(header.lines[len(above) :], len(above)):
        name, *rest = _SEPARATOR.split(line)
        if index == place:
            continue
        if _is_name(name) and (
            index in header.beside_date or (rest and (rest[-1] in known or _PUBLICATION.search(rest[-1])))
        ):
            names.extend((name, *rest))
        else:
            lead.append(line)
    body, trailer = _without_source_line(body) if is_page else (body, None)
    outlets = [*sites.sure, *(name for name in names if name in sites.credits), *([trailer] if trailer else [])]
    return PageDump(
        title=header.given.get("title") or (header.lines[place] if place is not None else ""),
        text=clean_text("\n".join(line + "\n" for line in lead) + "\n" + "\n".join(body)),
        section=section,
        author=header.given.get("author") or _person([name for name in names if name not in known], known),
        date=header.date,
        source=header.given.get("source") or next(iter(outlets), None),
        url=header.given.get("url"),
    )


def _without_source_line(lines: Sequence[str]) -> tuple[Sequence[str], str | None]:
    """The lines without a last one that reads 'Source: X', and X."""
    last = next((index for index in range(len(lines) - 1, -1, -1) if lines[index]), None)
    match = _SOURCE_LINE.fullmatch(lines[last]) if last is not None else None
    return (lines[:last], match["name"].strip()) if match else (lines, None)


def _title_place(header: _Header) -> int | None:
    """Which of the open lines is the title: the first of at least four words, else the one with the most words."""
    sizes = [
        1 if _is_trail(line) else max(len(line.split()), sum(char >= "\u0e00" for char in line) // 3)
        for line in header.lines
    ]
    if "title" in header.given or not sizes or min(sizes) > _LONGEST_TITLE_WORDS:
        return None
    return next((n for n, size in enumerate(sizes) if 4 <= size <= _LONGEST_TITLE_WORDS), sizes.index(max(sizes)))


def _is_trail(line: str) -> bool:
    """Whether a line is a breadcrumb trail such as 'Home > News > Transport'."""
    steps = _BREADCRUMB.split(line)
    return len(steps) > 1 and all(len(step.split()) <= 3 for step in steps)


def _section(above: Sequence[str]) -> str | None:
    """The last line above the title if it is short; of a breadcrumb trail, its last step."""
    if not above:
        return None
    last = _BREADCRUMB.split(above[-1])[-1].strip()
    return last if 1 <= len(last.split()) <= 4 and len(last) <= 40 else None


def _is_name(line: str) -> bool:
    words = line.split()
    capitals = all(word[0].isupper() or word in _PARTICLES for word in words)
    return 1 <= len(words) <= 6 and capitals and _NAME.fullmatch(line) is not None


def _person(names: Sequence[str], known: Sequence[str]) -> str | None:
    """The first name, without ', The Wire' and the like behind it."""
    for name in names:
        for site in known:
            name = re.sub(rf"\s*[,|(–-]\s*(?:for )?{re.escape(site)}\)?\Z", "", name)  # noqa: PLW2901
        if name:
            return name.rstrip(" .,")
    return None


def _sites(lines: Sequence[str]) -> _Sites:
    logos = [match["name"].strip() for line in lines if (match := _LOGO.fullmatch(line))]
    owners = [match["name"].strip() for line in lines if (match := _COPYRIGHT.fullmatch(line))]
    credits = [(match["name"] or match["other"]).strip() for line in lines if (match := _CREDIT.fullmatch(line))]
    return _Sites(sure=tuple(dict.fromkeys(logos + owners)), credits=tuple(dict.fromkeys(credits)))
