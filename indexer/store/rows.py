"""How articles lie in the columns of their rows, and rows in the groups that one statement takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from indexer.article import Article

__all__ = ["SHOWN_COLUMNS", "article_from_columns", "batches", "shown_columns"]

SHOWN_COLUMNS = ("id", "title", "text", "url", "source", "section", "author", "date")
"""What is searched or shown of an article, in the order of its digest."""
_BATCH = 500


def shown_columns(article: Article) -> tuple[str | None, ...]:
    """The values of SHOWN_COLUMNS."""
    return (
        article.id,
        article.title,
        article.text,
        article.url,
        article.source,
        article.section,
        article.author,
        article.date.astimezone(UTC).isoformat() if article.date else None,
    )


def article_from_columns(shown: Sequence[str | None], origin: str | None) -> Article:
    """The article with these values of SHOWN_COLUMNS."""
    article_id, title, text, url, source, section, author, date = shown
    return Article(
        id=article_id or "",
        title=title or "",
        text=text or "",
        url=url,
        source=source,
        section=section,
        author=author,
        date=datetime.fromisoformat(date) if date else None,
        origin=origin or "",
    )


def batches(rows: Iterable[int]) -> Iterator[list[int]]:
    """Row numbers in groups that one statement takes."""
    batch: list[int] = []
    for row in rows:
        batch.append(int(row))
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
