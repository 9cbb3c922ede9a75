"""How a server does with eight clients at once, and while an article is added to its archive.

Usage: python -m benchmarks.serve [--articles FILE | --index-dir DIR] [--clients 8] [--seconds 15] [--rounds 3]
       [--additions 5] [--settings "--max-searches 4"] [--json FILE]

`concord serve` runs in a process of its own on the loopback interface, over a copy of the index. First its memory is
read at rest. Then so many clients ask without a pause, each on one connection that stays open, in rounds; times are the
clients'. Then one article after another is added with `concord index`, once under few questions (two clients that
pause) and once under all clients: the time runs from the start of that command until the server finds the article, and
the slowest question of that time stands beside the usual 99th percentile. Exits with 1 when any answer was not 200.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from benchmarks.machine import introduce, resident_bytes
from benchmarks.report import concord, environment, headlines, in_words, index_of, options, quantile, save, spread

CALM_CLIENTS, CALM_PAUSE = 2, 0.1
PATIENCE = 120.0


@dataclass
class Client:
    """Asks one query after another, from number `first` on, on one connection; notes when each was asked, how long it
    took, and failures."""

    address: str
    queries: Sequence[str]
    first: int = 0
    pause: float = 0.0
    answers: list[tuple[float, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        """Ask until told to stop."""
        connection = HTTPConnection(self.address, timeout=30)
        number = self.first
        while not stop.is_set():
            started = time.perf_counter()
            try:
                connection.request("GET", f"/api/v1/search?{urlencode({'q': self.queries[number]})}")
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    self.failures.append(str(response.status))
            except (OSError, HTTPException) as error:
                connection.close()
                self.failures.append(type(error).__name__)
            self.answers.append((started, time.perf_counter() - started))
            number = (number + 1) % len(self.queries)
            stop.wait(self.pause) if self.pause else None
        connection.close()


@contextmanager
def asking(address: str, queries: Sequence[str], clients: int, pause: float = 0.0) -> Iterator[list[Client]]:
    """Clients that ask as long as the block lasts."""
    stop = threading.Event()
    found = [Client(address, queries, number * len(queries) // clients, pause) for number in range(clients)]
    threads = [threading.Thread(target=client.run, args=(stop,)) for client in found]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def served(index_dir: Path, extra: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running server and its host:port."""
    command = [*concord("serve", "--index-dir", index_dir, "--port", "0", "--no-access-log"), *extra]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    assert server.stdout is not None
    said = server.stdout.readline().split()
    if not said:
        raise SystemExit(f"The server ended with {server.wait()} before it was ready.")
    threading.Thread(target=server.stdout.read, daemon=True).start()  # what it says later must not fill the pipe
    try:
        yield server, urlsplit(said[1]).netloc
    finally:
        server.terminate()
        server.wait(timeout=60)


def load(address: str, queries: Sequence[str], clients: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Throughput and times of clients that never pause."""
    rows, failures = [], []
    for _ in range(rounds):
        with asking(address, queries, clients) as asked:
            time.sleep(seconds)
        times = [taken for client in asked for _, taken in client.answers]
        failures += [failure for client in asked for failure in client.failures]
        rows.append([len(times) / seconds, *(1000 * quantile(times, share) for share in (0.5, 0.95, 0.99))])
    names = ("answers_per_second", "p50_ms", "p95_ms", "p99_ms")
    return {
        "clients": clients,
        "seconds": seconds,
        **{name: spread(column, 1) for name, column in zip(names, zip(*rows, strict=True), strict=True)},
        "failures": failures,
    }


def addition(address: str, index_dir: Path, number: int, scratch: Path) -> tuple[float, float]:
    """Seconds from the start of `concord index` with one new article until the command ended, and until the server
    finds the article."""
    word = f"zyqx{number}{random.Random(number).randrange(10**6)}"
    text = f"The {word} was seen at the harbour on Monday. Nobody knows where the {word} came from."
    file = scratch / f"{word}.jsonl"
    file.write_text(json.dumps({"id": word, "title": f"A {word} is seen", "text": text}) + "\n", "utf-8")
    connection = HTTPConnection(address, timeout=30)
    started = time.perf_counter()
    command = concord("index", file, "--index-dir", index_dir, "--json")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    ended = None
    while True:
        connection.request("GET", f"/api/v1/articles/{quote(word)}")
        response = connection.getresponse()
        response.read()
        now = time.perf_counter() - started
        if ended is None and process.poll() is not None:
            ended = now
        if response.status == 200:
            break
        if now > PATIENCE:
            raise SystemExit(f"The server did not find the new article within {PATIENCE:g} seconds.")
        time.sleep(0.02)
    if process.wait():
        raise SystemExit(f"concord index ended with {process.returncode}.")
    return ended if ended is not None else time.perf_counter() - started, now


def additions(
    address: str, queries: Sequence[str], index_dir: Path, given: tuple[int, float, int, int], scratch: Path
) -> dict[str, Any]:
    """How soon new articles are found, and what the clients meanwhile see of it."""
    clients, pause, count, first = given
    found, commands, slowest, failures, usual = [], [], [], [], []
    with asking(address, queries, clients, pause) as asked:
        time.sleep(3)
        for number in range(count):
            started = time.perf_counter()
            command, visible = addition(address, index_dir, first + number, scratch)
            found.append(visible)
            commands.append(command)
            # Half a second more: whatever follows the switch belongs to it.
            time.sleep(max(0.0, started + max(visible, command) + 0.5 - time.perf_counter()))
            window = (started, time.perf_counter())
            during = [taken for one in asked for at, taken in list(one.answers) if window[0] <= at + taken]
            slowest.append(1000 * max(during))
            time.sleep(1)
        for client in asked:
            failures += client.failures
            usual += [taken for _, taken in client.answers]
    return {
        "clients": clients,
        "pause_seconds": pause,
        "additions": count,
        "found_after_seconds": spread(found),
        "command_seconds": spread(commands),
        "slowest_question_ms": spread(slowest, 1),
        "all_p99_ms": round(1000 * quantile(usual, 0.99), 1),
        "failures": failures,
    }


def main() -> None:
    """Measure and print."""
    parser = options(__doc__)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--additions", type=int, default=5)
    parser.add_argument("--settings", default="", help="Further options for concord serve.")
    given = parser.parse_args()
    machine = introduce()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        folder = scratch / "served"
        shutil.copytree(index_of(given, scratch), folder)
        queries = headlines(folder, 300)
        with served(folder, given.settings.split()) as (server, address):
            time.sleep(1)
            memory = {"at_rest": resident_bytes(server.pid)}
            with asking(address, queries, 1) as alone:
                time.sleep(min(5.0, given.seconds))
            single = [taken for client in alone for _, taken in client.answers]
            under_load = load(address, queries, given.clients, given.seconds, given.rounds)
            memory["after_load"] = resident_bytes(server.pid)
            number = given.additions
            calm = additions(address, queries, folder, (CALM_CLIENTS, CALM_PAUSE, number, 0), scratch)
            busy = additions(address, queries, folder, (given.clients, 0.0, number, number), scratch)
            memory["after_additions"] = resident_bytes(server.pid)
    result = {
        "machine": machine,
        "settings": given.settings,
        "memory_bytes": memory,
        "one_client_ms": {
            "p50": round(1000 * quantile(single, 0.5), 1),
            "p99": round(1000 * quantile(single, 0.99), 1),
        },
        "load": under_load,
        "adding_under_few_questions": calm,
        "adding_under_load": busy,
    }
    print(f"memory at rest {memory['at_rest'] / 1e6:.0f} MB, after load {memory['after_load'] / 1e6:.0f} MB")
    print(f"one client: p50 {result['one_client_ms']['p50']} ms, p99 {result['one_client_ms']['p99']} ms")
    print(
        f"{given.clients} clients: {in_words(under_load['answers_per_second'], 'answers/s')}, p50 "
        f"{in_words(under_load['p50_ms'], 'ms')}, p99 {in_words(under_load['p99_ms'], 'ms')}, "
        f"{len(under_load['failures'])} failures"
    )
    for title, row in (("few questions", calm), ("load", busy)):
        print(
            f"adding an article under {title}: found after {in_words(row['found_after_seconds'], 's')}, slowest "
            f"question {in_words(row['slowest_question_ms'], 'ms')}, p99 of all {row['all_p99_ms']} ms, "
            f"{len(row['failures'])} failures"
        )
    save("serve", result, given.out)
    sys.exit(bool(under_load["failures"] or calm["failures"] or busy["failures"]))


if __name__ == "__main__":
    main()
