"""The way of an article into the store: cut into passages, encoded in the background, stored in transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.article import Article, Passage
from indexer.encoders.for_passages import PassageEncoder, prepare_encoder
from indexer.encoders.queue import AHEAD, EncodingQueue
from indexer.encoders.recipe import Chunking, Recipe
from indexer.store.database import Store
from indexer.text.chunking import cut, fit_title, passage_input
from indexer.text.token_counts import TokenCounter

__all__ = ["BATCH_PASSAGES", "PassagePipeline"]

BATCH_PASSAGES = 512
"""Passages that are encoded together and stored in one transaction."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """An article with its passages, and the store row that goes when it comes."""

    article: Article
    passages: tuple[Passage, ...]
    replaces: int | None


class PassagePipeline:
    """Articles in, rows of the store out; what is put in is stored in that order.

    `made_with` is the recipe that the index keeps to, None for a new one. The encoder named `encoder` is loaded when it
    is first needed. `on_stored` is called behind every transaction, with its articles and their rows.
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        target: int,
        *,
        made_with: Recipe | None,
        encoder: str,
        chunking: Chunking,
        on_stored: Callable[[Sequence[tuple[Article, int]]], None],
    ) -> None:
        self._folder = folder
        self._store = store
        self._target = target
        self._made_with = made_with
        self._name = encoder
        self._chunking = chunking
        self._on_stored = on_stored
        self._encoder: PassageEncoder | None = None
        self._cutter: _Cutter | None = None
        self._query_encoder = ""
        self._queue: EncodingQueue[tuple[_Cut, ...]] | None = None
        self._waiting: list[_Cut] = []
        self._recipe: Recipe | None = None
        self.encoded = 0
        """Passages encoded and stored so far."""

    def load_encoder(self) -> None:
        """Load the encoder, if it is not. Raises IndexMismatch when it does not fit the index, and EncoderError."""
        self._load()

    def put(self, article: Article, replaces: int | None) -> None:
        """Have an article cut, encoded and stored, in the place of the row `replaces`."""
        _, cutter = self._load()
        self._waiting.append(_Cut(article, cutter.cut(article), replaces))
        if sum(len(waiting.passages) for waiting in self._waiting) >= BATCH_PASSAGES:
            self._encode()

    def flush(self) -> None:
        """Encode and store all that was put in."""
        if self._waiting:
            self._encode()
        self._store_encoded(keep=0)

    def close(self) -> None:
        """Give up what is not stored, end all threads, and free the encoder's memory for what is derived next."""
        if self._encoder is not None:
            self._recipe = self._recipe_with(self._encoder)
            (self._queue or self._encoder).close()
        self._encoder = self._cutter = self._queue = None

    def recipe(self) -> Recipe:
        """How what is in the store was made, and how precisely this run has encoded."""
        return self._recipe or self._recipe_with(self._load()[0])

    def _load(self) -> tuple[PassageEncoder, _Cutter]:
        if self._encoder is None or self._cutter is None:
            self._encoder, self._query_encoder = prepare_encoder(self._folder, self._made_with, self._name)
            self._cutter = _Cutter(self._encoder, self._chunking)
            if self._made_with is None:
                self._start_afresh(self._recipe_with(self._encoder))
        return self._encoder, self._cutter

    def _start_afresh(self, recipe: Recipe) -> None:
        """Note how passages and vectors are made before the first one is stored.

        What an interrupted first run has stored with another encoder or passage size has never answered: drop it.
        """
        noted = self._store.recipe()
        with self._store.transaction():
            if noted is not None and not Recipe.from_json(noted).fits(recipe):
                self._store.clear()
            self._store.note_recipe(recipe.to_json())

    def _recipe_with(self, encoder: PassageEncoder) -> Recipe:
        return Recipe(encoder.spec, self._query_encoder, encoder.precision, self._chunking)

    def _encode(self) -> None:
        """Have what is waiting encoded in the background, and store what has been."""
        encoder, cutter = self._load()
        texts = [text for waiting in self._waiting for text in cutter.inputs(waiting.article, waiting.passages)]
        if self._queue is None:
            self._queue = EncodingQueue(encoder.encode_passages, encoder.close)
        self._queue.put(tuple(self._waiting), texts)
        self._waiting = []
        self._store_encoded(keep=AHEAD)

    def _store_encoded(self, *, keep: int) -> None:
        """Store batches, each in one transaction, until at most `keep` are being encoded: a crash costs no more."""
        for batch, vectors in self._queue.done(keep=keep) if self._queue else ():
            rows = []
            position = 0
            with self._store.transaction():
                self._store.remove([part.replaces for part in batch if part.replaces is not None], self._target)
                for part in batch:
                    block = vectors[position : position + len(part.passages)]
                    position += len(part.passages)
                    rows.append((part.article, self._store.add(part.article, part.passages, block, self._target)))
            self.encoded += len(vectors)
            self._on_stored(rows)


class _Cutter:
    """Cuts articles into passages as an encoder can read them."""

    def __init__(self, encoder: PassageEncoder, chunking: Chunking) -> None:
        self._spec = encoder.spec
        self._chunking = chunking
        self._count_tokens = TokenCounter(encoder.count_tokens)
        (prefix,) = self._count_tokens([encoder.spec.passage_prefix])
        self._special_tokens = encoder.spec.special_tokens + prefix

    def cut(self, article: Article) -> tuple[Passage, ...]:
        """The passages of an article."""
        return cut(
            article,
            count_tokens=self._count_tokens,
            window=self._spec.window,
            limit=self._chunking.window,
            overlap=self._chunking.overlap,
            special_tokens=self._special_tokens,
        )

    def inputs(self, article: Article, passages: Sequence[Passage]) -> list[str]:
        """What the encoder is given for each passage: the title, as far as it fits, and the passage's text."""
        limit = min(self._chunking.window, self._spec.window)
        title = fit_title(article.title, count_tokens=self._count_tokens, window=limit)
        return [passage_input(title, article.text[passage.start : passage.end]) for passage in passages]
