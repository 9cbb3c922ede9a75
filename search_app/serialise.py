"""What commands and the HTTP API answer besides results, as plain JSON values (see `search_app.json_values`).

The OpenAPI document describes the same types.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from indexer.article import Article
from search_app.json_values import dumps, to_json
from search_app.results import ArticleInfo, Hit

__all__ = [
    "ArticleDocument",
    "RelatedArticles",
    "article_to_json",
    "backup_report_to_json",
    "build_report_to_json",
    "check_report_to_json",
    "dumps",
    "related_to_json",
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


def article_to_json(article: Article) -> dict[str, Any]:
    """An article as JSON values, with the fields of `ArticleDocument`."""
    return to_json(ArticleDocument(**{field.name: getattr(article, field.name) for field in fields(ArticleDocument)}))


def related_to_json(article_id: str, hits: Iterable[Hit]) -> dict[str, Any]:
    """Related articles as JSON values, with the fields of `RelatedArticles`."""
    return to_json(RelatedArticles(article_id, tuple(hits)))


def status_to_json(status: Any) -> dict[str, Any]:
    """The state of an index (a dataclass, `SearchEngine.status()`) as JSON values."""
    return to_json(status)


def backup_report_to_json(report: Any) -> dict[str, Any]:
    """What was backed up or put back (`indexer.generations.backup.BackupReport`) as JSON values."""
    return to_json(report)


def build_report_to_json(report: Any) -> dict[str, Any]:
    """What a run of the indexer did (`indexer.build.BuildReport`) as JSON values."""
    return to_json(report)


def check_report_to_json(report: Any) -> dict[str, Any]:
    """What a check of an index found (`indexer.generations.checking.CheckReport`) as JSON values."""
    return to_json(report)
