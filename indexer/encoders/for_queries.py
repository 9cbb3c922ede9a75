"""Which form of the encoder in an index reads queries on this machine."""

from __future__ import annotations

import logging
from pathlib import Path

from indexer.encoders.exported import ExportedEncoder
from indexer.encoders.int16 import INT16_FOLDER, Int16Encoder, runs_int16
from indexer.encoders.onnx_graph import OnnxEncoder
from indexer.errors import IndexDamaged

__all__ = ["in_16_bits", "load_query_encoder", "query_runtime"]

_log = logging.getLogger(__name__)


def load_query_encoder(folder: Path, *, threads: int = 0) -> ExportedEncoder:
    """The encoder in `folder`: in 16 bits where it has such weights and this machine runs them, else its graph.

    The graph answers too when the others cannot be loaded, and the log says so; but not when one of their files is
    damaged. For `threads` see OnnxEncoder. Raises IndexDamaged.
    """
    if in_16_bits(folder):
        try:
            return Int16Encoder(folder, threads=threads)
        except IndexDamaged as error:
            _log.warning("Queries are read in 32 bits: %s", error)
    return OnnxEncoder(folder, threads=threads)


def query_runtime(folder: Path) -> str:
    """The runtime of what `load_query_encoder` gives, without loading it."""
    return Int16Encoder.runtime if in_16_bits(folder) else OnnxEncoder.runtime


def in_16_bits(folder: Path) -> bool:
    """Whether the encoder in `folder` has 16-bit weights and this machine runs them."""
    return (folder / INT16_FOLDER).is_dir() and runs_int16()
