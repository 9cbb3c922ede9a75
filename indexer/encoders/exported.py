"""The encoder as the index carries it: its files, and what the runtimes that read queries with it have in common."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer.encoders.batching import TokenEncoder, unit
from indexer.encoders.spec import EncoderSpec, Vectors

__all__ = [
    "GRAPH_FILE",
    "MIN_EXPORT_COSINE",
    "SPEC_FILE",
    "TOKENIZER_FILE",
    "ExportedEncoder",
    "TokenVectors",
    "read_spec",
    "read_tokenizer",
    "write_spec",
]

GRAPH_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
SPEC_FILE = "encoder.json"
MIN_EXPORT_COSINE = 0.9999
"""How close what is exported must come to the original on every check text."""


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """A text token by token, without those that the tokenizer adds: their names in the vocabulary, and unit vectors,
    float32 (n, d)."""

    tokens: tuple[str, ...]
    vectors: Vectors


class ExportedEncoder(TokenEncoder):
    """An encoder out of `folder`, which encodes whole texts and their single tokens; subclasses set both attributes.

    `runtime` is the library and how precisely it computes: 'onnxruntime float32'.
    """

    folder: Path
    runtime: str

    @abstractmethod
    def _hidden(self, texts: list[str]) -> Iterator[tuple[int, list[int], Vectors]]:
        """The position of each text in `texts`, its token ids, and what the encoder makes of each in its place before
        pooling, float32 (tokens, d). Raises IndexDamaged when the encoder does not give it."""

    def encode_tokens(self, texts: list[str]) -> list[TokenVectors]:
        """Unit vectors of each token in its place, before pooling; no prefix is put before the texts.

        Raises IndexDamaged when the encoder does not give them.
        """
        added = self._tokenizer.encode("").ids
        found: list[TokenVectors] = [TokenVectors((), np.empty((0, 0), np.float32))] * len(texts)
        for position, ids, vectors in self._hidden(texts):
            kept = ~np.isin(ids, added)
            names = tuple(self._tokenizer.id_to_token(id) for id, wanted in zip(ids, kept, strict=True) if wanted)
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
