"""What an index is made of, for `concord status` and the API."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from indexer.catalogue import NO_DATE
from indexer.encoders.carried import encoder_folder
from indexer.encoders.exported import runtime_name, trusted_precision
from search_app.snapshot.encoders import carries_runnable
from search_app.snapshot.snapshot import Snapshot

__all__ = ["IndexStatus", "index_status"]


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """What an index is made of.

    `query_encoder` is what reads queries on this machine, such as 'openvino bfloat16', and `encoding_precision` what
    encoded passages in the last run. `vector_search` is 'exact', or 'codes' where large parts are searched by short
    codes first; `vector_recall` is then the share of an exact search's answer that it finds, measured when the index
    was written. Dates are ISO 8601, sizes bytes; `oldest` and `newest` are article dates; `stale` says why a newer
    generation does not answer, where there is one that cannot be opened."""

    generation: int
    created_at: str
    articles: int
    passages: int
    oldest: str | None
    newest: str | None
    sections: tuple[tuple[str, int], ...]
    sources: tuple[tuple[str, int], ...]
    encoder: str
    encoder_fingerprint: str
    dimension: int
    query_encoder: str
    encoding_precision: str
    passage_window: int
    passage_overlap: int
    lexical: str
    vector_search: str
    vector_recall: float
    format_version: int
    concord_version: str
    size_bytes: int
    stale: str | None


def index_status(snapshot: Snapshot, index_dir: Path, stale: str | None) -> IndexStatus:
    """The status of the index in `index_dir`, with `snapshot` answering; `stale` as `SearchEngine.stale`."""
    manifest, catalogue = snapshot.manifest, snapshot.catalogue
    everything = np.arange(len(catalogue))
    dated = catalogue.dates[catalogue.dates != NO_DATE]
    return IndexStatus(
        generation=manifest.generation,
        created_at=manifest.created_at,
        articles=manifest.articles,
        passages=manifest.passages,
        oldest=_day(dated.min()) if len(dated) else None,
        newest=_day(dated.max()) if len(dated) else None,
        sections=catalogue.counts("section", everything),
        sources=catalogue.counts("source", everything),
        encoder=manifest.encoder.name,
        encoder_fingerprint=manifest.encoder.fingerprint,
        dimension=manifest.encoder.dimension,
        query_encoder=(
            runtime_name(trusted_precision(encoder_folder(index_dir, manifest.encoder)))
            if carries_runnable(manifest)
            else "torch float32"
        ),
        encoding_precision=manifest.encoding_precision,
        passage_window=manifest.chunking.window,
        passage_overlap=manifest.chunking.overlap,
        lexical=manifest.lexical,
        vector_search="exact" if snapshot.vectors.recall is None else "codes",
        vector_recall=1.0 if snapshot.vectors.recall is None else round(snapshot.vectors.recall, 4),
        format_version=manifest.format_version,
        concord_version=manifest.concord_version,
        size_bytes=_size(index_dir),
        stale=stale,
    )


def _day(seconds: np.int64) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))).date().isoformat()


def _size(folder: Path) -> int:
    """Bytes on disk; a file with several names is counted once."""
    seen: dict[tuple[int, int], int] = {}
    for parent, folders, files in os.walk(folder):
        if "sample_articles" in folders:
            folders.remove("sample_articles")
        for name in files:
            with contextlib.suppress(FileNotFoundError):  # an old generation being cleared away
                found = (Path(parent) / name).stat()
                seen[(found.st_dev, found.st_ino)] = found.st_size
    return sum(seen.values())
