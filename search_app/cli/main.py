"""The command group. Commands are imported when they are called, so that `concord --help` answers at once."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from indexer.errors import ConcordError

__all__ = ["main"]

# command: (module, one line for the overview)
_COMMANDS = {
    "index": ("index", "Read articles from files and folders into the index."),
    "search": ("search", "Search the index."),
    "related": ("search", "Show the articles most like one article."),
    "show": ("search", "Show one article."),
    "status": ("maintain", "Say what the index is made of."),
    "check": ("maintain", "Verify every part of the index."),
    "rebuild": ("maintain", "Make the derived indexes new from the store."),
    "backup": ("backup", "Write the index into one file."),
    "restore": ("backup", "Put a backup in the place of the index."),
    "eval": ("eval", "Measure the rankings on a judged collection."),
    "serve": ("serve", "Serve the search page and the HTTP API."),
}
# Commands whose functions cannot have their names: they are Python's own, or a module's.
_FUNCTIONS = {"index": "index_articles", "eval": "evaluate"}


class _LazyGroup(click.Group):
    """A group that knows its commands by name and imports only the one that is called."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"search_app.cli.{_COMMANDS[name][0]}_command")
        command: click.Command = getattr(module, _FUNCTIONS.get(name, name))
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run; expected failures become one sentence on standard error and an exit code."""
        try:
            return super().main(*args, **kwargs)
        except ConcordError as error:
            from search_app.cli.terminal import inline  # file names and ids in the message may hold escape sequences

            click.echo(f"concord: {inline(str(error))}", err=True)
            sys.exit(error.exit_code)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] in ("", "indexer", "search_app"):
                raise
            click.echo(
                f"concord: the module '{error.name}' is not installed. Searching and serving do without it, and this "
                "command needs it: install Concord with all that it depends on.",
                err=True,
            )
            sys.exit(1)
        except BrokenPipeError:
            # The reader of our output has gone, as with `| head`; nothing is left to say to it.
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
            sys.exit(1)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="concord-search", prog_name="concord")
def main() -> None:
    """Concord: hybrid news search, by words and by meaning, with the reason for every rank."""
