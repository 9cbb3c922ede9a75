"""What the fault suite tried, what was survived, what was found; printed when the tests are over, but for `make test`,
whose workers do not tell."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine import describe

__all__ = ["LEDGERS", "LONG", "Ledger", "count", "write_report"]

LONG = os.environ.get("FAULTS") == "long"
"""Whether the long form runs; FAULTS=long in the environment asks for it."""


def count(name: str, short: int, long: int) -> int:
    """How often something is tried in the form that runs; FAULTS_<NAME> in the environment overrules it."""
    return int(os.environ.get(f"FAULTS_{name.upper()}", long if LONG else short))


@dataclass(slots=True)
class Ledger:
    """One part of the suite: counts by name of what was tried, and a sentence for everything that went wrong."""

    name: str
    tried: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """For people."""
        counts = ", ".join(f"{number:,} {what}" for what, number in self.tried.items())
        return [f"{self.name}: {counts}; {len(self.found)} went wrong", *(f"  {one}" for one in self.found[:50])]


LEDGERS: list[Ledger] = []


def write_report(path: Path) -> None:
    """Write all ledgers as JSON."""
    parts = {one.name: {"tried": dict(one.tried), "went_wrong": one.found} for one in LEDGERS}
    report = {"command": "make faults", "machine": describe(), "form": "long" if LONG else "short", "parts": parts}
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8")
