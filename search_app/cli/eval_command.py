"""`concord eval`: how good the rankings are on a judged collection, setting by setting."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from indexer.build import BuildOptions, BuildProgress
from indexer.errors import UsageError
from search_app.cli.options import json_option
from search_app.cli.terminal import console, harmless
from search_app.evaluation.cached_index import prepared_index, write_pairs
from search_app.evaluation.collection import Collection, load_collection, load_pairs, load_queries
from search_app.evaluation.comparison import Comparison, Outcome, compare, off_topic
from search_app.evaluation.measures import DEFAULT_MEASURES, parse_measures
from search_app.evaluation.pairs import PairOutcome, judge_pairs
from search_app.evaluation.runs import Setting, default_settings, varied, write_trec
from search_app.query.parsed import parse, plain

__all__ = ["evaluate"]

_SIGNIFICANT = 0.05
_LINE_EVERY = 10.0


@click.command(name="eval")
@click.argument("dataset", required=False, type=click.Path(path_type=Path))
@click.option(
    "--pairs", type=click.Path(path_type=Path), help="JSON lines of query, match and clash, instead of DATASET."
)
@click.option("--measure", "measures", multiple=True, help="As ir-measures names it; the first one is tested.")
@click.option("--vary", "changes", multiple=True, metavar="NAME=VALUE,...", help="Further settings; see below.")
@click.option("--only-varied", is_flag=True, help="Of the product's own settings only the two single rankings.")
@click.option("--off-topic", type=click.Path(path_type=Path), help="Queries that nothing answers: a file or a DATASET.")
@click.option(
    "--operators", is_flag=True, help='Read "phrases", +must, -mustnot and fields in queries, as search does.'
)
@click.option("--encoder", help="A sentence-transformers model, by name or folder.")
@click.option("--window", type=click.IntRange(min=16), help="Word pieces of a passage, title included.")
@click.option("--overlap", type=click.IntRange(min=0), help="Word pieces that passages share.")
@click.option("--run-dir", type=click.Path(path_type=Path), help="Write TREC run files here.")
@click.option("--per-query", type=click.Path(path_type=Path), help="Write wins and losses query by query here (TSV).")
@click.option(
    "--cache-dir",
    type=click.Path(path_type=Path),
    default=Path("~/.cache/concord/eval"),
    envvar="CONCORD_EVAL_CACHE",
    show_default=True,
    show_envvar=True,
    help="Where indexes are kept for the next time.",
)
@json_option
def evaluate(
    dataset: Path | None,
    pairs: Path | None,
    measures: tuple[str, ...],
    changes: tuple[str, ...],
    only_varied: bool,
    off_topic: Path | None,
    operators: bool,
    encoder: str | None,
    window: int | None,
    overlap: int | None,
    run_dir: Path | None,
    per_query: Path | None,
    cache_dir: Path,
    as_json: bool,
) -> None:
    """Index DATASET with the product's own pipeline, ask its queries in every mode, and judge the answers.

    DATASET is a folder in BEIR layout: corpus.jsonl, queries.jsonl, qrels.tsv or qrels/test.tsv, plain or gzipped. The
    index is kept and used again while nothing that it is made of changes. A query without results counts 0.

    \b
    --vary dense_weight=0.5,0.7      weight of meaning in the hybrid
    --vary passages=1,1:0.5:0.25     weights of an article's best passages
    --vary k1=0.9,1.5  b=0.4,0.9  title_weight=1,5
    --vary scale=min-max:0.5,theoretical:0.7     other ways to fuse
    --vary rerank=maxsim,cross-encoder:FOLDER    a second look at the first 20; seconds a query
    --vary diversify=true            no story over a whole page
    """
    measures = measures or DEFAULT_MEASURES
    parse_measures(measures)  # before minutes of indexing
    options = BuildOptions(encoder=encoder, window=window, overlap=overlap)
    settings = default_settings()
    if only_varied:
        settings = settings[:2]
    for change in changes:
        settings += varied(change)
    cache = cache_dir.expanduser()
    if pairs is not None and dataset is None:
        _evaluate_pairs(pairs, settings, cache, options, as_json)
        return
    if dataset is None or pairs is not None:
        raise UsageError("Name either a DATASET folder or '--pairs FILE'.")
    collection = load_collection(dataset)
    read = parse if operators else plain
    queries = {id: read(text) for id, text in collection.queries.items()}
    index_dir = prepared_index(collection.corpus, cache, options, _Progress().show)
    comparison = compare(index_dir, queries, collection.qrels, settings, measures, _say)
    foreign = _off_topic(index_dir, off_topic, settings) if off_topic else {}
    if run_dir is not None:
        _write_runs(run_dir, comparison, collection.name)
    if per_query is not None:
        _write_queries(per_query, comparison, collection)
    if as_json:
        click.echo(json.dumps(_to_json(comparison, collection, foreign), indent=2))
    else:
        _print(comparison, collection, foreign)


def _evaluate_pairs(path: Path, settings: list[Setting], cache: Path, options: BuildOptions, as_json: bool) -> None:
    pairs = load_pairs(path)
    corpus = write_pairs(pairs, cache / "pairs" / path.stem)
    outcomes = judge_pairs(prepared_index(corpus, cache, options, _Progress().show), pairs, settings)
    if as_json:
        values = {o.setting: {"pairwise": o.pairwise, "top1": o.top1, "ranks": o.ranks} for o in outcomes}
        click.echo(json.dumps({"pairs": len(pairs), "settings": values}, indent=2))
        return
    out = console()
    table = Table(title=f"{len(pairs)} pairs, {2 * len(pairs)} articles")
    table.add_column("setting")
    for name in ("match above clash", "match first of all", "clash first of all"):
        table.add_column(name, justify="right")
    for outcome in outcomes:
        clash_first = sum(clash == 1 for _, clash in outcome.ranks.values()) / len(pairs)
        table.add_row(outcome.setting, f"{outcome.pairwise:.2f}", f"{outcome.top1:.2f}", f"{clash_first:.2f}")
    out.print(table)
    _print_wrong(outcomes, {pair.id: pair.query for pair in pairs})


def _print_wrong(outcomes: list[PairOutcome], queries: dict[str, str]) -> None:
    """The pairs that the product's default gets wrong."""
    default = next((outcome for outcome in outcomes if outcome.setting == "hybrid"), None)
    for id, (match, clash) in default.ranks.items() if default else ():
        if match is None or (clash is not None and clash < match):
            places = f"match {match or 'not found'}, clash {clash or 'not found'}"
            console().print(f"  wrong in hybrid: {harmless(queries[id])} ({places})", style="dim")


def _off_topic(index_dir: Path, source: Path, settings: list[Setting]) -> dict[str, list[int]]:
    texts = load_queries(source)
    return off_topic(index_dir, {id: plain(text) for id, text in texts.items()}, settings)


def _print(comparison: Comparison, collection: Collection, foreign: dict[str, list[int]]) -> None:
    out = console()
    first = comparison.measures[0]
    table = Table(title=f"{collection.name}: {len(comparison.queries):,} queries, x 100")
    table.add_column("setting", no_wrap=True)
    for name in comparison.measures:
        table.add_column(name, justify="right")
    for name in ("gain", "p", "wins", "losses", "silent", "dropped"):
        table.add_column(name, justify="right")
    best = next((o for o in comparison.outcomes if o.setting.name == comparison.baseline), None)
    for outcome in comparison.outcomes:
        values = [f"{100 * outcome.mean(name):.2f}" for name in comparison.measures]
        against = ["", "", "", ""]
        if best is not None and outcome.p is not None:
            difference = 100 * (outcome.mean(first) - best.mean(first))
            star = "*" if outcome.p < _SIGNIFICANT else ""
            against = [f"{difference:+.2f}{star}", f"{outcome.p:.4f}", str(outcome.wins), str(outcome.losses)]
        dropped = f"{outcome.dropped} of {outcome.reachable}"
        table.add_row(outcome.setting.name, *values, *against, str(outcome.unanswered), dropped)
    out.print(table)
    if best is not None:
        out.print(
            f"Gain, p, wins and losses are those of {first} against '{best.setting.name}', the better single ranking: "
            f"paired randomisation test, two-sided, 10,000 resamples; * is p < {_SIGNIFICANT}. Silent: queries that "
            "find nothing. Dropped: relevant articles of the top 10 that the floors keep out.",
            style="dim",
        )
    for name, counts in foreign.items():
        silent = sum(not count for count in counts)
        out.print(f"off topic, {name}: {silent} of {len(counts)} queries find nothing", style="dim")
    _print_bands(next((o for o in comparison.outcomes if o.setting.name == "hybrid"), None))


def _print_bands(outcome: Outcome | None) -> None:
    if outcome is None:
        return
    table = Table(title="What the score of 'hybrid' means, top 10")
    for name in ("score", "articles", "mean score", "judged relevant"):
        table.add_column(name, justify="right")
    for band in outcome.bands:
        table.add_row(
            f"{band.low:.2f}-{band.high:.2f}", f"{band.articles:,}", f"{band.mean_score:.3f}", f"{band.relevant:.3f}"
        )
    console().print(table)


def _to_json(comparison: Comparison, collection: Collection, foreign: dict[str, list[int]]) -> dict[str, Any]:
    return {
        "collection": collection.name,
        "queries": len(comparison.queries),
        "baseline": comparison.baseline,
        "test": "paired randomisation, two-sided, 10000 resamples",
        "settings": {
            outcome.setting.name: {
                **{name: outcome.mean(name) for name in comparison.measures},
                "p": outcome.p,
                "wins": outcome.wins,
                "losses": outcome.losses,
                "unanswered": outcome.unanswered,
                "reachable": outcome.reachable,
                "dropped": outcome.dropped,
                "bands": [
                    [band.low, band.high, band.articles, band.mean_score, band.relevant] for band in outcome.bands
                ],
                **({"off_topic_found": foreign[outcome.setting.name]} if foreign else {}),
            }
            for outcome in comparison.outcomes
        },
    }


def _write_runs(folder: Path, comparison: Comparison, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for outcome in comparison.outcomes:
        tag = re.sub(r"[^\w.-]+", "-", outcome.setting.name)
        write_trec(outcome.run, folder / f"{name}.{tag}.run", f"concord-{tag}")


def _write_queries(path: Path, comparison: Comparison, collection: Collection) -> None:
    """One line a query, those where the hybrid gains most first, with every setting's value of the first measure."""
    first = comparison.measures[0]
    values = {outcome.setting.name: outcome.values[first] for outcome in comparison.outcomes}
    baseline = comparison.baseline or next(iter(values))
    chosen = next((name for name in values if name.startswith("hybrid")), baseline)
    gain = values[chosen] - values[baseline]
    with path.open("w", encoding="utf-8") as lines:
        lines.write("\t".join(["query", "text", f"{chosen} - {baseline}", *values]) + "\n")
        for n in gain.argsort(kind="stable")[::-1].tolist():
            id = comparison.queries[n]
            numbers = (f"{value[n]:.4f}" for value in values.values())
            text = " ".join(collection.queries[id].split())
            lines.write("\t".join([id, text, f"{gain[n]:+.4f}", *numbers]) + "\n")


class _Progress:
    """A line when a stage begins and every ten seconds in it: indexing may take minutes."""

    def __init__(self) -> None:
        self._stage, self._said = "", 0.0

    def show(self, progress: BuildProgress) -> None:
        now = time.monotonic()
        if progress.stage != self._stage or now - self._said > _LINE_EVERY:
            self._stage, self._said = progress.stage, now
            _say(f"{progress.stage}: {progress.articles:,} articles, {progress.passages:,} passages encoded")


def _say(line: str) -> None:
    click.echo(f"concord eval: {line}", err=True)
