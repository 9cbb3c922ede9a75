"""The build: sources in, one new generation out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from indexer.article import Article, content_hash
from indexer.changes import Changes
from indexer.encoders.recipe import Chunking
from indexer.encoders.spec import DEFAULT_ENCODER, named_by_index
from indexer.errors import IndexDamaged, IndexMismatch, NoArticles
from indexer.generations.commit import clear_away, commit_generation
from indexer.generations.manifest import Manifest, current_generation, read_current
from indexer.pipeline import PassagePipeline
from indexer.readers import ReadProgress, Skipped, read_sources
from indexer.store.database import STORE_FILE, Store
from indexer.system.files import writing
from indexer.system.lock import writer_lock
from indexer.text.chunking import OVERLAP_TOKENS, PASSAGE_TOKENS

__all__ = ["BuildOptions", "BuildProgress", "BuildReport", "build_index"]


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
    with writing(folder), writer_lock(folder):
        generation = current_generation(folder)
        manifest = read_current(folder) if generation else None
        settings = _settle(options or BuildOptions(), manifest, folder)
        name = manifest.store if manifest else STORE_FILE
        if manifest is not None and not (folder / name).is_file():
            raise IndexDamaged.no_store(folder)
        store = Store(folder, writable=True, name=name)
        run = _Run(folder, store, generation + 1, manifest, settings, progress or (lambda _: None))
        try:
            run.start()
            run.take(sources)
            return run.finish(started)
        finally:
            store.close()


@dataclass(frozen=True, slots=True)
class _Settings:
    """What a run keeps to."""

    encoder: str
    chunking: Chunking
    prune: bool


def _settle(options: BuildOptions, manifest: Manifest | None, folder: Path) -> _Settings:
    """Fill in what was not asked for; refuse what does not fit the index."""
    if manifest is None:
        chunking = Chunking(
            window=options.window or PASSAGE_TOKENS,
            overlap=OVERLAP_TOKENS if options.overlap is None else options.overlap,
        )
        return _Settings(options.encoder or DEFAULT_ENCODER, chunking, options.prune)
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
    encoder = options.encoder or named_by_index(manifest.encoder.name, folder)
    return _Settings(encoder, chunking, options.prune)


class _Run:
    """One run of the indexer, from the first source to the switch."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        target: int,
        manifest: Manifest | None,
        settings: _Settings,
        tell: Callable[[BuildProgress], None],
    ) -> None:
        self._folder = folder
        self._store = store
        self._target = target
        self._manifest = manifest
        self._settings = settings
        self._tell = tell
        self._pipeline = PassagePipeline(
            folder,
            store,
            target,
            made_with=manifest.recipe if manifest else None,
            encoder=settings.encoder,
            chunking=settings.chunking,
            on_stored=self._note_stored,
        )
        self._changes: Changes
        self._skipped: list[Skipped] = []
        self._bytes = ReadProgress(0, 0)

    def start(self) -> None:
        """Make what an interrupted run has stored a part of this one, and look at what is known."""
        self._tell(BuildProgress("encoder"))
        with self._store.transaction():
            self._store.forget_after(self._target - 1)
            # What has never answered belongs to this run: left in a later generation, no run would commit it.
            self._store.postpone(self._target - 1, self._target - 1)
        if self._manifest is not None or self._store.known():
            # Says before any reading that the encoder does not fit, and drops what was encoded with another one before
            # it is taken for known; a new index without articles needs none.
            self._pipeline.load_encoder()
        self._changes = Changes(self._store, self._target)

    def take(self, sources: Sequence[str | Path]) -> None:
        """Read all sources; store what is new or changed, and let go what that takes the place of."""
        unread = set()
        try:
            for item in read_sources(sources, on_progress=self._note_bytes):
                if isinstance(item, Skipped):
                    self._skipped.append(item)
                    unread.add(item.origin)
                else:
                    self._take_article(item)
            self._pipeline.flush()
        finally:
            self._pipeline.close()
        self._changes.supersede()
        if self._settings.prune:
            self._skipped += self._changes.prune(sources, unread)

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
        changed = self._changes.counts()
        return BuildReport(
            generation=manifest.generation,
            added=changed.added,
            updated=changed.updated,
            unchanged=changed.unchanged,
            removed=changed.removed,
            skipped=tuple(self._skipped),
            articles=manifest.articles,
            passages=manifest.passages,
            passages_encoded=self._pipeline.encoded,
            encoding_precision=manifest.encoding_precision,
            seconds=time.perf_counter() - started,
        )

    def _commit(self) -> Manifest:
        recipe = self._pipeline.recipe()
        if self._manifest is not None and not self._pipeline.encoded:
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
        seen = self._changes.digest_seen(article.id)
        if seen == digest:
            self._skipped.append(Skipped(article.origin, f"a second copy of the article '{article.id}'"))
            return
        if seen is not None:
            # The later version of an id within one run wins; the earlier one may still be waiting.
            self._pipeline.flush()
        if self._changes.note(article, digest):
            self._pipeline.put(article, replaces=self._changes.row_of(article.id))

    def _note_stored(self, rows: Sequence[tuple[Article, int]]) -> None:
        for article, row in rows:
            self._changes.stored(article, row)
        self._tell(self._progress("reading"))

    def _note_bytes(self, progress: ReadProgress) -> None:
        self._bytes = progress
        self._tell(self._progress("reading"))

    def _progress(self, stage: str) -> BuildProgress:
        return BuildProgress(stage, self._bytes.done, self._bytes.total, self._changes.seen, self._pipeline.encoded)


def _first_reason(skipped: Sequence[Skipped]) -> str:
    return f", the first one '{skipped[0].origin}': {skipped[0].reason}" if skipped else ""
