"""The encoder that an index carries: where it lies, and whether it is sound."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from indexer.encoders.exported import ExportedEncoder
from indexer.encoders.for_queries import load_query_encoder
from indexer.encoders.int16 import check_int16
from indexer.encoders.onnx_graph import OnnxEncoder
from indexer.encoders.spec import EncoderSpec
from indexer.errors import IndexDamaged
from indexer.system.checksums import check_folder

__all__ = ["carried_encoder", "encoder_folder", "is_exported"]

_log = logging.getLogger(__name__)


def encoder_folder(index_dir: Path, spec: EncoderSpec) -> Path:
    """Where the exported encoder lies."""
    return index_dir / "encoders" / spec.fingerprint[:16]


def carried_encoder(index_dir: Path, spec: EncoderSpec) -> ExportedEncoder | None:
    """The encoder that the index carries, None when there is none, or none that is as it was written and makes such
    vectors."""

    def load(folder: Path) -> ExportedEncoder:
        check_folder(folder)  # all of it, whatever this machine loads
        return load_query_encoder(folder)

    return _sound(index_dir, spec, load)


def is_exported(index_dir: Path, spec: EncoderSpec) -> bool:
    """Whether the index carries an encoder that makes such vectors, and can be loaded in each of its forms."""

    def load(folder: Path) -> ExportedEncoder:
        check_int16(folder)
        return OnnxEncoder(folder)

    return _sound(index_dir, spec, load) is not None


def _sound(index_dir: Path, spec: EncoderSpec, load: Callable[[Path], ExportedEncoder]) -> ExportedEncoder | None:
    folder = encoder_folder(index_dir, spec)
    if not folder.is_dir():
        return None
    try:
        carried = load(folder)
    except IndexDamaged as error:
        _log.warning("%s", error)
        return None
    return carried if carried.spec.same_vectors(spec) else None
