"""Judged collections in BEIR layout, and pairs of articles of which one should rank above the other."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from indexer.errors import SourceError

__all__ = ["Collection", "Pair", "Qrels", "load_collection", "load_pairs", "load_queries", "open_text"]

Qrels = dict[str, dict[str, int]]
"""query id -> article id -> degree of relevance, 0 for judged and not relevant."""

_QRELS = ("qrels.tsv", "qrels/test.tsv", "qrels/dev.tsv", "qrels/train.tsv")


@dataclass(frozen=True, slots=True)
class Collection:
    """A corpus with queries and judgments. Queries without any relevant article are left out: they measure nothing."""

    name: str
    corpus: Path
    queries: dict[str, str]
    qrels: Qrels


@dataclass(frozen=True, slots=True)
class Pair:
    """A query with an article that fits and one that speaks of the same and clashes; both (title, text)."""

    id: str
    query: str
    match: tuple[str, str]
    clash: tuple[str, str]


def load_collection(folder: str | Path) -> Collection:
    """Read queries and judgments of a folder in BEIR layout; the corpus is only located.

    Files: `corpus.jsonl` and `queries.jsonl` with `_id`, `title`, `text`; `qrels.tsv` or `qrels/test.tsv` with query
    id, article id and degree of relevance, a header or none, or TREC's four columns. All may be gzipped. Raises
    SourceError.
    """
    root = Path(folder)
    if not root.is_dir():
        raise SourceError(f"'{root}' is no folder: name one with corpus.jsonl, queries.jsonl and qrels.tsv in it.")
    corpus = _find(root, ("corpus.jsonl",))
    texts = {str(record["_id"]): str(record.get("text", "")) for record in _records(_find(root, ("queries.jsonl",)))}
    qrels = _read_qrels(_find(root, _QRELS))
    answerable = [id for id, judged in qrels.items() if id in texts and any(grade > 0 for grade in judged.values())]
    if not answerable:
        raise SourceError(
            f"None of the {len(texts):,} queries in '{root}' has a relevant article among the judgments of "
            f"{len(qrels):,} queries: the ids of queries.jsonl and of the judgments must be the same."
        )
    return Collection(
        name=root.resolve().name,
        corpus=corpus,
        queries={id: texts[id] for id in answerable},
        qrels={id: qrels[id] for id in answerable},
    )


def load_queries(source: str | Path) -> dict[str, str]:
    """Queries alone: of a collection's folder, of a queries.jsonl, or of a text file with one on each line.

    Raises SourceError.
    """
    path = Path(source)
    if path.is_dir():
        path = _find(path, ("queries.jsonl",))
    if not path.is_file():
        raise SourceError(f"There are no queries '{path}': name a text file, a queries.jsonl or a collection's folder.")
    if ".jsonl" in path.suffixes:
        return {str(record["_id"]): str(record.get("text", "")) for record in _records(path)}
    with open_text(path) as lines:
        return {str(number): line.strip() for number, line in enumerate(lines, 1) if line.strip()}


def load_pairs(path: str | Path) -> list[Pair]:
    """Read a JSON-lines file of {_id, query, match: {title, text}, clash: {title, text}}. Raises SourceError."""
    file = Path(path)
    if not file.is_file():
        raise SourceError(f"There is no file '{file}': name a JSON-lines file of query, match and clash.")
    pairs = []
    for record in _records(file):
        try:
            match, clash = (_title_and_text(record[side]) for side in ("match", "clash"))
            pairs.append(Pair(str(record["_id"]), str(record["query"]), match, clash))
        except (KeyError, AttributeError) as error:
            raise SourceError(f"A pair in '{file}' lacks {error}: it needs _id, query, match and clash.") from error
    if not pairs:
        raise SourceError(f"The file '{file}' holds no pair.")
    return pairs


def open_text(path: Path) -> IO[str]:
    """A text file, gzipped or not, for reading."""
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def _title_and_text(side: dict[str, Any]) -> tuple[str, str]:
    return str(side.get("title") or ""), str(side["text"])


def _find(root: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        for path in (root / name, root / f"{name}.gz"):
            if path.is_file():
                return path
    raise SourceError(f"'{root}' has no {' or '.join(names)}, plain or with .gz: it is no folder in BEIR layout.")


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with open_text(path) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                record["_id"]
            except (ValueError, TypeError, KeyError) as error:
                raise SourceError(f"Line {number} of '{path}' is no JSON object with an _id: {error}.") from error
            yield record


def _read_qrels(path: Path) -> Qrels:
    qrels: Qrels = {}
    with open_text(path) as lines:
        for number, line in enumerate(lines, 1):
            fields = line.split("\t") if "\t" in line else line.split()
            if len(fields) == 4:
                del fields[1]
            if not line.strip():
                continue
            try:
                query, article, grade = (field.strip() for field in fields)
                qrels.setdefault(query, {})[article] = int(float(grade))
            except ValueError as error:
                if number == 1:
                    continue  # a header
                raise SourceError(
                    f"Line {number} of '{path}' has {len(fields)} fields, not query id, article id and a number."
                ) from error
    return qrels
