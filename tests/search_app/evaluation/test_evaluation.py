"""`concord eval` on a small collection of our own, through the real encoder and the real indexes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from indexer.errors import SourceError, UsageError
from search_app.cli.main import main
from search_app.evaluation.cached_index import prepared_index
from search_app.evaluation.collection import load_collection, load_pairs, load_queries
from search_app.evaluation.comparison import compare
from search_app.evaluation.measures import evaluate, p_value
from search_app.evaluation.runs import default_settings, varied, write_trec
from search_app.query.parsed import plain

ARTICLES = {
    "ferry": (
        "Ferry runs aground",
        "A ferry with ninety passengers ran aground in fog. All were taken off by lifeboats.",
    ),
    "wheat": ("Wheat harvest fails", "After two dry summers the wheat harvest is the poorest in thirty years."),
    "bridge": ("Old bridge reopens", "The stone bridge over the river is open again after repairs that took a year."),
    "vote": ("Council rejects tram", "By nine votes to eight the council turned down plans for a tram line."),
    "orchestra": ("Conductor resigns", "The conductor leaves the city's orchestra after a quarrel over pay."),
    "fire": ("Warehouse burns down", "A blaze destroyed a timber warehouse. The cause is not known."),
}
QUERIES = {
    "q1": "passengers rescued from a stranded ship",
    "q2": "drought ruins grain crop",
    "q3": "tram line plans",
    "q4": "xqzzv blorptang",
    "unjudged": "bridge",
}
QRELS = {"q1": {"ferry": 1}, "q2": {"wheat": 2}, "q3": {"vote": 1, "bridge": 0}, "q4": {"fire": 1}}


def write(folder: Path, *, header: bool = True, zipped: bool = False) -> Path:
    folder.mkdir(parents=True)
    lines = [json.dumps({"_id": id, "title": title, "text": text}) for id, (title, text) in ARTICLES.items()]
    corpus = "\n".join(lines) + "\n"
    if zipped:
        with gzip.open(folder / "corpus.jsonl.gz", "wt", encoding="utf-8") as stream:
            stream.write(corpus)
    else:
        (folder / "corpus.jsonl").write_text(corpus, "utf-8")
    (folder / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": id, "text": text}) + "\n" for id, text in QUERIES.items()), "utf-8"
    )
    rows = [f"{q}\t{a}\t{grade}" for q, judged in QRELS.items() for a, grade in judged.items()]
    (folder / "qrels.tsv").write_text("\n".join((["query-id\tcorpus-id\tscore"] if header else []) + rows), "utf-8")
    return folder


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(main, ["eval", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize(("header", "zipped"), [(True, False), (False, True)])
def test_a_collection_is_read_plain_or_gzipped_with_or_without_header(
    tmp_path: Path, header: bool, zipped: bool
) -> None:
    found = load_collection(write(tmp_path / "c", header=header, zipped=zipped))
    assert found.qrels == QRELS
    assert set(found.queries) == set(QRELS)


def test_trec_judgments_and_the_beir_folder_are_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "c")
    (folder / "qrels.tsv").unlink()
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text("q1 0 ferry 1\nq3 0 vote 2\n", "utf-8")
    assert load_collection(folder).qrels == {"q1": {"ferry": 1}, "q3": {"vote": 2}}


def test_what_is_no_collection_is_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is no folder"):
        load_collection(tmp_path / "nowhere")
    with pytest.raises(SourceError, match=r"has no corpus\.jsonl"):
        load_collection(tmp_path)
    folder = write(tmp_path / "c")
    (folder / "qrels.tsv").write_text("q1\tferry\t1\nq2\twheat\n", "utf-8")
    with pytest.raises(SourceError, match="Line 2"):
        load_collection(folder)
    (folder / "qrels.tsv").write_text("other\tferry\t1\n", "utf-8")
    with pytest.raises(SourceError, match="None of the 5 queries"):
        load_collection(folder)


def test_a_query_without_results_counts_zero() -> None:
    qrels = {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1}}
    values = evaluate({"a": [("x", 0.9)], "b": []}, qrels, ["nDCG@10", "RR@10"])
    np.testing.assert_array_equal(values["nDCG@10"], [1, 0, 0])
    np.testing.assert_array_equal(evaluate({}, qrels, ["AP"])["AP"], [0, 0, 0])


def test_measures_follow_the_order_of_the_run_even_where_scores_tie() -> None:
    run = {"q": [("b", 0.5), ("a", 0.5), ("c", 0.5)]}
    assert evaluate(run, {"q": {"a": 1}}, ["RR@10"])["RR@10"].tolist() == [0.5]


def test_graded_judgments_enter_ndcg() -> None:
    found = evaluate({"q": [("low", 2.0), ("high", 1.0)]}, {"q": {"low": 1, "high": 2}}, ["nDCG@10"])
    expected = (1 + 2 / np.log2(3)) / (2 + 1 / np.log2(3))
    assert found["nDCG@10"][0] == pytest.approx(expected)


def test_an_unknown_measure_is_refused() -> None:
    with pytest.raises(UsageError, match="nDCG@10"):
        evaluate({}, {"q": {"a": 1}}, ["nonsense@3"])


def test_the_significance_test_tells_noise_from_difference() -> None:
    noise = np.random.default_rng(5).normal(0, 0.1, 80)
    base = np.full(80, 0.5)
    assert p_value(base, base) == 1
    assert p_value(base + noise - noise.mean(), base) > 0.9
    assert p_value(base + 0.1 + noise, base) < 0.001
    assert p_value(base, base + 0.1 + noise) == pytest.approx(p_value(base + 0.1 + noise, base))


@pytest.mark.slow
def test_the_table_and_the_json_agree(collection: Path, cache: Path) -> None:
    table = run(collection, "--cache-dir", cache, "--measure", "RR@10", "--measure", "P@1")
    values = json.loads(run(collection, "--cache-dir", cache, "--measure", "RR@10", "--measure", "P@1", "--json"))
    assert values["queries"] == 4
    assert set(values["settings"]) == {"lexical", "semantic", "hybrid", "hybrid rrf"}
    hybrid = values["settings"]["hybrid"]
    assert hybrid["RR@10"] == pytest.approx(0.75)
    assert hybrid["unanswered"] == 1
    assert f"{100 * hybrid['RR@10']:.2f}" in table
    assert values["baseline"] in ("lexical", "semantic")
    assert values["settings"][values["baseline"]]["p"] is None


@pytest.mark.slow
def test_an_unchanged_index_is_used_again_and_a_changed_corpus_is_not(collection: Path, tmp_path: Path) -> None:
    from indexer.build import BuildOptions

    stages: list[str] = []
    first = prepared_index(collection / "corpus.jsonl", tmp_path, BuildOptions(), lambda p: stages.append(p.stage))
    assert "done" in stages
    stages.clear()
    again = prepared_index(collection / "corpus.jsonl", tmp_path, BuildOptions(), lambda p: stages.append(p.stage))
    assert (again, stages) == (first, [])
    assert prepared_index(collection / "corpus.jsonl", tmp_path, BuildOptions(window=64)) != first
    changed = write(tmp_path / "tiny") / "corpus.jsonl"
    changed.write_text(changed.read_text("utf-8").replace("thirty", "forty"), "utf-8")
    assert prepared_index(changed, tmp_path, BuildOptions()) != first


@pytest.mark.slow
def test_changed_code_makes_the_derived_indexes_new_without_encoding(collection: Path, tmp_path: Path) -> None:
    from indexer.build import BuildOptions
    from indexer.generations.manifest import current_generation

    folder = prepared_index(collection / "corpus.jsonl", tmp_path, BuildOptions())
    before = current_generation(folder)
    (folder / "code").write_text("of another day", "utf-8")
    encoded: list[int] = []
    prepared_index(collection / "corpus.jsonl", tmp_path, BuildOptions(), lambda p: encoded.append(p.passages))
    assert current_generation(folder) > before
    assert max(encoded) == 0


@pytest.mark.slow
def test_a_cached_index_of_another_version_is_made_anew(collection: Path, tmp_path: Path) -> None:
    from indexer.build import BuildOptions
    from search_app.engine import SearchEngine

    folder = prepared_index(collection / "corpus.jsonl", tmp_path, BuildOptions())
    (folder / "code").write_text("of another day", "utf-8")
    manifest = next(folder.glob("generations/*/manifest.json"))
    manifest.write_text(json.dumps(json.loads(manifest.read_text("utf-8")) | {"format_version": 0}), "utf-8")
    assert prepared_index(collection / "corpus.jsonl", tmp_path, BuildOptions()) == folder
    assert SearchEngine.open(folder).status().articles == len(ARTICLES)


@pytest.mark.slow
def test_runs_and_per_query_files_are_written(collection: Path, cache: Path, tmp_path: Path) -> None:
    run(collection, "--cache-dir", cache, "--run-dir", tmp_path / "runs", "--per-query", tmp_path / "queries.tsv")
    lines = (tmp_path / "runs" / "tiny.hybrid.run").read_text("utf-8").splitlines()
    query, q0, article, rank, score, tag = lines[0].split()
    assert (query, q0, article, rank, tag) == ("q1", "Q0", "ferry", "1", "concord-hybrid")
    assert 0 < float(score) <= 1
    rows = [line.split("\t") for line in (tmp_path / "queries.tsv").read_text("utf-8").splitlines()]
    assert rows[0][:2] == ["query", "text"]
    gains = [float(row[2]) for row in rows[1:]]
    assert len(gains) == 4
    assert gains == sorted(gains, reverse=True)


def test_blanks_in_ids_do_not_break_a_run_file(tmp_path: Path) -> None:
    write_trec({"q 1": [("an id", 0.5)]}, tmp_path / "x.run", "t")
    assert (tmp_path / "x.run").read_text("utf-8") == "q_1 Q0 an_id 1 0.5 t\n"


@pytest.mark.slow
def test_operators_in_queries_are_text_unless_asked_for(tmp_path: Path, cache: Path) -> None:
    folder = write(tmp_path / "quoted")
    quoted = {"q1": '"no such phrase anywhere" ferry', "q2": "wheat", "q3": "tram", "q4": "warehouse"}
    (folder / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": id, "text": text}) + "\n" for id, text in quoted.items()), "utf-8"
    )
    plain_text = json.loads(run(folder, "--cache-dir", cache, "--json"))["settings"]["hybrid"]
    operators = json.loads(run(folder, "--cache-dir", cache, "--json", "--operators"))["settings"]["hybrid"]
    assert (plain_text["unanswered"], operators["unanswered"]) == (0, 1)


@pytest.mark.slow
def test_off_topic_queries_are_counted(collection: Path, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "off.txt").write_text("best pizza dough recipe\n\nferry passengers in fog\n", "utf-8")
    found = json.loads(run(collection, "--cache-dir", cache, "--off-topic", tmp_path / "off.txt", "--json"))
    pizza, ferry = found["settings"]["hybrid"]["off_topic_found"]
    assert (pizza, ferry > 0) == (0, True)
    assert load_queries(collection) == QUERIES


@pytest.mark.slow
def test_floors_that_drop_relevant_articles_are_reported(collection: Path, cache: Path) -> None:
    from indexer.build import BuildOptions

    index_dir = prepared_index(collection / "corpus.jsonl", cache, BuildOptions())
    # 'fire' stands in the unfloored top 10 of a query that has nothing to do with it.
    found = compare(index_dir, {"q4": plain(QUERIES["q4"])}, {"q4": QRELS["q4"]}, default_settings(), ["RR@10"])
    hybrid = next(outcome for outcome in found.outcomes if outcome.setting.name == "hybrid")
    assert (hybrid.reachable, hybrid.dropped, hybrid.unanswered) == (1, 1, 1)


@pytest.mark.slow
def test_varied_settings_run_beside_the_products(collection: Path, cache: Path) -> None:
    found = json.loads(
        run(collection, "--cache-dir", cache, "--json", "--vary", "dense_weight=0,1", "--vary", "scale=min-max:0.5")
    )["settings"]
    assert "hybrid dense_weight=0" in found
    assert "hybrid scale=min-max:0.5" in found
    # The encoder alone knows that a stranded ship and a ferry aground are one.
    assert found["hybrid dense_weight=1"]["nDCG@10"] >= found["hybrid dense_weight=0"]["nDCG@10"]


@pytest.mark.parametrize("changes", ["nothing=1", "k1=", "k1=much", "scale=unheard:0.5"])
def test_what_cannot_be_varied_is_refused(changes: str) -> None:
    with pytest.raises(UsageError):
        varied(changes)


@pytest.mark.slow
def test_pairs_are_judged_among_the_articles_of_all_pairs(tmp_path: Path, cache: Path) -> None:
    pairs = [
        {
            "_id": "p1",
            "query": "bridge open again",
            "match": {"title": "Bridge open again", "text": ARTICLES["bridge"][1]},
            "clash": {"title": "Conductor resigns", "text": ARTICLES["orchestra"][1]},
        },
        {
            "_id": "p2",
            "query": "wheat harvest",
            "match": {"title": "", "text": ARTICLES["fire"][1]},
            "clash": {"title": "Wheat harvest", "text": ARTICLES["wheat"][1]},
        },
    ]
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), "utf-8")
    assert [pair.id for pair in load_pairs(file)] == ["p1", "p2"]
    found = json.loads(run("--pairs", file, "--cache-dir", cache, "--json"))["settings"]["hybrid"]
    assert found["ranks"]["p1"][0] == 1
    assert found["ranks"]["p2"][1] == 1
    assert (found["pairwise"], found["top1"]) == (0.5, 0.5)
    assert "wrong in hybrid: wheat harvest" in run("--pairs", file, "--cache-dir", cache)


def test_dataset_and_pairs_exclude_each_other() -> None:
    assert CliRunner().invoke(main, ["eval"]).exit_code == 2
