"""`python -m tests.fuzz TARGET [libFuzzer options]`: fuzz one target, from its corpus, until told to stop."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["indexer", "search_app", "dateutil", "markdown_it", "frontmatter"]):
    from tests.fuzz.targets import TARGETS

_CORPUS = Path(__file__).parent / "corpus"


def main() -> None:
    """Run the fuzzer; it ends with an exit code other than 0 when a target raises."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python -m tests.fuzz {{{','.join(TARGETS)}}} [libFuzzer options]")
    name = sys.argv.pop(1)
    found = Path(".fuzz") / name
    found.mkdir(parents=True, exist_ok=True)
    options = [f"-artifact_prefix={found}/", "-rss_limit_mb=3000", "-timeout=20", "-max_len=20000"]
    atheris.Setup([sys.argv[0], *options, *sys.argv[1:], str(found), str(_CORPUS / name)], TARGETS[name])
    atheris.Fuzz()


main()
