"""The JSON API: the engine's own answers under /api/v1, and for those who run the site /healthz and /metrics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, g, request, url_for
from werkzeug.exceptions import HTTPException, NotFound

from indexer.errors import ConcordError
from search_app.results import Hit
from search_app.serialise import article_to_json, related_to_json, status_to_json
from search_app.web.access import is_local
from search_app.web.errors import Draining, Failure, Forbidden, Health, json_response, problem_response
from search_app.web.metrics import METRICS_TYPE
from search_app.web.openapi import document
from search_app.web.params import read_params, read_search, related_model
from search_app.web.routes import find_by_id, get_only, use_article_ids
from search_app.web.site import Engine, Site

__all__ = ["api_blueprint"]

ROOT = "/api/v1"
_STALE = "A newer generation cannot be opened; this server's log and 'concord status' say why."


def api_blueprint(site: Site) -> Blueprint:
    """The API of a site; every error below it, an unknown address and a wrong method too, is problem+json."""
    api = Blueprint("api", __name__)
    use_article_ids(api)
    _add_answers(api, site)
    _add_operations(api, site)

    def unknown(rest: str) -> Response:
        raise NotFound

    get_only(api, "/api/<path:rest>", unknown, "unknown")
    api.register_error_handler(ConcordError, _problem)
    api.register_error_handler(HTTPException, _problem)
    return api


def _add_answers(api: Blueprint, site: Site) -> None:
    """What the engine answers."""

    def search() -> Response:
        params = read_search(site.settings, request.args)
        return json_response(site.ask(lambda engine: engine.answer(params.q, params)).to_dict())

    def article(article_id: str) -> Response:
        return json_response(article_to_json(site.ask(lambda engine: find_by_id(article_id, engine.article))))

    def related(article_id: str) -> Response:
        k = read_params(related_model(site.settings), request.args)["k"]

        def nearest(engine: Engine) -> tuple[str, tuple[Hit, ...]]:
            found = find_by_id(article_id, engine.article)
            return found.id, engine.related(found.id, k=k)

        return json_response(related_to_json(*site.ask(nearest)))

    def status() -> Response:
        found = site.ask(lambda engine: engine.status())
        return json_response(status_to_json(found if g.concord_local else _for_strangers(found)))

    get_only(api, f"{ROOT}/search", search, "search")
    get_only(api, f"{ROOT}/articles/<article_id:article_id>", article, "article")
    get_only(api, f"{ROOT}/articles/<article_id:article_id>/related", related, "related")
    get_only(api, f"{ROOT}/status", status, "status")


def _add_operations(api: Blueprint, site: Site) -> None:
    """What tells programs about the API, and those who run the site how it fares."""

    def openapi() -> Response:
        here = url_for(f"{request.blueprint}.openapi")
        base = here.removesuffix(f"{ROOT}/openapi.json")
        return json_response(document(site.settings, base, site.status_type, keyed=bool(site.keys)))

    def health() -> Response:
        if site.draining:
            raise Draining("This server is about to stop.")
        # Open or raising, nothing else: a health check has to stay cheap.
        return json_response(Health(status="stale" if site.engine.stale else "ready").model_dump())

    def metrics() -> Response:
        rule = site.settings.metrics
        if rule == "off":
            raise NotFound
        if rule == "local" and not is_local(request, site.settings.trusted_proxies):
            raise Forbidden("The metrics can be read from this machine only; the setting 'metrics' changes that.")
        if rule == "key":
            site.keys.check(request)
        return Response(site.metrics.text(), content_type=METRICS_TYPE)

    get_only(api, f"{ROOT}/openapi.json", openapi, "openapi")
    get_only(api, "/healthz", health, "health")
    get_only(api, "/metrics", metrics, "metrics")


def _problem(error: ConcordError | HTTPException) -> Response:
    return problem_response(Failure.of(error))


def _for_strangers(status: Any) -> Any:
    """The status without paths of this machine: an encoder may go by one, and the reason for `stale` may hold one."""
    encoder = Path(status.encoder)
    return replace(
        status,
        encoder=(encoder.name or status.encoder)
        if encoder.is_absolute() or status.encoder.startswith(("~", "."))
        else status.encoder,
        stale=status.stale and _STALE,
    )
