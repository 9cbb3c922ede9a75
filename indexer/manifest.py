"""What a generation is made of, and which one answers: the manifest and the pointer that switches between them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from .encoder import EncoderSpec
from .errors import IndexDamaged, IndexMismatch, IndexNotFound
from .files import write_atomically

__all__ = [
    "CURRENT_FILE",
    "FORMAT_VERSION",
    "Chunking",
    "Manifest",
    "current_generation",
    "encoder_folder",
    "generation_folder",
    "read_current",
    "switch_to",
]

FORMAT_VERSION = 1
CURRENT_FILE = "CURRENT"
_MANIFEST_FILE = "manifest.json"


@dataclass(frozen=True, slots=True)
class Chunking:
    """How articles are cut: word pieces of a passage, title and special tokens included, and of the overlap."""

    window: int
    overlap: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """One generation. `query_encoder` is 'onnx' when the index carries its encoder, else 'torch'."""

    format_version: int
    generation: int
    created_at: str
    concord_version: str
    encoder: EncoderSpec
    query_encoder: str
    encoding_precision: str
    chunking: Chunking
    lexical: str
    articles: int
    passages: int

    def save(self, folder: Path) -> None:
        """Write the manifest into a generation's folder."""
        (folder / _MANIFEST_FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read the manifest of a generation. Raises IndexDamaged or IndexMismatch."""
        path = folder / _MANIFEST_FILE
        try:
            raw = json.loads(path.read_text("utf-8"))
            version = raw["format_version"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IndexDamaged(
                f"The manifest '{path}' cannot be read ({error}): run 'concord rebuild' to make it new."
            ) from error
        if version != FORMAT_VERSION:
            raise IndexMismatch(
                f"The index is of format {version}, this Concord reads format {FORMAT_VERSION}: index the articles "
                "into a new folder, or use the Concord version that made it."
            )
        try:
            encoder = EncoderSpec(**raw.pop("encoder"))
            chunking = Chunking(**raw.pop("chunking"))
            return cls(encoder=encoder, chunking=chunking, **raw)
        except (KeyError, TypeError) as error:
            raise IndexDamaged(
                f"The manifest '{path}' lacks entries ({error}): run 'concord rebuild' to make it new."
            ) from error


def generation_folder(index_dir: Path, generation: int) -> Path:
    """Where the derived indexes of a generation lie."""
    return index_dir / "generations" / f"{generation:08d}"


def encoder_folder(index_dir: Path, spec: EncoderSpec) -> Path:
    """Where the exported encoder lies."""
    return index_dir / "encoders" / spec.fingerprint[:16]


def current_generation(index_dir: Path) -> int:
    """The number of the generation that answers; 0 when nothing has been indexed yet. Raises IndexDamaged."""
    path = index_dir / CURRENT_FILE
    try:
        text = path.read_text("utf-8").strip()
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise IndexDamaged(f"'{path}' cannot be read: {error}.") from error
    if not text.isdecimal():
        raise IndexDamaged(f"'{path}' should hold a generation number: run 'concord rebuild' to write it again.")
    return int(text)


def read_current(index_dir: Path) -> Manifest:
    """The manifest of the generation that answers. Raises IndexNotFound when there is none."""
    generation = current_generation(index_dir)
    if generation == 0:
        raise IndexNotFound.at(index_dir)
    return Manifest.load(generation_folder(index_dir, generation))


def switch_to(index_dir: Path, generation: int) -> None:
    """Let another generation answer: one atomic step that survives a power cut."""
    write_atomically(index_dir / CURRENT_FILE, f"{generation}\n")
