"""`concord index`: sources in, a table of what was done out."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from indexer.build import BuildOptions, BuildProgress, BuildReport, build_index
from indexer.text.chunking import OVERLAP_TOKENS, PASSAGE_TOKENS
from search_app.cli.options import index_dir_option, json_option
from search_app.cli.terminal import console, inline
from search_app.serialise import build_report_to_json, dumps

__all__ = ["index_articles"]

_STAGES = {
    "encoder": "loading the encoder",
    "reading": "reading and encoding",
    "lexical": "writing the BM25 index",
    "vectors": "writing the vector index",
    "duplicates": "finding near-duplicates",
    "done": "done",
}
_LINE_EVERY = 10.0
_FORESEEABLE = 0.01
_SHOWN_SKIPPED = 10


@click.command(name="index")
@click.argument("sources", nargs=-1, required=True)
@index_dir_option
@click.option("--encoder", help="A sentence-transformers model, by name or folder. [default: all-MiniLM-L6-v2]")
@click.option(
    "--window",
    type=click.IntRange(min=16),
    help=f"Word pieces of a passage, title included. [default: {PASSAGE_TOKENS}]",
)
@click.option(
    "--overlap", type=click.IntRange(min=0), help=f"Word pieces that passages share. [default: {OVERLAP_TOKENS}]"
)
@click.option("--prune", is_flag=True, help="Remove articles that came from SOURCES and are no longer there.")
@json_option
def index_articles(
    sources: tuple[str, ...],
    index_dir: Path,
    encoder: str | None,
    window: int | None,
    overlap: int | None,
    prune: bool,
    as_json: bool,
) -> None:
    """Read articles from SOURCES (files and folders of .html, .txt, .md, .json, .jsonl, .csv, also gzipped).

    Run it again to bring the index up to date: only new and changed articles are encoded. Exit code 1 when one of
    SOURCES is not there or gave no article, though the others are indexed.
    """
    logging.basicConfig(format="concord: %(message)s", level=logging.WARNING)
    options = BuildOptions(encoder=encoder, window=window, overlap=overlap, prune=prune)
    with _Shown() as shown:
        report = build_index(sources, index_dir, options, shown.update)
    if as_json:
        click.echo(dumps(build_report_to_json(report), indent=2))
    else:
        _print_report(report, index_dir)
    named = {os.path.abspath(source) for source in sources}  # noqa: PTH100
    if any(os.path.abspath(skipped.origin) in named for skipped in report.skipped):  # noqa: PTH100
        sys.exit(1)


class _Shown:
    """Progress on standard error: a live bar on a terminal, a plain line now and then in a pipe."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._started = self._last_line = time.monotonic()
        self._stage = ""
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%  {task.fields[counts]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, counts="")

    def __enter__(self) -> _Shown:
        if self._live:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._bar.stop()

    def update(self, progress: BuildProgress) -> None:
        """Show where the run is."""
        seconds = max(time.monotonic() - self._started, 1e-3)
        counts = f"{progress.articles:,} articles, {progress.passages:,} passages, {progress.passages / seconds:.0f}/s"
        if self._live:
            self._bar.update(
                self._task,
                description=_STAGES[progress.stage],
                completed=progress.bytes_read,
                total=progress.bytes_total or None,
                counts=counts,
            )
            return
        due = time.monotonic() - self._last_line >= _LINE_EVERY
        if progress.stage == self._stage and not due:
            return
        self._stage, self._last_line = progress.stage, time.monotonic()
        line = f"{_STAGES[progress.stage]}: {counts}"
        share = progress.bytes_read / progress.bytes_total if progress.bytes_total else 0.0
        # From less than a hundredth nothing can be foretold: the first batch has yet to be encoded.
        if progress.stage == "reading" and share > _FORESEEABLE:
            line += f", {share:.0%}, about {_duration(seconds * (1 - share) / share)} left"
        click.echo(line, err=True)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


def _print_report(report: BuildReport, index_dir: Path) -> None:
    out = console()
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(justify="right")
    table.add_column()
    for name in ("added", "updated", "unchanged", "removed"):
        table.add_row(f"{getattr(report, name):,}", name)
    table.add_row(f"{len(report.skipped):,}", "skipped")
    out.print(table)
    for skipped in report.skipped[:_SHOWN_SKIPPED]:
        out.print(f"  skipped {inline(skipped.origin)}: {inline(skipped.reason)}", style="dim")
    if len(report.skipped) > _SHOWN_SKIPPED:
        out.print(f"  and {len(report.skipped) - _SHOWN_SKIPPED:,} more; --json names all", style="dim")
    rate = ""
    if report.passages_encoded:
        rate = f", {report.passages_encoded / report.seconds:.0f} passages/s in {report.encoding_precision}"
    out.print(
        f"{report.articles:,} articles in {report.passages:,} passages in '{index_dir}', generation "
        f"{report.generation}; {_duration(report.seconds)}{rate}."
    )
