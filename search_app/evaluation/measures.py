"""Measures of a run, and whether a difference between two runs could be chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.errors import MissingExtra, UsageError
from search_app.evaluation.collection import Qrels
from search_app.evaluation.runs import Run

__all__ = ["DEFAULT_MEASURES", "evaluate", "p_value", "parse_measures"]

DEFAULT_MEASURES = ("nDCG@10", "R@100", "RR@10")
_RESAMPLES = 10_000
_SEED = 20231207
_BATCH = 1_000


def parse_measures(names: Sequence[str]) -> dict[Any, str]:
    """ir-measures' own objects for names such as 'nDCG@10', 'AP' or 'P@5'.

    Raises UsageError for an unknown name and MissingExtra without ir-measures.
    """
    try:
        import ir_measures
    except ImportError as error:
        raise MissingExtra("Evaluation needs ir-measures: run 'pip install ir-measures'.") from error
    parsed: dict[Any, str] = {}
    for name in names:
        try:
            parsed[ir_measures.parse_measure(name)] = name
        except (NameError, ValueError, SyntaxError) as error:
            raise UsageError(
                f"'{name}' is no measure: use names of ir-measures such as {', '.join(DEFAULT_MEASURES)}, AP, P@5."
            ) from error
    return parsed


def evaluate(run: Run, qrels: Qrels, measures: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Each measure's value for every query of `qrels`, in their order; a query without results counts 0.

    ir-measures computes them, as trec_eval does. Raises what `parse_measures` raises.
    """
    parsed = parse_measures(measures)
    import ir_measures

    # trec_eval breaks ties by id; falling numbers instead of scores keep the order that people see.
    ranked = {id: {doc: float(len(found) - n) for n, (doc, _) in enumerate(found)} for id, found in run.items()}
    position = {id: n for n, id in enumerate(qrels)}
    values = {name: np.zeros(len(qrels)) for name in measures}
    if any(ranked.values()):
        for metric in ir_measures.iter_calc(list(parsed), qrels, ranked):
            values[parsed[metric.measure]][position[metric.query_id]] = metric.value
    return values


def p_value(mine: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Two-sided p of a paired randomisation test on the mean difference, 10,000 sign flips with a fixed seed.

    Smucker, Allan and Carterette 2007, "A Comparison of Statistical Significance Tests for Information Retrieval
    Evaluation". 1.0 where no query differs. Raises MissingExtra without scipy.
    """
    if np.array_equal(mine, other):
        return 1.0
    try:
        from scipy.stats import permutation_test
    except ImportError as error:
        raise MissingExtra("Significance needs scipy: run 'pip install scipy'.") from error

    def mean_difference(left: NDArray[np.float64], right: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        difference: NDArray[np.float64] = np.mean(left - right, axis=axis)
        return difference

    found = permutation_test(
        (mine, other),
        mean_difference,
        permutation_type="samples",
        vectorized=True,
        n_resamples=_RESAMPLES,
        batch=_BATCH,
        rng=np.random.default_rng(_SEED),
    )
    return float(found.pvalue)
