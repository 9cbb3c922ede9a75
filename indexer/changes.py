"""What a run finds changed: the articles that it reads against those that the store holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from indexer.article import Article, content_hash
from indexer.origins import Roots, by_origin, file_of, is_empty
from indexer.readers import Skipped
from indexer.store.database import Known, Store

__all__ = ["ChangeCounts", "Changes"]


@dataclass(frozen=True, slots=True)
class ChangeCounts:
    """How many articles are new, changed, the same and gone since the generation before."""

    added: int
    updated: int
    unchanged: int
    removed: int


class Changes:
    """The changes that one run makes to generation `target`.

    What is read is told to `note`, and what has been stored of that to `stored`. When all is read and stored,
    `supersede` and `prune` let articles go that nothing took the place of.
    """

    def __init__(self, store: Store, target: int) -> None:
        self._store = store
        self._target = target
        self._before = store.hashes(target - 1)
        self._known = store.known()
        self._by_origin = by_origin(self._known)
        self._seen: dict[str, str] = {}
        self._moved: list[tuple[int, str]] = []
        self._gone: list[str] = []
        self._successors: set[str] = set()

    @property
    def seen(self) -> int:
        """How many articles this run has read."""
        return len(self._seen)

    def digest_seen(self, article_id: str) -> str | None:
        """The content hash that this run has read under an id; None if it has not met the id."""
        return self._seen.get(article_id)

    def row_of(self, article_id: str) -> int | None:
        """The store row of what is known under an id."""
        known = self._known.get(article_id)
        return known.doc if known else None

    def note(self, article: Article, digest: str) -> bool:
        """Take note of an article that was read, with its content hash; returns whether it has to be stored.

        Of an article that is as it was, only the place where it was read may have changed.
        """
        self._seen[article.id] = digest
        known = self._known.get(article.id)
        if known is None or known.hash != digest:
            return True
        if known.origin != article.origin:
            self._moved.append((known.doc, article.origin))
            self._known[article.id] = replace(known, origin=article.origin)
        return False

    def stored(self, article: Article, row: int) -> None:
        """Take note of the store row that an article now has."""
        self._known[article.id] = Known(row, content_hash(article), article.origin)

    def supersede(self) -> None:
        """An article without an id of its own gets another id when it is edited: let its old self go.

        That is: one read from the very place where this run read another article, and not seen anywhere itself.
        """
        rows = []
        for article_id in self._seen:
            if article_id in self._before:
                continue
            for old_id in self._by_origin.get(self._known[article_id].origin, ()):
                if old_id not in self._seen and old_id in self._known:
                    rows.append(self._let_go(old_id))
                    if old_id in self._before:
                        self._successors.add(article_id)
        with self._store.transaction():
            self._store.move(self._moved)
            self._store.remove(rows, self._target)

    def prune(self, sources: Sequence[str | Path], unread: Collection[str]) -> list[Skipped]:
        """Let go what came from the sources and was not seen; `unread` are the files and records that could not be read
        this time, whose articles stay.

        Nothing goes that came from an empty folder, because a disk that is not mounted looks like one; returned is what
        to say of those.
        """
        empty = [source for source in sources if is_empty(source)]
        roots = Roots([source for source in sources if source not in empty])
        kept = list(self._kept_from(empty))
        rows = []
        for article_id, known in list(self._known.items()):
            file = file_of(known.origin)
            if article_id not in self._seen and known.origin not in unread and file not in unread and file in roots:
                rows.append(self._let_go(article_id))
        with self._store.transaction():
            self._store.remove(rows, self._target)
        return kept

    def counts(self) -> ChangeCounts:
        """What has changed since the generation before, so what an interrupted run has encoded is new all the same."""
        new = sum(article_id not in self._before for article_id in self._seen)
        unchanged = sum(self._before.get(article_id) == digest for article_id, digest in self._seen.items())
        gone = sum(article_id in self._before for article_id in self._gone)
        return ChangeCounts(
            added=new - len(self._successors),
            updated=len(self._seen) - new - unchanged + len(self._successors),
            unchanged=unchanged,
            removed=gone - len(self._successors),
        )

    def _kept_from(self, empty: Sequence[str | Path]) -> Iterator[Skipped]:
        for source in empty:
            covered = Roots([source])
            if kept := sum(file_of(known.origin) in covered for known in self._known.values()):
                reason = f"it is empty, so the {kept:,} articles from it are kept: name the folder above to remove them"
                yield Skipped(str(source), reason)

    def _let_go(self, article_id: str) -> int:
        """Forget an article; returns its row."""
        self._gone.append(article_id)
        return self._known.pop(article_id).doc
