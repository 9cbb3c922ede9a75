"""Queries with an article that fits and one that says the opposite: which comes first?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from search_app.evaluation.collection import Pair
from search_app.evaluation.engines import Engines
from search_app.evaluation.runs import Setting, answers
from search_app.query.parsed import plain

__all__ = ["PairOutcome", "judge_pairs"]


@dataclass(frozen=True, slots=True)
class PairOutcome:
    """One setting on all pairs: 1-based rank of match and clash for each pair, None where an article was not found."""

    setting: str
    ranks: dict[str, tuple[int | None, int | None]]

    @property
    def pairwise(self) -> float:
        """Share of the pairs whose match ranks above its clash; a match that is not found does not."""
        right = [match is not None and (clash is None or match < clash) for match, clash in self.ranks.values()]
        return sum(right) / len(right)

    @property
    def top1(self) -> float:
        """Share of the pairs whose match ranks first of all articles."""
        return sum(match == 1 for match, _ in self.ranks.values()) / len(self.ranks)


def judge_pairs(index_dir: Path, pairs: Sequence[Pair], settings: Sequence[Setting]) -> list[PairOutcome]:
    """Ask each pair's query against the articles of all pairs, in every setting."""
    queries = {pair.id: plain(pair.query) for pair in pairs}
    outcomes = []
    engines = Engines(index_dir)
    for setting in settings:
        ranks: dict[str, tuple[int | None, int | None]] = {}
        for id, (articles, _) in answers(engines.of(setting.bm25), queries, setting).items():
            place = {article: rank for rank, article in enumerate(articles, 1)}
            ranks[id] = (place.get(f"{id}-match"), place.get(f"{id}-clash"))
        outcomes.append(PairOutcome(setting.name, ranks))
    return outcomes
