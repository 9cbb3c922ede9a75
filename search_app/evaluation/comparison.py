"""Settings side by side on one collection: measures, significance, what the floors do, what scores mean."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search_app.engine import SearchEngine
from search_app.evaluation.collection import Qrels
from search_app.evaluation.engines import Engines
from search_app.evaluation.measures import evaluate, p_value
from search_app.evaluation.runs import Answers, Run, Setting, answers, run_of
from search_app.options import NO_RERANKER
from search_app.query.parsed import ParsedQuery

__all__ = ["Band", "Comparison", "Outcome", "compare", "off_topic"]

_TOP = 10
_BANDS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class Band:
    """Articles in the top 10 whose score is in [low, high): how many, mean score, share judged relevant."""

    low: float
    high: float
    articles: int
    mean_score: float
    relevant: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """One setting on one collection.

    `values` are the measures' values query by query. `p` is that of the first measure's difference to the baseline,
    `wins` and `losses` count the queries on which it is better and worse than that; None and 0 for the baseline itself.
    `unanswered` queries found nothing. The floors kept `dropped` of the `reachable` relevant articles, those in the top
    10 without floors, out of the answer.
    """

    setting: Setting
    run: Run
    values: Mapping[str, NDArray[np.float64]]
    p: float | None
    wins: int
    losses: int
    unanswered: int
    reachable: int
    dropped: int
    bands: tuple[Band, ...]

    def mean(self, measure: str) -> float:
        """A measure's mean over all queries."""
        return float(self.values[measure].mean())


@dataclass(frozen=True, slots=True)
class Comparison:
    """All settings; `baseline` names the better single ranking by the first measure, if a single one was asked for."""

    queries: tuple[str, ...]
    measures: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    baseline: str | None


def compare(
    index_dir: Path,
    queries: Mapping[str, ParsedQuery],
    qrels: Qrels,
    settings: Sequence[Setting],
    measures: Sequence[str],
    progress: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Ask all `queries` in all `settings`, and judge the answers. Raises UsageError for an unknown measure."""
    outcomes: list[Outcome] = []
    engines = Engines(index_dir)
    for setting in settings:
        progress(setting.name)
        outcomes.append(_outcome(engines.of(setting.bm25), queries, qrels, setting, measures))
    first = measures[0]
    single = [outcome for outcome in outcomes if outcome.setting.name in ("lexical", "semantic")]
    baseline = max(single, key=lambda outcome: outcome.mean(first), default=None)
    if baseline is not None:
        outcomes = [_against(outcome, baseline, first) for outcome in outcomes]
    return Comparison(
        tuple(qrels), tuple(measures), tuple(outcomes), baseline.setting.name if baseline is not None else None
    )


def off_topic(index_dir: Path, queries: Mapping[str, ParsedQuery], settings: Sequence[Setting]) -> dict[str, list[int]]:
    """For each setting the number of articles that each query finds, for queries that this index cannot answer."""
    counts = {}
    engines = Engines(index_dir)
    for setting in settings:
        found = answers(engines.of(setting.bm25), queries, setting)
        counts[setting.name] = [len(ids) for ids, _ in found.values()]
    return counts


def _outcome(
    engine: SearchEngine,
    queries: Mapping[str, ParsedQuery],
    qrels: Qrels,
    setting: Setting,
    measures: Sequence[str],
) -> Outcome:
    found = answers(engine, queries, setting)
    run = run_of(found, setting.scale, setting.merging.dense_weight)
    # A reranker only orders what the floors have let through.
    free = replace(setting, merging=replace(setting.merging, floors=False), rerank=NO_RERANKER)
    everything = run_of(answers(engine, queries, free), setting.scale, setting.merging.dense_weight)
    reachable, dropped = _lost(run, everything, qrels)
    return Outcome(
        setting=setting,
        run=run,
        values=evaluate(run, qrels, measures),
        p=None,
        wins=0,
        losses=0,
        unanswered=sum(not run[id] for id in qrels),
        reachable=reachable,
        dropped=dropped,
        bands=_bands(found, qrels),
    )


def _against(outcome: Outcome, baseline: Outcome, measure: str) -> Outcome:
    if outcome is baseline:
        return outcome
    mine, other = outcome.values[measure], baseline.values[measure]
    return replace(outcome, p=p_value(mine, other), wins=int((mine > other).sum()), losses=int((mine < other).sum()))


def _lost(run: Run, everything: Run, qrels: Qrels) -> tuple[int, int]:
    """Relevant articles in the top 10 without floors, and how many of them are nowhere in the answer with floors."""
    reachable = dropped = 0
    for id, judged in qrels.items():
        best = {article for article, _ in everything[id][:_TOP] if judged.get(article, 0) > 0}
        reachable += len(best)
        dropped += len(best - {article for article, _ in run[id]})
    return reachable, dropped


def _bands(found: Answers, qrels: Qrels) -> tuple[Band, ...]:
    scores: list[float] = []
    relevant: list[bool] = []
    for id, judged in qrels.items():
        articles, ranking = found[id]
        scores += ranking.scores[:_TOP].tolist()
        relevant += (judged.get(article, 0) > 0 for article in articles[:_TOP])
    values, hits = np.array(scores), np.array(relevant, np.bool_)
    bands = []
    for low, high in itertools.pairwise(_BANDS):
        inside = (values >= low) & ((values < high) | (high == _BANDS[-1]))
        if inside.any():
            bands.append(Band(low, high, int(inside.sum()), float(values[inside].mean()), float(hits[inside].mean())))
    return tuple(bands)
