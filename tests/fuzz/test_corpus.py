"""Every text of the fuzzer's corpus, what it once found among them, through its target."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

_CASES = sorted(path for path in (Path(__file__).parent / "corpus").glob("*/*"))


@pytest.mark.parametrize("path", _CASES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_the_corpus(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_a_corpus() -> None:
    assert {path.parent.name for path in _CASES} == set(TARGETS)
