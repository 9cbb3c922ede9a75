"""Which encoder a run uses: the one in the index for little, whatever this machine does fastest for much."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .encoder import Encoder, EncoderSpec, Vectors, fingerprint, model_folder
from .errors import EncoderError, IndexDamaged, IndexMismatch
from .manifest import Recipe, encoder_folder
from .onnx_encoder import OnnxEncoder, by_length

if TYPE_CHECKING:
    from .torch_encoder import TorchEncoder

__all__ = ["PassageEncoder", "carried_encoder", "prepare_encoder"]

_log = logging.getLogger(__name__)

BULK_AFTER = 1500
"""Passages after which a run stops to measure what is fastest: the measurement itself costs about ten seconds."""
_SAMPLE = 256
"""Passages to measure on: enough batches for every core to have several, or the longest one decides."""
_MIN_GAIN = 1.2
_MIN_COSINE = 0.995


class PassageEncoder:
    """Encodes passages for one run.

    It starts with the exported encoder, which needs no torch, or the original where that cannot be exported. In a long
    run it measures torch once, in bfloat16 or on a GPU, and changes over when that is at least a fifth faster and keeps
    every vector to a cosine of 0.995: bfloat16 is twice as fast on processors with AMX or AVX512-BF16 and many times
    slower on others.
    """

    def __init__(self, name: str, encoder: OnnxEncoder | TorchEncoder) -> None:
        self.spec = encoder.spec
        self.precision = "float32"
        self._name = name
        self._encoder: Encoder = encoder
        self._bulk: Encoder | None = None
        self._measured = False
        self._encoded = 0

    def count_tokens(self, texts: list[str]) -> list[int]:
        """See Encoder."""
        return self._encoder.count_tokens(texts)

    def encode_passages(self, texts: list[str]) -> Vectors:
        """See Encoder."""
        if not self._measured and self._encoded >= BULK_AFTER:
            self._measure(texts)
        self._encoded += len(texts)
        return (self._bulk or self._encoder).encode_passages(texts)

    def _measure(self, texts: list[str]) -> None:
        self._measured = True
        lengths = self._encoder.count_tokens(texts)
        # A sample with the lengths of the whole: every n-th of the texts in order of length.
        order = [i for batch in by_length(lengths, 1) for i in batch]
        sample = [texts[i] for i in order[:: max(1, len(order) // _SAMPLE)]]
        try:
            from .torch_encoder import TorchEncoder, has_gpu

            precision = "float32" if has_gpu() else "bfloat16"
            candidate: Encoder = TorchEncoder(self._name, precision=precision)
            candidate.encode_passages(sample[:4])
        except (EncoderError, RuntimeError) as error:
            _log.warning("Encoding goes on in float32: %s", error)
            return
        start = time.perf_counter()
        reference = self._encoder.encode_passages(sample)
        middle = time.perf_counter()
        vectors = candidate.encode_passages(sample)
        end = time.perf_counter()
        cosine = float(np.einsum("ij,ij->i", reference, vectors).min())
        if (middle - start) > _MIN_GAIN * (end - middle) and cosine >= _MIN_COSINE:
            self._bulk, self.precision = candidate, precision


def prepare_encoder(index_dir: Path, recipe: Recipe | None, name: str) -> tuple[PassageEncoder, str]:
    """The encoder for a run, exported into the index if it is not there yet, and how queries are to be encoded.

    `recipe` is that of the index, None for a new one. Returns the encoder and 'onnx' or 'torch'. Raises IndexMismatch
    when the index was made with another encoder, and EncoderError when the encoder cannot be loaded.
    """
    folder = model_folder(name)
    print_of_folder = fingerprint(folder) if folder else None
    if recipe is not None:
        _same_encoder(index_dir, recipe.encoder, name, print_of_folder)
        if recipe.query_encoder == "onnx" and (carried := carried_encoder(index_dir, recipe.encoder)) is not None:
            return PassageEncoder(name, carried), "onnx"
    from .torch_encoder import TorchEncoder, export

    original = TorchEncoder(name)
    if recipe is not None and not original.spec.same_vectors(recipe.encoder):
        raise _mismatch(index_dir, recipe.encoder, name)
    spec = recipe.encoder if recipe is not None else original.spec
    if recipe is not None and recipe.query_encoder == "torch":
        return PassageEncoder(name, original), "torch"
    if (carried := carried_encoder(index_dir, spec)) is None:
        try:
            export(original, encoder_folder(index_dir, spec))
            carried = OnnxEncoder(encoder_folder(index_dir, spec))
        except EncoderError as error:
            if recipe is not None:
                raise
            _log.warning("%s Queries will be encoded with torch: slower to start, otherwise the same.", error)
            return PassageEncoder(name, original), "torch"
    return PassageEncoder(name, carried), "onnx"


def carried_encoder(index_dir: Path, spec: EncoderSpec) -> OnnxEncoder | None:
    """The encoder that the index carries, None when there is none, or none that is sound and makes such vectors."""
    folder = encoder_folder(index_dir, spec)
    if not folder.is_dir():
        return None
    try:
        carried = OnnxEncoder(folder)
    except IndexDamaged as error:
        _log.warning("%s", error)
        return None
    return carried if carried.spec.same_vectors(spec) else None


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
