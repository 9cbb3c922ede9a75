"""Draw what a score means: the share of articles judged relevant, by final score, from results of `concord eval`.

Usage: python -m benchmarks.calibration [RESULT.json ...] [--plot docs/calibration.svg]

Without results, those in benchmarks/results. A band with fewer than ten articles is left out.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.report import RESULTS, ROOT

__all__ = ["plot"]

FEWEST = 10


def plot(results: list[Path], path: Path) -> None:
    """One line a collection, over the diagonal of a score that is a probability."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise SystemExit("Plots need matplotlib: pip install 'concord-search[plots]'.") from None
    mpl.use("svg")
    from matplotlib import pyplot as plt

    # The same picture, byte for byte, for the same results.
    mpl.rcParams["svg.hashsalt"] = "concord"
    figure, axes = plt.subplots(figsize=(5.2, 4.4), layout="constrained")
    axes.plot([0, 1], [0, 1], ":", color="grey", label="score = probability")
    for file in results:
        found = json.loads(file.read_text("utf-8"))
        bands = [band for band in found["settings"]["hybrid"]["bands"] if band[2] >= FEWEST]
        axes.plot([band[3] for band in bands], [band[4] for band in bands], "o-", label=found["collection"])
    axes.set(xlabel="final score (mean of the band)", ylabel="share judged relevant", xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
    print(f"Written to {path}.")


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="*", type=Path)
    parser.add_argument("--plot", type=Path, default=ROOT / "docs" / "calibration.svg")
    given = parser.parse_args()
    plot(given.results or sorted(RESULTS.glob("eval_*.json")), given.plot)


if __name__ == "__main__":
    main()
