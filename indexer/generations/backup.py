"""Backups: one file that holds an index whole, made while others read and write, and put back in one step.

The file is a zip archive without compression, so that what comes out of one is never larger than what went in. It has
the store, reduced to the generation that answers, that generation's derived files, the exported encoder, and
`backup.json` with the checksum of each. So what is put back answers at once, and nothing is encoded again.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import xxhash

from indexer.encoders.carried import encoder_folder
from indexer.errors import ConcordError, IndexDamaged, IndexNotFound
from indexer.generations.manifest import (
    MANIFEST_FILE,
    Manifest,
    current_generation,
    generation_folder,
    generation_folders,
    read_current,
    store_files,
    switch_to,
)
from indexer.store.damage import check_committed, damaged_articles
from indexer.store.database import STORE_FILE, Store
from indexer.system.checksums import FileSum, check_folder, files_below, is_inside, read_sums, sum_bytes, sum_file
from indexer.system.files import sync_folder, sync_tree, writing
from indexer.system.lock import writer_lock
from indexer.version import VERSION

__all__ = ["BackupReport", "backup", "restore"]

_CONTENTS = "backup.json"
_FORMAT = 1
_MAX_CONTENTS = 16 << 20
_BLOCK = 1 << 20
_STORE = STORE_FILE
_GENERATION = "generation"
_ENCODER = "encoder"

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What was written or put back: the backup's path, what is in it, its size in bytes, and wall time in seconds."""

    file: str
    generation: int
    articles: int
    passages: int
    encoder: str
    bytes: int
    seconds: float


def backup(index_dir: str | Path, file: str | Path, tell: Tell = lambda _: None) -> BackupReport:
    """Write the generation that answers into one file, which takes the place of `file` when it is whole and on disk.

    Everything is compared with its checksum on the way, so a backup is sound or not made. Readers, servers and a writer
    go on meanwhile. Raises IndexNotFound, IndexDamaged, IndexMismatch, or ConcordError when `file` cannot be written.
    """
    started = time.perf_counter()
    folder, target = Path(index_dir), Path(file)
    draft = target.with_name(f".{target.name}.draft")
    store_copy = target.with_name(f".{target.name}.store.draft")
    try:
        while True:
            manifest = read_current(folder)
            try:
                _write(folder, manifest, draft, store_copy, tell)
                break
            except (FileNotFoundError, IndexDamaged):
                # A writer whose generations follow one another quickly has cleared this one away meanwhile.
                if current_generation(folder) == manifest.generation:
                    raise
        draft.replace(target)
        sync_folder(target.absolute().parent)
    except (OSError, sqlite3.OperationalError) as error:
        raise ConcordError(f"The backup '{target}' cannot be written ({error}): mend that and try again.") from error
    except sqlite3.DatabaseError as error:
        raise IndexDamaged.broken_store(folder, error) from error
    finally:
        for path in (draft, store_copy, store_copy.with_name(f"{store_copy.name}-journal")):
            path.unlink(missing_ok=True)
    return _report(target, manifest, started)


def restore(file: str | Path, index_dir: str | Path, tell: Tell = lambda _: None) -> BackupReport:
    """Let what is in a backup answer in `index_dir`, in the place of whatever is there, sound or not.

    The backup is unpacked beside, compared with its checksums, and becomes a new generation in one step, which running
    servers pick up. Raises ConcordError for a file that is no sound backup and IndexLocked, both of which leave
    everything as it was, and IndexMismatch for a backup of another format.
    """
    started = time.perf_counter()
    folder, source = Path(index_dir), Path(file)
    with _opened(source) as (archive, sums):
        needed = sum(entry.size for entry in sums.values())
        above = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        if needed > (free := shutil.disk_usage(above).free):
            raise ConcordError(
                f"The backup '{source}' needs {needed:,} bytes and '{above}' has {free:,} left: make room first."
            )
        with writing(folder), writer_lock(folder):
            # Where a run clears away what it does not know, should this one be killed.
            draft = folder / "generations" / ".restore.draft"
            shutil.rmtree(draft, ignore_errors=True)
            try:
                _unpack(archive, sums, source, draft, tell)
                manifest = _verified(source, draft, tell)
                return _report(source, _let_answer(folder, draft, manifest, tell), started)
            finally:
                shutil.rmtree(draft, ignore_errors=True)


def _write(folder: Path, manifest: Manifest, draft: Path, store_copy: Path, tell: Tell) -> None:
    tell("store")
    store_copy.unlink(missing_ok=True)
    with closing(Store(folder, name=manifest.store)) as store:
        store.copy(store_copy, manifest.generation)
    _check_store(store_copy, manifest, folder)
    paths: dict[str, tuple[Path, FileSum]] = {_STORE: (store_copy, sum_file(store_copy))}
    place = generation_folder(folder, manifest.generation)
    paths[f"{_GENERATION}/{MANIFEST_FILE}"] = (place / MANIFEST_FILE, sum_file(place / MANIFEST_FILE))
    for name, entry in manifest.files.items():
        paths[f"{_GENERATION}/{name}"] = (place / name, entry)
    if manifest.query_encoder == "onnx":
        encoder = encoder_folder(folder, manifest.encoder)
        check_folder(encoder)
        for name in files_below(encoder):
            paths[f"{_ENCODER}/{name}"] = (encoder / name, sum_file(encoder / name))
    files = {name: asdict(entry) for name, (_, entry) in paths.items()}
    contents = {
        "format": _FORMAT,
        "concord_version": VERSION,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "generation": manifest.generation,
        "articles": manifest.articles,
        "files": files,
        "xxh3": _own_sum(files),
    }
    tell("files")
    with draft.open("wb") as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo(_CONTENTS), json.dumps(contents, indent=2) + "\n")
            for name, (path, entry) in paths.items():
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o600 << 16
                with path.open("rb") as file, archive.open(info, "w", force_zip64=True) as member:
                    if _copy(file, member) != entry:
                        raise IndexDamaged(
                            f"The file '{path}' is not what was written: run 'concord rebuild' to make it new."
                        )
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def _opened(source: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, FileSum]]]:
    """The archive and what its table of contents says, compared with the archive's own."""
    try:
        with _zip(source) as archive:
            yield archive, _contents(archive, source)
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        raise _unsound(source, error) from error


def _zip(source: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except (ValueError, NotImplementedError) as error:  # names that are no text, a version that nobody has made
        raise zipfile.BadZipFile(str(error)) from error


def _contents(archive: zipfile.ZipFile, source: Path) -> dict[str, FileSum]:
    members = {info.filename: info for info in archive.infolist()}
    if len(members) != len(archive.infolist()):
        raise _unsound(source, "two files in it have one name")
    for info in members.values():
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or info.file_size != info.compress_size:
            raise _unsound(source, f"'{info.filename}' in it is compressed or encrypted, which backups are not")
        if not is_inside(info.filename):
            raise _unsound(source, f"the name '{info.filename}' leads out of the folder")
    if sum(info.file_size for info in members.values()) > source.stat().st_size:
        raise _unsound(source, "the files in it share bytes")
    first = members.pop(_CONTENTS, None)
    if first is None or first.file_size > _MAX_CONTENTS:
        raise _unsound(source, f"it has no '{_CONTENTS}'")
    try:
        contents = json.loads(archive.read(first))
        if contents["format"] != _FORMAT:
            raise ConcordError(
                f"The backup '{source}' is of format {contents['format']}, this Concord reads {_FORMAT}: use the "
                "Concord version that made it."
            )
        sums = read_sums(contents["files"])
        own_sum = contents["xxh3"]
        expected = _own_sum(contents["files"])
    except (ValueError, KeyError, TypeError, RecursionError, NotImplementedError) as error:
        raise _unsound(source, f"'{_CONTENTS}' cannot be read: {error}") from error
    if own_sum != expected:
        raise _unsound(source, f"'{_CONTENTS}' is not what was written")
    if {name: entry.size for name, entry in sums.items()} != {name: info.file_size for name, info in members.items()}:
        raise _unsound(source, "it lacks files, or has others than it should")
    return sums


def _unpack(archive: zipfile.ZipFile, sums: Mapping[str, FileSum], source: Path, draft: Path, tell: Tell) -> None:
    tell("files")
    for name, entry in sums.items():
        path = draft / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with archive.open(name) as member, path.open("wb") as file:
                found = _copy(member, file)
        except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
            raise _unsound(source, error) from error
        if found != entry:
            raise _unsound(source, f"'{name}' in it is not what was written")


def _verified(source: Path, draft: Path, tell: Tell) -> Manifest:
    """The manifest of an unpacked backup whose parts fit one another. Raises ConcordError."""
    tell("store")
    try:
        manifest = Manifest.load(draft / _GENERATION)
        manifest.check_files(draft / _GENERATION)
        _check_store(draft / _STORE, manifest, draft)
        if manifest.query_encoder == "onnx":
            check_folder(draft / _ENCODER)
    except (IndexDamaged, IndexNotFound) as error:
        raise _unsound(source, error) from error
    return manifest


def _let_answer(folder: Path, draft: Path, manifest: Manifest, tell: Tell) -> Manifest:
    """Make an unpacked backup the next generation of an index; the caller holds the lock."""
    tell("switch")
    older = [int(found.name) for found in generation_folders(folder)]
    target = max([manifest.generation, *(number + 1 for number in older)])
    others = store_files(folder)
    name = f"store-{target:08d}.sqlite" if others else STORE_FILE
    with closing(Store(draft, writable=True)) as store:
        with store.transaction():
            store.forget_after(0)
            token = store.note_generation(target)
        store.write_back()
    answering = replace(manifest, generation=target, store=name, store_token=token)
    answering.save(draft / _GENERATION)
    sync_tree(draft)
    encoder = encoder_folder(folder, manifest.encoder)
    if manifest.query_encoder == "onnx" and not _is_sound(encoder):
        shutil.rmtree(encoder, ignore_errors=True)
        encoder.parent.mkdir(exist_ok=True)
        (draft / _ENCODER).rename(encoder)
        sync_folder(encoder.parent)
    for suffix in ("-wal", "-shm"):
        (folder / f"{name}{suffix}").unlink(missing_ok=True)
    (draft / _STORE).replace(folder / name)
    (draft / _GENERATION).rename(generation_folder(folder, target))
    sync_folder(folder / "generations")
    sync_folder(folder)
    switch_to(folder, target)
    for number in older:
        shutil.rmtree(generation_folder(folder, number), ignore_errors=True)
    for path in others:
        if not path.name.startswith(name):
            path.unlink(missing_ok=True)
    return answering


def _check_store(path: Path, manifest: Manifest, index_dir: Path) -> None:
    """Raises IndexDamaged when a store is not the one of a generation, or not sound."""
    with closing(Store(path.parent, name=path.name)) as store:
        if flaws := store.flaws():
            raise IndexDamaged.broken_store(index_dir, flaws[0])
        check_committed(store, index_dir, manifest.generation, manifest.store_token)
        for sentence in damaged_articles(store, store.docs(manifest.generation), manifest.encoder.dimension).values():
            raise IndexDamaged(sentence)


def _is_sound(encoder: Path) -> bool:
    try:
        check_folder(encoder)
    except IndexDamaged:
        return False
    return True


def _copy(source: IO[bytes], target: IO[bytes]) -> FileSum:
    digest = xxhash.xxh3_128()
    size = 0
    while block := source.read(_BLOCK):
        digest.update(block)
        size += len(block)
        target.write(block)
    return FileSum(size, digest.hexdigest())


def _own_sum(files: object) -> str:
    return sum_bytes(json.dumps(files, sort_keys=True).encode())


def _report(path: Path, manifest: Manifest, started: float) -> BackupReport:
    return BackupReport(
        file=str(path),
        generation=manifest.generation,
        articles=manifest.articles,
        passages=manifest.passages,
        encoder=manifest.encoder.name,
        bytes=path.stat().st_size,
        seconds=round(time.perf_counter() - started, 3),
    )


def _unsound(source: Path, reason: object) -> ConcordError:
    return ConcordError(f"The backup '{source}' cannot be used ({reason}): take another one. The index is as it was.")
