"""The encoder as an index carries it: an ONNX graph, a tokenizer and a spec, run by OpenVINO without torch.

Queries and passages are encoded by the same class. OpenVINO compiles the graph for the machine; what it has compiled is
kept in the user's cache folder for the next start, and never taken from an index.
"""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from indexer.encoders.batching import BatchEncoder, by_length, unit
from indexer.encoders.compiled import compiled_folder
from indexer.encoders.spec import EncoderSpec, Vectors
from indexer.errors import EncoderError, IndexDamaged
from indexer.system.checksums import check_folder
from indexer.system.cores import usable_cores

__all__ = [
    "BFLOAT16",
    "FLOAT32",
    "GRAPH_FILE",
    "MIN_EXPORT_COSINE",
    "SPEC_FILE",
    "TOKENIZER_FILE",
    "ExportedEncoder",
    "TokenVectors",
    "has_bfloat16",
    "is_runnable",
    "read_spec",
    "runtime_name",
    "trusted_precision",
    "write_spec",
]

GRAPH_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
SPEC_FILE = "encoder.json"
MIN_EXPORT_COSINE = 0.9999
"""How close what is exported must come to the original on every check text."""
BFLOAT16, FLOAT32 = "bfloat16", "float32"
_HINTS = {BFLOAT16: "bf16", FLOAT32: "f32"}
_FAITHFUL = "bfloat16"
"""In the spec file: whether the graph keeps its vectors in bfloat16."""

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_BATCH = 4
"""Texts of a batch: what a layer makes of four passages stays in a core's own cache, of sixteen it does not."""
_WIDTH_STEP = 8
"""Batches are padded to multiples of this: OpenVINO keeps code and memory for every shape that it has met."""

Feed = dict[str, NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """A text token by token, without those that the tokenizer adds: their names in the vocabulary, and unit vectors,
    float32 (n, d)."""

    tokens: tuple[str, ...]
    vectors: Vectors


class ExportedEncoder(BatchEncoder):
    """Encodes with the graph in `folder`, several batches at a time; safe to share between threads, and across a fork.

    Every core encodes a batch of its own; `threads` cores share one. `precision` is BFLOAT16 or FLOAT32; without it,
    what the graph is trusted with on this processor. Raises EncoderError when OpenVINO is not installed, and
    IndexDamaged if a file is missing or is not what it should be.
    """

    def __init__(self, folder: Path, *, threads: int = 1, precision: str | None = None) -> None:
        self.folder = folder
        self._threads = threads
        self._loading = Lock()
        self._precision = precision
        self._graph: _Graph | None = None
        self._running()
        _loaded.add(self)

    @property
    def runtime(self) -> str:
        """The library and how precisely it computes: 'openvino bfloat16'."""
        return runtime_name(self._running().precision)

    def count_tokens(self, texts: list[str]) -> list[int]:
        """See Encoder."""
        encoded = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [len(item) for item in encoded]

    def encode_tokens(self, texts: list[str]) -> list[TokenVectors]:
        """Unit vectors of each token in its place, before pooling; no prefix is put before the texts.

        Raises IndexDamaged when the graph does not give them.
        """
        graph = self._running()
        if "token_embeddings" not in graph.outputs:
            raise IndexDamaged(
                f"The query encoder in '{self.folder}' gives no vectors of tokens: run 'concord rebuild' to write it "
                "again."
            )
        added = self._tokenizer.encode("").ids
        found = [TokenVectors((), np.empty((0, 0), np.float32))] * len(texts)
        for positions, feed in self._feeds(texts, graph.inputs):
            block = graph.infer(feed, "token_embeddings")
            for position, ids, mask, vectors in zip(
                positions, feed["input_ids"], feed["attention_mask"] > 0, block, strict=True
            ):
                kept = mask & ~np.isin(ids, added)
                names = tuple(self._tokenizer.id_to_token(id) for id in ids[kept].tolist())
                found[position] = TokenVectors(names, unit(vectors[kept]))
        return found

    def close(self) -> None:
        """See BatchEncoder."""
        super().close()
        if self._graph is not None:
            self._graph.pool.shutdown(cancel_futures=True)

    def after_fork(self) -> None:
        """Forget the graph in a forked process: OpenVINO's threads are in the other one."""
        # Never freed, because it would wait for its threads first.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._graph))
        self._graph = None
        self._loading = Lock()

    def _blocks(self, texts: list[str]) -> Iterator[tuple[list[int], Vectors]]:
        graph = self._running()
        batches = list(self._feeds(texts, graph.inputs))
        feeds = [feed for _, feed in batches]
        encode = graph.pool.map if len(batches) > 1 else map
        for (positions, _), block in zip(batches, encode(graph.pooled, feeds), strict=True):
            yield positions, block

    def _feeds(self, texts: list[str], inputs: list[str]) -> Iterator[tuple[list[int], Feed]]:
        """Positions in `texts` and the graph's inputs, int64 (batch, tokens).

        The longest come first, so that no thread is left with the longest batch at the end.
        """
        tokens = [self._window(item.ids) for item in self._tokenizer.encode_batch_fast(texts)]
        for batch in reversed(by_length([len(ids) for ids in tokens], _BATCH)):
            width = -(-max(len(tokens[i]) for i in batch) // _WIDTH_STEP) * _WIDTH_STEP
            ids = np.zeros((len(batch), width), np.int64)
            mask = np.zeros_like(ids)
            for row, i in enumerate(batch):
                ids[row, : len(tokens[i])] = tokens[i]
                mask[row, : len(tokens[i])] = 1
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            yield batch, {name: feed[name] for name in inputs}

    def _window(self, ids: list[int]) -> list[int]:
        """Cut to the window the way the tokenizer's own truncation does: the last special token stays."""
        window = self.spec.window
        return ids if len(ids) <= window else [*ids[: window - 1], ids[-1]]

    def _running(self) -> _Graph:
        """The compiled graph; made again in a forked process."""
        graph = self._graph
        if graph is None:
            with self._loading:
                graph = self._graph = self._graph or self._load()
        return graph

    def _load(self) -> _Graph:
        try:
            with ThreadPoolExecutor(1) as checking:
                # Beside importing: a graph of 90 MB is not to reach OpenVINO before it is known to be sound.
                checked = checking.submit(check_folder, self.folder)
                self.spec = read_spec(self.folder)
                self._tokenizer = _read_tokenizer(self.folder)
                _openvino()
                checked.result()
            precision = self._precision or trusted_precision(self.folder)
            return _Graph(self.folder / GRAPH_FILE, precision, self._threads)
        except (IndexDamaged, EncoderError):
            raise
        except Exception as error:
            raise IndexDamaged(
                f"The query encoder in '{self.folder}' cannot be loaded ({type(error).__name__}): "
                "run 'concord rebuild' to write it again."
            ) from error


class _Graph:
    """A graph that OpenVINO has compiled, its requests, and the threads that wait for them."""

    one_at_a_time = Lock()

    def __init__(self, path: Path, precision: str, threads: int) -> None:
        streams = max(usable_cores() // threads, 1)
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams * threads,
        }
        if (folder := compiled_folder()) is not None:
            settings["CACHE_DIR"] = str(folder)
        openvino = _openvino()
        # Meanwhile OpenVINO sets the process's locale to "C" and then back: two at once would leave it at "C".
        with _Graph.one_at_a_time:
            # Two threads that convert the process's first arrays at the same time wait for each other for good, one in
            # pybind11's gil_safe_call_once_and_store, one in C++'s guard of a static: so one is converted here.
            openvino.Tensor(np.zeros((1, 1), np.int64), shared_memory=True)
            # By its own path: what is kept is found again whatever link leads to the index.
            compiled = openvino.Core().compile_model(str(path.resolve()), "CPU", settings)
        self.precision = precision
        # A tensor has several names where the graph only hands it on.
        self.inputs = [name for node in compiled.inputs for name in node.get_names() if name in _INPUTS]
        self.outputs = {name: node for node in compiled.outputs for name in node.get_names()}
        # One more than OpenVINO works on at a time, so that it never waits for Python to hand over the next batch.
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(streams + 1):
            self._requests.put(compiled.create_infer_request())
        self.pool = ThreadPoolExecutor(streams + 1, thread_name_prefix="encode")

    def pooled(self, feed: Feed) -> Vectors:
        """The vectors of texts, float32 (batch, d), not yet of length 1."""
        return self.infer(feed, "sentence_embedding")

    def infer(self, feed: Feed, output: str) -> Vectors:
        """One output of the graph, float32."""
        request = self._requests.get()
        try:
            found: Vectors = request.infer(feed, share_inputs=True)[self.outputs[output]].astype(np.float32)
        finally:
            self._requests.put(request)
        return found


def read_spec(folder: Path) -> EncoderSpec:
    """The spec of the encoder that was exported into `folder`. Raises OSError, ValueError or TypeError."""
    return EncoderSpec(**{name: value for name, value in _read(folder).items() if name != _FAITHFUL})


def write_spec(folder: Path, spec: EncoderSpec, *, bfloat16: bool = False) -> None:
    """Write the spec file beside graph and tokenizer; `bfloat16` says that the graph keeps its vectors in it."""
    (folder / SPEC_FILE).write_text(json.dumps(asdict(spec) | {_FAITHFUL: bfloat16}, indent=2) + "\n", "utf-8")


def trusted_precision(folder: Path) -> str:
    """The precision in which the encoder in `folder` computes on this machine: BFLOAT16 where the processor has
    instructions for it and the export has shown that it keeps the vectors, else FLOAT32.

    Raises EncoderError when OpenVINO is not installed.
    """
    return BFLOAT16 if _read(folder).get(_FAITHFUL) is True and has_bfloat16() else FLOAT32


def runtime_name(precision: str) -> str:
    """The runtime as `concord status` shows it: 'openvino bfloat16'."""
    return f"openvino {precision}"


@cache
def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 (AMX, AVX512-BF16). Raises EncoderError without OpenVINO."""
    return "BF16" in _openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def is_runnable() -> bool:
    """Whether OpenVINO is installed, without importing it."""
    return find_spec("openvino") is not None


def _openvino() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise EncoderError(
            "OpenVINO is not installed, which runs the encoder that an index carries: run 'pip install openvino'."
        ) from error
    return openvino


def _read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / SPEC_FILE).read_text("utf-8"))
    return found


def _read_tokenizer(folder: Path) -> Any:
    """The tokenizer, which neither pads nor truncates. Raises whatever the tokenizers library finds."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


_loaded: WeakSet[ExportedEncoder] = WeakSet()


def _forget_graphs() -> None:
    _Graph.one_at_a_time = Lock()
    if _loaded:
        # The tokenizers' own threads are in the other process too; left alone, they say so and do the same.
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
    for encoder in list(_loaded):
        encoder.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_graphs)
