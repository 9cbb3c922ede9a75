"""`concord status`, `concord check` and `concord rebuild`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.table import Table

from indexer.generations.checking import check_index
from indexer.generations.commit import rebuild as rebuild_index
from search_app.cli.options import index_dir_option, json_option
from search_app.cli.terminal import console, harmless, inline
from search_app.engine import SearchEngine
from search_app.serialise import check_report_to_json, dumps, status_to_json

__all__ = ["check", "rebuild", "status"]

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
@click.option("--drop-damaged", is_flag=True, help="Let articles go whose rows in the store are damaged.")
@json_option
def rebuild(index_dir: Path, drop_damaged: bool, as_json: bool) -> None:
    """Make the BM25 and the vector index new from the store; nothing is encoded again."""

    def tell(stage: str) -> None:
        click.echo(f"rebuilding: {inline(stage)}", err=True)

    rebuild_index(index_dir, tell=tell, drop_damaged=drop_damaged)
    found = SearchEngine.open(index_dir).status()
    if as_json:
        click.echo(dumps(status_to_json(found), indent=2))
    else:
        click.echo(f"{found.articles:,} articles in {found.passages:,} passages, generation {found.generation}.")


@click.command()
@index_dir_option
@json_option
def check(index_dir: Path, as_json: bool) -> None:
    """Verify every file and article of the index, and both rankings against the store; exit code 1 if anything is
    wrong."""
    report = check_index(index_dir, tell=lambda part: click.echo(f"checking: {part}", err=True))
    if as_json:
        click.echo(dumps(check_report_to_json(report), indent=2))
    else:
        for problem in report.problems:
            click.echo(f"{problem.part}: {inline(problem.message)}")
        click.echo(
            f"{'sound' if report.ok else 'damaged'}: generation {report.generation}, {report.articles:,} articles, "
            f"{report.passages:,} passages, {report.files:,} files of {report.bytes / 1e6:,.1f} MB, "
            f"{report.sampled:,} articles looked up, {report.seconds:.1f} s"
        )
    if not report.ok:
        sys.exit(1)


def _shown(name: str, value: object) -> str:
    if isinstance(value, list):
        shown = ", ".join(f"{label} {count:,}" for label, count in value[:_SHOWN_VALUES])
        return shown + (f" and {len(value) - _SHOWN_VALUES} more" if len(value) > _SHOWN_VALUES else "")
    if name == "size_bytes" and isinstance(value, int):
        return f"{value / 1e6:,.1f} MB"
    return "none" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
