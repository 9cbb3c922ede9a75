from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.ledger import LEDGERS, Ledger, write_report


@pytest.fixture
def ledger(request: pytest.FixtureRequest) -> Callable[[str], Ledger]:
    """Opens a ledger that is printed at the end."""

    def opened(name: str) -> Ledger:
        LEDGERS.append(Ledger(name))
        return LEDGERS[-1]

    return opened


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if LEDGERS:
        terminalreporter.section("fault suite")
        for one in LEDGERS:
            for line in one.lines():
                terminalreporter.write_line(line)
        if path := os.environ.get("FAULTS_REPORT"):
            write_report(Path(path))
