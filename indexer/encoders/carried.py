"""The encoder that an index carries: where it lies, and whether it is sound."""

from __future__ import annotations

import logging
from pathlib import Path

from indexer.encoders.exported import ExportedEncoder
from indexer.encoders.spec import EncoderSpec
from indexer.errors import IndexDamaged

__all__ = ["carried_encoder", "encoder_folder"]

_log = logging.getLogger(__name__)


def encoder_folder(index_dir: Path, spec: EncoderSpec) -> Path:
    """Where the exported encoder lies."""
    return index_dir / "encoders" / spec.fingerprint[:16]


def carried_encoder(index_dir: Path, spec: EncoderSpec) -> ExportedEncoder | None:
    """The encoder that the index carries, None when there is none, or none that is as it was written and makes such
    vectors."""
    folder = encoder_folder(index_dir, spec)
    if not folder.is_dir():
        return None
    try:
        carried = ExportedEncoder(folder)
    except IndexDamaged as error:
        _log.warning("%s", error)
        return None
    return carried if carried.spec.same_vectors(spec) else None
