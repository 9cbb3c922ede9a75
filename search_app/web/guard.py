"""What happens to every request before and after its view: size, key, rate; headers, counts, one log line."""

from __future__ import annotations

import time

from flask import Blueprint, Flask, Response, g, request

from search_app.web.access import client_of, is_local
from search_app.web.errors import RequestTooLarge, UriTooLong
from search_app.web.headers import allow_origin, secure
from search_app.web.logs import log_access, request_id
from search_app.web.site import Site

__all__ = ["guard"]

_FREE = frozenset({"static", "api.health", "api.metrics"})
"""Routes that answer whatever the load and whoever asks; /metrics has a rule of its own."""
_KEYLESS = _FREE | {"api.openapi"}


def guard(target: Blueprint | Flask, site: Site) -> None:
    """Put the checks of a site on an app of its own, or on the blueprint that is mounted in another app."""
    settings = site.settings

    def before() -> None:
        g.request_id = request_id(request)
        g.started = time.perf_counter()
        g.concord_local = is_local(request, settings.trusted_proxies)
        address, body = len(request.full_path), request.content_length or 0
        if address > settings.max_request_bytes:
            raise UriTooLong(f"The address has {address} characters; at most {settings.max_request_bytes} are read.")
        if body > settings.max_request_bytes:
            raise RequestTooLarge(f"The body has {body} bytes; at most {settings.max_request_bytes} are read.")
        route = _route()
        if request.method == "OPTIONS" or route in _FREE:
            return
        client = client_of(request.remote_addr)
        try:
            if site.keys and route.startswith("api.") and route not in _KEYLESS:
                client = site.keys.check(request)
        finally:
            # A wrong key costs a token too: guessing is no faster than asking.
            site.buckets.take(client)

    def after(response: Response) -> Response:
        route = _route()
        seconds = time.perf_counter() - g.get("started", time.perf_counter())
        response.headers["X-Request-ID"] = g.get("request_id", "")
        secure(response, request, settings)
        if route.startswith("api."):
            allow_origin(response, request, settings)
            if site.keys:
                response.headers["Cache-Control"] = "private, no-store"
        site.metrics.request(route, request.method, response.status_code, seconds)
        if "refused" in g:
            site.metrics.refused(g.refused)
        if settings.access_log:
            log_access(request, response, route, seconds, settings)
        return response

    target.before_request(before)
    target.after_request(after)


def _route() -> str:
    """The endpoint without the name of the mount, or 'unknown': a small set, whatever is asked for."""
    if request.endpoint is None or request.blueprint is None:
        return "unknown"
    *_, within, name = request.endpoint.split(".")
    return ("api." if within == "api" else "") + name.removesuffix("_refused").removesuffix("_options")
