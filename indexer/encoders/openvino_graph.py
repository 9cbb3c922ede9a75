"""The exported encoder under OpenVINO, for long runs: every core encodes batches of its own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.encoders.batching import TokenEncoder
from indexer.encoders.exported import GRAPH_FILE, read_spec, read_tokenizer
from indexer.encoders.spec import Vectors
from indexer.errors import EncoderError

__all__ = ["OpenVinoEncoder"]

_BATCH = 4
"""Texts of a batch: what a layer makes of four passages stays in a core's own cache, of sixteen it does not."""
_WIDTH_STEP = 8
"""Batches are padded to multiples of this: OpenVINO keeps code and memory for every shape that it has met."""


class OpenVinoEncoder(TokenEncoder):
    """Encodes with the graph in `folder`, several batches at a time; safe to share between threads.

    `precision` is what OpenVINO computes in on this processor: 'bfloat16' where it has instructions for it (AMX,
    AVX512-BF16), else 'float32'. Raises EncoderError when OpenVINO is not installed or cannot run the graph.
    """

    def __init__(self, folder: Path) -> None:
        self.spec = read_spec(folder)
        self._tokenizer = read_tokenizer(folder)
        try:
            import openvino

            core = openvino.Core()
            model = core.read_model(str(folder / GRAPH_FILE))
            compiled = core.compile_model(model, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
            precision = str(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())
            requests = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        except (ImportError, RuntimeError) as error:
            raise EncoderError(
                f"OpenVINO cannot run the encoder '{self.spec.name}' ({type(error).__name__})."
            ) from error
        self.precision = {"bf16": "bfloat16", "f16": "float16", "f32": "float32"}.get(precision, precision)
        self._inputs = [node.get_any_name() for node in compiled.inputs]
        self._output = compiled.output("sentence_embedding")
        # One more than OpenVINO works on at a time, so that it never waits for Python to hand over the next batch.
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(requests + 1):
            self._requests.put(compiled.create_infer_request())
        self._pool = ThreadPoolExecutor(requests + 1, thread_name_prefix="encode")

    def close(self) -> None:
        """See BatchEncoder."""
        super().close()
        self._pool.shutdown(cancel_futures=True)

    def _blocks(self, texts: list[str]) -> Iterator[tuple[list[int], Vectors]]:
        batches = list(self._feeds(texts, _BATCH, step=_WIDTH_STEP))
        blocks = self._pool.map(self._forward, [feed for _, feed in batches])
        for (positions, _), block in zip(batches, blocks, strict=True):
            yield positions, block

    def _forward(self, feed: dict[str, NDArray[np.int64]]) -> Vectors:
        request = self._requests.get()
        try:
            block: Vectors = request.infer(feed, share_inputs=True)[self._output].astype(np.float32)
        finally:
            self._requests.put(request)
        return block
