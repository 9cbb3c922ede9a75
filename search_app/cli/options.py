"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from search_app.options import Option, all_options

__all__ = ["index_dir_option", "json_option", "search_options"]

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


def search_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all options of a search, with the names, defaults and help of the table."""
    for option in reversed(all_options()):
        command = _click_option(option)(command)
    return command


def _click_option(option: Option) -> Decorator:
    known: dict[str, Any] = {"help": option.text, "default": option.default}
    names = [option.flag]
    if option.choices:
        known |= {"type": click.Choice(option.choices), "show_default": True}
    elif option.kind is bool:
        names = [f"{option.flag}/--no-{option.name}"] if option.default else [option.flag]
        known |= {"show_default": option.default} if option.default else {"is_flag": True}
    elif option.many:
        known["multiple"] = True
    else:
        known |= {"metavar": option.hint or None, "show_default": option.default is not None}
        known["type"] = {int: int, float | None: float}.get(option.kind, str)
    if option.low is not None:
        known["help"] = f"{option.text.removesuffix('.')}, {option.low:g} to {option.high:g}."
    return click.option(*names, option.name, **known)
