from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from search_app.stages import OutOfTime, stage
from search_app.web.errors import Overloaded
from search_app.web.workers import Workers

T = TypeVar("T")


def _in_its_turn(workers: Workers, work: Callable[[], T]) -> T:
    """The answer; asked again where the machine is too busy to begin in time."""
    for _ in range(100):
        try:
            return workers.run(work)
        except Overloaded:
            continue
    raise AssertionError("it never had its turn")


def test_values_and_errors_come_back_to_the_thread_that_asked() -> None:
    workers = Workers(2, 2, 5)
    assert workers.run(lambda: 6 * 7) == 42
    with pytest.raises(KeyError, match="gone"):
        workers.run(lambda: dict[str, int]()["gone"])
    with pytest.raises(TimeoutError, match="its own"):
        workers.run(lambda: (_ for _ in ()).throw(TimeoutError("its own")))


def test_no_more_than_so_many_are_at_work_or_waiting() -> None:
    workers = Workers(2, 3, 20)
    gate = threading.Event()
    most, at_work, lock = 0, 0, threading.Lock()

    def work() -> bool:
        nonlocal most, at_work
        with lock:
            at_work += 1
            most = max(most, at_work)
        gate.wait(20)
        with lock:
            at_work -= 1
        return True

    with ThreadPoolExecutor(5) as clients:
        asked = [clients.submit(workers.run, work) for _ in range(5)]
        while workers.inside < 5 or at_work < 2:
            time.sleep(0.001)
        with pytest.raises(Overloaded, match=r"^5 questions are at work or waiting, and no more than 5 may be"):
            workers.run(work)
        gate.set()
        assert all(one.result() for one in asked)
    assert most == 2
    while workers.inside:
        time.sleep(0.001)
    assert workers.run(lambda: "again") == "again"


def test_a_question_that_takes_too_long_is_answered_and_keeps_its_place_until_it_ends() -> None:
    workers = Workers(1, 1, 0.05)
    gate = threading.Event()
    with pytest.raises(OutOfTime, match=r"longer than the 0\.05 seconds"):
        _in_its_turn(workers, lambda: gate.wait(20))
    with pytest.raises(Overloaded, match=r"waited 0\.05 seconds for its turn"):
        workers.run(lambda: pytest.fail("it had no turn"))
    gate.set()
    while workers.inside:
        time.sleep(0.001)
    assert _in_its_turn(workers, lambda: "again") == "again"


def test_work_stops_at_its_next_stage_when_its_time_is_over() -> None:
    seen: list[dict[str, float]] = []
    workers = Workers(1, 0, 0.05, seen.append)
    reached: list[int] = []

    def work() -> None:
        for step in range(2_000):
            with stage("step"):
                reached.append(step)
                time.sleep(0.01)

    with pytest.raises(OutOfTime):
        _in_its_turn(workers, work)
    while workers.inside:
        time.sleep(0.001)
    assert len(reached) < 2_000
    assert set(seen[0]) <= {"step"}
