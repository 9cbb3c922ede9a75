"""Which encoder a run uses: the one in the index for little, whatever this machine does fastest for much."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np

from .encoder import Encoder, EncoderSpec, Vectors, fingerprint, model_folder
from .errors import EncoderError, IndexMismatch
from .manifest import Manifest, encoder_folder
from .onnx_encoder import SPEC_FILE, OnnxEncoder, by_length

__all__ = ["PassageEncoder", "prepare_encoder"]

_log = logging.getLogger(__name__)

BULK_AFTER = 1500
"""Passages after which a run stops to measure what is fastest: the measurement itself costs about ten seconds."""
_SAMPLE = 64
_MIN_GAIN = 1.2
_MIN_COSINE = 0.995


class PassageEncoder:
    """Encodes passages for one run.

    It starts with the exported encoder, which needs no torch. In a long run it measures torch once, in bfloat16 or on
    a GPU, and changes over when that is at least a fifth faster and keeps every vector to a cosine of 0.995:
    bfloat16 is twice as fast on processors with AMX or AVX512-BF16 and many times slower on others.
    """

    def __init__(self, spec: EncoderSpec, exported: OnnxEncoder | None, name: str) -> None:
        self.spec = spec
        self.precision = "float32"
        self._name = name
        self._exported = exported
        self._bulk: Encoder | None = None
        self._measured = False
        self._encoded = 0

    def count_tokens(self, texts: list[str]) -> list[int]:
        """See Encoder."""
        return (self._exported or self._original()).count_tokens(texts)

    def encode_passages(self, texts: list[str]) -> Vectors:
        """See Encoder."""
        if self._exported is None:
            return self._original().encode_passages(texts)
        if not self._measured and self._encoded >= BULK_AFTER:
            self._measure(self._exported, texts)
        self._encoded += len(texts)
        return (self._bulk or self._exported).encode_passages(texts)

    def _measure(self, exported: OnnxEncoder, texts: list[str]) -> None:
        self._measured = True
        lengths = exported.count_tokens(texts)
        # A sample with the lengths of the whole: every n-th of the texts in order of length.
        order = [i for batch in by_length(lengths, 1) for i in batch]
        sample = [texts[i] for i in order[:: max(1, len(order) // _SAMPLE)]]
        try:
            from .torch_encoder import TorchEncoder, has_gpu

            precision = "float32" if has_gpu() else "bfloat16"
            candidate: Encoder = TorchEncoder(self._name, precision=precision)
            candidate.encode_passages(sample[:4])
        except (EncoderError, RuntimeError) as error:
            _log.warning("Encoding goes on with the exported encoder: %s", error)
            return
        start = time.perf_counter()
        reference = exported.encode_passages(sample)
        middle = time.perf_counter()
        vectors = candidate.encode_passages(sample)
        end = time.perf_counter()
        cosine = float(np.einsum("ij,ij->i", reference, vectors).min())
        if (middle - start) > _MIN_GAIN * (end - middle) and cosine >= _MIN_COSINE:
            self._bulk, self.precision = candidate, precision

    def _original(self) -> Encoder:
        """The model under torch in full precision, for encoders that cannot be exported."""
        if self._bulk is None:
            from .torch_encoder import TorchEncoder

            self._bulk = TorchEncoder(self._name)
        return self._bulk


def prepare_encoder(index_dir: Path, manifest: Manifest | None, name: str) -> tuple[PassageEncoder, str]:
    """The encoder for a run, exported into the index if it is not there yet, and how queries are to be encoded.

    Returns the encoder and 'onnx' or 'torch'. Raises IndexMismatch when the index was made with another encoder, and
    EncoderError when the encoder cannot be loaded.
    """
    folder = model_folder(name)
    print_of_folder = fingerprint(folder) if folder else None
    if manifest is not None:
        _same_encoder(index_dir, manifest, name, print_of_folder)
        target = encoder_folder(index_dir, manifest.encoder)
        if manifest.query_encoder == "onnx" and (target / SPEC_FILE).is_file():
            return PassageEncoder(manifest.encoder, OnnxEncoder(target), name), "onnx"
    from .torch_encoder import TorchEncoder, export

    original = TorchEncoder(name)
    if manifest is not None and original.spec != manifest.encoder:
        raise _mismatch(index_dir, manifest, name)
    target = encoder_folder(index_dir, original.spec)
    if not (target / SPEC_FILE).is_file():
        try:
            export(original, target)
        except EncoderError as error:
            _log.warning("%s Queries will be encoded with torch: slower to start, otherwise the same.", error)
            return PassageEncoder(original.spec, None, name), "torch"
    return PassageEncoder(original.spec, OnnxEncoder(target), name), "onnx"


def _same_encoder(index_dir: Path, manifest: Manifest, name: str, found: str | None) -> None:
    if found is not None and found != manifest.encoder.fingerprint:
        raise _mismatch(index_dir, manifest, name)
    if found is None and name != manifest.encoder.name:
        raise _mismatch(index_dir, manifest, name)


def _mismatch(index_dir: Path, manifest: Manifest, name: str) -> IndexMismatch:
    spec = manifest.encoder
    return IndexMismatch(
        f"The index '{index_dir}' was made with the encoder '{spec.name}' ({spec.fingerprint[:12]}), and its "
        f"vectors do not fit those of '{name}'. "
        f"Make a new index with 'concord index SOURCE... --index-dir NEW --encoder {name}', "
        f"or go on with '--encoder {spec.name}'; the old index goes on answering."
    )
