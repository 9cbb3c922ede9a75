"""Digests of what the store keeps of an article, so that a flipped bit in a row is found when the row is read.

Each is XXH3, 128 bits, over values that are written down with their lengths, so that no two lists of values look alike.
A damaged row may hold values of another type than was stored; their digest is empty, which no stored one is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import xxhash

__all__ = ["part", "passages_digest", "row_digest", "vectors_digest"]

_BYTES = 16
_ABSENT = struct.pack("<q", -1)


def part(digests: object, number: int) -> bytes | None:
    """The `number`-th of the digests stored with an article; None where there is none."""
    if not isinstance(digests, bytes) or len(digests) != 3 * _BYTES:
        return None
    return digests[number * _BYTES : (number + 1) * _BYTES]


def row_digest(doc: int, values: Sequence[str | None]) -> bytes:
    """Of an article's row number and its texts, None where there is none."""
    digest = xxhash.xxh3_128(struct.pack("<q", doc))
    for value in values:
        if value is None:
            digest.update(_ABSENT)
        elif not isinstance(value, str):
            return b""
        else:
            raw = value.encode("utf-8", "surrogatepass")
            digest.update(struct.pack("<q", len(raw)))
            digest.update(raw)
    return digest.digest()


def passages_digest(rows: Iterable[Sequence[int]]) -> bytes:
    """Of an article's passages in reading order: (passage row, article row, ordinal, start, end)."""
    digest = xxhash.xxh3_128()
    for row in rows:
        try:
            digest.update(struct.pack("<5q", *row))
        except struct.error:
            return b""
    return digest.digest()


def vectors_digest(blobs: Iterable[bytes]) -> bytes:
    """Of the vectors of an article's passages in reading order, as they are stored."""
    digest = xxhash.xxh3_128()
    for blob in blobs:
        if not isinstance(blob, bytes):
            return b""
        digest.update(struct.pack("<q", len(blob)))
        digest.update(blob)
    return digest.digest()
