"""The two ways to put Concord on the web: an app of its own, or a blueprint for somebody else's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from indexer.errors import ConcordError
from search_app.web.api import api_blueprint
from search_app.web.errors import Failure, problem_response
from search_app.web.guard import guard
from search_app.web.pages import add_pages, error_page
from search_app.web.settings import WebSettings
from search_app.web.site import Engine, Site

__all__ = ["blueprint", "create_app"]


def create_app(
    index_dir: str | Path | None = None, *, engine: Engine | None = None, settings: WebSettings | None = None
) -> Flask:
    """A Flask app with the search page at `/` and the API at `/api/v1`.

    It searches `engine`, or the index in `index_dir` (default: index_data), opened on the first request. Where there
    is no index yet the app starts all the same: its pages say what to do, and /healthz answers 503 until there is one.
    """
    app = Flask(__name__, static_folder=None)
    site = Site(index_dir, engine, settings)
    app.register_blueprint(_mountable(site))

    def unrouted(error: HTTPException) -> Response:
        if request.path.startswith("/api/") or not site.settings.pages:
            return problem_response(Failure.of(error))
        return error_page(site, error)

    app.register_error_handler(HTTPException, unrouted)
    guard(app, site)
    if hops := site.settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    app.extensions["concord"] = site
    return app


def blueprint(
    index_dir: str | Path | None = None, *, engine: Engine | None = None, settings: WebSettings | None = None
) -> Blueprint:
    """Pages and API for another Flask app: `app.register_blueprint(blueprint("index_data"), url_prefix="/archive")`.

    All links and files stay below the prefix, and only requests below it are checked, counted and logged, and get
    Concord's security headers. Proxies in front are the host's business: `trusted_proxies` counts as 0 here. Templates
    named `concord/...` in the host's own template folder replace the ones that come with it.
    """
    site = Site(index_dir, engine, replace(settings or WebSettings(), trusted_proxies=0))
    mounted = _mountable(site)
    guard(mounted, site)
    return mounted


def _mountable(site: Site) -> Blueprint:
    # /assets, not /static: mounted without a prefix, /static would be the host app's folder.
    mounted = Blueprint(
        "concord", __name__, template_folder="templates", static_folder="static", static_url_path="/assets"
    )
    if site.settings.pages:
        add_pages(mounted, site)
    mounted.register_blueprint(api_blueprint(site))

    def on_page(error: ConcordError | HTTPException) -> Response:
        return error_page(site, error) if site.settings.pages else problem_response(Failure.of(error))

    mounted.register_error_handler(ConcordError, on_page)
    mounted.register_error_handler(HTTPException, on_page)
    return mounted
