"""The encoder as the index carries it: an ONNX graph and a tokenizer file, run by ONNX Runtime without torch."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from .checksums import check_folder
from .encoder import EncoderSpec, Vectors
from .errors import IndexDamaged

__all__ = ["GRAPH_FILE", "SPEC_FILE", "TOKENIZER_FILE", "OnnxEncoder", "by_length", "write_spec"]

GRAPH_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
SPEC_FILE = "encoder.json"
_BATCH = 32


class OnnxEncoder:
    """Encodes with the graph in `folder`. Safe to share between threads: a session's `run` is.

    `threads` bounds the cores that one call uses; 0 leaves the choice to the runtime.
    Raises IndexDamaged if a file is missing or is not what it should be.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        checking = ThreadPoolExecutor(1)
        # Beside loading: comparing the checksum of a graph of 90 MB would otherwise be a tenth of a short search.
        checked = checking.submit(check_folder, folder)
        try:
            self.spec = EncoderSpec(**json.loads((folder / SPEC_FILE).read_text("utf-8")))
            self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
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
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def count_tokens(self, texts: list[str]) -> list[int]:
        """See Encoder."""
        encoded = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [len(item.ids) for item in encoded]

    def encode_passages(self, texts: list[str]) -> Vectors:
        """See Encoder."""
        return self._encode([self.spec.passage_prefix + text for text in texts])

    def encode_queries(self, texts: list[str]) -> Vectors:
        """See Encoder."""
        return self._encode([self.spec.query_prefix + text for text in texts])

    def _encode(self, texts: list[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.spec.dimension), np.float32)
        tokens = [self._window(item.ids) for item in self._tokenizer.encode_batch_fast(texts)]
        for batch in by_length([len(ids) for ids in tokens], _BATCH):
            width = max(len(tokens[i]) for i in batch)
            ids = np.zeros((len(batch), width), np.int64)
            mask = np.zeros_like(ids)
            for row, i in enumerate(batch):
                ids[row, : len(tokens[i])] = tokens[i]
                mask[row, : len(tokens[i])] = 1
            feed: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            (encoded,) = self._session.run(["sentence_embedding"], {name: feed[name] for name in self._inputs})
            vectors[batch] = encoded
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, norms, out=vectors, where=norms > 0)
        return vectors

    def _window(self, ids: list[int]) -> list[int]:
        """Cut to the window the way the tokenizer's own truncation does: the last special token stays."""
        window = self.spec.window
        return ids if len(ids) <= window else [*ids[: window - 1], ids[-1]]


def by_length(lengths: list[int], size: int) -> list[list[int]]:
    """Batches of at most `size` positions, short texts with short ones, so that little is spent on padding."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    return [order[i : i + size] for i in range(0, len(order), size)]


def write_spec(folder: Path, spec: EncoderSpec) -> None:
    """Write the spec file beside graph and tokenizer."""
    (folder / SPEC_FILE).write_text(json.dumps(asdict(spec), indent=2) + "\n", "utf-8")
