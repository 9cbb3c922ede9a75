"""The index of a collection, made by the product's own pipeline and kept while nothing that it is made of changes."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import indexer
from indexer.build import BuildOptions, BuildProgress, build_index
from indexer.encoders.spec import DEFAULT_ENCODER, fingerprint, model_folder
from indexer.errors import IndexDamaged, IndexMismatch
from indexer.generations.commit import rebuild
from indexer.generations.manifest import FORMAT_VERSION, current_generation
from indexer.text.chunking import OVERLAP_TOKENS, PASSAGE_TOKENS
from search_app.evaluation.collection import Pair

__all__ = ["prepared_index", "write_pairs"]

_CODE = "code"
# What decides how an article is cut: build_index encodes an article again when it changed, not when the cutting did.
_CUTTING = ("text/chunking.py", "text/sentences.py", "text/token_counts.py")


def prepared_index(
    corpus: Path,
    cache: Path,
    options: BuildOptions,
    progress: Callable[[BuildProgress], None] | None = None,
) -> Path:
    """The folder of an index of `corpus`, under `cache`.

    It is used again while corpus, encoder and cutting are the same; when other code of the indexer has changed, the
    articles are read again and the derived indexes made new, without encoding what is the same. Raises what
    `build_index` raises.
    """
    folder = cache / f"{corpus.resolve().parent.name}-{_key(corpus, options)}"
    code = _digest_of_code(Path(indexer.__file__).parent.rglob("*.py"))
    marker = folder / _CODE
    if marker.is_file() and marker.read_text("utf-8") == code and current_generation(folder):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    try:
        known = current_generation(folder)
        build_index([corpus], folder, options, progress)
        if known:
            rebuild(folder)
    except (IndexDamaged, IndexMismatch):
        # Made by another version of Concord, or cut short: it is only a cache.
        shutil.rmtree(folder)
        build_index([corpus], folder, options, progress)
    marker.write_text(code, "utf-8")
    return folder


def write_pairs(pairs: Sequence[Pair], folder: Path) -> Path:
    """Write the articles of pairs as a corpus; ids are those of the pairs with '-match' and '-clash'."""
    folder.mkdir(parents=True, exist_ok=True)
    corpus = folder / "corpus.jsonl"
    with corpus.open("w", encoding="utf-8") as lines:
        for pair in pairs:
            for side, (title, text) in (("match", pair.match), ("clash", pair.clash)):
                lines.write(json.dumps({"_id": f"{pair.id}-{side}", "title": title, "text": text}) + "\n")
    return corpus


def _key(corpus: Path, options: BuildOptions) -> str:
    name = options.encoder or DEFAULT_ENCODER
    folder = model_folder(name)
    made_of = (
        FORMAT_VERSION,
        name,
        fingerprint(folder) if folder else "",
        options.window or PASSAGE_TOKENS,
        OVERLAP_TOKENS if options.overlap is None else options.overlap,
        _digest_of_code(Path(indexer.__file__).parent / name for name in _CUTTING),
    )
    with corpus.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
    digest.update(repr(made_of).encode())
    return digest.hexdigest()[:16]


def _digest_of_code(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
