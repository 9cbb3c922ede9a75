from __future__ import annotations

import subprocess
import sys

import pytest

from indexer.system.cores import usable_cores


def test_there_is_one_at_least() -> None:
    assert usable_cores() >= 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which cores a process may run on")
def test_cores_that_a_process_may_not_use_do_not_count() -> None:
    asks = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "from indexer.system.cores import usable_cores; print(usable_cores())"
    )
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
