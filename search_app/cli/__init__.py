"""The `concord` command."""

from search_app.cli.main import main

__all__ = ["main"]
