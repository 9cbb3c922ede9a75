"""`concord status` and `concord rebuild`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from indexer.generation import rebuild as rebuild_index
from search_app.cli.options import index_dir_option, json_option, lexical_option
from search_app.cli.terminal import console, harmless
from search_app.engine import SearchEngine
from search_app.serialise import dumps, status_to_json

__all__ = ["rebuild", "status"]

_SHOWN_VALUES = 8


@click.command()
@index_dir_option
@json_option
def status(index_dir: Path, as_json: bool) -> None:
    """Say what the index is made of."""
    found = status_to_json(SearchEngine.open(index_dir).status())
    if as_json:
        click.echo(dumps(found, indent=2))
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for name, value in found.items():
        table.add_row(name.replace("_", " "), harmless(_shown(name, value)))
    console().print(table)


@click.command()
@index_dir_option
@lexical_option
@json_option
def rebuild(index_dir: Path, lexical: str | None, as_json: bool) -> None:
    """Make the BM25 and the vector index new from the store; nothing is encoded again."""
    rebuild_index(index_dir, tell=lambda stage: click.echo(f"rebuilding: {stage}", err=True), lexical=lexical)
    found = SearchEngine.open(index_dir).status()
    if as_json:
        click.echo(dumps(status_to_json(found), indent=2))
    else:
        click.echo(f"{found.articles:,} articles in {found.passages:,} passages, generation {found.generation}.")


def _shown(name: str, value: object) -> str:
    if isinstance(value, list):
        shown = ", ".join(f"{label} {count:,}" for label, count in value[:_SHOWN_VALUES])
        return shown + (f" and {len(value) - _SHOWN_VALUES} more" if len(value) > _SHOWN_VALUES else "")
    if name == "size_bytes" and isinstance(value, int):
        return f"{value / 1e6:,.1f} MB"
    return "none" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
