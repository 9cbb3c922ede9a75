"""A power cut after a kill: what was not synced is gone.

The worst that a file system may do: files that were not synced after their last change are cut short, and names that
were made after their folder's last sync vanish. SQLite syncs where Python cannot see it, but its log is on disk when a
transaction has ended: what was written to it since is cut off or spoiled. The database itself is left as it is: what
SQLite writes into it is in the log, on disk, until it has synced it.
"""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Before", "cut_power"]

_NOT_OURS = ("store.sqlite", "write.lock", "writer.json", "encoders")
_SPOILED = 4096
"""Bytes at the end of what is left of a log that may be anything."""


@dataclass(frozen=True, slots=True)
class Before:
    """What lay in an index folder before a command ran: all of it counts as synced."""

    files: frozenset[tuple[int, int, int]]
    names: dict[int, frozenset[str]]

    @classmethod
    def of(cls, index_dir: Path) -> Before:
        """Look at a folder."""
        files, names = set(), {}
        for parent, folders, found in os.walk(index_dir):
            names[Path(parent).stat().st_ino] = frozenset([*folders, *found])
            for name in found:
                status = (Path(parent) / name).stat()
                files.add((status.st_ino, status.st_size, status.st_mtime_ns))
        return cls(frozenset(files), names)


def cut_power(index_dir: Path, before: Before, synced_log: Path, chance: random.Random) -> int:
    """Take away what a killed command had not synced; returns how many files and names went."""
    files, names = set(before.files), dict(before.names)
    synced = {inode: size for inode, size, _ in before.files}
    for line in synced_log.read_text("utf-8", "surrogateescape").splitlines():
        inode, size, changed, listing = line.split("\t")
        files.add((int(inode), int(size), int(changed)))
        synced[int(inode)] = int(size)
        names[int(inode)] = frozenset(listing.split("/"))
    lost = 0
    for parent, folders, found in os.walk(index_dir):
        known = names.get(Path(parent).stat().st_ino, frozenset())
        for name in [*folders, *found]:
            path = Path(parent) / name
            if name.endswith(".sqlite-shm"):
                path.unlink()  # memory that processes share
            elif name.endswith(".sqlite-wal"):
                lost += _cut_log(path, synced.get(path.stat().st_ino, 0), chance)
            if name.startswith(_NOT_OURS):
                continue
            if name not in known and chance.random() < 0.5:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                folders[:] = [one for one in folders if one != name]
                lost += 1
            elif path.is_file():
                status = path.stat()
                if (status.st_ino, status.st_size, status.st_mtime_ns) not in files:
                    os.truncate(path, chance.randrange(status.st_size + 1) if chance.random() < 0.5 else 0)
                    lost += 1
        folders[:] = [one for one in folders if not one.startswith(_NOT_OURS)]
    return lost


def _cut_log(log: Path, synced: int, chance: random.Random) -> bool:
    """Take away some of what SQLite's log has beyond `synced` bytes, and spoil the end of the rest."""
    size = log.stat().st_size
    if size <= synced:
        return False
    kept = chance.randrange(synced, size + 1)
    os.truncate(log, kept)
    spoiled = chance.randrange(min(_SPOILED, kept - synced) + 1)
    with log.open("r+b") as stream:
        stream.seek(kept - spoiled)
        stream.write(chance.randbytes(spoiled))
    return True
