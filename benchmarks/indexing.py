"""How near indexing comes to the encoder alone, and how much memory it takes.

Usage: python -m benchmarks.indexing [--articles FILE] [--limit N] [--index-dir NEW] [--every 120] [--json FILE]

The whole `concord index` runs in a process of its own, and the memory of its whole process tree is watched. Before it,
after it and whenever it has run for a while, when it is stopped for so long and that time is not counted, two others
take turns: the encoder alone, by the library and in the precision that a run chooses, on passages evenly spread over
what is indexed; and plain float32, sentence-transformers' own `model.encode`, on some of them with the lengths of the
whole. So all three meet the machine in the same moods. Starting up is counted in the whole run, and not in the others.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import math
import os
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import IO, Any

from benchmarks.machine import introduce
from benchmarks.report import SAMPLE, concord, environment, in_words, options, save, spread
from indexer.encoders.batching import BatchEncoder
from indexer.encoders.carried import encoder_folder
from indexer.encoders.exported import ExportedEncoder
from indexer.encoders.spec import DEFAULT_ENCODER, model_folder
from indexer.generations.manifest import current_generation, read_current
from indexer.store.database import Store
from indexer.text.chunking import fit_title, passage_input

WATCH_EVERY = 0.2
WINDOW = 512
ROUNDS = 2
"""Turns of the encoder alone and of plain float32 before a run, and after it."""
SOME = 1200
"""Articles that the passages for them come from."""


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run: its report, its wall seconds, and the most bytes that its process tree had in memory."""

    report: dict[str, Any]
    seconds: float
    peak: int


def index(
    articles: Path, index_dir: Path, meanwhile: Callable[[], None] = lambda: None, every: float = math.inf
) -> Run:
    """Run `concord index`, stopped every so many seconds for as long as `meanwhile` takes."""
    command = concord("index", articles, "--index-dir", index_dir, "--json")
    start = resumed = time.perf_counter()
    peak, stopped = 0, 0.0
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        run = subprocess.Popen(command, stdout=out, env=environment())
        try:
            while run.poll() is None:
                processes = tree(run.pid)
                peak = max(peak, sum(map(resident, processes)))
                if (now := time.perf_counter()) - resumed >= every:
                    send(processes, signal.SIGSTOP)
                    meanwhile()
                    send(processes, signal.SIGCONT)
                    resumed = time.perf_counter()
                    stopped += resumed - now
                time.sleep(WATCH_EVERY)
            seconds = time.perf_counter() - start - stopped
        finally:
            if run.poll() is None:
                # Children end by themselves when the run does, but not while they are stopped.
                send(tree(run.pid), signal.SIGCONT)
                run.kill()
        out.seek(0)
        text = out.read()
    if run.returncode:
        raise SystemExit(f"'concord index' failed with {run.returncode}.")
    return Run(json.loads(text), seconds, peak)


def send(processes: list[int], what: signal.Signals) -> None:
    """Send a signal to those of the processes that are still there."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, what)


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
    encoder = ExportedEncoder(encoder_folder(index_dir, manifest.encoder), threads=1)
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
        return ExportedEncoder(encoder_folder(index_dir, spec), precision=kind)
    if library == "torch":
        from indexer.encoders.original import TorchEncoder

        return TorchEncoder(spec.name, precision=kind)
    raise SystemExit(f"This benchmark knows no runtime '{precision}'.")


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


@dataclass
class Others:
    """The encoder alone and plain float32, which take turns; their rates so far, in passages a second."""

    encoder: BatchEncoder
    model: Any
    texts: list[str]
    few: list[str]
    alone: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, index_dir: Path, precision: str, alone: int, plain: int) -> Others:
        """With `alone` passages of an index for the one and `plain` of them for the other."""
        from sentence_transformers import SentenceTransformer

        texts = passages(index_dir, alone)
        few = sorted(texts, key=len)[:: max(1, len(texts) // plain)]
        others = cls(
            encoder_alone(index_dir, precision), SentenceTransformer(str(model_folder(DEFAULT_ENCODER))), texts, few
        )
        # The shapes and threads of both are made when they are first met.
        others.encoder.encode_passages(texts)
        others.model.encode(few[:64], show_progress_bar=False)
        return others

    def turn(self) -> None:
        """One turn of each."""
        self.alone.append(rate_alone(self.encoder, self.texts))
        self.plain.append(rate_plain(self.model, self.few))


def records(articles: Path, target: Path, *, most: int = 0, step: int = 1) -> Path:
    """Records of a file of JSON lines as a file of their own: the first `most`, or all, with `step` - 1 left out
    between two."""
    with lines_of(articles) as lines, target.open("w", encoding="utf-8") as out:
        out.writelines(islice(lines, 0, most or None, step))
    return target


def lines_of(articles: Path) -> IO[str]:
    """A file of JSON lines, packed or not."""
    return (gzip.open if articles.suffix == ".gz" else open)(articles, "rt", encoding="utf-8")


def some_of(articles: Path, folder: Path) -> Path:
    """SOME articles, evenly spread over a file of JSON lines; other files and folders as they are."""
    if not articles.is_file() or ".jsonl" not in articles.suffixes:
        return articles
    with lines_of(articles) as lines:
        count = sum(1 for _ in lines)
    return records(articles, folder / "some.jsonl", step=max(1, count // SOME))


def main() -> None:
    """Measure, print and save."""
    parser = options(__doc__, archive=False)
    parser.add_argument("--articles", type=Path, default=SAMPLE, help="What to index. [default: the sample archive]")
    parser.add_argument("--limit", type=int, default=0, help="Only the first N records (JSON lines). [default: all]")
    parser.add_argument("--index-dir", type=Path, help="A new folder for the index, which stays. [default: none stays]")
    parser.add_argument("--alone", type=int, default=1024, help="Passages of a turn of the encoder alone.")
    parser.add_argument("--plain", type=int, default=128, help="Passages of a turn of plain float32.")
    parser.add_argument("--every", type=float, default=120, help="Seconds of the run from turn to turn.")
    given = parser.parse_args()
    machine = introduce()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = given.articles
        if given.limit:
            source = records(source, folder / "articles.jsonl", most=given.limit)
        sample = index(some_of(source, folder), folder / "sample")
        precision = sample.report["encoding_precision"]
        others = Others.of(folder / "sample", precision, given.alone, given.plain)
        for _ in range(ROUNDS):
            others.turn()
        run = index(source, given.index_dir or folder / "index", others.turn, given.every)
        for _ in range(ROUNDS):
            others.turn()
        others.encoder.close()
    if run.report["encoding_precision"] != precision:
        raise SystemExit(
            f"The run chose {run.report['encoding_precision']}, and the encoder alone ran in {precision}, as a run "
            "over some of the articles had chosen just before: measure again on a machine that has nothing else to do."
        )
    alone, plain = spread(others.alone, 1), spread(others.plain, 1)
    whole = run.report["passages_encoded"] / run.seconds
    found = {
        "machine": machine,
        "articles": run.report["articles"],
        "passages": run.report["passages_encoded"],
        "precision": precision,
        "seconds": round(run.seconds, 1),
        "turns": len(others.alone),
        "passages_per_second": round(whole, 1),
        "encoder_alone_passages_per_second": alone,
        "plain_float32_passages_per_second": plain,
        "share_of_the_encoder_alone": round(whole / fmean(others.alone), 3),
        "times_plain_float32": round(whole / fmean(others.plain), 2),
        "peak_bytes": run.peak,
    }
    print(
        f"concord index: {found['articles']:,} articles, {found['passages']:,} passages in {found['seconds']} s, "
        f"{found['passages_per_second']} passages/s, {run.peak / 1e6:,.0f} MB at most\n"
        f"the encoder alone, {precision}, in {found['turns']} turns: {in_words(alone, 'passages/s')}; the run over it "
        f"{found['share_of_the_encoder_alone']}\n"
        f"plain float32 model.encode: {in_words(plain, 'passages/s')}; the run over it {found['times_plain_float32']}"
    )
    save("indexing", found, given.out)


if __name__ == "__main__":
    main()
