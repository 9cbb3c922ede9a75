"""The parameters of a search over HTTP: one model that checks them, documents them and writes them back into links."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from functools import cache
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import ErrorDetails
from werkzeug.datastructures import MultiDict

from indexer.errors import UsageError
from search_app.web.settings import WebSettings

__all__ = ["RelatedParams", "SearchParams", "read_params", "within"]


class _Params(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RelatedParams(_Params):
    """Parameters of a request for related articles."""

    k: int = Field(5, ge=1, le=100, description="How many articles.")


class SearchParams(_Params):
    """Parameters of a search; the defaults are those of `SearchEngine.search`."""

    q: str = Field(
        description='The query: plain words, "exact phrases", +must, -mustnot, title: section: source: author: '
        "before: after:, OR."
    )
    mode: Literal["hybrid", "lexical", "semantic"] = Field(
        "hybrid", description="Both rankings merged, BM25 alone, or dense vectors alone."
    )
    k: int = Field(10, ge=1, le=100, description="Hits on a page.")
    page: int = Field(1, ge=1, le=1000, description="Which page, from 1.")
    since: str | None = Field(None, description="First day, month or year (ISO 8601: 2023-12-07, 2023-12, 2023).")
    until: str | None = Field(None, description="Last day, month or year, included.")
    section: tuple[str, ...] = Field((), description="Sections to keep; repeat it for more than one.")
    source: tuple[str, ...] = Field((), description="Sources to keep; repeat it for more than one.")
    author: tuple[str, ...] = Field((), description="Authors to keep; repeat it for more than one.")
    fusion: Literal["convex", "rrf"] = Field(
        "convex", description="How hybrid mode merges: a weighted mean of scores, or reciprocal ranks."
    )
    rerank: str = Field(
        "none", description="What reads the first 20 articles again; the site says which rerankers there are."
    )
    fold: bool = Field(True, description="Fold copies and updates of an article into one hit, listed as `similar`.")
    diversify: bool = Field(False, description="At most three hits of one story in each ten of the first thirty.")
    half_life: float | None = Field(
        None,
        ge=0.01,
        le=36_500,
        allow_inf_nan=False,
        description="Days after which age has taken half of the 30 % of a score that it may take.",
    )
    as_of: str | None = Field(None, description="Day, month or year that ages are counted from; without it, now.")
    explain: bool = Field(False, description="Put the numbers behind every score into `explanation`.")

    def for_engine(self) -> dict[str, Any]:
        """The keyword arguments of `SearchEngine.search`, without the query."""
        return self.model_dump(exclude={"q"})

    def link(self, **changes: Any) -> dict[str, Any]:
        """The parameters of a link that repeats this search with changes; what equals its default is left out."""
        changed = self.model_copy(update=changes)
        dumped = changed.model_dump(exclude_defaults=True)
        dumped.pop("explain", None)
        if not changed.q:
            del dumped["q"]
        return dumped


P = TypeVar("P", bound=_Params)


@cache
def within(model: type[P], settings: WebSettings) -> type[P]:
    """The model with the limits of a site: what checks a request and what the OpenAPI document says of it."""
    most = {"q": settings.max_query_chars, "k": settings.max_k, "page": settings.max_page}
    most |= dict.fromkeys(("section", "source", "author"), settings.max_filter_values)
    limited: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if name not in most:
            continue
        rule: dict[str, Any] = {"description": field.description}
        if field.annotation is int:
            rule |= {"default": min(field.default, most[name]), "ge": 1, "le": most[name]}
        else:
            rule |= {"default": field.default, "max_length": most[name]}
        limited[name] = (field.annotation, Field(**rule))
    if "rerank" in model.model_fields:
        field = model.model_fields["rerank"]
        offered: Any = Literal[(field.default, *settings.rerank)]
        limited["rerank"] = (offered, Field(field.default, description=field.description))
    made: type[P] = create_model(model.__name__, __base__=model, **limited)
    return made


def read_params(model: type[P], given: MultiDict[str, str], *, only: Iterable[str] | None = None) -> P:
    """A checked model from the parameters of a URL.

    With `only`, which names the parameters to look at, it is read as a form sends it: others are passed over, and an
    empty value of an optional parameter counts as absent. Without it both are refused.
    Raises UsageError with a sentence that names the first parameter that is wrong.
    """
    raw: dict[str, Any] = {}
    for name, values in given.lists():
        field = model.model_fields.get(name)
        if only is not None and name not in only:
            continue
        if field is None:
            known = ", ".join(model.model_fields)
            raise UsageError(f"There is no parameter {_short(name)}; the parameters here are {known}.")
        kept = values if only is None or field.is_required() else [value for value in values if value.strip()]
        if typing.get_origin(field.annotation) is tuple:
            raw[name] = kept
        elif len(kept) > 1:
            raise UsageError(f"{name} was given {len(kept)} times; give it once.")
        elif kept:
            raw[name] = kept[0]
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise UsageError(_sentence(model, error.errors()[0])) from None


def _sentence(model: type[_Params], error: ErrorDetails) -> str:
    name = str(error["loc"][0])
    if error["type"] == "missing":
        return f"{name} is missing: add {name}=... to the address."
    if error["type"] == "string_too_long":
        return f"{name} has {len(error['input'])} characters, and may have {_most(error)}; shorten it."
    if error["type"] == "too_long":
        return f"{name} was given {len(error['input'])} times; give it {_most(error)} times."
    if error["type"] == "string_unicode":
        return f"{name} has half of a surrogate pair in it, which is no character."
    if name == "rerank":
        return f"The reranker {_short(error['input'])} is not offered here; rerank can be {_allowed(model, name)}."
    return f"{name} must be {_allowed(model, name)}; got {_short(error['input'])}."


def _most(error: ErrorDetails) -> str:
    return f"at most {error['ctx']['max_length']}"


def _allowed(model: type[_Params], name: str) -> str:
    field = model.model_fields[name]
    if typing.get_origin(field.annotation) is Literal:
        *first, last = (f"'{choice}'" for choice in typing.get_args(field.annotation))
        return f"{', '.join(first)} or {last}" if first else last
    if field.annotation is bool:
        return "true or false"
    schema = model.model_json_schema()["properties"][name]
    # What may be absent stands beside null.
    schema = schema.get("anyOf", [schema])[0]
    kind = "whole number" if schema["type"] == "integer" else "number"
    return f"a {kind} from {schema['minimum']:g} to {schema['maximum']:g}"


def _short(value: object, limit: int = 60) -> str:
    text = str(value)
    return f"'{text}'" if len(text) <= limit else f"'{text[:limit]}…' ({len(text)} characters)"
