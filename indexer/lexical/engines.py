"""The lexical engines by name; one that is not installed says how to get it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from indexer.catalogue import Catalogue
from indexer.errors import UsageError
from indexer.lexical.protocol import Bm25, LexicalIndex, LexicalUpdate

__all__ = [
    "DEFAULT_LEXICAL",
    "LEXICAL_ENGINES",
    "can_join",
    "check_engine",
    "join_lexical",
    "open_lexical",
    "update_lexical",
]

LEXICAL_ENGINES = ("whoosh", "tantivy")
DEFAULT_LEXICAL = "whoosh"


def check_engine(name: str) -> None:
    """Raises UsageError when there is no such engine, or its package is not installed."""
    if name not in LEXICAL_ENGINES:
        raise UsageError(f"'{name[:40]}' is no lexical engine: choose one of {', '.join(LEXICAL_ENGINES)}.")
    if name == "tantivy" and find_spec("tantivy") is None:
        raise UsageError(
            "The lexical engine 'tantivy' is not installed: run 'pip install tantivy', or 'concord rebuild "
            "--lexical whoosh' to give an index the engine that is always there."
        )


def open_lexical(name: str, folder: Path, catalogue: Catalogue, bm25: Bm25 | None = None) -> LexicalIndex:
    """Open the lexical index in `folder`. Raises UsageError or IndexDamaged."""
    check_engine(name)
    if name == "tantivy":
        from indexer.lexical.tantivy_index import TantivyIndex

        return TantivyIndex(folder, catalogue, bm25)
    from indexer.lexical.whoosh_index import WhooshIndex

    return WhooshIndex(folder, catalogue, bm25)


def update_lexical(engine: str, update: LexicalUpdate) -> None:
    """Write the lexical index that an update asks for. Raises UsageError."""
    check_engine(engine)
    if engine == "tantivy":
        from indexer.lexical.tantivy_index import update_tantivy as write
    else:
        from indexer.lexical.whoosh_index import update_whoosh as write
    write(update)


def can_join(engine: str) -> bool:
    """Whether `join_lexical` can put together what several processes wrote for `engine`."""
    return engine == "whoosh"


def join_lexical(update: LexicalUpdate, parts: Sequence[Path]) -> None:
    """Write what `update_lexical` would for Whoosh, with the lexical indexes in the folders `parts` as what is added.

    Their files are moved, so they are no indexes any more afterwards.
    """
    from indexer.lexical.whoosh_index import join_whoosh

    join_whoosh(update, parts)
