"""Chances and log-odds: the scale on which scores become probabilities and opinions are added up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["log_odds", "logistic"]

Doubles = NDArray[np.float64]


def logistic(values: NDArray[Any], slope: float = 1.0, middle: float = 0.0) -> Doubles:
    """Values of any scale as chances in [0, 1], float64 of the same shape: 1 / (1 + exp(-slope (value - middle))).

    `middle` is the value with a chance of one half, `slope` four times the steepness there. Slope and middle of a score
    are fitted to judged articles (Platt 1999, "Probabilistic Outputs for Support Vector Machines"); without them values
    are taken for log-odds, of which this is the inverse.
    """
    chances: Doubles = 1 / (1 + np.exp(-slope * (values.astype(np.float64) - middle)))
    return chances


def log_odds(chances: NDArray[Any], least: float) -> Doubles:
    """The logarithm of p / (1 - p), float64 of the shape of `chances`, which are in [0, 1].

    No chance counts as less than `least` or more than 1 - `least`, so that none is certain and all values are finite.
    """
    bounded = np.clip(chances.astype(np.float64), least, 1 - least)
    odds: Doubles = np.log(bounded / (1 - bounded))
    return odds
