"""The reader of the query language: from what was typed to atoms, groups and filter items. `query.parse` is its door.

It works in four steps: clean the characters; split into words, quoted phrases and their prefixes; give each its sign
and field (or a note why not); join neighbours by OR and AND.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field, replace

import regex

from indexer.errors import UsageError
from indexer.lexical.bm25 import Atom
from indexer.text.analysis import analyse
from search_app.query.periods import Period, named_period

__all__ = ["MAX_CHARACTERS", "MAX_WORDS", "Item", "Reading", "read"]

MAX_CHARACTERS = 1000
MAX_WORDS = 64
# Operators, quotes and blanks do not count as characters of a query, but somewhere reading has to end.
_MAX_TYPED = 4 * MAX_CHARACTERS

_FILTER_FIELDS = ("section", "source", "author")
_DATE_FIELDS = ("before", "after")
_FIELDS = ("title", *_FILTER_FIELDS, *_DATE_FIELDS)
_OPERATORS = ("OR", "AND", "NOT")

_UNSEEN = regex.compile(r"[\p{Cc}\p{Cs}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufffe\uffff\u00ad]+")
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))
_PARENTHESES = str.maketrans("()", "  ")
_PREFIX = regex.compile(r"[+-]?(?:\w+:)?")
_FIELD = regex.compile(r"(\w+):(.*)")
_DASHES = frozenset("+-\u2010\u2011\u2012\u2013\u2014\u2015\u2212|")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing typed: a word or phrase, an operator between two of them, or a filter."""

    text: str
    phrase: bool = False
    sign: str = ""
    field: str = ""
    operator: bool = False
    period: Period | None = None

    @property
    def filter(self) -> bool:
        """Whether it says what an article must be, not what must be in it."""
        return self.field in _FILTER_FIELDS or self.period is not None

    @property
    def positive(self) -> bool:
        """Whether it is a word or phrase that is looked for."""
        return not (self.operator or self.filter or self.sign == "-")


@dataclass(slots=True)
class Reading:
    """What was read; the parts have the meaning that they have in `ParsedQuery`."""

    text: str
    scoring: tuple[Atom, ...] = ()
    must: tuple[tuple[Atom, ...], ...] = ()
    must_not: tuple[Atom, ...] = ()
    filters: list[Item] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        """Add a note once."""
        if sentence not in self.notes:
            self.notes.append(sentence)


def read(typed: str) -> Reading:
    """Read a query of any characters and any length."""
    text = " ".join(typed[: 4 * _MAX_TYPED].split())
    text = unicodedata.normalize("NFC", _UNSEEN.sub("", text))
    reading = Reading(text[:_MAX_TYPED].strip())
    items: list[Item] = []
    for prefix, token, quoted in _tokens(reading):
        items += _phrase(prefix, token, reading) if quoted else _word(token, reading)
    items, cut = _limited(items)
    if cut or max(len(text), len(typed) // 4) > _MAX_TYPED:
        reading.note(
            f"The query is too long ({len(typed):,} characters); of it the first {MAX_CHARACTERS:,} characters and "
            f"{MAX_WORDS} words were read."
        )
    _join(_resolved(items, reading), reading)
    return reading


def _tokens(reading: Reading) -> list[tuple[str, str, bool]]:
    """(prefix, text, whether quoted): the prefix is the sign and field that stand right before a quotation mark."""
    parts = reading.text.translate(_QUOTES).split('"')
    if len(parts) % 2 == 0:
        reading.note("A quotation mark without a partner was ignored.")
        parts[-2:] = [f"{parts[-2]} {parts[-1]}"]
    tokens: list[tuple[str, str, bool]] = []
    prefix = ""
    for number, part in enumerate(parts):
        if number % 2:
            tokens.append((prefix, " ".join(part.split()), True))
            continue
        if "(" in part or ")" in part:
            reading.note("Parentheses were read as spaces.")
        plain = part.translate(_PARENTHESES)
        words = plain.split()
        prefix = ""
        if number + 1 < len(parts) and words and not plain[-1].isspace() and _PREFIX.fullmatch(words[-1]):
            prefix = words.pop()
        tokens += (("", word, False) for word in words)
    return tokens


def _word(token: str, reading: Reading) -> list[Item]:
    if token in _OPERATORS:
        return [Item(token, operator=True)]
    text = token.lstrip("+-")
    if not set(text) - _DASHES:
        return []
    signs = token[: len(token) - len(text)]
    sign = signs if len(signs) == 1 else ""
    match = _FIELD.fullmatch(text)
    if not match:
        return [_atom(text, sign)]
    name, value = match[1].casefold(), match[2]
    if name not in _FIELDS:
        if value:
            reading.note(_unknown(text, match[1]))
        return [_atom(text, sign)]
    if not value:
        reading.note(f"'{text}' was read as a word: a value has to follow without a space.")
        return [_atom(text, sign)]
    item = _fielded(name, value, sign, phrase=False, reading=reading)
    return [item] if item else [_atom(text, sign)]


def _phrase(prefix: str, text: str, reading: Reading) -> list[Item]:
    sign = prefix[:1] if prefix[:1] in ("+", "-") else ""
    typed = prefix[len(sign) : -1]
    name = typed.casefold()
    if not text:
        reading.note("Quotation marks with nothing between them were ignored.")
        return [_atom(prefix[len(sign) :], "")] if name else []
    if not name:
        return [Item(text, True, sign)]
    if name not in _FIELDS:
        reading.note(_unknown(f'{typed}:"{text}"', typed))
        return [Item(f"{typed}:"), Item(text, True, sign)]
    item = _fielded(name, text, sign, phrase=True, reading=reading)
    return [item] if item else [Item(f"{typed}:"), Item(text, True)]


def _fielded(name: str, value: str, sign: str, *, phrase: bool, reading: Reading) -> Item | None:
    """The item of a known field, or None and a note where a date is none."""
    if name not in _DATE_FIELDS:
        return Item(value, phrase, sign, name)
    try:
        return Item(value, sign=sign, field=name, period=named_period(value))
    except UsageError as error:
        reading.note(f"'{name}:{value}' was read as words: {error}")
        return None


def _unknown(text: str, name: str) -> str:
    return f"'{text}' was read as words: there is no field '{name}' (there are {', '.join(_FIELDS)})."


def _atom(text: str, sign: str) -> Item:
    return Item(text.lower() if text in _OPERATORS and not sign else text, sign=sign)


def _limited(items: list[Item]) -> tuple[list[Item], bool]:
    """The items within the limits, and whether any was cut; the count is the same for any way to write the query."""
    characters, words = MAX_CHARACTERS, MAX_WORDS
    kept: list[Item] = []
    for item in items:
        # Dates are written in other ways than they were typed.
        size, count = (0, 1) if item.period else (len(item.text) + 1, len(item.text.split()))
        if size > characters + 1 or count > words:
            # The beginning of a phrase is still a fair demand; half a word is only better than nothing.
            if words and (not kept or (item.phrase and item.positive)):
                beginning = " ".join(item.text.split()[:words])[:characters].strip()
                if item.positive and beginning:
                    kept.append(replace(item, text=beginning))
            return kept, True
        kept.append(item)
        characters -= size
        words -= count
    return kept, False


def _resolved(items: list[Item], reading: Reading) -> list[Item]:
    """The items with NOT made a sign, and operators that stand between nothing made words."""
    signed: list[Item] = []
    for item in items:
        if signed and signed[-1].operator and signed[-1].text == "NOT":
            if not item.operator:
                signed[-1] = replace(item, sign="-")
                if reading.text.isupper():
                    reading.note(
                        f"NOT excludes the next word; write 'not {item.text}' in small letters to look for it."
                    )
                continue
            signed[-1] = _as_word(signed[-1], reading)
        signed.append(item)
    if signed and signed[-1].operator and signed[-1].text == "NOT":
        signed[-1] = _as_word(signed[-1], reading)
    resolved: list[Item] = []
    for number, item in enumerate(signed):
        # A dangling operator becomes a word, but not one that the operator beside it could join.
        sides = (number > 0 and signed[number - 1], number + 1 < len(signed) and signed[number + 1])
        between = all(side and not side.operator for side in sides)
        resolved.append(_as_word(item, reading) if item.operator and not between else item)
    return resolved


def _as_word(item: Item, reading: Reading) -> Item:
    reading.note(f"{item.text} was read as the word '{item.text.lower()}': it has nothing to join.")
    return Item(item.text.lower())


def _join(items: list[Item], reading: Reading) -> None:
    """Fill the reading from items in which every operator stands between two that are none."""
    groups: list[list[Item]] = []
    demanded: set[int] = set()
    operator = ""
    for item in items:
        if item.operator:
            operator = item.text
            continue
        either = operator == "OR" and _either(groups[-1][-1], item, reading)
        if either:
            groups[-1].append(item)
        else:
            groups.append([item])
            if operator == "AND":
                demanded |= {len(groups) - 2, len(groups) - 1}
        operator = ""
    if any(len(groups[number]) > 1 for number in demanded):
        reading.note("OR binds closer than AND: 'a AND b OR c' was read as 'a AND (b OR c)'.")
    scoring: list[Atom] = []
    must: list[tuple[Atom, ...]] = []
    must_not: list[Atom] = []
    for number, group in enumerate(groups):
        first = group[0]
        if first.filter:
            reading.filters.append(first)
        elif first.sign == "-":
            must_not += _whole(first, reading)
        elif number in demanded or any(item.phrase or item.sign or item.field for item in group):
            atoms = tuple(atom for item in group for atom in _whole(item, reading))
            scoring += atoms
            must += [atoms] if atoms else []
        else:
            scoring += (Atom(item.text) for item in group)
    reading.scoring, reading.must, reading.must_not = tuple(scoring), tuple(must), tuple(must_not)


def _either(one: Item, other: Item, reading: Reading) -> bool:
    """Whether OR can join the two; values of one filter are alternatives anyway."""
    if one.positive and other.positive:
        return True
    if not (one.filter and other.filter and one.field == other.field and one.sign == other.sign):
        reading.note("OR was ignored where it stands beside a filter or an excluded word.")
    return False


def _whole(item: Item, reading: Reading) -> list[Atom]:
    """The item as an atom that is in an article or not; several words of the index are one phrase."""
    positions = {token.position for token in analyse(item.text, keep_stop_words=True)}
    if not positions:
        reading.note(f"'{item.text}' has no letter or digit to look for and was ignored.")
        return []
    return [Atom(item.text, phrase=item.phrase or len(positions) > 1, field=item.field or None)]
