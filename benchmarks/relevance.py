"""Put the results of `concord eval` into docs/relevance.md, and draw what a score means (docs/calibration.svg).

Usage: python -m benchmarks.relevance

Reads benchmarks/results/eval_{scifact,time,fnc-1}.json, written by `concord eval DATASET --json` as the page says. A
band of scores with fewer than ten articles is left out.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.report import RESULTS, ROOT
from benchmarks.tables import table

__all__ = ["fill", "plot"]

PAGE = ROOT / "docs" / "relevance.md"
PLOT = ROOT / "docs" / "calibration.svg"
NAMES = {"scifact": "SciFact", "time": "TIME", "fnc-1": "FNC-1"}
EVERYDAY = 40
"""The first of the queries that nothing answers are everyday ones, the others strings of no meaning."""
FEWEST = 10
_PART = re.compile(r"(<!-- results (comparison|hybrid|scores) -->\n).*?(<!-- end -->)", re.DOTALL)
_LABELS = {"lexical": "BM25 alone", "semantic": "dense alone", "hybrid": "**hybrid**", "hybrid rrf": "hybrid, by ranks"}

Found = dict[str, dict[str, Any]]


def comparison(found: Found) -> str:
    """nDCG@10 of every setting, with p against the better single ranking."""
    rows = []
    for setting in found["time"]["settings"]:
        cells, values = [], []
        for one in found.values():
            row = one["settings"][setting]
            values.append(100 * row["nDCG@10"])
            p = "" if row["p"] is None else f" ({row['p']:.4f})" if row["p"] < 0.01 else f" ({row['p']:.2f})"
            cells.append(f"{values[-1]:.2f}{p}")
        label = _LABELS.get(setting, setting.replace("semantic", "dense"))
        rows.append((label, *cells, f"{sum(values) / len(values):.2f}"))
    return table(("nDCG@10 × 100 (p)", *NAMES.values(), "mean"), rows)


def hybrid(found: Found) -> str:
    """What else there is to say of the product's setting."""
    rows = [one["settings"]["hybrid"] for one in found.values()]
    off_topic = [[count > 0 for count in row["off_topic_found"]] for row in rows]
    lines = {
        "R@100": [f"{100 * row['R@100']:.2f}" for row in rows],
        "RR@10": [f"{100 * row['RR@10']:.2f}" for row in rows],
        "queries won and lost against BM25": [f"{row['wins']}, {row['losses']}" for row in rows],
        "queries that find nothing": [str(row["unanswered"]) for row in rows],
        "relevant articles of the top 10 that the floors keep out": [
            f"{row['dropped']} of {row['reachable']:,}" for row in rows
        ],
        f"of {EVERYDAY} everyday queries answered": [str(sum(some[:EVERYDAY])) for some in off_topic],
        "of 15 strings of no meaning answered": [str(sum(some[EVERYDAY:])) for some in off_topic],
    }
    return table(("of the hybrid", *NAMES.values()), [(label, *cells) for label, cells in lines.items()])


def scores(found: Found) -> str:
    """The share of articles judged relevant, by final score."""
    bands = [{tuple(band[:2]): band for band in one["settings"]["hybrid"]["bands"]} for one in found.values()]
    rows = []
    for low, high in sorted(set().union(*bands)):
        mine = [some.get((low, high)) for some in bands]
        enough = [band if band and band[2] >= FEWEST else None for band in mine]
        shares = [f"{band[4]:.2f}" if band else "" for band in enough]
        known = [band[4] for band in enough if band]
        mean = f"{sum(known) / len(known):.2f}" if known else ""
        rows.append((f"{low:.2f} to {high:.2f}", f"{sum(band[2] for band in mine if band):,}", *shares, mean))
    return table(("score", "articles", *NAMES.values(), "mean"), rows)


def plot(found: Found, path: Path) -> None:
    """One line a collection, over the diagonal of a score that is a probability."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise SystemExit("Plots need matplotlib: pip install matplotlib.") from None
    mpl.use("svg")
    from matplotlib import pyplot as plt

    # The same picture, byte for byte, for the same results.
    mpl.rcParams["svg.hashsalt"] = "concord"
    figure, axes = plt.subplots(figsize=(5.2, 4.4), layout="constrained")
    axes.plot([0, 1], [0, 1], ":", color="grey", label="score = probability")
    for name, one in found.items():
        bands = [band for band in one["settings"]["hybrid"]["bands"] if band[2] >= FEWEST]
        axes.plot([band[3] for band in bands], [band[4] for band in bands], "o-", label=NAMES[name])
    axes.set(xlabel="final score (mean of the band)", ylabel="share judged relevant", xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def fill(page: str, found: Found) -> str:
    """The page with its tables made from the results."""
    parts = {"comparison": comparison, "hybrid": hybrid, "scores": scores}
    return _PART.sub(lambda part: f"{part[1]}{parts[part[2]](found)}\n{part[3]}", page)


def main() -> None:
    """Fill the page and draw."""
    found = {name: json.loads((RESULTS / f"eval_{name}.json").read_text("utf-8")) for name in NAMES}
    PAGE.write_text(fill(PAGE.read_text("utf-8"), found), "utf-8")
    plot(found, PLOT)
    print(f"Written to {PAGE} and {PLOT}.")


if __name__ == "__main__":
    main()
