"""The encoder as the index carries it: an ONNX graph and a tokenizer file, run by ONNX Runtime without torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .batching import TokenEncoder
from .checksums import check_folder
from .encoder import EncoderSpec, Vectors
from .errors import IndexDamaged

__all__ = ["GRAPH_FILE", "SPEC_FILE", "TOKENIZER_FILE", "OnnxEncoder", "read_spec", "read_tokenizer", "write_spec"]

GRAPH_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
SPEC_FILE = "encoder.json"
_BATCH = 32


class OnnxEncoder(TokenEncoder):
    """Encodes with the graph in `folder`. Safe to share between threads: a session's `run` is.

    `threads` bounds the cores that one call uses; 0 leaves the choice to the runtime.
    Raises IndexDamaged if a file is missing or is not what it should be.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        import onnxruntime

        checking = ThreadPoolExecutor(1)
        # Beside loading: comparing the checksum of a graph of 90 MB would otherwise be a tenth of a short search.
        checked = checking.submit(check_folder, folder)
        self.folder = folder
        try:
            self.spec = read_spec(folder)
            self._tokenizer = read_tokenizer(folder)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
            options.log_severity_level = 3
            # Idle workers must not spin: a server's other threads need the cores between two queries.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            self._session = onnxruntime.InferenceSession(
                str(folder / GRAPH_FILE), options, providers=["CPUExecutionProvider"]
            )
            checked.result()
        except IndexDamaged:
            raise
        except Exception as error:
            raise IndexDamaged(
                f"The query encoder in '{folder}' cannot be loaded ({type(error).__name__}): "
                "run 'concord rebuild' to write it again."
            ) from error
        finally:
            checking.shutdown()
        self._inputs = [node.name for node in self._session.get_inputs()]

    def _blocks(self, texts: list[str]) -> Iterator[tuple[list[int], Vectors]]:
        for positions, feed in self._feeds(texts, _BATCH):
            yield positions, self._session.run(["sentence_embedding"], feed)[0]


def read_spec(folder: Path) -> EncoderSpec:
    """The spec of the encoder that was exported into `folder`. Raises OSError, ValueError or TypeError."""
    return EncoderSpec(**json.loads((folder / SPEC_FILE).read_text("utf-8")))


def read_tokenizer(folder: Path) -> Any:
    """Its tokenizer, which neither pads nor truncates. Raises whatever the tokenizers library finds."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def write_spec(folder: Path, spec: EncoderSpec) -> None:
    """Write the spec file beside graph and tokenizer."""
    (folder / SPEC_FILE).write_text(json.dumps(asdict(spec), indent=2) + "\n", "utf-8")
