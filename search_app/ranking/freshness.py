"""Time decay: a bounded blend of relevance and age, after fusion and off by default.

A score is multiplied by 1 - w + w * 2^(-age / half-life). So the newest article keeps its score, the oldest keeps at
least 1 - w of it, and no article of today passes one that is more than 1 / (1 - w) times as relevant. Decay inside a
ranking would change the candidates; behind the fusion it changes their order only.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue import NO_DATE
from indexer.errors import UsageError
from search_app.options import DateLike
from search_app.query.periods import named_period
from search_app.ranking.candidates import Ranking

__all__ = ["FRESH_WEIGHT", "Freshness", "factors"]

FRESH_WEIGHT = 0.3
"""The most that age can take from a score: w of the formula."""
_DAY = 86_400


def factors(dates: NDArray[np.int64], as_of: float, half_life: float) -> NDArray[np.float64]:
    """What the scores of articles are multiplied by, in [1 - FRESH_WEIGHT, 1].

    `dates` int64 (n,) and `as_of` are seconds since 1970, `half_life` is in days. Articles dated later than `as_of` are
    as fresh as can be; those without a date (NO_DATE) as old as can be, which is still the floor.
    """
    undated = dates == NO_DATE
    # NO_DATE is too small a number to take anything from.
    ages = np.maximum(as_of - np.where(undated, 0, dates), 0) / _DAY
    fresh = np.where(undated, 0.0, np.exp2(-ages / half_life))
    return 1 - FRESH_WEIGHT + FRESH_WEIGHT * fresh


@dataclass(frozen=True, slots=True)
class Freshness:
    """How much age counts: `half_life` in days, `as_of` in seconds since 1970 the moment that ages are counted from."""

    half_life: float
    as_of: float

    @classmethod
    def given(cls, half_life: float | None, as_of: DateLike) -> Freshness | None:
        """From the arguments of a search; None when age does not count. `as_of` is the end of a day, month or year, or
        now. Raises UsageError."""
        end = time.time()
        if as_of is not None and as_of != "":
            try:
                period = named_period(as_of if isinstance(as_of, str) else as_of.isoformat())
            except UsageError as error:
                raise UsageError(f"as_of: {error}") from None
            end = period.end.timestamp()
        if half_life is None:
            return None
        return cls(half_life, end)

    def blended(self, ranking: Ranking, dates: NDArray[np.int64]) -> Ranking:
        """The ranking by blended scores, best first; `dates` int64 (n,) are its articles' own. Equals keep their
        order."""
        scores = (ranking.scores * factors(dates, self.as_of, self.half_life)).astype(np.float32)
        return ranking.with_scores(scores).take(np.argsort(-scores, kind="stable"))

    def line(self, date: int) -> str:
        """For people, what the date (seconds since 1970, or NO_DATE) of an article has taken from its score."""
        less = f"{1 - self._factor(date):.0%} less for"
        if date == NO_DATE:
            return f"{less} having no date"
        days = round(self._age(date))
        return f"{less} its age of {days:,} {'day' if days == 1 else 'days'}"

    def explanation(self, date: int) -> dict[str, object]:
        """The same as JSON values: days, the factor, and the moment that ages are counted from (ISO 8601)."""
        return {
            "half_life": self.half_life,
            "as_of": datetime.fromtimestamp(self.as_of, UTC).isoformat(timespec="seconds"),
            "age": None if date == NO_DATE else round(self._age(date), 2),
            "factor": round(self._factor(date), 4),
        }

    def _age(self, date: int) -> float:
        return max(self.as_of - date, 0.0) / _DAY

    def _factor(self, date: int) -> float:
        return float(factors(np.array([date], np.int64), self.as_of, self.half_life)[0])
