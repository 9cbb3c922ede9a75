"""Which Whoosh? Index and search the same articles with each distribution, in a virtual environment of its own.

Usage: python benchmarks/whoosh_distributions.py ARTICLES.jsonl [--articles 2000] [--json FILE]
Prints, for Whoosh 2.7.4, whoosh-reloaded and whoosh3: whether it imports with warnings as errors, articles a second in,
index size, median time of a query, and whether its top ten are those of the others.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

DISTRIBUTIONS = ("Whoosh==2.7.4", "whoosh-reloaded==2.7.5", "whoosh3==3.54.0")

PROBE = """
import json, sys, time, statistics, tempfile, pathlib
lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")][: int(sys.argv[2])]
from whoosh import fields, index, qparser, scoring
with tempfile.TemporaryDirectory() as folder:
    schema = fields.Schema(id=fields.ID(stored=True), body=fields.TEXT)
    handle = index.create_in(folder, schema)
    start = time.perf_counter()
    writer = handle.writer(limitmb=256)
    for number, line in enumerate(lines):
        writer.add_document(id=str(number), body=line["title"] + " " + line["text"])
    writer.commit()
    rate = len(lines) / (time.perf_counter() - start)
    size = sum(path.stat().st_size for path in pathlib.Path(folder).iterdir())
    times, top = [], []
    with handle.searcher(weighting=scoring.BM25F()) as searcher:
        parser = qparser.QueryParser("body", schema, group=qparser.OrGroup)
        for line in lines[:: max(1, len(lines) // 100)]:
            query = parser.parse("".join(c if c.isalnum() else " " for c in line["title"]).lower())
            start = time.perf_counter()
            hits = searcher.search(query, limit=10)
            times.append(time.perf_counter() - start)
            top.append([hit["id"] for hit in hits])
print(json.dumps({"rate": rate, "bytes": size, "median_ms": statistics.median(times) * 1000, "top": top}))
"""


def measure(distribution: str, articles: Path, count: int) -> dict[str, Any]:
    """One distribution's figures."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = f"{folder}/bin/python"
        subprocess.run([python, "-m", "pip", "install", "-q", distribution], check=True, capture_output=True)
        imports = "import whoosh.index, whoosh.qparser, whoosh.fields"
        # An empty cache folder, because the compiler warns only when it compiles.
        fresh = {**os.environ, "PYTHONPYCACHEPREFIX": f"{folder}/cache"}
        strict = subprocess.run([python, "-W", "error", "-c", imports], capture_output=True, check=False, env=fresh)
        run = subprocess.run([python, "-c", PROBE, articles, str(count)], capture_output=True, text=True, check=False)
        found = json.loads(run.stdout) if run.returncode == 0 else {"failed": run.stderr.strip().splitlines()[-1]}
        return {"distribution": distribution, "imports_without_warnings": strict.returncode == 0, **found}


def main() -> None:
    """Measure all and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("articles", type=Path)
    arguments.add_argument("--articles", dest="count", type=int, default=2000)
    arguments.add_argument("--json", dest="out", type=Path)
    given = arguments.parse_args()
    rows = [measure(distribution, given.articles, given.count) for distribution in DISTRIBUTIONS]
    reference = next((row["top"] for row in reversed(rows) if "top" in row), None)
    print(f"Python {platform.python_version()}, {platform.machine()}, {given.count} articles")
    for row in rows:
        if "failed" in row:
            print(f"{row['distribution']:24} failed: {row['failed']}")
            continue
        row["same_top_ten"] = row.pop("top") == reference
        print(
            f"{row['distribution']:24} {row['rate']:7.0f} articles/s  {row['bytes'] / 1e6:6.1f} MB  "
            f"{row['median_ms']:6.1f} ms/query  clean import: {row['imports_without_warnings']}  "
            f"same top ten: {row['same_top_ten']}"
        )
    if given.out:
        found = {"python": platform.python_version(), "articles": given.count, "rows": rows}
        given.out.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
