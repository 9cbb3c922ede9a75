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
    "Recipe",
    "current_generation",
    "encoder_folder",
    "generation_folder",
    "generation_folders",
    "read_current",
    "switch_to",
]

FORMAT_VERSION = 2
CURRENT_FILE = "CURRENT"
_MANIFEST_FILE = "manifest.json"


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


@dataclass(frozen=True, slots=True)
class Manifest:
    """One generation; see Recipe for how it was encoded.

    `files` has the size in bytes of every file in the generation's folder, by its path there: what is missing or cut
    short is found before anything is read from it.
    """

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
    files: dict[str, int]

    @property
    def recipe(self) -> Recipe:
        """What the next generation has to keep to."""
        return Recipe(self.encoder, self.query_encoder, self.encoding_precision, self.chunking)

    def check_files(self, folder: Path) -> None:
        """Raises IndexDamaged when a file of the generation in `folder` is missing or has another size."""
        for name, size in self.files.items():
            try:
                found = (folder / name).stat().st_size
            except FileNotFoundError:
                found = -1
            if found != size:
                state = "is missing" if found < 0 else f"has {found:,} bytes instead of {size:,}"
                raise IndexDamaged(f"The file '{folder / name}' {state}: run 'concord rebuild' to make it new.")

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


def generation_folders(index_dir: Path) -> list[Path]:
    """The folders of all generations that are there, newest first."""
    return sorted((index_dir / "generations").glob("[0-9]" * 8), reverse=True)


def encoder_folder(index_dir: Path, spec: EncoderSpec) -> Path:
    """Where the exported encoder lies."""
    return index_dir / "encoders" / spec.fingerprint[:16]


def current_generation(index_dir: Path) -> int:
    """The number of the generation that answers; 0 when nothing has been indexed yet. Raises IndexDamaged."""
    path = index_dir / CURRENT_FILE
    try:
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        # The first generation may have been written and not yet named; any later one was named before.
        if any(int(folder.name) > 1 for folder in generation_folders(index_dir)):
            raise IndexDamaged(f"'{path}' is missing: run 'concord rebuild' to write it again.") from None
        return 0
    except (OSError, ValueError) as error:
        raise IndexDamaged(f"'{path}' cannot be read ({error}): run 'concord rebuild' to write it again.") from error
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
