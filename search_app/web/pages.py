"""The pages that people read: search, article, and what to say when something is missing or broken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from indexer.article import Article
from indexer.errors import ConcordError
from search_app.markup import showable
from search_app.options import NO_RERANKER
from search_app.results import Hit
from search_app.serialise import status_to_json
from search_app.web import view
from search_app.web.errors import Failure
from search_app.web.params import SearchParams, read_search, search_model
from search_app.web.routes import find_by_id, get_only, use_article_ids
from search_app.web.settings import WebSettings
from search_app.web.site import Engine, Site

__all__ = ["add_pages", "error_page"]

_ASKING = ("q", "section", "source", "author", "since", "until")
_RELATED = 5
_LONGEST_ECHO = 300


def add_pages(target: Blueprint, site: Site) -> None:
    """Put the search page, the article page and the OpenSearch description of a site on a blueprint."""

    related = min(_RELATED, site.settings.max_k)

    def search() -> Response:
        params = _asked(site.settings)
        if params is None:
            return _render(site, "start.html", status=status_to_json(site.ask(lambda engine: engine.status())))
        results = site.ask(lambda engine: engine.answer(params.q, params))
        last = min(results.pages, site.settings.max_page)
        return _render(site, "results.html", params=params, results=results, last=last)

    def article(article_id: str) -> Response:
        params = _asked(site.settings)
        named = request.args.get("start", type=int), request.args.get("end", type=int)

        def read(engine: Engine) -> tuple[Article, tuple[int, int] | None, tuple[Hit, ...]]:
            found = find_by_id(article_id, engine.article)
            return found, _matched(engine, found, params, named), engine.related(found.id, k=related)

        found, passage, nearest = site.ask(read)
        return _render(
            site,
            "article.html",
            article=found,
            params=params,
            paragraphs=view.paragraphs(found.text, passage),
            has_match=passage is not None,
            related=nearest,
        )

    def opensearch() -> Response:
        response = _render(site, "opensearch.xml")
        response.mimetype = "application/opensearchdescription+xml"
        return response

    use_article_ids(target)
    get_only(target, "/", search, "search")
    get_only(target, "/article/<article_id:article_id>", article, "article")
    get_only(target, "/opensearch.xml", opensearch, "opensearch")


def error_page(site: Site, error: ConcordError | HTTPException) -> Response:
    """A page with one sentence on what went wrong; the query stays in the search box."""
    failure = Failure.of(error)
    response = _render(site, "error.html", code=failure.status, failure=failure)
    response.headers.extend(failure.headers)
    return response


def _asked(settings: WebSettings) -> SearchParams | None:
    """The search in the address, or None where there is neither a query nor a filter.

    Parameters that are not ours are passed over: links in newsletters come with some.
    """
    if not any(value.strip() for name in _ASKING for value in request.args.getlist(name)):
        return None
    given = MultiDict(request.args)
    given.setdefault("q", "")
    return read_search(settings, given, only=search_model(settings).model_fields)


def _matched(
    engine: Engine, article: Article, params: SearchParams | None, named: tuple[int | None, int | None]
) -> tuple[int, int] | None:
    """The passage to mark: the one that the link names, else the one that the query finds in this article.

    Links carry the offsets because a hit on page 7 cannot be found again cheaply. Offsets outside the text (the
    article was edited since, or someone typed them) fall back to the query.
    """
    start, end = named
    if start is not None and end is not None and 0 <= start < end <= len(article.text):
        return start, end
    if params is None or not params.q.strip():
        return None
    # Reranking would not change the passage, and a folded copy would be no hit.
    first_hundred = replace(params, page=1, k=100, rerank=NO_RERANKER, fold=False)
    for hit in engine.answer(params.q, first_hundred):
        if hit.article.id == article.id:
            return hit.passage
    return None


def _render(site: Site, template: str, *, code: int = 200, **context: Any) -> Response:
    # Outside the blueprint (an unknown address of our own app) its name is the one it has in create_app.
    mount = request.blueprint or "concord"

    def link(endpoint: str, **values: Any) -> str:
        return url_for(f"{mount}.{endpoint}", **{name: _sendable(name, value) for name, value in values.items()})

    query = request.args.get("q", "")
    html = render_template(
        f"concord/{template}",
        site=site.settings,
        link=link,
        view=view,
        typed=query if len(query) <= _LONGEST_ECHO else "",
        **context,
    )
    return Response(showable(html), status=code, mimetype="text/html")


def _sendable(name: str, value: Any) -> Any:
    """A value that a link can carry: half a surrogate pair has no UTF-8. Ids have a way of their own through paths."""
    if isinstance(value, str) and name != "article_id":
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list | tuple):
        return [_sendable(name, one) for one in value]
    return value
