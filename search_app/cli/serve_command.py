"""`concord serve`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from search_app.cli.options import index_dir_option
from search_app.web.logs import log_to_stderr
from search_app.web.server import serve as serve_index
from search_app.web.settings import WebSettings, all_settings

__all__ = ["serve"]

Command = Callable[..., Any]


def _settings_options(command: Command) -> Command:
    """An option for every setting that is no secret. Values stay texts: the table of settings reads them."""
    for setting in reversed(all_settings()):
        if setting.option is None:
            continue
        default = "; ".join(setting.default) if setting.many else setting.default
        shown = "" if default in ("", ()) else f"; default: {default}"
        command = click.option(
            f"{setting.option}/--no-{setting.option[2:]}" if setting.kind is bool else setting.option,
            setting.name,
            default=None,
            multiple=setting.many,
            metavar=None if setting.kind is bool else "|".join(setting.among) or _METAVARS.get(setting.kind, "TEXT"),
            help=f"{setting.text}  [env: {setting.variable}{shown}]",
        )(command)
    return command


_METAVARS = {int: "INTEGER", float: "NUMBER"}


@click.command()
@index_dir_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 for any free one."
)
@_settings_options
def serve(index_dir: Path, host: str, port: int, **given: Any) -> None:
    """Serve the search page and the HTTP API until stopped.

    Every option from --name on can stand in the environment instead. API keys are read from CONCORD_API_KEYS or from a
    file, never from the command line, where every user of the machine could read them.
    """
    over = {
        name: value if isinstance(value, tuple) else str(value)
        for name, value in given.items()
        if value is not None and value != ()
    }
    log_to_stderr()
    serve_index(index_dir, host, port, WebSettings.from_environment(over=over))
