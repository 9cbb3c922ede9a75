"""Load a server past its capacity, and see it shed and recover.

Usage: python -m benchmarks.overload [--index-dir index_data] [--clients 48] [--seconds 10] [--json FILE]

`concord serve` runs in a process of its own on the loopback interface with few places (--max-searches 2, --max-waiting
4). Clients that never pause ask in three phases: two of them, then many, then two again; a probe asks for /healthz ten
times a second all the while. Each phase ends after its seconds or 20,000 requests. Times are those of answers with 200,
seen by the client. Exits with 1 when any answer was neither 200 nor 503 with Retry-After, when nothing was shed, when a
health check failed, or when anything was shed after the load was gone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from benchmarks.machine import describe
from benchmarks.report import save

SEARCHES, WAITING = 2, 4
MOST_REQUESTS = 20_000
QUERIES = (
    "prisoner exchange without mediation",
    "border talks after the election",
    "who brokered the release",
    "flood barrier cost",
    '"joint statement" COP29',
    "strike ends",
)


class Asker:
    """One client with one connection; counts what it is answered."""

    def __init__(self, address: str, path: str | None = None, pause: float = 0.0) -> None:
        self._connection = HTTPConnection(address, timeout=30)
        self._path = path
        self._pause = pause
        self.statuses: Counter[str] = Counter()
        self.times: list[float] = []

    def run(self, until: float, most: int) -> None:
        """Ask again and again until a moment of time.monotonic."""
        for number in range(most):
            if time.monotonic() >= until:
                break
            path = self._path or f"/api/v1/search?{urlencode({'q': QUERIES[number % len(QUERIES)]})}"
            started = time.perf_counter()
            try:
                self._connection.request("GET", path)
                response = self._connection.getresponse()
                response.read()
            except OSError as error:
                self._connection.close()
                self.statuses[type(error).__name__] += 1
                continue
            told = response.status != 503 or response.headers.get("Retry-After", "").isdigit()
            self.statuses[str(response.status) if told else "503 without Retry-After"] += 1
            if response.status == 200:
                self.times.append(time.perf_counter() - started)
            time.sleep(self._pause)
        self._connection.close()


def phase(address: str, clients: int, seconds: float) -> dict[str, Any]:
    """`clients` clients for `seconds`, and what they and the health checks were answered."""
    until = time.monotonic() + seconds
    askers = [Asker(address) for _ in range(clients)]
    probe = Asker(address, "/healthz", pause=0.1)
    with ThreadPoolExecutor(clients + 1) as pool:
        for asker in (*askers, probe):
            pool.submit(asker.run, until, MOST_REQUESTS // clients)
    statuses = sum((asker.statuses for asker in askers), Counter[str]())
    return {
        "clients": clients,
        "seconds": seconds,
        "answers": dict(sorted(statuses.items())),
        "answered_per_second": round(statuses["200"] / seconds, 1),
        "search_ms": _times([value for asker in askers for value in asker.times]),
        "health": dict(probe.statuses),
        "health_ms": _times(probe.times),
    }


def _times(seconds: list[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {}
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {name: round(cuts[at] * 1000, 1) for name, at in (("p50", 49), ("p95", 94), ("p99", 98))}


def verdict(phases: dict[str, dict[str, Any]]) -> list[str]:
    """What went wrong, in words."""
    wrong = []
    for name, found in phases.items():
        strange = found["answers"].keys() - {"200", "503"}
        if strange:
            wrong.append(f"{name}: answers other than 200 and 503 with Retry-After: {sorted(strange)}")
        if found["health"].keys() - {"200"} or not found["health"]:
            wrong.append(f"{name}: health checks were answered {found['health']}")
    if not phases["past capacity"]["answers"].get("503"):
        wrong.append("past capacity: nothing was shed")
    if phases["afterwards"]["answers"].get("503"):
        wrong.append("afterwards: still shedding")
    return wrong


def serve(index_dir: Path) -> tuple[subprocess.Popen[str], str]:
    """A running server and its host:port."""
    command = [sys.executable, "-m", "search_app.cli", "serve", "--index-dir", str(index_dir), "--port", "0"]
    command += ["--max-searches", str(SEARCHES), "--max-waiting", str(WAITING), "--no-access-log"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    said = server.stdout.readline().split()
    if not said:
        raise SystemExit("The server did not start: build an index first, with 'make demo'.")
    # What it says later must not fill the pipe.
    threading.Thread(target=server.stdout.read, daemon=True).start()
    return server, urlsplit(said[1]).netloc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index-dir", type=Path, default=Path("index_data"))
    parser.add_argument("--clients", type=int, default=48)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    server, address = serve(given.index_dir)
    try:
        phases = {
            "before": phase(address, 2, given.seconds / 2),
            "past capacity": phase(address, given.clients, given.seconds),
            "afterwards": phase(address, 2, given.seconds / 2),
        }
    finally:
        server.terminate()
        stopped = server.wait(timeout=60)
    wrong = verdict(phases) + ([f"the server ended with {stopped}"] if stopped else [])
    report = {"machine": describe(), "places": [SEARCHES, WAITING], "phases": phases, "wrong": wrong}
    print(json.dumps(report, indent=2))
    if given.json:
        save("overload", report, given.json)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
