"""Large updates: lexical index and sketches of what is added, written by several processes at once.

Each process reads its share of the articles from the store, once, and writes an index of its own into the draft of the
generation; the indexes are then put together by moving files. A small update is over before a process has started.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen

import numpy as np

from indexer.catalogue import Catalogue
from indexer.errors import ConcordError, IndexDamaged
from indexer.generations.near_duplicates import Sketches
from indexer.lexical.writing import LexicalUpdate, update_lexical
from indexer.store.database import Store
from indexer.system.child_process import end_with_parent, running
from indexer.system.cores import usable_cores

__all__ = ["Part", "parts_of"]

LEAST_ARTICLES = 1000
"""Articles of a part: fewer are not worth the start of a process."""
_MOST = 4
"""Parts: each is a segment of its own, which every query looks into."""
_DOCS, _LEXICAL, _SKETCHES, _FAILURE = "docs.npy", "lexical", "sketches.npz", "failure.json"
_FAILURES: dict[str, type[Exception]] = {
    kind.__name__: kind for kind in (IndexDamaged, OSError, sqlite3.OperationalError, sqlite3.DatabaseError)
}
"""What a process can say of why it failed, the particular kind before the general one."""


class Part:
    """What one process makes of its share."""

    def __init__(self, folder: Path, child: Popen[bytes]) -> None:
        self._folder = folder
        self._child = child

    @property
    def lexical(self) -> Path:
        """Its lexical index."""
        return self._folder / _LEXICAL

    @property
    def sketches(self) -> Path:
        """Its sketches, see `Sketches.save`."""
        return self._folder / _SKETCHES

    def wait(self) -> None:
        """Return when all is there. Raises what went wrong: IndexDamaged, OSError, sqlite3.DatabaseError, or
        ConcordError."""
        code = self._child.wait()
        failure = self._folder / _FAILURE
        if failure.exists():
            try:
                kind, reason = json.loads(failure.read_text("utf-8"))
            except ValueError:  # there was no room even for the reason
                kind, reason = "OSError", os.strerror(errno.ENOSPC)
            raise _FAILURES[kind](reason)
        if code:
            lines = (self._folder / "errors").read_text("utf-8", "replace").splitlines() or ["it said nothing"]
            raise ConcordError(
                f"A process that derives the index failed (exit code {code}: {lines[-1].strip()[:200]}): run the "
                "command again. What was searchable before still is, and what this run has encoded is kept."
            )


@contextmanager
def parts_of(docs: Sequence[int], store: Path, folder: Path, name: str) -> Iterator[list[Part]]:
    """Have the articles at `docs` taken into lexical indexes below `folder`, while the block does something else.

    No parts where it is not worth it. `name` is that of the update.
    """
    count = min(usable_cores(), _MOST, len(docs) // LEAST_ARTICLES)
    with ExitStack() as stack:
        parts = []
        for number, share in enumerate(np.array_split(np.array(docs, np.int64), count) if count > 1 else ()):
            own = folder / str(number)
            (own / _LEXICAL).mkdir(parents=True)
            np.save(own / _DOCS, share)
            errors = stack.enter_context((own / "errors").open("w", encoding="utf-8"))
            arguments = str(store), str(own), f"{name}-{number}"
            child = stack.enter_context(running(__name__, *arguments, output=errors, errors=errors))
            parts.append(Part(own, child))
        yield parts


def _derive(store_path: Path, folder: Path, name: str) -> None:
    docs = np.load(folder / _DOCS, allow_pickle=False)
    sketches = Sketches()
    store = Store(store_path.parent, name=store_path.name)
    try:
        update = LexicalUpdate(
            folder / _LEXICAL,
            None,
            catalogue=Catalogue.build((doc, None, None, None, None) for doc in docs.tolist()),
            added=sketches.noting(store.articles(docs.tolist())),
            removed=(),
            name=name,
        )
        update_lexical(update)
    finally:
        store.close()
    sketches.save(folder / _SKETCHES)


def _main(store: str, folder: str, name: str) -> None:
    try:
        _derive(Path(store), Path(folder), name)
    except tuple(_FAILURES.values()) as error:
        kind = next(name for name, kind in _FAILURES.items() if isinstance(error, kind))
        (Path(folder) / _FAILURE).write_text(json.dumps([kind, str(error)]), "utf-8")
        raise SystemExit(1) from error


if __name__ == "__main__":
    end_with_parent()
    _main(*sys.argv[1:])
