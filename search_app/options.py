"""The one table of search options: names, types, defaults, ranges and help.

It feeds `SearchEngine.search`, `concord search`, the HTTP API with its OpenAPI document, and docs/library.md. An option
named `half_life` is the keyword `half_life` of the engine, `--half-life` on the command line, and the parameter
`half_life` of an address.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, cast

from indexer.errors import UsageError

__all__ = [
    "FUSIONS",
    "MODES",
    "NO_RERANKER",
    "DateLike",
    "Fusion",
    "Mode",
    "Option",
    "SearchOptions",
    "Values",
    "all_options",
    "reranker_parts",
    "with_keywords",
]

Mode = Literal["hybrid", "lexical", "semantic"]
Fusion = Literal["convex", "rrf"]
MODES: tuple[Mode, ...] = typing.get_args(Mode)
FUSIONS: tuple[Fusion, ...] = typing.get_args(Fusion)
NO_RERANKER = "none"
"""The name of no reranker."""

DateLike = str | date | None
"""A day, month or year (ISO 8601: 2023-12-07, 2023-12, 2023), or a date; None or '' for no bound."""
Values = str | Sequence[str]
"""One value of a filter or several, which are alternatives."""

Self = TypeVar("Self")
Given = ParamSpec("Given")
Answer = TypeVar("Answer")


def _option(default: Any, text: str, *, low: float | None = None, high: float | None = None, hint: str = "") -> Any:
    return dataclasses.field(default=default, metadata={"text": text, "low": low, "high": high, "hint": hint})


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """How a search is made. Raises UsageError for a value that is none, or outside its range."""

    mode: Mode = _option("hybrid", "Which rankings to use: both merged, BM25 alone, or dense vectors alone.")
    k: int = _option(10, "Hits on a page.", low=1, high=100)
    page: int = _option(1, "Page of the answer.", low=1, high=1000)
    since: DateLike = _option(
        None, "Only articles from this day, month or year on (2023-12-07, 2023-12, 2023).", hint="DATE"
    )
    until: DateLike = _option(None, "Only articles up to this day, month or year, which is included.", hint="DATE")
    section: Values = _option((), "Only this section; several are alternatives.")
    source: Values = _option((), "Only this source; several are alternatives.")
    author: Values = _option((), "Only this author; several are alternatives.")
    fusion: Fusion = _option("convex", "How hybrid mode merges: a weighted mean of scores, or reciprocal ranks.")
    rerank: str = _option(
        NO_RERANKER,
        "What reads the first 20 articles again, by the encoder's tokens or by a model; slow.",
        hint="[none|maxsim|cross-encoder:MODEL]",
    )
    fold: bool = _option(True, "Make one hit of an article and its near-duplicates.")
    diversify: bool = _option(False, "At most three hits of one story in each ten of the first thirty.")
    half_life: float | None = _option(
        None,
        "Let age take up to 30 % of a score, half of that in so many days.",
        low=0.01,
        high=36_500,
        hint="DAYS",
    )
    as_of: DateLike = _option(None, "Count ages from this day, month or year; without it from now.", hint="DATE")
    explain: bool = _option(False, "Tell both rankings' rank, score and share, and the numbers behind them.")

    def __post_init__(self) -> None:
        for option in all_options():
            value = getattr(self, option.name)
            if option.many:
                value = tuple(one for one in ((value,) if isinstance(value, str) else value) if one)
                object.__setattr__(self, option.name, value)
            option.check(value)
        reranker_parts(self.rerank)


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table. `kind` is its type, `low` and `high` are inclusive, `hint` says what a value looks like
    where its type does not."""

    name: str
    kind: Any
    default: Any
    text: str
    low: float | None
    high: float | None
    hint: str

    @property
    def flag(self) -> str:
        """The option of `concord search`."""
        return f"-{self.name}" if len(self.name) == 1 else f"--{self.name.replace('_', '-')}"

    @property
    def many(self) -> bool:
        """Whether several values may be given."""
        return bool(self.kind == Values)

    @property
    def choices(self) -> tuple[str, ...]:
        """The only values, where there are any."""
        return typing.get_args(self.kind) if typing.get_origin(self.kind) is Literal else ()

    @property
    def wire_kind(self) -> Any:
        """The type that a command line or an address can give: texts instead of dates and sequences."""
        return {Values: tuple[str, ...], DateLike: str | None}.get(self.kind, self.kind)

    def check(self, value: Any) -> None:
        """Raises UsageError for a value outside the choices or the range."""
        if self.choices and value not in self.choices:
            raise UsageError(f"'{str(value)[:40]}' is no {self.name}: choose one of {', '.join(self.choices)}.")
        # Written so that NaN, which is in no order, is outside.
        if value is not None and self.low is not None and self.high is not None and not self.low <= value <= self.high:
            raise UsageError(f"{self.name} is {value:g}, and must be from {self.low:g} to {self.high:g}.")


def all_options() -> tuple[Option, ...]:
    """The rows of the table, in its order."""
    return _TABLE


def reranker_parts(name: str) -> tuple[str, str]:
    """The kind of a reranker, 'none', 'maxsim' or 'cross-encoder', and its model or ''. Raises UsageError."""
    kind, _, model = name.partition(":")
    if (kind in (NO_RERANKER, "maxsim") and name == kind) or (kind == "cross-encoder" and model.strip()):
        return kind, model.strip()
    raise UsageError(
        f"'{name[:80]}' is no reranker: choose none, maxsim, or cross-encoder:MODEL with the name or folder of a model "
        "for sentence-transformers."
    )


def with_keywords(
    make: Callable[Given, SearchOptions],
) -> Callable[[Callable[[Self, str, SearchOptions], Answer]], Callable[Concatenate[Self, str, Given], Answer]]:
    """Turn a method that takes a query and `SearchOptions` into one that takes a query and the options as keywords.

    Type checkers and editors see the keywords of `make`, which is `SearchOptions`, with their types and defaults.
    """

    def decorate(
        method: Callable[[Self, str, SearchOptions], Answer],
    ) -> Callable[Concatenate[Self, str, Given], Answer]:
        @wraps(method)
        def keyworded(self: Self, query: str, *args: Given.args, **kwargs: Given.kwargs) -> Answer:
            return method(self, query, make(*args, **kwargs))

        own = inspect.signature(method)
        keywords = list(inspect.signature(make).parameters.values())
        keyworded.__signature__ = own.replace(  # type: ignore[attr-defined]
            parameters=[*list(own.parameters.values())[:2], *keywords]
        )
        return cast("Callable[Concatenate[Self, str, Given], Answer]", keyworded)

    return decorate


def _table() -> tuple[Option, ...]:
    kinds = typing.get_type_hints(SearchOptions)
    return tuple(Option(f.name, kinds[f.name], f.default, **f.metadata) for f in dataclasses.fields(SearchOptions))


_TABLE = _table()
