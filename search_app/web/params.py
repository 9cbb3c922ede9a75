"""The parameters of a search over HTTP: one model that checks them, documents them and writes them back into links."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import ErrorDetails
from werkzeug.datastructures import MultiDict

from indexer.errors import UsageError
from search_app.options import SearchOptions, all_options
from search_app.web.settings import WebSettings

__all__ = ["SearchParams", "read_params", "read_search", "related_model", "search_model"]

_QUERY = 'The query: plain words, "exact phrases", +must, -mustnot, title: section: source: author: before: after:, OR.'
_RELATED = 5
_DEFAULTS = {option.name: option.default for option in all_options()}


class _Params(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParams(SearchOptions):
    """A search as an address has it: the query, and the options of `SearchEngine.search`."""

    q: str

    def link(self, **changes: Any) -> dict[str, Any]:
        """The parameters of a link that repeats this search with changes; what equals its default is left out."""
        changed = replace(self, **changes)
        kept = {"q": changed.q} if changed.q else {}
        values = {option.name: getattr(changed, option.name) for option in all_options() if option.name != "explain"}
        return kept | {name: value for name, value in values.items() if value != _DEFAULTS[name]}


@cache
def search_model(settings: WebSettings) -> type[_Params]:
    """What checks the parameters of a search on a site, and what its OpenAPI document says of them."""
    most = {"k": settings.max_k, "page": settings.max_page}
    fields: dict[str, Any] = {"q": (str, Field(description=_QUERY, max_length=settings.max_query_chars))}
    for option in all_options():
        rule: dict[str, Any] = {"default": option.default, "description": option.text}
        if option.low is not None:
            rule |= {"ge": option.low, "le": option.high}
        if option.name in most:
            rule |= {"default": min(option.default, most[option.name]), "le": most[option.name]}
        if option.many:
            rule["max_length"] = settings.max_filter_values
        kind = Literal[(option.default, *settings.rerank)] if option.name == "rerank" else option.wire_kind
        if kind == float | None:
            rule["allow_inf_nan"] = False
        fields[option.name] = (kind, Field(**rule))
    made: type[_Params] = create_model("SearchParams", __base__=_Params, **fields)
    return made


@cache
def related_model(settings: WebSettings) -> type[_Params]:
    """What checks the parameters of a request for related articles."""
    rule = Field(min(_RELATED, settings.max_k), ge=1, le=settings.max_k, description="How many articles.")
    made: type[_Params] = create_model("RelatedParams", __base__=_Params, k=(int, rule))
    return made


def read_search(
    settings: WebSettings, given: MultiDict[str, str], *, only: Iterable[str] | None = None
) -> SearchParams:
    """The search in the parameters of a URL; see `read_params`."""
    return SearchParams(**read_params(search_model(settings), given, only=only))


def read_params(
    model: type[_Params], given: MultiDict[str, str], *, only: Iterable[str] | None = None
) -> dict[str, Any]:
    """The parameters of a URL, checked, with the defaults of those that are not there.

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
        return model.model_validate(raw).model_dump()
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
