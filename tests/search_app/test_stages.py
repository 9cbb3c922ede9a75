from __future__ import annotations

import time

import pytest

from search_app.engine import SearchEngine
from search_app.options import Mode
from search_app.stages import OutOfTime, measured, stage


def _spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_each_moment_counts_for_the_innermost_stage_only() -> None:
    with measured() as stages:
        started = time.perf_counter()
        with stage("outer"):
            _spin(0.01)
            with stage("inner"):
                _spin(0.02)
            _spin(0.01)
        whole = time.perf_counter() - started
    assert stages.seconds["inner"] >= 0.02
    assert stages.seconds["outer"] >= 0.02
    assert sum(stages.seconds.values()) <= whole


def test_a_stage_that_fails_is_closed() -> None:
    with measured() as stages:
        with pytest.raises(ZeroDivisionError), stage("fails"):
            _ = 1 / 0
        with stage("next"):
            pass
    assert list(stages.seconds) == ["fails", "next"]


def test_without_a_watch_a_mark_does_nothing() -> None:
    with stage("alone"):
        pass
    with measured() as stages:
        pass
    assert stages.seconds == {}


def test_the_first_stage_after_the_deadline_gives_up() -> None:
    with measured(deadline=time.monotonic() - 1), pytest.raises(OutOfTime), stage("late"):
        pytest.fail("it went on")


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("hybrid", {"parse", "encode", "lexical", "dense", "fusion", "arranging", "snippets"}),
        ("lexical", {"parse", "lexical", "fusion", "arranging", "snippets"}),
        ("semantic", {"parse", "encode", "dense", "fusion", "arranging", "snippets"}),
    ],
)
def test_a_search_passes_its_stages(engine: SearchEngine, mode: Mode, expected: set[str]) -> None:
    with measured() as stages:
        engine.search("harbour ferry", mode=mode)
    assert expected <= set(stages.seconds)


def test_a_search_past_its_deadline_is_given_up(engine: SearchEngine) -> None:
    with measured(deadline=time.monotonic() - 1), pytest.raises(OutOfTime):
        engine.search("harbour")
