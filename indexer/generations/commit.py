"""Deriving a generation from the store, and the switch to it."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from indexer.catalogue import Catalogue, Rows
from indexer.encoders.carried import carried_encoder, encoder_folder
from indexer.encoders.for_passages import prepare_encoder
from indexer.encoders.recipe import Recipe
from indexer.encoders.spec import named_by_index
from indexer.errors import IndexDamaged, IndexMismatch, IndexNotFound
from indexer.generations.derive_process import parts_of
from indexer.generations.manifest import (
    FORMAT_VERSION,
    LEXICAL_ENGINE,
    LEXICAL_FOLDER,
    VECTOR_FOLDER,
    Manifest,
    current_generation,
    generation_folder,
    generation_folders,
    read_current,
    store_files,
    switch_to,
)
from indexer.generations.near_duplicates import Sketches, update_near_duplicates
from indexer.lexical.writing import LexicalUpdate, join_lexical, update_lexical
from indexer.store.damage import check_committed, check_contents, damaged_articles
from indexer.store.database import STORE_FILE, Store
from indexer.system.checksums import FileSum, files_below, sum_file
from indexer.system.files import drafted, writing
from indexer.system.lock import writer_lock
from indexer.vectors.faiss_index import update_vectors
from indexer.version import VERSION

__all__ = ["clear_away", "commit_generation", "rebuild"]

_PARTS_FOLDER = "parts"
_ENCODER_NAME = re.compile(r"[0-9a-f]{16}|\.[0-9a-f]{16}\.draft")


def commit_generation(
    index_dir: Path,
    store: Store,
    generation: int,
    previous: Manifest | None,
    recipe: Recipe,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Derive `generation` from the store, starting from what `previous` already has, and let it answer.

    Everything is written to a folder that no reader knows, flushed to disk, and named in one step. Raises IndexDamaged
    when `previous` is not what the store says it is.
    """
    old_folder = generation_folder(index_dir, previous.generation) if previous else None
    old_docs = np.empty(0, np.int64)
    if previous and old_folder:
        previous.check_files(old_folder)
        old_docs = Catalogue.load(old_folder).docs
        check_committed(store, index_dir, previous.generation, previous.store_token)
    with store.transaction():
        token = store.note_generation(generation)
        store.note_recipe(recipe.to_json())
    try:
        catalogue = Catalogue.build(store.columns(generation))
    except (TypeError, ValueError) as error:  # columns are read without their digests
        raise IndexDamaged.broken_store(index_dir, error) from error
    update = _Update(store, f"{generation:08d}", catalogue, old_docs, old_folder)

    with drafted(generation_folder(index_dir, generation)) as draft:
        catalogue.save(draft)
        passages = _derive(draft, update, recipe.encoder.dimension, tell)
        manifest = Manifest(
            format_version=FORMAT_VERSION,
            generation=generation,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            concord_version=VERSION,
            encoder=recipe.encoder,
            query_encoder=recipe.query_encoder,
            encoding_precision=recipe.encoding_precision,
            chunking=recipe.chunking,
            lexical=LEXICAL_ENGINE,
            articles=len(catalogue),
            passages=passages,
            store=store.path.name,
            store_token=token,
            files=_sums(draft, old_folder, previous),
        )
        manifest.save(draft)
    # What a generation consists of must outlive the log that it was written to first.
    store.write_back()
    switch_to(index_dir, generation)
    _collect(index_dir, store, generation)
    return manifest


@dataclass(frozen=True, slots=True)
class _Update:
    """What the derived indexes of a generation, called `name`, are made from: the store, and what the generation before
    has, if there is one."""

    store: Store
    name: str
    catalogue: Catalogue
    old_docs: Rows
    old_folder: Path | None

    @property
    def added(self) -> list[int]:
        """The store rows that only the new generation has."""
        return _less(self.catalogue.docs, self.old_docs)

    @property
    def removed(self) -> list[int]:
        """The store rows that only the old generation has."""
        return _less(self.old_docs, self.catalogue.docs)

    def old(self, name: str) -> Path | None:
        """A folder of the generation before."""
        return self.old_folder / name if self.old_folder else None


def _less(rows: Rows, others: Rows) -> list[int]:
    difference: list[int] = np.setdiff1d(rows, others, assume_unique=True).tolist()
    return difference


def _derive(draft: Path, update: _Update, dimension: int, tell: Callable[[str], None]) -> int:
    """Write vectors, lexical index and near-duplicates into `draft`; returns how many passages there are."""
    store, catalogue, added, removed = update.store, update.catalogue, update.added, update.removed
    lexical_folder, vector_folder = draft / LEXICAL_FOLDER, draft / VECTOR_FOLDER
    lexical_folder.mkdir()
    vector_folder.mkdir()
    sketches = Sketches()
    with parts_of(added, store.path, draft / _PARTS_FOLDER, update.name) as parts:
        tell("vectors")
        passages = update_vectors(
            vector_folder,
            update.old(VECTOR_FOLDER),
            catalogue=catalogue,
            added=store.vectors(added, dimension),
            removed=store.vectors(removed, dimension),
            dimension=dimension,
            name=f"segment-{update.name}",
        )
        tell("lexical")
        for part in parts:
            part.wait()
            sketches.absorb(part.sketches)
        lexical = LexicalUpdate(
            lexical_folder,
            update.old(LEXICAL_FOLDER),
            catalogue=catalogue,
            added=() if parts else sketches.noting(store.articles(added)),
            removed=store.articles(removed),
            name=update.name,
        )
        if parts:
            join_lexical(lexical, [part.lexical for part in parts])
        else:
            update_lexical(lexical)
    shutil.rmtree(draft / _PARTS_FOLDER, ignore_errors=True)
    tell("duplicates")
    update_near_duplicates(draft, update.old_folder, docs=catalogue.docs, added=sketches, articles=store.articles)
    return passages


def rebuild(
    index_dir: str | Path,
    tell: Callable[[str], None] = lambda _: None,
    *,
    drop_damaged: bool = False,
) -> Manifest:
    """Make the derived indexes new from the store, without encoding a text and without opening the old ones.

    The new generation has the articles of the one that answers now; what an interrupted run has stored since waits for
    the next run. The exported encoder is made again if it cannot be loaded. `drop_damaged` lets articles go whose rows
    are not as they were stored, and `tell` names them; a run of the indexer then takes them in again. Raises
    IndexNotFound when nothing was ever indexed, IndexMismatch for an index of another format, IndexDamaged when the
    store is gone or itself damaged, and EncoderError when an encoder to export is not on this machine.
    """
    folder = Path(index_dir)
    current, name = _whatever_answers(folder)
    if not (folder / name).is_file():
        raise IndexDamaged.no_store(folder) if generation_folders(folder) else IndexNotFound.at(folder)
    with writing(folder), writer_lock(folder):
        store = Store(folder, writable=True, name=name)
        try:
            answering = current if store.committed(current) else store.newest_committed()
            if drop_damaged and answering:
                with store.transaction():
                    for sentence in _drop_damaged(store, answering):
                        tell(sentence)
            if committed := store.committed(answering):
                check_contents(store, folder, answering, committed)
            elif not (answering := store.newest_generation()):
                raise IndexNotFound.at(folder)
            noted = store.recipe()
            if noted is None:
                raise IndexDamaged.broken_store(folder, "nothing in it says which encoder made its vectors")
            recipe = Recipe.from_json(noted)
            if recipe.query_encoder == "onnx" and carried_encoder(folder, recipe.encoder) is None:
                prepare_encoder(folder, recipe, named_by_index(recipe.encoder.name, folder), again=True)
            folders = [int(found.name) for found in generation_folders(folder)]
            target = max([answering, *folders[:1]]) + 1
            with store.transaction():
                store.forget_after(answering)
                store.postpone(answering, target)
            return commit_generation(folder, store, target, None, recipe, tell=tell)
        finally:
            store.close()


def _drop_damaged(store: Store, generation: int) -> Iterator[str]:
    """Delete damaged articles, and take what is left for what `generation` consists of; a sentence for each."""
    noted = store.recipe()
    if noted is None:
        return
    dimension = Recipe.from_json(noted).encoder.dimension
    damaged = damaged_articles(store, store.docs(store.newest_generation()), dimension)
    damaged |= damaged_articles(store, store.docs(generation), dimension)
    store.delete(damaged)
    store.note_generation(generation)
    for sentence in damaged.values():
        yield f"dropped: {sentence.partition('. ')[0]}"


def _sums(draft: Path, old_folder: Path | None, previous: Manifest | None) -> dict[str, FileSum]:
    """The checksums of a draft; a file that goes on as it was keeps the one that it had when it was written."""
    sums: dict[str, FileSum] = {}
    for name in files_below(draft):
        path = draft / name
        if previous and old_folder and name in previous.files and path.samefile(old_folder / name):
            sums[name] = previous.files[name]
        else:
            sums[name] = sum_file(path)
    return sums


def _whatever_answers(index_dir: Path) -> tuple[int, str]:
    """The generation that answers, 0 if that cannot be told, and the name of its store, or the likeliest one.

    Raises IndexMismatch for an index of another format.
    """
    current = 0
    with contextlib.suppress(IndexDamaged, IndexNotFound):
        current = current_generation(index_dir)
        return current, read_current(index_dir).store
    # A restore makes a store of a later name, and the store that it replaces goes with the switch.
    names = [path.name for path in store_files(index_dir) if path.suffix == ".sqlite"]
    return current, next((name for name in names if name != STORE_FILE), STORE_FILE)


def _collect(index_dir: Path, store: Store, generation: int) -> None:
    """Remove what neither this generation nor the one before it, which a search may still be using, can see."""
    folders = generation_folders(index_dir)
    before = next((int(folder.name) for folder in folders if int(folder.name) < generation), 0)
    with store.transaction():
        store.collect(before)
    store.give_back()
    store.write_back()
    keep = {generation_folder(index_dir, kept).name for kept in (generation, before)}
    for folder in (index_dir / "generations").iterdir():
        if folder.name not in keep:
            shutil.rmtree(folder, ignore_errors=True)
    _collect_encoders(index_dir, [index_dir / "generations" / name for name in keep])
    for path in store_files(index_dir):
        if not path.name.startswith(store.path.name):
            path.unlink(missing_ok=True)


def _collect_encoders(index_dir: Path, kept: Iterable[Path]) -> None:
    """Remove encoders, and drafts of them, that no generation kept names: left by a first run with another encoder."""
    folder = index_dir / "encoders"
    # What a link leads to may serve other indexes too.
    if folder.is_symlink() or not folder.is_dir():
        return
    try:
        named = {encoder_folder(index_dir, Manifest.load(place).encoder) for place in kept if place.is_dir()}
    except (IndexDamaged, IndexMismatch):
        return
    for path in folder.iterdir():
        if path not in named and _ENCODER_NAME.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)


def clear_away(index_dir: Path, store: Store, generation: int) -> None:
    """Remove what a run that was killed behind the switch to `generation`, or shortly before one, has left."""
    _collect(index_dir, store, generation)
    for path in index_dir.glob(".*.draft"):
        path.unlink(missing_ok=True)
