"""The encoder as the index carries it: an ONNX graph and a tokenizer file, run by ONNX Runtime without torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .batching import TokenEncoder, unit
from .checksums import check_folder
from .encoder import EncoderSpec, Vectors
from .errors import IndexDamaged
from .huge_pages import anonymous_memory, use_huge_pages

__all__ = [
    "GRAPH_FILE",
    "SPEC_FILE",
    "TOKENIZER_FILE",
    "OnnxEncoder",
    "TokenVectors",
    "read_spec",
    "read_tokenizer",
    "write_spec",
]

GRAPH_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
SPEC_FILE = "encoder.json"
_BATCH = 8
"""Texts of a batch: what the layers make of 32 texts takes 0.7 GB more, and reading and writing that takes longer."""


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """A text token by token, without those that the tokenizer adds: their names in the vocabulary, and unit vectors,
    float32 (n, d)."""

    tokens: tuple[str, ...]
    vectors: Vectors


class OnnxEncoder(TokenEncoder):
    """Encodes with the graph in `folder`. Safe to share between threads: a session's `run` is.

    `threads` bounds the cores that one call uses; 0 leaves the choice to the runtime. With `huge_pages` loading takes a
    moment longer and a query less time, on Linux.
    Raises IndexDamaged if a file is missing or is not what it should be.
    """

    def __init__(self, folder: Path, *, threads: int = 0, huge_pages: bool = False) -> None:
        import onnxruntime

        before = anonymous_memory() if huge_pages else []
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
            if huge_pages:
                use_huge_pages(before)
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
        self._added = self._tokenizer.encode("").ids

    def _blocks(self, texts: list[str]) -> Iterator[tuple[list[int], Vectors]]:
        for positions, feed in self._feeds(texts, _BATCH):
            yield positions, self._session.run(["sentence_embedding"], feed)[0]

    def encode_tokens(self, texts: list[str]) -> list[TokenVectors]:
        """What the encoder makes of each token in its place, before pooling; no prefix is put before the texts.

        Raises IndexDamaged when the graph does not give it.
        """
        if all(node.name != "token_embeddings" for node in self._session.get_outputs()):
            raise IndexDamaged(
                f"The query encoder in '{self.folder}' gives no vectors of tokens: run 'concord rebuild' to write it "
                "again."
            )
        found: list[TokenVectors] = [TokenVectors((), np.empty((0, 0), np.float32))] * len(texts)
        for positions, feed in self._feeds(texts, _BATCH):
            block = self._session.run(["token_embeddings"], feed)[0]
            for position, ids, mask, vectors in zip(
                positions, feed["input_ids"], feed["attention_mask"], block, strict=True
            ):
                kept = (mask > 0) & ~np.isin(ids, self._added)
                names = tuple(self._tokenizer.id_to_token(id) for id in ids[kept].tolist())
                found[position] = TokenVectors(names, unit(vectors[kept]))
        return found


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
