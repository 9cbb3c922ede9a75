"""Deriving a generation from the store, and the switch to it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from .catalogue import Catalogue
from .encoder import EncoderSpec
from .errors import IndexDamaged, IndexNotFound
from .faiss_index import FaissIndex, update_vectors
from .files import sync_tree
from .lock import writer_lock
from .manifest import (
    FORMAT_VERSION,
    Chunking,
    Manifest,
    current_generation,
    encoder_folder,
    generation_folder,
    switch_to,
)
from .store import Store
from .version import VERSION
from .whoosh_index import update_whoosh

__all__ = ["commit_generation", "rebuild"]

LEXICAL_FOLDER = "lexical"
VECTOR_FOLDER = "vectors"


def commit_generation(
    index_dir: Path,
    store: Store,
    generation: int,
    previous: Manifest | None,
    *,
    encoder: EncoderSpec,
    query_encoder: str,
    precision: str,
    chunking: Chunking,
    tell: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Derive `generation` from the store, starting from what `previous` already has, and let it answer.

    Everything is written to a folder that no reader knows, flushed to disk, and named in one step.
    """
    target = generation_folder(index_dir, generation)
    draft = target.with_name(f".{target.name}.draft")
    for leftover in (draft, target):
        shutil.rmtree(leftover, ignore_errors=True)
    draft.mkdir(parents=True)
    old_folder = generation_folder(index_dir, previous.generation) if previous else None
    old_docs = Catalogue.load(old_folder).docs if old_folder else np.empty(0, np.int64)
    catalogue = Catalogue.build(store.columns(generation))
    added = np.setdiff1d(catalogue.docs, old_docs, assume_unique=True).tolist()
    removed = np.setdiff1d(old_docs, catalogue.docs, assume_unique=True).tolist()

    catalogue.save(draft)
    tell("lexical")
    (draft / LEXICAL_FOLDER).mkdir()
    update_whoosh(
        draft / LEXICAL_FOLDER,
        old_folder / LEXICAL_FOLDER if old_folder else None,
        added=store.articles(added),
        removed=store.articles(removed),
    )
    tell("vectors")
    (draft / VECTOR_FOLDER).mkdir()
    update_vectors(
        draft / VECTOR_FOLDER,
        old_folder / VECTOR_FOLDER if old_folder else None,
        catalogue=catalogue,
        added=store.vectors(added, encoder.dimension),
        removed=store.vectors(removed, encoder.dimension),
        dimension=encoder.dimension,
        name=f"segment-{generation:08d}",
    )
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        generation=generation,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        concord_version=VERSION,
        encoder=encoder,
        query_encoder=query_encoder,
        encoding_precision=precision,
        chunking=chunking,
        lexical="whoosh",
        articles=len(catalogue),
        passages=len(FaissIndex(draft / VECTOR_FOLDER, catalogue)),
    )
    manifest.save(draft)
    sync_tree(draft)
    draft.rename(target)
    switch_to(index_dir, generation)
    _collect(index_dir, store, generation)
    return manifest


def rebuild(index_dir: str | Path, tell: Callable[[str], None] = lambda _: None) -> Manifest:
    """Make the derived indexes new from the store, without encoding a text and without opening the old ones.

    Raises IndexNotFound when there is no store, IndexDamaged when no manifest is left to say which encoder was used.
    """
    folder = Path(index_dir)
    if not (folder / "store.sqlite").is_file():
        raise IndexNotFound(f"There is no store in '{folder}' to rebuild from: index the articles.")
    with writer_lock(folder):
        store = Store(folder, writable=True)
        try:
            manifest = _last_manifest(folder)
            newest = max(manifest.generation, store.newest_generation())
            if not (encoder_folder(folder, manifest.encoder) / "encoder.json").is_file():
                from .torch_encoder import TorchEncoder, export

                export(TorchEncoder(manifest.encoder.name), encoder_folder(folder, manifest.encoder))
            return commit_generation(
                folder,
                store,
                newest + 1,
                None,
                encoder=manifest.encoder,
                query_encoder=manifest.query_encoder,
                precision=manifest.encoding_precision,
                chunking=manifest.chunking,
                tell=tell,
            )
        finally:
            store.close()


def _last_manifest(index_dir: Path) -> Manifest:
    """The manifest of the current generation, else of the newest one that can be read."""
    folders = sorted((index_dir / "generations").glob("[0-9]*"), reverse=True)
    with contextlib.suppress(IndexDamaged):
        folders.insert(0, generation_folder(index_dir, current_generation(index_dir)))
    for folder in folders:
        try:
            return Manifest.load(folder)
        except IndexDamaged:
            continue
    raise IndexDamaged(
        f"No manifest in '{index_dir}' can be read, so nobody knows which encoder made its vectors: "
        "restore a backup, or index the articles into a new folder."
    )


def _collect(index_dir: Path, store: Store, generation: int) -> None:
    """Remove what neither this generation nor the one before it, which a search may still be using, can see."""
    with store.transaction():
        store.collect(generation - 1)
    keep = {generation_folder(index_dir, g).name for g in (generation, generation - 1)}
    for folder in (index_dir / "generations").iterdir():
        if folder.name not in keep:
            shutil.rmtree(folder, ignore_errors=True)
