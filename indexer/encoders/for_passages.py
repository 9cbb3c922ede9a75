"""Which encoder a run uses: the one in the index for little, whatever this machine does fastest for much."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from indexer.encoders.carried import carried_encoder, encoder_folder
from indexer.encoders.export_process import export_apart
from indexer.encoders.exported import ExportedEncoder, is_runnable
from indexer.encoders.recipe import Recipe
from indexer.encoders.runtimes import Runtime, candidates, fastest, sample
from indexer.encoders.spec import EncoderSpec, Vectors, fingerprint, model_folder
from indexer.errors import EncoderError, IndexMismatch

if TYPE_CHECKING:
    from indexer.encoders.original import TorchEncoder

__all__ = ["LONG_RUN", "PassageEncoder", "prepare_encoder"]

_log = logging.getLogger(__name__)

_WITHOUT_EXPORT = "%s Queries will be encoded with torch: slower to start, otherwise the same."
LONG_RUN = 384
"""Passages waiting at once that make a run a long one: for fewer, measuring costs more than it can gain."""


class PassageEncoder:
    """Encodes the passages of one run; safe to share between threads.

    It starts with the exported encoder as it reads queries, which is there at once, or the original where that cannot
    be exported. The first time that it is given LONG_RUN passages it measures what this machine does fastest, and
    changes over to that.
    """

    def __init__(self, name: str, encoder: ExportedEncoder | TorchEncoder) -> None:
        self.spec = encoder.spec
        self._name = name
        self._runtime = Runtime(encoder.runtime, encoder)
        self._measured = False
        self._measuring = Lock()

    @property
    def precision(self) -> str:
        """The library that encodes, and how precisely: 'openvino bfloat16', 'torch float32'."""
        return self._runtime.name

    def count_tokens(self, texts: list[str]) -> list[int]:
        """See Encoder."""
        return self._runtime.encoder.count_tokens(texts)

    def encode_passages(self, texts: list[str]) -> Vectors:
        """See Encoder."""
        with self._measuring:
            if not self._measured and len(texts) >= LONG_RUN:
                self._measured = True
                current = self._runtime
                self._runtime = fastest(
                    current, candidates(self._name, current.encoder), sample(current.encoder, texts)
                )
            encoder = self._runtime.encoder
        return encoder.encode_passages(texts)

    def close(self) -> None:
        """Give up what is being encoded, and end all threads."""
        self._runtime.encoder.close()


def prepare_encoder(
    index_dir: Path, recipe: Recipe | None, name: str, *, again: bool = False
) -> tuple[PassageEncoder, str]:
    """The encoder for a run, exported into the index if it is not there yet, and how queries are to be encoded.

    `recipe` is that of the index, None for a new one. With `again` it is exported whatever is there. Returns the
    encoder and 'onnx' or 'torch'. Raises IndexMismatch when the index was made with another encoder, and EncoderError
    when the encoder cannot be loaded.
    """
    folder = model_folder(name)
    found = fingerprint(folder) if folder else None
    if recipe is None:
        return _for_new_index(index_dir, name)
    _same_encoder(index_dir, recipe.encoder, name, found)
    exported = recipe.query_encoder == "onnx" and is_runnable()
    if exported and not again and (carried := carried_encoder(index_dir, recipe.encoder)) is not None:
        return PassageEncoder(name, carried), "onnx"
    original = _same_original(index_dir, recipe.encoder, name)
    if not exported:
        return PassageEncoder(name, original), recipe.query_encoder
    return PassageEncoder(name, _exported(original, index_dir)), "onnx"


def _for_new_index(index_dir: Path, name: str) -> tuple[PassageEncoder, str]:
    apart = "torch" not in sys.modules and bool(sys.executable)
    failure = ""
    if apart:
        spec, failure = export_apart(name, index_dir)
        if not failure:
            return PassageEncoder(name, ExportedEncoder(encoder_folder(index_dir, spec))), "onnx"
    from indexer.encoders.original import TorchEncoder

    original = TorchEncoder(name)
    if not apart:
        try:
            carried = carried_encoder(index_dir, original.spec) or _exported(original, index_dir)
            return PassageEncoder(name, carried), "onnx"
        except EncoderError as error:
            failure = str(error)
    _log.warning(_WITHOUT_EXPORT, failure)
    return PassageEncoder(name, original), "torch"


def _exported(original: TorchEncoder, index_dir: Path) -> ExportedEncoder:
    """The encoder that an index carries, written anew. Raises EncoderError."""
    from indexer.encoders.original import export

    folder = encoder_folder(index_dir, original.spec)
    export(original, folder)
    return ExportedEncoder(folder)


def _same_original(index_dir: Path, spec: EncoderSpec, name: str) -> TorchEncoder:
    from indexer.encoders.original import TorchEncoder

    original = TorchEncoder(name)
    if not original.spec.same_vectors(spec):
        raise _mismatch(index_dir, spec, name)
    return original


def _same_encoder(index_dir: Path, spec: EncoderSpec, name: str, found: str | None) -> None:
    # What comes from a hub by name has no folder to look at before it is loaded.
    if (found or spec.fingerprint) != spec.fingerprint or (found is None and name != spec.name):
        raise _mismatch(index_dir, spec, name)


def _mismatch(index_dir: Path, spec: EncoderSpec, name: str) -> IndexMismatch:
    return IndexMismatch(
        f"The index '{index_dir}' was made with the encoder '{spec.name}' ({spec.fingerprint[:12]}), and its "
        f"vectors do not fit those of '{name}'. "
        f"Make a new index with 'concord index SOURCE... --index-dir NEW --encoder {name}', "
        f"or go on with '--encoder {spec.name}'; the old index goes on answering."
    )
