"""What this machine encodes fastest with: a short measurement at the head of a long run."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from indexer.encoders.batching import BatchEncoder, by_length
from indexer.encoders.exported import ExportedEncoder
from indexer.errors import EncoderError
from indexer.system.cores import usable_cores

__all__ = ["MIN_COSINE", "MIN_GAIN", "Runtime", "candidates", "fastest", "sample"]

MIN_COSINE = 0.999
"""How close every vector of the sample must come to that of the encoder which a run begins with."""
MIN_GAIN = 1.1
"""How many times as fast a runtime must be for a run to change over to it."""
_SAMPLE_PER_CORE = 24

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Runtime:
    """An encoder as one library runs it; `name` says which and how precisely, such as 'openvino bfloat16'."""

    name: str
    encoder: BatchEncoder


def candidates(model: str, encoder: BatchEncoder) -> list[Callable[[], Runtime]]:
    """What may be faster than `encoder` here, each to be loaded by a call that may raise EncoderError.

    That is torch on a GPU, and on the processor OpenVINO, which finds out by itself how precisely it can compute, or
    torch in bfloat16 where OpenVINO is not installed or there is no exported graph for it. bfloat16 is several times as
    fast on processors with AMX or AVX512-BF16 and many times slower on others.
    """
    found: list[Callable[[], Runtime]] = []
    if _may_have_gpu():
        found.append(lambda: _on_gpu(model))
    if isinstance(encoder, ExportedEncoder) and find_spec("openvino") is not None:
        folder = encoder.folder
        found.append(lambda: _openvino(folder))
    else:
        found.append(lambda: _torch(model, "bfloat16"))
    return found


def fastest(current: Runtime, others: Sequence[Callable[[], Runtime]], texts: list[str]) -> Runtime:
    """The runtime that encodes `texts` fastest, of those that keep every vector of `current`; the others are closed.

    `current` is the encoder as it reads queries, or the original: its vectors are exact to 0.9999. Another one has to
    be MIN_GAIN times as fast, and to keep the cosine of each vector to MIN_COSINE.
    """
    start = time.perf_counter()
    reference = current.encoder.encode_passages(texts)
    best, least = current, (time.perf_counter() - start) / MIN_GAIN
    for load in others:
        try:
            other = load()
            vectors = other.encoder.encode_passages(texts)
            start = time.perf_counter()
            other.encoder.encode_passages(texts)
            seconds = time.perf_counter() - start
        except (EncoderError, RuntimeError, MemoryError) as error:
            _log.warning("Encoding goes on with %s: %s", best.name, error)
            continue
        cosine = float(np.einsum("ij,ij->i", reference, vectors).min())
        if seconds < least and cosine >= MIN_COSINE:
            best.encoder.close()
            best, least = other, seconds
        else:
            other.encoder.close()
    return best


def sample(encoder: BatchEncoder, texts: list[str]) -> list[str]:
    """Some of `texts`, with the lengths of the whole, and enough of them that every core has several batches of the
    exported encoder."""
    count = _SAMPLE_PER_CORE * usable_cores()
    order = [i for batch in by_length(encoder.count_tokens(texts), 1) for i in batch]
    return [texts[i] for i in order[:: max(1, len(order) // count)]]


def _openvino(folder: Path) -> Runtime:
    from indexer.encoders.openvino_graph import OpenVinoEncoder

    encoder = OpenVinoEncoder(folder)
    return Runtime(f"openvino {encoder.precision}", encoder)


def _torch(model: str, precision: str) -> Runtime:
    from indexer.encoders.original import TorchEncoder

    encoder = TorchEncoder(model, precision=precision)
    return Runtime(encoder.runtime, encoder)


def _on_gpu(model: str) -> Runtime:
    from indexer.encoders.original import has_gpu

    if not has_gpu():
        raise EncoderError("there is a GPU, but torch cannot use it.")
    return _torch(model, "float16")


def _may_have_gpu() -> bool:
    """Whether it is worth importing torch, which takes seconds and 400 MB, to look for a GPU."""
    try:
        built_for_cpu = version("torch").endswith("+cpu")
    except PackageNotFoundError:
        return False
    if sys.platform == "darwin":
        return os.uname().machine == "arm64"
    devices = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
    return not built_for_cpu and (sys.platform == "win32" or any(Path(device).exists() for device in devices))
