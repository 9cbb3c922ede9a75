"""The build: sources in, one new generation out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from indexer.article import Article, Passage, content_hash
from indexer.encoders.for_passages import PassageEncoder, prepare_encoder
from indexer.encoders.queue import AHEAD, EncodingQueue
from indexer.encoders.recipe import Chunking, Recipe
from indexer.encoders.spec import DEFAULT_ENCODER, named_by_index
from indexer.errors import IndexDamaged, IndexMismatch, NoArticles
from indexer.generations.commit import clear_away, commit_generation
from indexer.generations.manifest import Manifest, current_generation, read_current
from indexer.origins import Roots, by_origin, file_of, is_empty
from indexer.readers import ReadProgress, Skipped, read_sources
from indexer.store.database import STORE_FILE, Known, Store
from indexer.system.files import writing
from indexer.system.lock import writer_lock
from indexer.text.chunking import OVERLAP_TOKENS, PASSAGE_TOKENS, cut, fit_title, passage_input
from indexer.text.token_counts import CountTokens, TokenCounter

__all__ = ["BuildOptions", "BuildProgress", "BuildReport", "build_index"]

_BATCH_PASSAGES = 512


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What a run may be told. None means: as the index is, or the default for a new one.

    `window` and `overlap` are word pieces of the encoder. `prune` removes articles that came from the sources named and
    are no longer there.
    """

    encoder: str | None = None
    window: int | None = None
    overlap: int | None = None
    prune: bool = False


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """Where a run is: `stage` is 'encoder', 'reading', 'vectors', 'lexical', 'duplicates' or 'done'; bytes are of the
    sources."""

    stage: str
    bytes_read: int = 0
    bytes_total: int = 0
    articles: int = 0
    passages: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class BuildReport:
    """What a run did. Counts are articles unless they say otherwise; `seconds` is wall time."""

    generation: int
    added: int
    updated: int
    unchanged: int
    removed: int
    skipped: tuple[Skipped, ...]
    articles: int
    passages: int
    passages_encoded: int
    encoding_precision: str
    seconds: float

    def __repr__(self) -> str:
        return (
            f"<BuildReport of generation {self.generation}, {self.articles:,} articles: {self.added:,} added, "
            f"{self.updated:,} updated, {self.unchanged:,} unchanged, {self.removed:,} removed, "
            f"{len(self.skipped):,} skipped; {self.seconds:.1f} s>"
        )


def build_index(
    sources: Sequence[str | Path],
    index_dir: str | Path = "index_data",
    options: BuildOptions | None = None,
    progress: Callable[[BuildProgress], None] | None = None,
) -> BuildReport:
    """Bring the index in `index_dir` up to date with `sources` and let the new generation answer.

    Only new and changed articles are encoded. Raises NoArticles when the sources hold none and the index is empty,
    IndexLocked, IndexMismatch, IndexDamaged or EncoderError; in each case the old generation goes on answering.
    """
    started = time.perf_counter()
    folder = Path(index_dir)
    tell = progress or (lambda _: None)
    with writing(folder), writer_lock(folder):
        generation = current_generation(folder)
        manifest = read_current(folder) if generation else None
        options = _settle(options or BuildOptions(), manifest, folder)
        tell(BuildProgress("encoder"))
        name = manifest.store if manifest else STORE_FILE
        if manifest is not None and not (folder / name).is_file():
            raise IndexDamaged.no_store(folder)
        store = Store(folder, writable=True, name=name)
        try:
            with store.transaction():
                store.forget_after(generation)
                # What has never answered belongs to this run: left in a later generation, no run would commit it.
                store.postpone(generation, generation)
            run = _Run(folder, store, generation + 1, manifest, options, tell)
            run.take(sources)
            return run.finish(started)
        finally:
            store.close()


def _settle(options: BuildOptions, manifest: Manifest | None, folder: Path) -> BuildOptions:
    """Fill in what was not asked for; refuse what does not fit the index."""
    if manifest is None:
        return replace(
            options,
            encoder=options.encoder or DEFAULT_ENCODER,
            window=options.window or PASSAGE_TOKENS,
            overlap=OVERLAP_TOKENS if options.overlap is None else options.overlap,
        )
    manifest.check_lexical()
    chunking = manifest.chunking
    for name, asked, found in (
        ("window", options.window, chunking.window),
        ("overlap", options.overlap, chunking.overlap),
    ):
        if asked is not None and asked != found:
            raise IndexMismatch(
                f"The index '{folder}' has passages with {name} {found}, not {asked}: make a new index with "
                f"'--index-dir NEW --{name} {asked}', or leave '--{name}' away."
            )
    return replace(
        options,
        encoder=options.encoder or named_by_index(manifest.encoder.name, folder),
        window=chunking.window,
        overlap=chunking.overlap,
    )


@dataclass(frozen=True, slots=True)
class _Batch:
    """Articles with their passages, to be stored in one transaction, and the store rows that go when they come."""

    articles: tuple[tuple[Article, tuple[Passage, ...]], ...]
    replaced: tuple[int, ...]


class _Run:
    """One run of the indexer, from the first source to the switch."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        target: int,
        manifest: Manifest | None,
        options: BuildOptions,
        tell: Callable[[BuildProgress], None],
    ) -> None:
        self._folder = folder
        self._store = store
        self._target = target
        self._manifest = manifest
        self._options = options
        self._tell = tell
        self._encoder: PassageEncoder | None = None
        self._count_tokens: CountTokens
        self._queue: EncodingQueue[_Batch] | None = None
        self._recipe_of_run: Recipe | None = None
        self._query_encoder = manifest.query_encoder if manifest else "onnx"
        self._before = store.hashes(target - 1)
        self._known = store.known()
        self._by_origin = by_origin(self._known)
        self._seen: dict[str, str] = {}
        self._replaced: list[int] = []
        self._moved: list[tuple[int, str]] = []
        self._successors: set[str] = set()
        self._gone: list[str] = []
        self._waiting: list[tuple[Article, tuple[Passage, ...]]] = []
        self._skipped: list[Skipped] = []
        self._unread: set[str] = set()
        self._encoded = 0
        self._bytes = ReadProgress(0, 0)

    def take(self, sources: Sequence[str | Path]) -> None:
        """Read all sources; store what is new or changed."""
        if self._manifest is not None or self._known:
            # Says before any reading that the encoder does not fit; a new index without articles needs none.
            self._load_encoder()
        try:
            for item in read_sources(sources, on_progress=self._note_bytes):
                if isinstance(item, Skipped):
                    self._skipped.append(item)
                    self._unread.add(item.origin)
                else:
                    self._take_article(item)
            self._flush()
        finally:
            self._let_encoder_go()
        self._supersede()
        if self._options.prune:
            self._prune(sources)

    def finish(self, started: float) -> BuildReport:
        """Make the new generation answer, if there is anything new."""
        manifest = self._manifest
        if self._store.has_changes(self._target):
            manifest = self._commit()
        elif manifest is not None:
            clear_away(self._folder, self._store, manifest.generation)
        if manifest is None:
            raise NoArticles(
                f"The sources hold no article ({len(self._skipped)} files or records were skipped"
                f"{_first_reason(self._skipped)}): name files or folders with .html, .txt, .md, .json, .jsonl or .csv."
            )
        self._tell(self._progress("done"))
        # Counted against the generation before, so what an interrupted run has encoded is new here all the same.
        new = sum(article_id not in self._before for article_id in self._seen)
        unchanged = sum(self._before.get(article_id) == digest for article_id, digest in self._seen.items())
        gone = sum(article_id in self._before for article_id in self._gone)
        return BuildReport(
            generation=manifest.generation,
            added=new - len(self._successors),
            updated=len(self._seen) - new - unchanged + len(self._successors),
            unchanged=unchanged,
            removed=gone - len(self._successors),
            skipped=tuple(self._skipped),
            articles=manifest.articles,
            passages=manifest.passages,
            passages_encoded=self._encoded,
            encoding_precision=manifest.encoding_precision,
            seconds=time.perf_counter() - started,
        )

    def _commit(self) -> Manifest:
        recipe = self._recipe_of_run or self._recipe(self._load_encoder())
        if self._manifest is not None and not self._encoded:
            recipe = replace(recipe, encoding_precision=self._manifest.encoding_precision)
        return commit_generation(
            self._folder,
            self._store,
            self._target,
            self._manifest,
            recipe,
            tell=lambda stage: self._tell(self._progress(stage)),
        )

    def _take_article(self, article: Article) -> None:
        digest = content_hash(article)
        if self._seen.get(article.id) == digest:
            self._skipped.append(Skipped(article.origin, f"a second copy of the article '{article.id}'"))
            return
        if article.id in self._seen:
            # The later version of an id within one run wins; the earlier one may still be waiting.
            self._flush()
        self._seen[article.id] = digest
        known = self._known.get(article.id)
        if known is not None and known.hash == digest:
            if known.origin != article.origin:
                self._moved.append((known.doc, article.origin))
                self._known[article.id] = replace(known, origin=article.origin)
            return
        if known is not None:
            self._replaced.append(known.doc)
        self._waiting.append((article, self._cut(article)))
        if sum(len(passages) for _, passages in self._waiting) >= _BATCH_PASSAGES:
            self._encode()

    def _cut(self, article: Article) -> tuple[Passage, ...]:
        spec = self._load_encoder().spec
        (prefix,) = self._count_tokens([spec.passage_prefix])
        return cut(
            article,
            count_tokens=self._count_tokens,
            window=spec.window,
            limit=self._options.window or PASSAGE_TOKENS,
            overlap=self._options.overlap or 0,
            special_tokens=spec.special_tokens + prefix,
        )

    def _limit(self) -> int:
        return min(self._options.window or PASSAGE_TOKENS, self._load_encoder().spec.window)

    def _encode(self) -> None:
        """Have what is waiting encoded in the background, and store what has been."""
        encoder = self._load_encoder()
        texts = []
        for article, passages in self._waiting:
            title = fit_title(article.title, count_tokens=self._count_tokens, window=self._limit())
            texts += [passage_input(title, article.text[passage.start : passage.end]) for passage in passages]
        if self._queue is None:
            self._queue = EncodingQueue(encoder.encode_passages, encoder.close)
        self._queue.put(_Batch(tuple(self._waiting), tuple(self._replaced)), texts)
        self._waiting, self._replaced = [], []
        self._store_encoded(keep=AHEAD)

    def _flush(self) -> None:
        """Encode and store all that is waiting."""
        if self._waiting:
            self._encode()
        self._store_encoded(keep=0)

    def _store_encoded(self, *, keep: int) -> None:
        """Store batches, each in one transaction, until at most `keep` are being encoded: a crash costs no more."""
        for batch, vectors in self._queue.done(keep=keep) if self._queue else ():
            position = 0
            with self._store.transaction():
                self._store.remove(batch.replaced, self._target)
                for article, passages in batch.articles:
                    block = vectors[position : position + len(passages)]
                    position += len(passages)
                    doc = self._store.add(article, passages, block, self._target)
                    self._known[article.id] = Known(doc, content_hash(article), article.origin)
            self._encoded += len(vectors)
            self._tell(self._progress("reading"))

    def _let_encoder_go(self) -> None:
        """End its threads, and free its memory for what is derived next."""
        if self._encoder is not None:
            self._recipe_of_run = self._recipe(self._encoder)
            (self._queue or self._encoder).close()
            del self._count_tokens  # it holds the encoder
        self._encoder = self._queue = None

    def _supersede(self) -> None:
        """An article without an id of its own gets another id when it is edited: let its old self go.

        That is: one read from the very place where this run read another article, and not seen anywhere itself.
        """
        for article_id in self._seen:
            if article_id in self._before:
                continue
            for old_id in self._by_origin.get(self._known[article_id].origin, ()):
                if old_id not in self._seen and old_id in self._known:
                    self._let_go(old_id)
                    if old_id in self._before:
                        self._successors.add(article_id)
        with self._store.transaction():
            self._store.move(self._moved)
            self._store.remove(self._replaced, self._target)
        self._replaced = []

    def _prune(self, sources: Sequence[str | Path]) -> None:
        """Let go what came from the sources and was not seen, except where something could not be read this time.

        Nothing goes that came from an empty folder: a disk that is not mounted looks like one.
        """
        empty = [source for source in sources if is_empty(source)]
        roots = Roots([source for source in sources if source not in empty])
        for source in empty:
            covered = Roots([source])
            if kept := sum(file_of(known.origin) in covered for known in self._known.values()):
                reason = f"it is empty, so the {kept:,} articles from it are kept: name the folder above to remove them"
                self._skipped.append(Skipped(str(source), reason))
        for article_id, known in list(self._known.items()):
            file = file_of(known.origin)
            if article_id not in self._seen and self._unread.isdisjoint((known.origin, file)) and file in roots:
                self._let_go(article_id)
        with self._store.transaction():
            self._store.remove(self._replaced, self._target)

    def _let_go(self, article_id: str) -> None:
        self._gone.append(article_id)
        self._replaced.append(self._known.pop(article_id).doc)

    def _load_encoder(self) -> PassageEncoder:
        if self._encoder is None:
            name = self._options.encoder or DEFAULT_ENCODER
            recipe = self._manifest.recipe if self._manifest else None
            self._encoder, self._query_encoder = prepare_encoder(self._folder, recipe, name)
            self._count_tokens = TokenCounter(self._encoder.count_tokens)
            if recipe is None:
                self._start_afresh(self._recipe(self._encoder))
        return self._encoder

    def _start_afresh(self, recipe: Recipe) -> None:
        """Note how passages and vectors are made before the first one is stored.

        What an interrupted first run has stored with another encoder or passage size has never answered: drop it.
        """
        noted = self._store.recipe()
        with self._store.transaction():
            if noted is not None and not Recipe.from_json(noted).fits(recipe):
                self._store.clear()
                self._known.clear()
                self._by_origin.clear()
            self._store.note_recipe(recipe.to_json())

    def _recipe(self, encoder: PassageEncoder) -> Recipe:
        chunking = Chunking(self._options.window or PASSAGE_TOKENS, self._options.overlap or 0)
        return Recipe(encoder.spec, self._query_encoder, encoder.precision, chunking)

    def _note_bytes(self, progress: ReadProgress) -> None:
        self._bytes = progress
        self._tell(self._progress("reading"))

    def _progress(self, stage: str) -> BuildProgress:
        return BuildProgress(stage, self._bytes.done, self._bytes.total, len(self._seen), self._encoded)


def _first_reason(skipped: Sequence[Skipped]) -> str:
    return f", the first one '{skipped[0].origin}': {skipped[0].reason}" if skipped else ""
