"""Bytes to text, whatever the encoding; bytes that are no text are refused."""

from __future__ import annotations

import codecs
import io
import re
from typing import TextIO

import charset_normalizer

from indexer.errors import SourceError

__all__ = ["decode", "open_text"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGICS = {b"%PDF-": "a PDF file", b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "gzip data", b"\x89PNG": "an image"}
_CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]")
# What cp1252 holds above ASCII in Western European text. The statistics of charset-normalizer need more such characters
# than a page of English has: curly quotes alone come out as Central European letters.
_WESTERN = frozenset(
    "‘’“”„‚–—…•€£§°«»¡¿´·©®™½¼¾²³ºª×\xa0" + "àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßœšžÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝŸŒŠŽ"
)
_WESTERN_SHARE = 0.15
_SAMPLE = 256 * 1024


def decode(data: bytes, declared: str | None = None) -> str:
    """The text in `data`: by its byte order mark, as UTF-8, as `declared`, or by the best guess.

    Bytes that fit no encoding become replacement characters. Raises SourceError if `data` is binary.
    """
    encoding = _encoding(data[:_SAMPLE], declared, whole=len(data) <= _SAMPLE)
    return data.decode(encoding, _LEGACY)


def open_text(stream: io.BufferedReader) -> TextIO:
    """A text stream over a binary one, decoded piece by piece; its encoding is judged by its beginning.

    `stream` must be able to show at least a few kilobytes by `peek`. Raises SourceError if the beginning is binary.
    """
    head = stream.peek(_SAMPLE)[:_SAMPLE]
    return io.TextIOWrapper(stream, encoding=_encoding(head, None, whole=False), errors=_LEGACY)


def _encoding(sample: bytes, declared: str | None, *, whole: bool) -> str:
    for bom, encoding in _BOMS:
        if sample.startswith(bom):
            return encoding
    for magic, kind in _MAGICS.items():
        if sample.startswith(magic):
            raise SourceError(f"it is {kind}, not text")
    if b"\0" in sample:
        return _wide_encoding(sample)
    if len(_CONTROLS.findall(sample)) > len(sample) // 50:
        raise SourceError("it is binary data, not text")
    if _decodes(sample, "utf-8", whole=whole):
        return "utf-8"
    if declared and _decodes(sample, declared, whole=whole):
        return declared
    return _guess(sample)


def _wide_encoding(sample: bytes) -> str:
    """UTF-16 without a mark: Western text has a NUL in every second place, and in one half of the places only."""
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if min(even, odd) * 20 <= max(even, odd) and max(even, odd) * 5 >= len(sample):
        encoding = "utf-16-be" if even > odd else "utf-16-le"
        text = sample.decode(encoding, "replace").encode("utf-8", "replace")
        if len(_CONTROLS.findall(text)) <= len(text) // 50:
            return encoding
    raise SourceError(f"it is binary data, not text: {even + odd} NUL bytes in the first {len(sample)}")


def _decodes(sample: bytes, encoding: str, *, whole: bool) -> bool:
    try:
        # Python has codecs that are no encodings of text, one of which unpacks zlib data: this refuses them.
        "a".encode(encoding)
        codecs.getincrementaldecoder(encoding)("strict").decode(sample, final=whole)
    except (UnicodeError, LookupError):
        return False
    return True


def _guess(sample: bytes) -> str:
    # In UTF-8 with a few stray bytes most high bytes still form characters; in any other encoding hardly any do.
    high = sum(byte >= 0x80 for byte in sample)
    if sample.decode("utf-8", "replace").count("\ufffd") * 3 <= high:
        return "utf-8"
    western = {char for char in sample.decode("cp1252", "replace") if char >= "\x80"}
    if high <= len(sample) * _WESTERN_SHARE and western <= _WESTERN:
        return "cp1252"
    best = charset_normalizer.from_bytes(sample).best()
    return best.encoding if best else "utf-8"


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Single stray bytes in otherwise sound text are cp1252 more often than not (pasted quotes and dashes)."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wide = error.encoding.startswith(("utf-16", "utf-32"))
    stray = b"" if wide else error.object[error.start : error.end]
    return stray.decode("cp1252", "replace") or "\ufffd", error.end


_LEGACY = "concord-legacy"
codecs.register_error(_LEGACY, _as_cp1252)
