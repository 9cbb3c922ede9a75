"""Answers as plain JSON values: the one place that decides how results, articles and a status look outside Python.

The command line's `--json` and the HTTP API both call these functions, so both print the same fields. Dates are
ISO 8601 strings, what is absent is null, tuples are lists. The OpenAPI document describes the same types.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any

from indexer.article import Article
from search_app.results import ArticleInfo, Hit, Results

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = [
    "ArticleDocument",
    "RelatedArticles",
    "article_to_json",
    "backup_report_to_json",
    "build_report_to_json",
    "check_report_to_json",
    "dumps",
    "related_to_json",
    "results_to_json",
    "status_to_json",
]


@dataclass(frozen=True, slots=True)
class ArticleDocument(ArticleInfo):
    """An article with its whole text; paragraphs are separated by one blank line.

    `Article.origin` stays out: it is a path on the machine that holds the archive, and no reader's business.
    """

    text: str


@dataclass(frozen=True, slots=True)
class RelatedArticles:
    """The articles nearest to one article, nearest first."""

    id: str
    hits: tuple[Hit, ...]


def results_to_json(results: Results) -> dict[str, Any]:
    """The answer to a query as JSON values, with the fields of `Results` in their order."""
    return _to_json(results)


def article_to_json(article: Article) -> dict[str, Any]:
    """An article as JSON values, with the fields of `ArticleDocument`."""
    return _to_json(ArticleDocument(**{field.name: getattr(article, field.name) for field in fields(ArticleDocument)}))


def related_to_json(article_id: str, hits: Iterable[Hit]) -> dict[str, Any]:
    """Related articles as JSON values, with the fields of `RelatedArticles`."""
    return _to_json(RelatedArticles(article_id, tuple(hits)))


def status_to_json(status: Any) -> dict[str, Any]:
    """The state of an index (a dataclass, `SearchEngine.status()`) as JSON values."""
    return _to_json(status)


def backup_report_to_json(report: Any) -> dict[str, Any]:
    """What was backed up or put back (`indexer.generations.backup.BackupReport`) as JSON values."""
    return _to_json(report)


def build_report_to_json(report: Any) -> dict[str, Any]:
    """What a run of the indexer did (`indexer.build.BuildReport`) as JSON values."""
    return _to_json(report)


def check_report_to_json(report: Any) -> dict[str, Any]:
    """What a check of an index found (`indexer.generations.checking.CheckReport`) as JSON values."""
    return _to_json(report)


def dumps(payload: dict[str, Any], *, indent: int | None = None) -> str:
    """JSON text that every parser reads: ASCII only, so that a lone surrogate in an article cannot break a stream.

    Raises ValueError for infinities and NaN, which JSON does not have.
    """
    return json.dumps(payload, allow_nan=False, indent=indent)


def _to_json(value: object) -> dict[str, Any]:
    kind: Any = type(value)
    dumped: dict[str, Any] = _adapter(kind).dump_python(value, mode="json")
    return dumped


@cache
def _adapter(kind: type[object]) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter  # a tenth of a second that a search printed as a table need not pay

    return TypeAdapter(kind)
