"""What all benchmarks share: medians with their spread, queries like headlines, results as JSON."""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from indexer.generations.manifest import current_generation
from indexer.store.database import Store

__all__ = [
    "concord",
    "environment",
    "headlines",
    "in_words",
    "index_of",
    "options",
    "over_rounds",
    "quantile",
    "save",
    "spread",
    "titled",
]

RESULTS = Path(__file__).with_name("results")
ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "index_data" / "sample_articles"


def options(text: str | None, *, archive: bool = True) -> argparse.ArgumentParser:
    """A parser with the options that benchmarks have in common; `text` is the module's docstring."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", dest="out", type=Path, help="Where to write the result. [benchmarks/results/...]")
    if archive:
        parser.add_argument("--articles", help="A file or folder of articles to index. [default: the sample archive]")
        parser.add_argument("--index-dir", type=Path, help="An index that is there already, instead of --articles.")
    return parser


def environment() -> dict[str, str]:
    """The environment of a measured process: bytecode may be kept, as on any user's machine, and no hub is asked."""
    found = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return found | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": os.pathsep.join(path)}


def concord(*arguments: str | Path) -> list[str]:
    """The command line of `concord ARGUMENTS` with this interpreter."""
    return [sys.executable, "-m", "search_app.cli", *map(str, arguments)]


def index_of(given: argparse.Namespace, scratch: Path) -> Path:
    """The index to measure: the one named, or one made in `scratch` of the articles named or the sample archive."""
    if given.index_dir is not None:
        return Path(given.index_dir)
    folder = scratch / "index"
    subprocess.run(
        concord("index", given.articles or SAMPLE, "--index-dir", folder),
        check=True,
        env=environment(),
        stdout=sys.stderr,
    )
    return folder


def titled(index_dir: Path, count: int) -> list[tuple[str, str]]:
    """`count` queries of 2 to 10 words like headlines, each with the id of the article that it was the title of:
    beginnings of titles, evenly spread over the archive."""
    store = Store(index_dir)
    docs = store.docs(current_generation(index_dir))
    step = max(1, len(docs) // count)
    found: list[tuple[str, str]] = []
    for number, (_, article) in enumerate(store.articles(docs[::step])):
        words = article.title.split()[: 2 + number % 9]
        if len(words) >= 2:
            found.append((" ".join(words), article.id))
    store.close()
    return found[:count]


def headlines(index_dir: Path, count: int) -> list[str]:
    """The queries of `titled` alone."""
    return [query for query, _ in titled(index_dir, count)]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """Median, least and greatest of a handful of measurements."""
    return {
        "median": round(statistics.median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
    }


def in_words(value: dict[str, float], unit: str) -> str:
    """What `spread` returns, as people read it: '9.7 ms (9.6 to 9.9)'."""
    return f"{value['median']:g} {unit}".rstrip() + f" ({value['min']:g} to {value['max']:g})"


def over_rounds(rounds: Sequence[Sequence[float]], digits: int = 2) -> dict[str, dict[str, float]]:
    """Median and 95th percentile of each round (values in seconds), in milliseconds, with their spread over rounds."""
    return {
        "median_ms": spread([1000 * quantile(one, 0.5) for one in rounds], digits),
        "p95_ms": spread([1000 * quantile(one, 0.95) for one in rounds], digits),
    }


def _command() -> str:
    """The command line of this benchmark, as it can be given anywhere: of paths, only their last part."""
    spec = sys.modules["__main__"].__spec__
    words = []
    for word in sys.argv[1:]:
        option, equals, value = word.rpartition("=")
        words.append(f"{option}{equals}{Path(value).name or value}")
    return shlex.join(["python", "-m", spec.name if spec else "?", *words])


def save(name: str, found: dict[str, Any], out: Path | None) -> None:
    """Write a result as JSON, with the command that made it, to `out` or among the results that are kept; say where."""
    path = out or RESULTS / f"{name}.json"
    path.write_text(json.dumps({"command": _command(), **found}, indent=2, ensure_ascii=False) + "\n", "utf-8")
    print(f"Written to {path}.")
