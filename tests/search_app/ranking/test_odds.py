from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from search_app.ranking.odds import log_odds, logistic


@given(arrays(np.float32, 5, elements=st.floats(-13, 13, width=32)))
def test_log_odds_are_the_inverse_of_the_logistic_function(values: np.ndarray) -> None:
    assert log_odds(logistic(values), 1e-6) == pytest.approx(values.astype(np.float64), abs=1e-9)


@given(st.floats(-5, 5), st.floats(0.1, 20), st.floats(-1, 1))
def test_a_curve_is_the_formula(value: float, slope: float, middle: float) -> None:
    found = logistic(np.array([value]), slope, middle)
    assert found.dtype == np.float64
    assert found[0] == pytest.approx(1 / (1 + math.exp(-slope * (value - middle))), rel=1e-14)
    assert logistic(np.array([middle]), slope, middle)[0] == 0.5


@pytest.mark.parametrize("least", [0.01, 1e-6])
def test_no_chance_is_certain(least: float) -> None:
    none, some, all_ = log_odds(np.array([0, 0.5, 1], np.float32), least)
    assert none == pytest.approx(math.log(least / (1 - least)))
    assert some == 0
    assert all_ == pytest.approx(-none)
