"""The web face under waitress: says that it is ready when it is, and stops when it is told to."""

from __future__ import annotations

import errno
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Any

import click
import waitress
from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel

from indexer.errors import ConcordError, UsageError
from search_app.options import SearchOptions
from search_app.web.app import create_app
from search_app.web.settings import WebSettings
from search_app.web.site import Site, open_engine

__all__ = ["serve"]

_LAST_PORT = 65_535
_TURN_SECONDS = 0.25
"""How long the loop sleeps at most; a signal is seen no later."""
_IDLE_SECONDS = 30
"""A connection that says nothing for so long is closed."""


def serve(
    index_dir: str | Path = "index_data",
    host: str = "127.0.0.1",
    port: int = 8000,
    settings: WebSettings | None = None,
) -> None:
    """Serve the index until SIGTERM or Ctrl-C; a second one stops without waiting for running requests.

    The index is opened and warmed up before the port is bound, so whoever can connect gets an answer at full speed.
    With port 0 the system picks a free one, and the address printed names it.
    Raises UsageError for a port that is none, IndexNotFound and the other errors of `SearchEngine.open`, and
    ConcordError when the address cannot be had.
    """
    if not 0 <= port <= _LAST_PORT:  # waitress would listen on its last sixteen bits
        raise UsageError(f"The port is {port}; it must be from 0 to {_LAST_PORT}, where 0 picks a free one.")
    settings = settings or WebSettings()
    engine = open_engine(index_dir)
    engine.warm_up()
    for name in settings.rerank:
        engine.answer("warm up", SearchOptions(rerank=name))  # Loads it, or says that it cannot be loaded.
    app = create_app(engine=engine, settings=settings)
    site: Site = app.extensions["concord"]
    sockets: dict[int, Any] = {}
    server = _bind(app, host, port, settings, sockets)
    with _stop_signals() as stopping:
        click.echo(f"Ready: {_address(server)} (Ctrl-C stops it)")
        _run(sockets, stopping, site)
    server.task_dispatcher.shutdown(timeout=1)
    server.close()
    click.echo("Stopped.")


def _run(sockets: dict[int, Any], stopping: threading.Event, site: Site) -> None:
    """waitress's loop, until told to stop and every answer is sent, or the time for that is over."""
    end = math.inf
    try:
        while not (stopping.is_set() and (time.monotonic() >= end or not _busy(sockets))):
            if stopping.is_set() and not site.draining:
                site.draining = True
                end = time.monotonic() + site.settings.drain_seconds
            wasyncore.loop(timeout=_TURN_SECONDS, map=sockets, use_poll=True, count=1)
    except KeyboardInterrupt:  # the second signal, or Ctrl-C in an app that has its own handlers
        site.draining = True


def _busy(sockets: dict[int, Any]) -> bool:
    """Whether a request is being worked on, or an answer is not wholly sent."""
    channels = [one for one in list(sockets.values()) if isinstance(one, HTTPChannel)]
    return any(channel.requests or channel.total_outbufs_len for channel in channels)


def _bind(app: Flask, host: str, port: int, settings: WebSettings, sockets: dict[int, Any]) -> Any:
    try:
        return waitress.create_server(
            app,
            map=sockets,
            host=host,
            port=port,
            ident=None,
            threads=settings.threads,
            connection_limit=settings.max_connections,
            max_request_header_size=settings.max_request_bytes,
            max_request_body_size=settings.max_request_bytes,
            # So many bytes in memory for each connection; `threads` and this bound what slow readers can cost.
            outbuf_high_watermark=1 << 20,
            channel_timeout=_IDLE_SECONDS,
            asyncore_use_poll=True,
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = f"Port {port} on {host} is in use; stop what listens there or choose another with --port."
        elif error.errno == errno.EACCES:
            reason = f"Port {port} may not be opened by this user; choose one from 1024 to 65535 with --port."
        else:
            reason = (
                f"{host}:{port} cannot be listened on ({error.strerror or error}); choose another --host or --port."
            )
        raise ConcordError(reason) from error
    except ValueError as error:  # waitress turns a host name that does not resolve into one
        raise ConcordError(f"{host}:{port} is no address of this machine; choose another --host or --port.") from error


def _address(server: Any) -> str:
    host, port = getattr(server, "effective_listen", [(None, None)])[0]
    if host is None:
        host, port = server.effective_host, server.effective_port
    if ip_address(host).is_unspecified:  # listening everywhere: name the one address that surely leads here
        host = "127.0.0.1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM or SIGINT sets; the next one raises KeyboardInterrupt. In another thread than the main
    one, where Python has no signals, it is never set."""
    stopping = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return

    def stop(_signum: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
