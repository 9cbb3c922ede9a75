"""How the passages and vectors of an index are made."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from indexer.encoders.spec import EncoderSpec

__all__ = ["Chunking", "Recipe"]


@dataclass(frozen=True, slots=True)
class Chunking:
    """How articles are cut: word pieces of a passage, title and special tokens included, and of the overlap."""

    window: int
    overlap: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the passages and vectors of an index are made, the same in all of its generations.

    `query_encoder` is 'onnx' when the index carries its encoder, else 'torch'; `encoding_precision` is that of the last
    run that encoded.
    """

    encoder: EncoderSpec
    query_encoder: str
    encoding_precision: str
    chunking: Chunking

    def fits(self, other: Recipe) -> bool:
        """Whether passages and vectors of both can stand in one index."""
        return self.encoder.same_vectors(other.encoder) and self.chunking == other.chunking

    def to_json(self) -> str:
        """For `from_json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Read what `to_json` wrote."""
        raw = json.loads(text)
        return cls(encoder=EncoderSpec(**raw.pop("encoder")), chunking=Chunking(**raw.pop("chunking")), **raw)
