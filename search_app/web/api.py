"""The JSON API: the engine's own answers under /api/v1, and /healthz."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for
from werkzeug.exceptions import HTTPException, NotFound

from indexer.errors import ConcordError
from search_app.serialise import article_to_json, related_to_json, results_to_json, status_to_json
from search_app.web.errors import Failure, Health, json_response, problem_response
from search_app.web.openapi import document
from search_app.web.params import RelatedParams, SearchParams, read_params
from search_app.web.routes import find_by_id, get_only, use_article_ids
from search_app.web.site import Site

__all__ = ["api_blueprint"]

ROOT = "/api/v1"


def api_blueprint(site: Site) -> Blueprint:
    """The API of a site; every error below it, an unknown address and a wrong method too, is problem+json."""
    api = Blueprint("api", __name__)
    use_article_ids(api)

    def search() -> Response:
        params = read_params(SearchParams, request.args)
        return json_response(results_to_json(site.engine.search(params.q, **params.for_engine())))

    def article(article_id: str) -> Response:
        return json_response(article_to_json(find_by_id(article_id, site.engine.article)))

    def related(article_id: str) -> Response:
        k = read_params(RelatedParams, request.args).k
        found = find_by_id(article_id, site.engine.article)
        return json_response(related_to_json(found.id, site.engine.related(found.id, k=k)))

    def status() -> Response:
        return json_response(status_to_json(site.engine.status()))

    def health() -> Response:
        _ = site.engine  # open or raising, nothing else: a health check has to stay cheap
        return json_response(Health().model_dump())

    def openapi() -> Response:
        here = url_for(f"{request.blueprint}.openapi")
        return json_response(document(site.settings, here.removesuffix(f"{ROOT}/openapi.json"), site.status_type))

    def unknown(rest: str) -> Response:
        raise NotFound

    get_only(api, f"{ROOT}/search", search, "search")
    get_only(api, f"{ROOT}/articles/<article_id:article_id>", article, "article")
    get_only(api, f"{ROOT}/articles/<article_id:article_id>/related", related, "related")
    get_only(api, f"{ROOT}/status", status, "status")
    get_only(api, f"{ROOT}/openapi.json", openapi, "openapi")
    get_only(api, "/healthz", health, "health")
    get_only(api, "/api/<path:rest>", unknown, "unknown")

    api.register_error_handler(ConcordError, _problem)
    api.register_error_handler(HTTPException, _problem)
    return api


def _problem(error: ConcordError | HTTPException) -> Response:
    return problem_response(Failure.of(error))
