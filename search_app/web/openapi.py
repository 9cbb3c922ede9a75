"""The OpenAPI document, made from the types that check the parameters and write the answers."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel, TypeAdapter

from indexer.errors import ConcordError, IndexNotFound, NotFound, UsageError
from search_app.results import Results
from search_app.serialise import ArticleDocument, RelatedArticles
from search_app.stages import OutOfTime
from search_app.web.errors import (
    Draining,
    Health,
    Overloaded,
    Problem,
    RequestTooLarge,
    TooManyRequests,
    Unauthorised,
    UriTooLong,
)
from search_app.web.params import related_model, search_model
from search_app.web.settings import WebSettings

__all__ = ["document"]

_REFERENCE = "#/components/schemas/{model}"
_ARTICLE_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "An article's id. Slashes may stand as they are; an id that paths cannot carry is encoded twice.",
    "schema": {"type": "string", "minLength": 1},
}

_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_HEADERS = {"X-Request-ID": {"description": "Names the request in the log.", "schema": {"type": "string"}}}
_RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}}


def document(settings: WebSettings, base: str, status_type: Any, *, keyed: bool = False) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a site mounted at `base` ('' for the root); `status_type` is what its engine's
    `status()` returns, `keyed` whether the API wants a key."""
    answers, schemas = _schemas(status_type)
    query = _parameters(search_model(settings))
    if settings.examples:
        query[0]["example"] = settings.examples[0]
    related = [_ARTICLE_ID, *_parameters(related_model(settings))]
    api = (*((Unauthorised,) if keyed else ()), TooManyRequests, Overloaded, OutOfTime)
    paths = {
        "/api/v1/search": _get("search", "Search the archive.", answers[Results], query, UsageError, *api),
        "/api/v1/articles/{id}": _get(
            "article", "One article.", answers[ArticleDocument], [_ARTICLE_ID], NotFound, *api
        ),
        "/api/v1/articles/{id}/related": _get(
            "related",
            "The articles nearest to an article.",
            answers[RelatedArticles],
            related,
            UsageError,
            NotFound,
            *api,
        ),
        "/api/v1/status": _get("status", "The state of the index.", answers[status_type], [], *api),
        "/healthz": _get("health", "Whether searches can be answered now.", answers[Health], [], Draining),
    }
    for path in ("/api/v1/search", "/api/v1/articles/{id}/related"):
        paths[path]["get"]["responses"]["200"]["links"] = _links("$response.body#/hits/0/article/id")
    paths["/api/v1/articles/{id}"]["get"]["responses"]["200"]["links"] = _links("$response.body#/id")
    components: dict[str, Any] = {"schemas": schemas}
    if keyed:
        components["securitySchemes"] = _SECURITY
        for path in paths.keys() - {"/healthz"}:
            paths[path]["get"]["security"] = [{name: []} for name in _SECURITY]
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{settings.name} API", "summary": settings.tagline, "version": _version()},
        "servers": [{"url": base or "/"}],
        "paths": paths,
        "components": components,
    }


def _get(
    name: str, summary: str, schema: dict[str, Any], parameters: list[dict[str, Any]], *errors: type[ConcordError]
) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": _REFERENCE.format(model=Problem.__name__)}}}
    described = {200: "The answer."}
    possible: tuple[type[ConcordError], ...] = (*errors, IndexNotFound, UriTooLong, RequestTooLarge)
    for error in possible:
        before = described.get(error.status, "")
        described[error.status] = f"{before} {(error.__doc__ or '').partition(chr(10))[0].strip()}".strip()
    responses = {
        str(status): {
            "description": text,
            "headers": _HEADERS | (_RETRY if status in (429, 503) else {}),
            "content": {"application/json": {"schema": schema}} if status == 200 else problem,
        }
        for status, text in sorted(described.items())
    }
    return {"get": {"operationId": name, "summary": summary, "parameters": parameters, "responses": responses}}


def _links(article_id: str) -> dict[str, Any]:
    return {name: {"operationId": name, "parameters": {"id": article_id}} for name in ("article", "related")}


def _parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": prop.get("description", ""),
            "schema": {key: value for key, value in prop.items() if key not in ("description", "title")},
        }
        for name, prop in schema["properties"].items()
    ]


@cache
def _schemas(status_type: Any) -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
    kinds = (Results, ArticleDocument, RelatedArticles, Health, Problem, status_type)
    made, shared = TypeAdapter.json_schemas(
        [(kind, "serialization", TypeAdapter(kind)) for kind in kinds], ref_template=_REFERENCE
    )
    return {kind: schema for (kind, _), schema in made.items()}, _even(shared["$defs"])


def _even(schema: Any) -> Any:
    """The schema with pairs as lists of two: many tools that read OpenAPI do not understand `prefixItems`."""
    if isinstance(schema, list):
        return [_even(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    even = {key: _even(value) for key, value in schema.items() if key != "prefixItems"}
    kinds = schema.get("prefixItems")
    if kinds:
        even["items"] = kinds[0] if all(kind == kinds[0] for kind in kinds) else {"anyOf": kinds}
    return even


def _version() -> str:
    try:
        return version("concord-search")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
