"""A folder of sources with an index beside it, for tests that change the one and look at the other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from indexer.build import BuildOptions, BuildReport, build_index
from search_app.engine import SearchEngine
from search_app.options import Mode
from search_app.query.parsed import parse
from search_app.ranking.fusion import Merging

__all__ = ["Archive", "counts", "ranked", "story"]


def story(article_id: str, words: str, **fields: Any) -> dict[str, Any]:
    """A record with an id, a title and two sentences around `words`."""
    text = f"It is said that {words} came up on Monday. More about {words} will be known by Friday."
    return {"id": article_id, "title": f"What {words} means", "text": text, **fields}


class Archive:
    """Sources in `folder / 'sources'`, their index in `index_dir`, made with one encoder."""

    def __init__(self, folder: Path, index_dir: Path, encoder: str | Path) -> None:
        self.sources = folder / "sources"
        self.sources.mkdir(exist_ok=True)
        self.index_dir = index_dir
        self.encoder = str(encoder)

    def write(self, name: str, text: str) -> Path:
        """Write a source file."""
        path = self.sources / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def write_lines(self, name: str, records: Iterable[Mapping[str, Any]]) -> Path:
        """Write a file of JSON lines."""
        return self.write(name, "".join(json.dumps(record) + "\n" for record in records))

    def index(self, *sources: str | Path, prune: bool = False, **options: Any) -> BuildReport:
        """Index the sources named, or all."""
        chosen = BuildOptions(**{"encoder": self.encoder, "prune": prune, **options})
        return build_index(sources or (self.sources,), self.index_dir, chosen)

    def open(self) -> SearchEngine:
        """An engine over the index."""
        return SearchEngine.open(self.index_dir)

    def ids(self, query: str, mode: Mode = "lexical") -> list[str]:
        """What a fresh engine finds; see `ranked`."""
        return ranked(self.open(), query, mode)


def ranked(engine: SearchEngine, query: str, mode: Mode = "lexical") -> list[str]:
    """The ids of all candidates, best first, whether they are good enough to be shown or not."""
    return list(engine.ranked(parse(query), mode=mode, merging=Merging(floors=False))[0])


def counts(report: BuildReport) -> dict[str, int]:
    """Added, updated, unchanged, removed, skipped, and the passages that were encoded; zeros left out."""
    found = {name: getattr(report, name) for name in ("added", "updated", "unchanged", "removed")}
    found |= {"skipped": len(report.skipped), "encoded": report.passages_encoded}
    return {name: number for name, number in found.items() if number}
