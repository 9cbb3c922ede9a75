"""Checksums of files, so that a flipped bit is found before anything is read from them.

They are XXH3 (Collet), 128 bits: made against accidents at the speed of memory, not against forgery. That a foreign
index runs no code does not rest on them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import xxhash

from indexer.errors import IndexDamaged
from indexer.system.cores import usable_cores

__all__ = [
    "CHECKSUMS_FILE",
    "FileSum",
    "broken_files",
    "check_files",
    "check_folder",
    "files_below",
    "is_inside",
    "read_sums",
    "sum_bytes",
    "sum_file",
    "write_sums",
]

CHECKSUMS_FILE = "checksums.json"
_BLOCK = 1 << 20
_THREADS = 4


@dataclass(frozen=True, slots=True)
class FileSum:
    """Size in bytes and checksum (32 hexadecimal digits) of a file."""

    size: int
    xxh3: str


def sum_bytes(data: bytes) -> str:
    """The checksum of `data`."""
    return xxhash.xxh3_128_hexdigest(data)


def sum_file(path: Path) -> FileSum:
    """Size and checksum of a file. Raises OSError."""
    digest = xxhash.xxh3_128()
    block = memoryview(bytearray(_BLOCK))
    size = 0
    with path.open("rb", buffering=0) as stream:
        while count := stream.readinto(block):
            digest.update(block[:count])
            size += count
    return FileSum(size, digest.hexdigest())


def is_inside(name: object) -> bool:
    """Whether `name` is a plain path below the folder it is read in: no root, no drive, no way up, no empty part."""
    if not isinstance(name, str) or not name or "\\" in name or "\0" in name or ":" in name:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and path.as_posix() == name


def read_sums(raw: Any) -> dict[str, FileSum]:
    """Checksums by file name, out of JSON. Raises TypeError or ValueError for what is none, or leads elsewhere."""
    sums: dict[str, FileSum] = {}
    for name, entry in dict(raw).items():
        if not is_inside(name):
            raise ValueError(f"the name '{name}' leads out of its folder")
        if not isinstance(entry["size"], int) or not isinstance(entry["xxh3"], str):
            raise TypeError(f"'{name}' has no size or no checksum")
        sums[name] = FileSum(entry["size"], entry["xxh3"])
    return sums


def files_below(folder: Path) -> list[str]:
    """The files below a folder, but for locks, by their path there."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.lower().endswith("lock")
    )


def broken_files(folder: Path, sums: Mapping[str, FileSum]) -> list[str]:
    """A sentence for every file in `folder` that is missing or is not the one that was written there."""
    by_size = sorted(sums, key=lambda name: -sums[name].size)
    with ThreadPoolExecutor(min(_THREADS, usable_cores())) as pool:
        found = pool.map(lambda name: _what_is_wrong(folder / name, sums[name]), by_size)
        reasons = dict(zip(by_size, found, strict=True))
    return [
        f"The file '{folder / name}' {reasons[name]}: run 'concord rebuild' to make it new."
        for name in sorted(sums)
        if reasons[name]
    ]


def check_files(folder: Path, sums: Mapping[str, FileSum]) -> None:
    """Raises IndexDamaged when a file in `folder` is missing or is not the one that was written there."""
    for sentence in broken_files(folder, sums):
        raise IndexDamaged(sentence)


def write_sums(folder: Path) -> None:
    """Write beside the files of `folder` what `check_folder` needs."""
    sums = {name: asdict(sum_file(folder / name)) for name in files_below(folder) if name != CHECKSUMS_FILE}
    body = {"files": sums, "xxh3": sum_bytes(json.dumps(sums, sort_keys=True).encode())}
    (folder / CHECKSUMS_FILE).write_text(json.dumps(body, indent=2) + "\n", "utf-8")


def check_folder(folder: Path, *, without: Collection[str] = ()) -> None:
    """Raises IndexDamaged unless the files of `folder`, `without` some, are those that `write_sums` saw."""
    path = folder / CHECKSUMS_FILE
    try:
        body = json.loads(path.read_text("utf-8"))
        sums = read_sums(body["files"])
        if body["xxh3"] != sum_bytes(json.dumps(body["files"], sort_keys=True).encode()):
            raise ValueError("its own checksum does not fit")  # noqa: TRY301
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise IndexDamaged(
            f"The file '{path}' cannot be read ({error}): run 'concord rebuild' to make it new."
        ) from error
    check_files(folder, {name: entry for name, entry in sums.items() if name not in without})


def _what_is_wrong(path: Path, expected: FileSum) -> str | None:
    try:
        size = path.stat().st_size
        if size != expected.size:
            return f"has {size:,} bytes instead of {expected.size:,}"
        found = sum_file(path)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if found == expected else "is not what was written (its checksum differs)"
