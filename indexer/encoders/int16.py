"""The encoder with weights in 16-bit integers, run by CTranslate2: half the memory to read for every query.

A query has few tokens, so encoding it takes as long as reading the weights does. CTranslate2 has the instructions on
processors of Intel's, where it brings Intel's library for them; elsewhere the index's ONNX graph encodes queries.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakSet

import numpy as np

from indexer.encoders.exported import GRAPH_FILE, ExportedEncoder, read_spec, read_tokenizer
from indexer.encoders.int16_file import read_layout
from indexer.encoders.spec import EncoderSpec, Vectors
from indexer.errors import IndexDamaged
from indexer.system.checksums import check_folder

__all__ = ["INT16_FOLDER", "MODEL_FILE", "POOLING", "POOLINGS", "Int16Encoder", "check_int16", "runs_int16"]

INT16_FOLDER = "int16"
MODEL_FILE = "model.bin"
CONFIG_FILE = "config.json"
POOLING = "pooling"
"""The name, in CTranslate2's own configuration, of how the vector of a text is made of those of its tokens."""
POOLINGS = ("mean", "cls")
_CONFIG = {POOLING, "bos_token", "eos_token", "layer_norm_epsilon", "multi_query_attention", "unk_token"}
_MOST_AT_ONCE = 16

_log = logging.getLogger(__name__)


@cache
def runs_int16() -> bool:
    """Whether CTranslate2 is installed, and multiplies 16-bit integers on this processor; on Linux only."""
    # Elsewhere the OpenMP that it brings may end a process that has loaded torch's or FAISS's.
    if sys.platform != "linux" or find_spec("ctranslate2") is None:
        return False
    try:
        import ctranslate2
    except (ImportError, OSError) as error:
        _log.warning("CTranslate2 is installed and cannot be loaded, so queries are read in 32 bits: %s", error)
        return False
    return "int16" in ctranslate2.get_supported_compute_types("cpu")


class Int16Encoder(ExportedEncoder):
    """Encodes with the 16-bit weights in `folder`; safe to share between threads.

    Each text is encoded by itself: what a layer makes of a batch is scaled by its greatest number, so a vector would
    depend on the others. `threads` bounds the cores that one call uses; with 0 every core encodes a text of its own.
    Raises IndexDamaged if a file is missing or is not what it should be, also when something is encoded.
    """

    runtime = "ctranslate2 int16"

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        self.folder = folder
        self._threads = threads
        self._model: Any = self._load()
        self._start_threads()
        _loaded.add(self)

    def _start_threads(self) -> None:
        self._loading = Lock()
        self._pool = None if self._threads else ThreadPoolExecutor(_at_once(), "encode")

    def _load(self) -> Any:
        import ctranslate2

        folder = self.folder / INT16_FOLDER
        try:
            # The graph is not read, and comparing its checksum would take a tenth of a short search.
            check_folder(self.folder, without=(GRAPH_FILE,))
            self.spec = read_spec(self.folder)
            self._tokenizer = read_tokenizer(self.folder)
            self._pooling, self._vocabulary = _look(folder, self.spec)
            return ctranslate2.Encoder(
                str(folder), compute_type="int16", inter_threads=_at_once(), intra_threads=self._threads or 1
            )
        except IndexDamaged:
            raise
        except Exception as error:
            raise _unusable(folder, error) from error

    def _running(self) -> Any:
        """The model; loaded again in a forked process."""
        model = self._model
        if model is None:
            with self._loading:
                model = self._model = self._model or self._load()
        return model

    def after_fork(self) -> None:
        """Forget the model in a forked process: its threads are in the other one."""
        # Never freed, because it would wait for its threads first.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._model))
        self._model = None
        self._start_threads()

    def close(self) -> None:
        """See BatchEncoder."""
        super().close()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _blocks(self, texts: list[str]) -> Iterator[tuple[list[int], Vectors]]:
        for position, _, vectors in self._hidden(texts):
            pooled = vectors[:1] if self._pooling == "cls" else vectors.mean(axis=0, keepdims=True)
            yield [position], pooled

    def _hidden(self, texts: list[str]) -> Iterator[tuple[int, list[int], Vectors]]:
        read = [(position, ids) for position, ids in enumerate(self._token_ids(texts)) if ids]
        together = self._pool.map if self._pool is not None and len(read) > 1 else map
        for (position, ids), vectors in zip(read, together(self._forward, [ids for _, ids in read]), strict=True):
            yield position, ids, vectors

    def _forward(self, ids: list[int]) -> Vectors:
        # CTranslate2 would look up the vector of a token that it has none of in memory that is not its own.
        if max(ids) >= self._vocabulary:
            raise IndexDamaged(
                f"The query encoder in '{self.folder}' has {self._vocabulary:,} tokens, and its tokenizer knows more: "
                "run 'concord rebuild' to write it again."
            )
        try:
            # A copy: the array looks at memory that goes with the answer.
            vectors: Vectors = np.array(self._running().forward_batch([ids]).last_hidden_state)[0]
        except (RuntimeError, ValueError) as error:
            raise _unusable(self.folder / INT16_FOLDER, error) from error
        return vectors


def check_int16(folder: Path) -> None:
    """Raises IndexDamaged when the encoder in `folder` has 16-bit weights that are not what its spec says; needs no
    CTranslate2."""
    inner = folder / INT16_FOLDER
    if not inner.is_dir():
        return
    try:
        _look(inner, read_spec(folder))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _unusable(inner, error) from error


def _look(folder: Path, spec: EncoderSpec) -> tuple[str, int]:
    """How the encoder pools, and how many tokens it has vectors of. Raises what `check_int16` catches."""
    config = json.loads((folder / CONFIG_FILE).read_text("utf-8"))
    pooling = config[POOLING]
    if not config.keys() <= _CONFIG:
        raise ValueError(f"no query encoder has the settings {sorted(config.keys() - _CONFIG)}")
    layout = read_layout(folder / MODEL_FILE)
    if not 1 <= spec.window <= layout.positions or layout.dimension != spec.dimension or pooling not in POOLINGS:
        raise ValueError(f"{layout}, pooling '{pooling}', and not {spec.window} tokens of {spec.dimension} dimensions")
    return pooling, layout.vocabulary


def _unusable(folder: Path, error: Exception) -> IndexDamaged:
    return IndexDamaged(
        f"The query encoder in '{folder}' cannot be loaded ({type(error).__name__}: {str(error)[:300]}): "
        "run 'concord rebuild' to write it again."
    )


def _at_once() -> int:
    """Texts of different callers that are encoded at the same time: one for each core, within reason."""
    return min(len(os.sched_getaffinity(0)), _MOST_AT_ONCE)


_loaded: WeakSet[Int16Encoder] = WeakSet()


def _forget_models() -> None:
    for encoder in list(_loaded):
        encoder.after_fork()


if sys.platform == "linux":
    os.register_at_fork(after_in_child=_forget_models)
