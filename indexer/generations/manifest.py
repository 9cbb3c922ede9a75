"""What a generation is made of, and which one answers: the manifest and the pointer that switches between them."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from indexer.encoders.recipe import Chunking, Recipe
from indexer.encoders.spec import EncoderSpec
from indexer.errors import IndexDamaged, IndexMismatch, IndexNotFound
from indexer.system.checksums import FileSum, check_files, files_below, read_sums, sum_bytes
from indexer.system.files import write_atomically

__all__ = [
    "CURRENT_FILE",
    "FORMAT_VERSION",
    "LEXICAL_ENGINE",
    "LEXICAL_FOLDER",
    "MANIFEST_FILE",
    "VECTOR_FOLDER",
    "Manifest",
    "current_generation",
    "generation_folder",
    "generation_folders",
    "read_current",
    "store_files",
    "switch_to",
]

FORMAT_VERSION = 2
LEXICAL_ENGINE = "whoosh"
"""What the lexical index of a generation is made with."""
CURRENT_FILE = "CURRENT"
MANIFEST_FILE = "manifest.json"
LEXICAL_FOLDER = "lexical"
VECTOR_FOLDER = "vectors"
_STORE_NAME = re.compile(r"store(-\d{8})?\.sqlite")
_STORE_FILE = re.compile(rf"{_STORE_NAME.pattern}(-wal|-shm|-journal)?")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One generation; see Recipe for how it was encoded.

    `store` is the name of the store file that the generation is derived from, and `store_token` what that store knows
    this generation by, so that no other store is taken for it. `files` has size and checksum of every file in the
    generation's folder, by its path there: what is missing, cut short or changed is found before anything is read
    from it.
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
    store: str
    store_token: str
    files: dict[str, FileSum]

    @property
    def recipe(self) -> Recipe:
        """What the next generation has to keep to."""
        return Recipe(self.encoder, self.query_encoder, self.encoding_precision, self.chunking)

    def check_lexical(self) -> None:
        """Raises IndexMismatch when the lexical index was made with an engine that is gone."""
        if self.lexical != LEXICAL_ENGINE:
            raise IndexMismatch(
                f"Generation {self.generation} of the index has the lexical engine '{str(self.lexical)[:40]}', which "
                "Concord no longer has: run 'concord rebuild' to make the index anew, without encoding."
            )

    def check_files(self, folder: Path) -> None:
        """Raises IndexDamaged unless `folder` has the files of the generation, as they were written, and no more.

        A file too many is no trifle: Whoosh reads the newest table of contents that it finds.
        """
        check_files(folder, self.files)
        for name in files_below(folder):
            if name not in self.files and name != MANIFEST_FILE:
                raise IndexDamaged(
                    f"The file '{folder / name}' does not belong to generation {self.generation}: "
                    "run 'concord rebuild' to make the generation new."
                )

    def save(self, folder: Path) -> None:
        """Write the manifest into a generation's folder."""
        (folder / MANIFEST_FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path, xxh3: str | None = None) -> Manifest:
        """Read the manifest of a generation, whose checksum must be `xxh3`. Raises IndexDamaged or IndexMismatch."""
        path = folder / MANIFEST_FILE
        try:
            data = path.read_bytes()
            if xxh3 is not None and sum_bytes(data) != xxh3:
                raise ValueError("its checksum is not the one that CURRENT names")  # noqa: TRY301
            raw = json.loads(data)
            version = raw["format_version"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
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
            files = read_sums(raw.pop("files"))
            _same_folder(encoder.fingerprint, _FINGERPRINT)
            _same_folder(raw["store"], _STORE_NAME)
            return cls(encoder=encoder, chunking=chunking, files=files, **raw)
        except (KeyError, TypeError, ValueError) as error:
            raise IndexDamaged(
                f"The manifest '{path}' lacks entries ({error}): run 'concord rebuild' to make it new."
            ) from error


def generation_folder(index_dir: Path, generation: int) -> Path:
    """Where the derived indexes of a generation lie."""
    return index_dir / "generations" / f"{generation:08d}"


def generation_folders(index_dir: Path) -> list[Path]:
    """The folders of all generations that are there, newest first."""
    return sorted((index_dir / "generations").glob("[0-9]" * 8), reverse=True)


def store_files(index_dir: Path) -> list[Path]:
    """The store, or all stores where one takes the place of another, with their logs; no file that is called alike."""
    return sorted(path for path in index_dir.glob("store*.sqlite*") if _STORE_FILE.fullmatch(path.name))


def current_generation(index_dir: Path) -> int:
    """The number of the generation that answers; 0 when nothing has been indexed yet. Raises IndexDamaged."""
    return _current(index_dir)[0]


def read_current(index_dir: Path) -> Manifest:
    """The manifest of the generation that answers. Raises IndexNotFound when there is none."""
    generation, xxh3 = _current(index_dir)
    if generation == 0:
        raise IndexNotFound.at(index_dir)
    manifest = Manifest.load(generation_folder(index_dir, generation), xxh3)
    if xxh3 is None or manifest.generation != generation:
        raise _broken_pointer(index_dir, "it does not fit the manifest")
    return manifest


def switch_to(index_dir: Path, generation: int) -> None:
    """Let another generation answer: one atomic step that survives a power cut.

    CURRENT holds the generation and the checksum of its manifest, and the manifest those of all other files.
    """
    manifest = (generation_folder(index_dir, generation) / MANIFEST_FILE).read_bytes()
    write_atomically(index_dir / CURRENT_FILE, f"{generation} {sum_bytes(manifest)}\n")


def _current(index_dir: Path) -> tuple[int, str | None]:
    """Generation and checksum of its manifest; an index of format 1 has none."""
    path = index_dir / CURRENT_FILE
    try:
        words = path.read_text("ascii").split()
    except FileNotFoundError:
        # The first generation may have been written and not yet named; any later one was named before.
        if any(int(folder.name) > 1 for folder in generation_folders(index_dir)):
            raise IndexDamaged(f"'{path}' is missing: run 'concord rebuild' to write it again.") from None
        return 0, None
    except (OSError, ValueError) as error:
        raise _broken_pointer(index_dir, error) from error
    if len(words) not in {1, 2} or not words[0].isdecimal() or int(words[0]) == 0:
        raise _broken_pointer(index_dir, "it holds no generation and checksum")
    return int(words[0]), words[1] if len(words) > 1 else None


def _same_folder(name: str, allowed: re.Pattern[str]) -> None:
    """Names in a manifest become paths, and an index may come from someone else."""
    if not allowed.fullmatch(name):
        raise ValueError(f"the name '{name}' is none of Concord's")


def _broken_pointer(index_dir: Path, reason: object) -> IndexDamaged:
    return IndexDamaged(
        f"'{index_dir / CURRENT_FILE}' cannot be read ({reason}): run 'concord rebuild' to write it again."
    )
