"""The server as a process of its own: ready when it says so, gone when it is told to go."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import pytest

from indexer.errors import ConcordError, IndexNotFound, UsageError
from search_app.web import server
from search_app.web.site import Engine

_PROGRAM = """
from search_app.web import server
from tests.search_app.web.fake_engine import FakeEngine
from tests.search_app.small_archive import ARTICLES

class Engine(FakeEngine):
    def warm_up(self):
        print("warm", flush=True)

server.open_engine = lambda index_dir: Engine(ARTICLES)
server.serve("index", "127.0.0.1", 0)
"""


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True, cwd=root) as running:
        yield running
        running.kill()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_when_ready_and_stops_when_told(process: subprocess.Popen[str], stop: signal.Signals) -> None:
    assert _line(process) == "warm"
    said, url, *_ = _line(process).split()
    assert said == "Ready:"
    with urllib.request.urlopen(f"{url}healthz", timeout=10) as response:
        assert json.load(response) == {"status": "ready"}
        assert response.headers["Server"] is None
    process.send_signal(stop)
    assert process.wait(timeout=20) == 0
    assert _line(process) == "Stopped."


def test_a_port_in_use_is_one_sentence_with_the_way_out(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "open_engine", lambda _: engine)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConcordError, match=rf"^Port {port} on 127\.0\.0\.1 is in use; .* --port\.$") as caught:
            server.serve("index", "127.0.0.1", port)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(("host", "port"), [("no host at all", 0), ("192.0.2.1", 0)])
def test_an_address_that_cannot_be_had_is_one_sentence(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, host: str, port: int
) -> None:
    monkeypatch.setattr(server, "open_engine", lambda _: engine)
    with pytest.raises(ConcordError, match="choose another --host or --port"):
        server.serve("index", host, port)


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(UsageError, match=f"^The port is {port}; it must be from 0 to 65535"):
        server.serve("index", "127.0.0.1", port)


def test_without_an_index_there_is_nothing_to_serve(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound):
        server.serve(tmp_path / "none", "127.0.0.1", 0)


_SLOW = """
import sys
from search_app.web import WebSettings, server
from tests.search_app.web.fake_engine import FakeEngine
from tests.search_app.small_archive import ARTICLES

class Engine(FakeEngine):
    def answer(self, query, options):
        if query == "slow":
            print("searching", flush=True)
            sys.stdin.readline()
        return super().answer(query, options)

server.open_engine = lambda index_dir: Engine(ARTICLES)
server.serve("index", "127.0.0.1", 0, WebSettings(drain_seconds=float(sys.argv[1]), query_seconds=600))
"""


@contextmanager
def _slow_server(drain_seconds: float) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server whose slow search ends when it is given a line."""
    pipe, root = subprocess.PIPE, Path(__file__).parents[3]
    command = [sys.executable, "-c", _SLOW, str(drain_seconds)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, cwd=root) as running:
        yield running, _line(running).split()[1]
        running.kill()


def _status(address: str) -> int | None:
    """The HTTP status; None when the connection broke off without an answer."""
    try:
        with urllib.request.urlopen(address, timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, HTTPException):
        return None


@pytest.mark.slow
def test_running_requests_finish_after_sigterm_and_new_ones_are_sent_away() -> None:
    with _slow_server(60) as (process, url), ThreadPoolExecutor(1) as client:
        running = client.submit(_status, f"{url}api/v1/search?q=slow")
        assert _line(process) == "searching"
        process.send_signal(signal.SIGTERM)
        while (health := _status(f"{url}healthz")) == 200:
            pass
        assert health == 503
        assert _status(f"{url}api/v1/search?q=harbour") == 503
        assert process.stdin is not None
        process.stdin.write("go on\n")
        process.stdin.flush()
        assert running.result() == 200
        assert process.wait(timeout=20) == 0
        assert _line(process) == "Stopped."


@pytest.mark.slow
@pytest.mark.parametrize(("drain_seconds", "signals"), [(0.3, 1), (60, 2)])
def test_a_request_without_end_does_not_keep_the_server(drain_seconds: float, signals: int) -> None:
    with _slow_server(drain_seconds) as (process, url), ThreadPoolExecutor(1) as client:
        running = client.submit(_status, f"{url}api/v1/search?q=slow")
        assert _line(process) == "searching"
        process.send_signal(signal.SIGTERM)
        if signals == 2:
            while (health := _status(f"{url}healthz")) == 200:
                pass
            assert health == 503
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert running.result() is None
