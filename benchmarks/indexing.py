"""How near indexing comes to the encoder alone, and how much memory it takes.

Usage: python -m benchmarks.indexing [--articles FILE] [--limit N] [--index-dir NEW] [--plain 512] [--rounds 3]
       [--json FILE]

The whole `concord index` runs in a process of its own, and the memory of its whole process tree is watched. The encoder
alone is then given the passages that this run stored, by the library and in the precision that the run chose. Plain
float32 is sentence-transformers' own `model.encode` over a sample of them with the lengths of the whole, in rounds that
take turns with the encoder alone. Starting up is counted in the whole run, and not in the two others.
"""

from __future__ import annotations

import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from benchmarks.report import SAMPLE, concord, environment, options, save, spread
from indexer.batching import BatchEncoder
from indexer.chunking import fit_title, passage_input
from indexer.encoder import DEFAULT_ENCODER, model_folder
from indexer.manifest import current_generation, encoder_folder, read_current
from indexer.onnx_encoder import OnnxEncoder
from indexer.store import Store

WATCH_EVERY = 0.2
WINDOW = 512


def index(articles: Path, index_dir: Path) -> tuple[dict[str, Any], float, int]:
    """Run `concord index`: its report, its wall seconds, and the most bytes that its process tree had in memory."""
    command = concord("index", articles, "--index-dir", index_dir, "--json")
    start = time.perf_counter()
    peak = 0
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        run = subprocess.Popen(command, stdout=out, env=environment())
        while run.poll() is None:
            peak = max(peak, sum(map(resident, tree(run.pid))))
            time.sleep(WATCH_EVERY)
        seconds = time.perf_counter() - start
        out.seek(0)
        text = out.read()
    if run.returncode:
        raise SystemExit(f"'concord index' failed with {run.returncode}.")
    return json.loads(text), seconds, peak


def tree(process: int) -> list[int]:
    """A process and all below it (Linux)."""
    found = [process]
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = file.read_text("ascii").split()
        except OSError:
            continue
        for child in children:
            found += tree(int(child))
    return found


def resident(process: int) -> int:
    """Bytes of a process in memory; 0 when it has gone."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def passages(index_dir: Path, limit: int) -> list[str]:
    """What the encoder read of an index: `limit` of its passages, evenly spread, with their titles."""
    store = Store(index_dir)
    generation = current_generation(index_dir)
    manifest = read_current(index_dir)
    docs = store.docs(generation)
    step = max(1, manifest.passages // limit)
    encoder = OnnxEncoder(encoder_folder(index_dir, manifest.encoder), threads=1)
    window = min(manifest.chunking.window, manifest.encoder.window)
    texts: list[str] = []
    number = 0
    for start in range(0, len(docs), WINDOW):
        some = docs[start : start + WINDOW]
        articles = store.articles_by_row(some)
        for row in store.passages(some):
            if number % step == 0:
                article = articles[row.doc]
                title = fit_title(article.title, count_tokens=encoder.count_tokens, window=window)
                texts.append(passage_input(title, article.text[row.start : row.end]))
            number += 1
    store.close()
    return texts[:limit]


def encoder_alone(index_dir: Path, precision: str) -> BatchEncoder:
    """The encoder as the run used it."""
    library, _, kind = precision.partition(" ")
    spec = read_current(index_dir).encoder
    if library == "openvino":
        from indexer.openvino_encoder import OpenVinoEncoder

        return OpenVinoEncoder(encoder_folder(index_dir, spec))
    if library == "torch":
        from indexer.torch_encoder import TorchEncoder

        return TorchEncoder(spec.name, precision=kind)
    return OnnxEncoder(encoder_folder(index_dir, spec))


def windows(texts: list[str]) -> Iterator[list[str]]:
    """The texts in the portions in which a run encodes them."""
    for start in range(0, len(texts), WINDOW):
        yield texts[start : start + WINDOW]


def rate_alone(encoder: BatchEncoder, texts: list[str]) -> float:
    """Passages a second of the encoder alone, tokenising included."""
    start = time.perf_counter()
    for window in windows(texts):
        encoder.encode_passages(window)
    return len(texts) / (time.perf_counter() - start)


def rate_plain(model: Any, texts: list[str]) -> float:
    """Passages a second of sentence-transformers as it comes: float32, its own batches."""
    start = time.perf_counter()
    model.encode(texts, show_progress_bar=False)
    return len(texts) / (time.perf_counter() - start)


def encoders(index_dir: Path, precision: str, alone: int, plain: int, rounds: int) -> tuple[list[float], list[float]]:
    """Rates of the encoder alone on `alone` passages and of plain float32 on `plain` of them, in turns."""
    from sentence_transformers import SentenceTransformer

    texts = passages(index_dir, alone)
    few = sorted(texts, key=len)[:: max(1, len(texts) // plain)]
    encoder = encoder_alone(index_dir, precision)
    model = SentenceTransformer(str(model_folder(DEFAULT_ENCODER)))
    encoder.encode_passages(texts[:64])
    model.encode(few[:64], show_progress_bar=False)
    pairs = [(rate_alone(encoder, texts), rate_plain(model, few)) for _ in range(rounds)]
    encoder.close()
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def first(articles: Path, limit: int, folder: Path) -> Path:
    """The first `limit` records of a file of JSON lines, as a file of their own."""
    unpack = gzip.open if articles.suffix == ".gz" else open
    target = folder / "articles.jsonl"
    with unpack(articles, "rt", encoding="utf-8") as lines, target.open("w", encoding="utf-8") as out:
        out.writelines(islice(lines, limit))
    return target


def main() -> None:
    """Measure, print and save."""
    parser = options(__doc__, archive=False)
    parser.add_argument("--articles", type=Path, default=SAMPLE, help="What to index. [default: the sample archive]")
    parser.add_argument("--limit", type=int, default=0, help="Only the first N records (JSON lines). [default: all]")
    parser.add_argument("--index-dir", type=Path, help="A new folder for the index, which stays. [default: none stays]")
    parser.add_argument("--alone", type=int, default=4096, help="Passages for the encoder alone.")
    parser.add_argument("--plain", type=int, default=512, help="Passages for plain float32.")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = first(given.articles, given.limit, folder) if given.limit else given.articles
        index_dir = given.index_dir or folder / "index"
        report, seconds, peak = index(source, index_dir)
        rates = encoders(index_dir, report["encoding_precision"], given.alone, given.plain, given.rounds)
    alone, plain = spread(rates[0], 1), spread(rates[1], 1)
    whole = report["passages_encoded"] / seconds
    found = {
        "command": "python -m benchmarks.indexing " + " ".join(Path(word).name for word in sys.argv[1:]),
        "machine": describe(),
        "articles": report["articles"],
        "passages": report["passages_encoded"],
        "precision": report["encoding_precision"],
        "seconds": round(seconds, 1),
        "passages_per_second": round(whole, 1),
        "encoder_alone_passages_per_second": alone,
        "plain_float32_passages_per_second": plain,
        "share_of_the_encoder_alone": round(whole / alone["median"], 3),
        "times_plain_float32": round(whole / plain["median"], 2),
        "peak_bytes": peak,
    }
    print(json.dumps(found, indent=2))
    save("indexing", found, given.out)


if __name__ == "__main__":
    main()
