"""The web face under waitress: says that it is ready when it is, and stops when it is told to."""

from __future__ import annotations

import errno
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import Any

import click
import waitress
from flask import Flask

from indexer.errors import ConcordError, UsageError
from search_app.web.app import create_app
from search_app.web.site import open_engine

__all__ = ["serve"]

_LAST_PORT = 65_535


def serve(index_dir: str | Path = "index_data", host: str = "127.0.0.1", port: int = 8080, threads: int = 8) -> None:
    """Serve the index until SIGTERM or Ctrl-C.

    The index is opened and warmed up before the port is bound, so whoever can connect gets an answer at full speed.
    With port 0 the system picks a free one, and the address printed names it.
    Raises UsageError for a port that is none, IndexNotFound and the other errors of `SearchEngine.open`, and
    ConcordError when the address cannot be had.
    """
    if not 0 <= port <= _LAST_PORT:  # waitress would listen on its last sixteen bits
        raise UsageError(f"The port is {port}; it must be from 0 to {_LAST_PORT}, where 0 picks a free one.")
    engine = open_engine(index_dir)
    engine.warm_up()
    server = _bind(create_app(engine=engine), host, port, threads)
    with _stop_on_sigterm():
        click.echo(f"Ready: {_address(server)} (Ctrl-C stops it)")
        server.run()
    server.close()
    click.echo("Stopped.")


def _bind(app: Flask, host: str, port: int, threads: int) -> Any:
    try:
        return waitress.create_server(app, host=host, port=port, threads=threads, ident=None)
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
def _stop_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end `server.run()` as Ctrl-C does; a server in another thread is stopped by its owner."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signum: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
