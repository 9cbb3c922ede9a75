"""`concord serve`."""

from __future__ import annotations

from pathlib import Path

import click

from search_app.cli.options import index_dir_option
from search_app.web.server import serve as serve_index

__all__ = ["serve"]


@click.command()
@index_dir_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 for any free one."
)
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 256), help="Requests at a time.")
def serve(index_dir: Path, host: str, port: int, threads: int) -> None:
    """Serve the search page and the HTTP API until stopped."""
    serve_index(index_dir, host, port, threads)
