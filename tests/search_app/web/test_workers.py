from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from search_app.stages import OutOfTime, stage
from search_app.web.errors import Overloaded
from search_app.web.workers import Workers


def test_values_and_errors_come_back_to_the_thread_that_asked() -> None:
    workers = Workers(2, 2, 5)
    assert workers.run(lambda: 6 * 7) == 42
    with pytest.raises(KeyError, match="gone"):
        workers.run(lambda: {}["gone"])
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
        while workers.inside < 5:
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
        workers.run(lambda: gate.wait(20))
    with pytest.raises(Overloaded, match=r"waited 0\.05 seconds for its turn"):
        workers.run(lambda: pytest.fail("it had no turn"))
    gate.set()
    while workers.inside:
        time.sleep(0.001)
    assert workers.run(lambda: "again") == "again"


def test_work_stops_at_its_next_stage_when_its_time_is_over() -> None:
    seen: list[dict[str, float]] = []
    workers = Workers(1, 0, 0.05, seen.append)
    reached: list[str] = []

    def work() -> None:
        for name in ("first", "second"):
            with stage(name):
                reached.append(name)
                time.sleep(0.2)

    with pytest.raises(OutOfTime):
        workers.run(work)
    while workers.inside:
        time.sleep(0.001)
    assert reached == ["first"]
    assert list(seen[0]) == ["first"]
