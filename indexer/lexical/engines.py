"""The lexical index for those who do not know what it is made of; Whoosh is imported when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from indexer.catalogue import Catalogue
from indexer.lexical.protocol import Bm25, LexicalIndex, LexicalUpdate

__all__ = ["join_lexical", "open_lexical", "update_lexical"]


def open_lexical(folder: Path, catalogue: Catalogue, bm25: Bm25 | None = None) -> LexicalIndex:
    """Open the lexical index in `folder`. Raises IndexDamaged."""
    from indexer.lexical.whoosh_index import WhooshIndex

    return WhooshIndex(folder, catalogue, bm25)


def update_lexical(update: LexicalUpdate) -> None:
    """Write the lexical index that an update asks for."""
    from indexer.lexical.whoosh_index import update_whoosh

    update_whoosh(update)


def join_lexical(update: LexicalUpdate, parts: Sequence[Path]) -> None:
    """Write what `update_lexical` would, with the lexical indexes in the folders `parts` as what is added.

    Their files are moved, so they are no indexes any more afterwards.
    """
    from indexer.lexical.whoosh_index import join_whoosh

    join_whoosh(update, parts)
