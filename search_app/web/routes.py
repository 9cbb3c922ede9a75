"""Routing that the pages and the API share: ids of any kind in a path, and a proper 405 inside a blueprint."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote, unquote

from flask import Blueprint, Response
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import PathConverter

from indexer.errors import NotFound

__all__ = ["find_by_id", "get_only", "id_from_path", "id_to_path", "use_article_ids"]

T = TypeVar("T")

_READABLE = re.compile(r"(?!.*(?:^|/)\.{0,2}(?:/|$))(?!.*/related$)[^%\x00-\x1f\x7f\ud800-\udfff]+")
_METHODS = ["GET", "HEAD", "OPTIONS"]
_OTHER_METHODS = ["POST", "PUT", "PATCH", "DELETE"]


def id_to_path(article_id: str) -> str:
    """The part of a path that stands for an article id, percent-encoded.

    Most ids are encoded once and stay readable, slashes included. An id that would not survive the way (`..` and empty
    segments are folded by browsers and routers, `%2F` is decoded before routing, half a surrogate pair has no UTF-8) is
    encoded twice, as one segment.
    """
    if _READABLE.fullmatch(article_id):
        return quote(article_id, safe="/")
    return quote(quote(article_id, safe="", errors="surrogatepass").replace(".", "%2E"), safe="")


def id_from_path(path: str) -> str:
    """The article id that `id_to_path` wrote, after the server has decoded the path once."""
    try:
        return unquote(path, errors="surrogatepass")
    except UnicodeDecodeError:  # no link of ours
        return unquote(path)


def find_by_id(path: str, look_up: Callable[[str], T]) -> T:
    """What `look_up` has for the id in a path: as our own links write it, else as it stands (a client's id with a %).

    Raises NotFound.
    """
    article_id = id_from_path(path)
    try:
        return look_up(article_id)
    except NotFound:
        if article_id == path:
            raise
        return look_up(path)


class _ArticleIdConverter(PathConverter):
    def to_url(self, value: Any) -> str:
        return id_to_path(str(value))


def use_article_ids(target: Blueprint) -> None:
    """Make `<article_id:...>` known to the app that the blueprint is mounted on; call it before adding rules."""

    def register(state: BlueprintSetupState) -> None:
        state.app.url_map.converters.setdefault("article_id", _ArticleIdConverter)

    target.record(register)


def get_only(target: Blueprint, rule: str, view: Callable[..., ResponseReturnValue], endpoint: str) -> None:
    """Serve `rule` with GET and HEAD, say so when asked for OPTIONS, and answer other methods with the blueprint's own
    405.

    Werkzeug refuses a method before it knows the blueprint, so the error handlers of a blueprint that is mounted in
    another app would never see it; and its own answer to OPTIONS would count the refused methods among the allowed.
    """
    target.add_url_rule(rule, endpoint, view, methods=["GET"], provide_automatic_options=False)
    target.add_url_rule(rule, f"{endpoint}_options", _options, methods=["OPTIONS"], provide_automatic_options=False)
    target.add_url_rule(rule, f"{endpoint}_refused", _refuse, methods=_OTHER_METHODS, provide_automatic_options=False)


def _options(**_: str) -> Response:
    return Response(status=204, headers={"Allow": ", ".join(_METHODS)})


def _refuse(**_: str) -> NoReturn:
    raise MethodNotAllowed(valid_methods=_METHODS)
