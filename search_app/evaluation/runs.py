"""Settings of the engine and the runs they give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.errors import UsageError
from indexer.lexical.bm25 import Bm25
from search_app.engine import SearchEngine
from search_app.evaluation.variants import SCALES
from search_app.options import NO_RERANKER, Mode, reranker_parts
from search_app.query.parsed import ParsedQuery
from search_app.ranking.candidates import Ranking
from search_app.ranking.fusion import Merging

__all__ = ["DEPTH", "Run", "Setting", "answers", "default_settings", "run_of", "varied", "write_trec"]

DEPTH = 1000
"""Articles of an answer that a run keeps at most, as at TREC."""

Run = dict[str, list[tuple[str, float]]]
"""query id -> (article id, score) pairs, best first."""

Answers = dict[str, tuple[tuple[str, ...], Ranking]]
"""query id -> article ids, best first, and the ranking they come from."""

_LEGS: dict[str, tuple[Mode, ...]] = {
    "lexical": ("lexical", "hybrid"),
    "dense": ("semantic", "hybrid"),
    "both": ("hybrid",),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to ask the engine. `scale` names a way of fusing that is not the product's (see `variants`), or '';
    `rerank` and `diversify` are those of a search."""

    name: str
    mode: Mode
    merging: Merging = field(default_factory=Merging)
    bm25: Bm25 = field(default_factory=Bm25)
    scale: str = ""
    rerank: str = NO_RERANKER
    diversify: bool = False


@dataclass(frozen=True, slots=True)
class _Knob:
    """Something that `varied` can turn: the part of the engine that it concerns, and how a value is set."""

    concerns: str
    set: Callable[[Setting, str], Setting]


def default_settings() -> list[Setting]:
    """The product's modes side by side: both legs alone, then merged by scores and by ranks."""
    return [
        Setting("lexical", "lexical"),
        Setting("semantic", "semantic"),
        Setting("hybrid", "hybrid"),
        Setting("hybrid rrf", "hybrid", Merging(method="rrf")),
    ]


def varied(changes: str) -> list[Setting]:
    """The settings that 'NAME=VALUE,VALUE...' stands for, one for every value and mode that it concerns.

    Raises UsageError for an unknown name or a value that is none.
    """
    name, _, values = changes.partition("=")
    if name not in _KNOBS or not values:
        raise UsageError(f"'{changes}' varies nothing: write NAME=VALUE,VALUE with one of {', '.join(_KNOBS)}.")
    knob = _KNOBS[name]
    settings = []
    for value in values.split(","):
        for mode in _LEGS[knob.concerns]:
            try:
                settings.append(knob.set(Setting(f"{mode} {name}={value}", mode), value))
            except ValueError as error:
                raise UsageError(f"'{value}' is no value of {name}: {error}.") from error
    return settings


def answers(engine: SearchEngine, queries: Mapping[str, ParsedQuery], setting: Setting) -> Answers:
    """What the engine answers to each query."""
    return {
        id: engine.ranked(
            query, mode=setting.mode, merging=setting.merging, rerank=setting.rerank, diversify=setting.diversify
        )
        for id, query in queries.items()
    }


def run_of(found: Answers, scale: str = "", weight: float = 0.5) -> Run:
    """The run in answers, as ranked by the engine or fused again on another scale."""
    run: Run = {}
    for id, (articles, ranking) in found.items():
        scores: NDArray[np.floating] = ranking.scores
        order = np.arange(len(articles))
        if scale:
            scores = SCALES[scale](ranking, weight)
            order = np.lexsort((np.array(articles), -scores))
        run[id] = [(articles[n], float(scores[n])) for n in order[:DEPTH].tolist()]
    return run


def write_trec(run: Run, path: Path, tag: str) -> None:
    """Write a run as TREC does: query, 'Q0', article, rank, score, tag. Blanks in ids become underscores."""
    with path.open("w", encoding="utf-8") as lines:
        for query, found in run.items():
            lowest = float("inf")
            for rank, (article, score) in enumerate(found, 1):
                # Evaluation tools sort by score, and a diversified answer is not in its order.
                lowest = min(lowest, score)
                ids = ("_".join(query.split()), "_".join(article.split()))
                lines.write(f"{ids[0]} Q0 {ids[1]} {rank} {lowest:.9g} {tag}\n")


def _bm25(name: str) -> Callable[[Setting, str], Setting]:
    return lambda setting, value: replace(setting, bm25=replace(setting.bm25, **{name: float(value)}))


def _dense_weight(setting: Setting, value: str) -> Setting:
    return replace(setting, merging=replace(setting.merging, dense_weight=float(value)))


def _passages(setting: Setting, value: str) -> Setting:
    weights = tuple(float(part) for part in value.split(":"))
    return replace(setting, merging=replace(setting.merging, passage_weights=weights))


def _scale(setting: Setting, value: str) -> Setting:
    name, _, weight = value.partition(":")
    if name not in SCALES:
        raise ValueError(f"there are {', '.join(SCALES)}, each with ':WEIGHT' of the dense leg")
    merging = replace(setting.merging, dense_weight=float(weight or 0.5))
    return replace(setting, scale=name, merging=merging)


def _rerank(setting: Setting, value: str) -> Setting:
    reranker_parts(value)
    return replace(setting, rerank=value)


def _diversify(setting: Setting, value: str) -> Setting:
    if value not in ("true", "false"):
        raise ValueError("write true or false")
    return replace(setting, diversify=value == "true")


_KNOBS = {
    "k1": _Knob("lexical", _bm25("k1")),
    "b": _Knob("lexical", _bm25("b")),
    "title_weight": _Knob("lexical", _bm25("title_weight")),
    "passages": _Knob("dense", _passages),
    "dense_weight": _Knob("both", _dense_weight),
    "scale": _Knob("both", _scale),
    "rerank": _Knob("both", _rerank),
    "diversify": _Knob("both", _diversify),
}
