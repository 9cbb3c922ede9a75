"""The encoder with weights in 16-bit integers, run by CTranslate2: half the memory to read for every query.

A query has few tokens, so encoding it takes as long as reading the weights does. CTranslate2 has the instructions on
processors of Intel's, where it brings Intel's library for them; elsewhere the index's ONNX graph encodes queries.
"""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from .checksums import check_folder
from .encoder import Vectors
from .errors import IndexDamaged
from .exported_encoder import GRAPH_FILE, ExportedEncoder, read_spec, read_tokenizer
from .int16_file import read_layout

__all__ = ["INT16_FOLDER", "MODEL_FILE", "POOLING", "POOLINGS", "Int16Encoder", "runs_int16"]

INT16_FOLDER = "int16"
MODEL_FILE = "model.bin"
CONFIG_FILE = "config.json"
POOLING = "pooling"
"""The name, in CTranslate2's own configuration, of how the vector of a text is made of those of its tokens."""
POOLINGS = ("mean", "cls")


def runs_int16() -> bool:
    """Whether CTranslate2 is installed, and multiplies 16-bit integers on this processor."""
    if find_spec("ctranslate2") is None:
        return False
    import ctranslate2

    return "int16" in ctranslate2.get_supported_compute_types("cpu")


class Int16Encoder(ExportedEncoder):
    """Encodes with the 16-bit weights in `folder`; safe to share between threads.

    Each text is encoded by itself: what a layer makes of a batch is scaled by its greatest number, so a vector would
    depend on the others. `threads` bounds the cores that one call uses; 0 leaves the choice to the runtime.
    Raises IndexDamaged if a file is missing or is not what it should be.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        self.folder = folder
        self._threads = threads
        self._loading = Lock()
        model = folder / INT16_FOLDER
        try:
            # The graph is not read, and comparing its checksum would take a tenth of a short search.
            check_folder(folder, without=(GRAPH_FILE,))
            self.spec = read_spec(folder)
            self._tokenizer = read_tokenizer(folder)
            self._pooling = json.loads((model / CONFIG_FILE).read_text("utf-8"))[POOLING]
            layout = read_layout(model / MODEL_FILE)
            self._vocabulary = layout.vocabulary
            fits = layout.positions >= self.spec.window and layout.dimension == self.spec.dimension
            if not fits or self._pooling not in POOLINGS:
                raise ValueError(f"{layout} with '{self._pooling}' is not {self.spec}")  # noqa: TRY301
            self._loaded = self._load()
        except IndexDamaged:
            raise
        except Exception as error:
            raise IndexDamaged(
                f"The query encoder in '{model}' cannot be loaded ({type(error).__name__}): "
                "run 'concord rebuild' to write it again."
            ) from error

    def _load(self) -> tuple[int, Any]:
        """The process that the model's threads run in, and the model."""
        import ctranslate2

        folder = str(self.folder / INT16_FOLDER)
        return os.getpid(), ctranslate2.Encoder(
            folder, compute_type="int16", inter_threads=os.cpu_count() or 1, intra_threads=self._threads
        )

    def _model(self) -> Any:
        """The model; after a fork a new one, because the threads of the old one are not in this process."""
        process, model = self._loaded
        if process == os.getpid():
            return model
        with self._loading:
            process, model = self._loaded
            if process != os.getpid():
                # It would wait for its threads before it goes.
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(model))
                self._loaded = self._load()
            return self._loaded[1]

    def _blocks(self, texts: list[str]) -> Iterator[tuple[list[int], Vectors]]:
        for position, _, vectors in self._hidden(texts):
            pooled = vectors[:1] if self._pooling == "cls" else vectors.mean(axis=0, keepdims=True)
            yield [position], pooled

    def _hidden(self, texts: list[str]) -> Iterator[tuple[int, list[int], Vectors]]:
        for position, ids in enumerate(self._token_ids(texts)):
            # CTranslate2 would look up the vector of a token that it has none of in memory that is not its own.
            if max(ids, default=0) >= self._vocabulary:
                raise IndexDamaged(
                    f"The query encoder in '{self.folder}' has {self._vocabulary:,} tokens, and its tokenizer knows "
                    "more: run 'concord rebuild' to write it again."
                )
            if ids:
                # A copy: the array looks at memory that goes with the answer.
                yield position, ids, np.array(self._model().forward_batch([ids]).last_hidden_state)[0]
