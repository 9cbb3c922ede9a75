"""How long a command line search takes from nothing: a process that starts, searches the sample archive and ends.

Usage: python -m benchmarks.cold [--runs 12] [--articles FILE | --index-dir DIR] [--json FILE]

Whole processes are timed by the wall, from before they are started until they have ended, in turns: a bare Python,
`concord --help`, a search, and a search that denies something (which encodes sentences as well). One turn before the
first is not counted: it fills the system's file cache and writes bytecode. The processor's time is given beside; it
says more on a machine that has other work.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import introduce
from benchmarks.report import concord, environment, in_words, index_of, options, save, spread


def timed(command: list[str]) -> tuple[float, float, int]:
    """Seconds by the wall, seconds of the processor, and peak memory in bytes of a process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment())
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}.")
    unit = 1 if sys.platform == "darwin" else 1024
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit


def main() -> None:
    """Measure and print."""
    parser = options(__doc__)
    parser.add_argument("--runs", type=int, default=12)
    given = parser.parse_args()
    machine = introduce()
    with tempfile.TemporaryDirectory() as scratch:
        folder = index_of(given, Path(scratch))
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "concord --help": concord("--help"),
            "concord search": concord("search", "prisoner exchange announced", "--index-dir", folder),
            "concord search (denial)": concord("search", "prisoner exchange without mediation", "--index-dir", folder),
        }
        found: dict[str, list[tuple[float, float, int]]] = {name: [] for name in commands}
        for turn in range(given.runs + 1):
            for name, command in commands.items():
                measured = timed(command)
                if turn:
                    found[name].append(measured)
    rows: dict[str, dict[str, Any]] = {
        name: {
            "wall_s": spread([one[0] for one in runs], 3),
            "processor_s": spread([one[1] for one in runs], 3),
            # Below this process's own size the system tells that instead.
            "peak_bytes": max(one[2] for one in runs),
        }
        for name, runs in found.items()
    }
    for name, row in rows.items():
        print(
            f"{name:24} {in_words(row['wall_s'], 's')}, processor {row['processor_s']['median']} s, "
            f"{row['peak_bytes'] / 1e6:.0f} MB"
        )
    save("cold", {"machine": machine, "runs": given.runs, "rows": rows}, given.out)


if __name__ == "__main__":
    main()
