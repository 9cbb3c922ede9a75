"""The lexical index as it is written: postings with positions in Whoosh, columns of frequencies, and the word list."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from indexer.article import Article
from indexer.catalogue import Catalogue
from indexer.lexical.frequencies import FrequencyWriter, move_segments
from indexer.lexical.index import VOCABULARY
from indexer.lexical.whoosh_pool import PositionsPool
from indexer.lexical.whoosh_postings import schema
from indexer.lexical.whoosh_safety import SafeIndex
from indexer.system.files import link_or_copy
from indexer.text.analysis import Words, index_words, surfaces

__all__ = ["LexicalUpdate", "join_lexical", "update_lexical"]

_MAX_POSTINGS = 4_000_000
"""Postings of a segment as it is written; more are never sorted at once."""


@dataclass(frozen=True, slots=True)
class LexicalUpdate:
    """An order to write into `folder` the lexical index of `catalogue`: what `previous` holds, less `removed`,
    plus `added`.

    With `previous` None, `added` must be everything; it is empty where what is added comes as indexes to be joined.
    Both are pairs of store row and article, and are read once. `name` is new for every update, so that a file name
    never stands for two contents.
    """

    folder: Path
    previous: Path | None
    catalogue: Catalogue
    added: Iterable[tuple[int, Article]]
    removed: Iterable[tuple[int, Article]]
    name: str


def update_lexical(update: LexicalUpdate) -> None:
    """Write the lexical index that an update asks for. Segments are never changed once written, so those that stay are
    hard links."""
    folder = update.folder
    if update.previous is not None:
        for file in update.previous.iterdir():
            if file.is_file() and file.name != VOCABULARY and "LOCK" not in file.name:
                link_or_copy(file, folder / file.name)
        handle = SafeIndex(folder, schema())
    else:
        handle = SafeIndex.new(folder, schema())
    writer = _writer(handle)

    def deleted() -> Iterator[tuple[int, Article]]:
        for doc, article in update.removed:
            writer.delete_by_term("doc", doc)
            yield doc, article

    try:
        for doc, title, text in _write_shared(replace(update, removed=deleted())):
            if len(writer.pool) > _MAX_POSTINGS:
                writer.commit()
                writer = _writer(handle)
            writer.pool.add_positions("title", writer.docnum, title.positions)
            writer.pool.add_positions("text", writer.docnum, text.positions)
            writer.add_document(doc=doc)
        writer.commit()
    except BaseException:
        if not writer.is_closed:  # a commit that failed half-way has closed it
            writer.cancel()
        raise
    finally:
        handle.close()


def _writer(handle: SafeIndex) -> Any:
    writer = handle.safe_writer()
    writer.pool = PositionsPool(writer.temp_storage(), writer.newsegment)
    return writer


def join_lexical(update: LexicalUpdate, parts: Sequence[Path]) -> None:
    """Write the lexical index that an update asks for, with the indexes in the folders `parts` as what is added.

    Their files are moved, so they are no indexes any more afterwards.
    """
    update_lexical(update)
    SafeIndex(update.folder, schema()).take_segments(parts)
    _join_shared(update.folder, parts)


def _write_shared(update: LexicalUpdate) -> Iterator[tuple[int, Words, Words]]:
    """Write all but Whoosh's part; yields (store row, words of title, of text) of what is added.

    All of it is there when the iteration has come to its end.
    """
    vocabulary: Counter[str] = Counter()
    if update.previous is not None:
        vocabulary.update(json.loads((update.previous / VOCABULARY).read_text("utf-8")))
    for _, article in update.removed:
        vocabulary.subtract(surfaces(article.title) | surfaces(article.text))
    writer = FrequencyWriter(update.folder, update.name)
    for doc, article in update.added:
        title, text = index_words(article.title), index_words(article.text)
        writer.add(doc, title, text)
        vocabulary.update(title.surfaces | text.surfaces)
        yield doc, title, text
    writer.finish(update.previous, update.catalogue)
    _save_vocabulary(update.folder, vocabulary)


def _join_shared(folder: Path, parts: Iterable[Path]) -> None:
    """Move what `_write_shared` wrote into `parts`, indexes of other articles, to the index in `folder`."""
    vocabulary: Counter[str] = Counter(json.loads((folder / VOCABULARY).read_text("utf-8")))
    for part in parts:
        vocabulary.update(json.loads((part / VOCABULARY).read_text("utf-8")))
        move_segments(part, folder)
    _save_vocabulary(folder, vocabulary)


def _save_vocabulary(folder: Path, vocabulary: Counter[str]) -> None:
    words = {word: count for word, count in vocabulary.items() if count > 0}
    (folder / VOCABULARY).write_text(json.dumps(words, ensure_ascii=False), "utf-8")
