"""`concord backup` and `concord restore`."""

from __future__ import annotations

from pathlib import Path

import click

from indexer.generations.backup import BackupReport
from indexer.generations.backup import backup as write_backup
from indexer.generations.backup import restore as put_back
from search_app.cli.options import index_dir_option, json_option
from search_app.cli.terminal import inline
from search_app.serialise import backup_report_to_json, dumps

__all__ = ["backup", "restore"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@index_dir_option
@json_option
def backup(file: Path, index_dir: Path, as_json: bool) -> None:
    """Write the index into FILE, verified on the way, while servers and a writer go on."""
    report = write_backup(index_dir, file, tell=lambda part: click.echo(f"writing: {part}", err=True))
    _print(report, as_json, "written")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@index_dir_option
@json_option
def restore(file: Path, index_dir: Path, as_json: bool) -> None:
    """Verify the backup FILE and let it answer in the place of whatever is in the index folder.

    Nothing is encoded again, and a running server picks it up. What the folder held before is gone afterwards.
    """
    report = put_back(file, index_dir, tell=lambda part: click.echo(f"restoring: {part}", err=True))
    _print(report, as_json, "restored")


def _print(report: BackupReport, as_json: bool, done: str) -> None:
    if as_json:
        click.echo(dumps(backup_report_to_json(report), indent=2))
        return
    click.echo(
        f"{done}: {inline(report.file)}, {report.bytes / 1e6:,.1f} MB, generation {report.generation}, "
        f"{report.articles:,} articles in {report.passages:,} passages, {report.seconds:.1f} s"
    )
