"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

__all__ = ["index_dir_option", "json_option", "lexical_option"]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

index_dir_option: Decorator = click.option(
    "--index-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("index_data"),
    envvar="CONCORD_INDEX_DIR",
    show_default=True,
    show_envvar=True,
    help="Folder of the index.",
)

json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print JSON with the same fields.")

lexical_option: Decorator = click.option(
    "--lexical",
    metavar="[whoosh|tantivy]",
    help="Engine of the BM25 index. [default: as the index is; whoosh for a new one]",
)
