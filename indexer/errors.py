"""The one family of errors that Concord raises on purpose.

Every message is a sentence for the person who has to act on it: what was seen, what was allowed, and the way out.
"""

from __future__ import annotations

__all__ = [
    "ConcordError",
    "EncoderError",
    "IndexDamaged",
    "IndexLocked",
    "IndexMismatch",
    "IndexNotFound",
    "MissingExtra",
    "NoArticles",
    "NotFound",
    "RerankerError",
    "SourceError",
    "UsageError",
]


class ConcordError(Exception):
    """Base of all expected failures.

    `status` is the HTTP status that the web API answers with, `exit_code` the one of the command line, and `slug` the
    stable last part of the problem's `type` URI.
    """

    status = 500
    exit_code = 1
    slug = "error"


class UsageError(ConcordError):
    """What was asked for is outside the limits: a page of 0, an unknown mode, a date that is none."""

    status = 400
    exit_code = 2
    slug = "bad-request"


class NotFound(ConcordError):
    """No article has this id."""

    status = 404
    slug = "not-found"


class SourceError(ConcordError):
    """One source, or one record in it, could not be read; the run goes on without it."""

    status = 422
    slug = "unreadable-source"


class NoArticles(ConcordError):
    """The sources named hold no article at all."""

    status = 422
    slug = "no-articles"


class IndexNotFound(ConcordError):
    """The folder holds no index."""

    status = 503
    slug = "index-not-found"

    @classmethod
    def at(cls, index_dir: object) -> IndexNotFound:
        """The error for a folder, with the command that makes an index there."""
        return cls(
            f"There is no index in '{index_dir}': make one with 'concord index SOURCE... --index-dir {index_dir}'."
        )


class IndexLocked(ConcordError):
    """Another process is writing to this index."""

    status = 503
    slug = "index-locked"


class IndexMismatch(ConcordError):
    """The index has another format version, encoder or passage size than the one asked for."""

    status = 503
    slug = "index-mismatch"


class IndexDamaged(ConcordError):
    """A file of the index is missing or not what the manifest says."""

    status = 503
    slug = "index-damaged"

    @classmethod
    def no_store(cls, index_dir: object) -> IndexDamaged:
        """The error for an index whose articles are gone; nothing can be made new without them."""
        return cls(
            f"The index '{index_dir}' has lost its store, the file with the articles: put a backup in its place "
            "with 'concord restore', or index the articles into a new folder."
        )

    @classmethod
    def damaged_row(cls, index_dir: object, what: str, doc: int, article_id: object) -> IndexDamaged:
        """The error for rows of the store that are not as they were stored."""
        return cls(
            f"The store of the index '{index_dir}' is damaged: {what} of '{str(article_id)[:80]}' (row {doc}) changed "
            "since it was stored. Put a backup in its place with 'concord restore', or let damaged articles go with "
            "'concord rebuild --drop-damaged' and index their sources again."
        )

    @classmethod
    def lost_articles(cls, index_dir: object, articles: int, generation: int) -> IndexDamaged:
        """The error for a store whose article rows are not those that were committed."""
        return cls(
            f"The store of the index '{index_dir}' is damaged: it no longer holds just the {articles:,} articles of "
            f"generation {generation}. Put a backup in its place with 'concord restore', or keep to what is there with "
            "'concord rebuild --drop-damaged' and index the sources again."
        )

    @classmethod
    def other_store(cls, index_dir: object, generation: int) -> IndexDamaged:
        """The error for a store that does not know the generation that answers."""
        return cls(
            f"The store of the index '{index_dir}' is not the one that generation {generation} was made from: put that "
            "one back, or run 'concord rebuild' to keep to the one that is there."
        )

    @classmethod
    def broken_store(cls, index_dir: object, reason: object) -> IndexDamaged:
        """The error for a store that SQLite cannot read; its own reason may quote a whole article, in many lines."""
        short = " ".join(str(reason).split())[:200]
        return cls(
            f"The store of the index '{index_dir}' cannot be read ({short}): put a backup in its place with "
            "'concord restore', or index the articles into a new folder."
        )


class EncoderError(ConcordError):
    """The encoder cannot be loaded, or does not do what an index needs."""

    status = 503
    slug = "encoder"


class RerankerError(ConcordError):
    """The reranker cannot be loaded, or is none."""

    status = 503
    slug = "reranker"


class MissingExtra(ConcordError):
    """An optional dependency is not installed; the message has the install line."""

    status = 503
    slug = "missing-extra"
