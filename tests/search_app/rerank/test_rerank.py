"""A second look: what rerankers compute, how their word is blended in, and who may ask for one."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from indexer.article import Article
from indexer.build import BuildOptions, build_index
from indexer.encoders.carried import encoder_folder
from indexer.encoders.exported import ExportedEncoder, TokenVectors
from indexer.encoders.spec import DEFAULT_ENCODER, model_folder
from indexer.errors import IndexDamaged, RerankerError, UsageError
from indexer.generations.manifest import read_current
from indexer.system.checksums import write_sums
from search_app import SearchEngine
from search_app.cli import main
from search_app.evaluation.runs import varied
from search_app.options import reranker_parts
from search_app.ranking.candidates import Ranking
from search_app.rerank.cross_encoder import CrossEncoderReranker
from search_app.rerank.maxsim import MaxSim, maxsim
from search_app.rerank.protocol import pooled, reranked
from search_app.stages import OutOfTime, measured
from search_app.web import WebSettings, create_app
from tests.search_app.small_archive import ARTICLES
from tests.tiny_encoder import BUNDLED, save_cross_encoder

pytestmark = pytest.mark.slow

CHANCES = st.floats(0, 1, width=32)


@pytest.fixture(scope="module")
def encoder_dir(index_dir: Path) -> Path:
    return encoder_folder(index_dir, read_current(index_dir).encoder)


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_cross_encoder(tmp_path_factory.mktemp("models") / "cross")


def ranking_of(scores: list[float]) -> Ranking:
    values = np.sort(np.array(scores, np.float32))[::-1]
    count = len(values)
    numbers, none = np.arange(count), np.full(count, np.nan, np.float32)
    return Ranking(numbers, values, none, none, numbers + 1, numbers + 1, none, numbers)


def naive_maxsim(original: SentenceTransformer, query: str, passage: str) -> float:
    """The definition in plain loops, on what sentence-transformers gives for one text at a time."""

    def vectors(text: str, *, words_only: bool) -> list[NDArray[np.float32]]:
        encoded = original.tokenizer([text], return_special_tokens_mask=True)
        tokens = original.tokenizer.convert_ids_to_tokens(encoded["input_ids"][0])
        found = original.encode(text, output_value="token_embeddings").numpy()
        return [
            vector / np.linalg.norm(vector)
            for vector, token, special in zip(found, tokens, encoded["special_tokens_mask"][0], strict=True)
            if not special and not (words_only and not any(letter.isalnum() for letter in token))
        ]

    passages = vectors(passage, words_only=False)
    best = [max(float(one @ other) for other in passages) for one in vectors(query, words_only=True)]
    return sum(best) / len(best)


def test_maxsim_is_its_definition(engine: SearchEngine) -> None:
    original = SentenceTransformer(str(BUNDLED), device="cpu")
    query = "When did the harbour's ferry crews walk out, and why?"
    hits = engine.search(query, rerank="maxsim", fold=False, k=50).hits
    assert len(hits) > 5
    for hit in hits:
        article = next(one for one in ARTICLES if one.id == hit.article.id)
        joint = "" if article.title.endswith((".", "!", "?")) else "."
        expected = naive_maxsim(original, query, f"{article.title}{joint} {article.text}")
        assert hit.rerank is not None
        # bfloat16 moves it by some ten-thousandths.
        assert hit.rerank.score == pytest.approx(expected, abs=1e-3)
    by_rank = sorted(hits, key=lambda hit: hit.rerank.rank if hit.rerank else 0)
    assert [hit.rerank.rank for hit in by_rank if hit.rerank] == list(range(1, len(hits) + 1))
    scores = [hit.rerank.score for hit in by_rank if hit.rerank]
    assert scores == sorted(scores, reverse=True)


def test_the_best_passage_of_an_article_counts(encoder_dir: Path) -> None:
    reranker = MaxSim(ExportedEncoder(encoder_dir))
    one, two, three = "The ferry sails.", "Oysters died in warm water.", "A chess title"
    apart = reranker.score("warm oysters", [[one], [two], [three]])
    together = reranker.score("warm oysters", [[one, two], [three, one]])
    np.testing.assert_allclose(together, [max(apart[0], apart[1]), max(apart[0], apart[2])], atol=1e-5)
    assert apart[1] == apart.max()
    chances = reranker.chances(np.array([-1, 0, 0.5, 0.7, 1], np.float32))
    assert ((np.diff(chances) > 0) & (chances[1:] < 1)).all()


def test_texts_without_words_have_a_score_all_the_same(encoder_dir: Path) -> None:
    scores = MaxSim(ExportedEncoder(encoder_dir)).score("?!", [["What?!"], [""]])
    assert np.isfinite(scores).all()
    assert scores[1] == 0
    nothing = TokenVectors((), np.empty((0, 384), np.float32))
    assert maxsim(nothing, nothing) == 0


def test_token_vectors_leave_out_what_the_tokenizer_adds(encoder_dir: Path) -> None:
    encoder = ExportedEncoder(encoder_dir)
    texts = ["The ferry sails again.", "", "COP29"]
    found = encoder.encode_tokens(texts)
    assert [len(one.tokens) for one in found] == encoder.count_tokens(texts)
    assert found[0].tokens[:2] == ("the", "ferry")
    for one in found:
        assert one.vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(one.vectors, axis=1), 1, atol=1e-5)


def test_an_encoder_without_token_vectors_is_told_of(encoder_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(encoder_dir, folder)
    graph = onnx.load(str(folder / "model.onnx"))
    del graph.graph.output[1]
    onnx.save(graph, str(folder / "model.onnx"))
    write_sums(folder)
    encoder = ExportedEncoder(folder)
    with pytest.raises(IndexDamaged, match="no vectors of tokens"):
        encoder.encode_tokens(["ferry"])


@given(st.lists(CHANCES, max_size=40), st.data())
def test_what_is_behind_the_first_stays_as_it_was(scores: list[float], data: st.DataObject) -> None:
    ranking = ranking_of(scores)
    count = data.draw(st.integers(0, len(scores)))
    chances = np.array(data.draw(st.lists(CHANCES, min_size=count, max_size=count)), np.float32)
    weight = data.draw(st.floats(0, 1))
    after, looks = reranked(ranking, chances, lambda raw: raw, weight)
    assert sorted(after.rows[:count].tolist()) == list(range(count))
    np.testing.assert_array_equal(after.rows[count:], ranking.rows[count:])
    np.testing.assert_array_equal(after.scores[count:], ranking.scores[count:])
    assert ((after.scores >= 0) & (after.scores <= 1)).all()
    assert (np.diff(after.scores) <= 0).all()
    assert sorted(looks) == list(range(count))
    assert sorted(look.rank for look in looks.values()) == list(range(1, count + 1))


@given(CHANCES, CHANCES, CHANCES, st.floats(0, 1))
def test_the_pool_is_bounded_and_follows_both_opinions(first: float, low: float, high: float, weight: float) -> None:
    low, high = sorted((low, high))
    firsts, seconds = np.array([first, first], np.float32), np.array([low, high], np.float32)
    for odds in (pooled(firsts, seconds, weight), pooled(seconds, firsts, weight)):
        assert odds[0] <= odds[1]
        assert np.abs(odds).max() <= np.log(99) + 1e-9


def test_one_that_agrees_changes_nothing() -> None:
    ranking = ranking_of([0.9, 0.6, 0.4, 0.2])
    after, _ = reranked(ranking, ranking.scores[:3], lambda raw: raw, 0.7)
    np.testing.assert_allclose(after.scores, ranking.scores, atol=1e-6)


def test_equals_keep_their_order() -> None:
    after, looks = reranked(ranking_of([0.5, 0.5, 0.5]), np.zeros(3, np.float32), lambda raw: raw + 0.5, 0.5)
    assert after.rows.tolist() == [0, 1, 2]
    assert [looks[row].rank for row in range(3)] == [1, 2, 3]


def test_a_cross_encoder_orders_by_its_own_scores(engine: SearchEngine, cross_encoder: Path) -> None:
    from sentence_transformers import CrossEncoder
    from torch.nn import Identity

    hits = engine.search("ferry strike", rerank=f"cross-encoder:{cross_encoder}", fold=False, k=50).hits
    texts = {one.id: f"{one.title}. {one.text}" for one in ARTICLES}
    model = CrossEncoder(str(cross_encoder))
    expected = model.predict([("ferry strike", texts[hit.article.id]) for hit in hits], activation_fn=Identity())
    found = [hit.rerank.score for hit in hits if hit.rerank]
    np.testing.assert_allclose(found, expected, atol=2e-4)
    first = {hit.article.id: hit.score for hit in engine.search("ferry strike", fold=False, k=50)}
    assert {hit.article.id for hit in hits} == set(first)
    for hit, logit in zip(hits, found, strict=True):
        low, high = sorted((first[hit.article.id], 1 / (1 + np.exp(-logit))))
        assert low - 0.01 <= hit.score <= high + 0.01


def test_a_cross_encoder_is_loaded_once(
    engine: SearchEngine, cross_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"cross-encoder:{cross_encoder}"
    engine.search("harbour", rerank=name)
    monkeypatch.setattr("search_app.rerank.cross_encoder.CrossEncoderReranker.__init__", None)
    assert engine.search("harbour", rerank=name).hits[0].rerank is not None


def test_what_is_no_cross_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RerankerError, match=r"There is no folder '\./nowhere'"):
        CrossEncoderReranker("./nowhere")
    with pytest.raises(RerankerError, match="cannot be loaded"):
        CrossEncoderReranker(str(tmp_path))
    with pytest.raises(RerankerError, match="gives 3 scores for a pair, and must give 1"):
        CrossEncoderReranker(str(save_cross_encoder(tmp_path / "three", outputs=3)))
    with pytest.raises(RerankerError, match="is an encoder of single texts"):
        CrossEncoderReranker(str(model_folder(DEFAULT_ENCODER)))


def test_a_denial_keeps_the_last_word(engine: SearchEngine) -> None:
    results = engine.search("prisoner exchange without mediation", rerank="maxsim")
    ids = [hit.article.id for hit in results]
    assert ids.index("prisoners") < ids.index("brokered")
    assert "on a second look" in results.hits[0].why
    assert results.hits[0].why.startswith("says: ")


def test_what_words_alone_found_is_reranked_too(engine: SearchEngine) -> None:
    assert all(hit.rerank for hit in engine.search("ferry strike", mode="lexical", rerank="maxsim"))
    assert all(hit.rerank is None for hit in engine.search("section:World", rerank="maxsim"))
    assert engine.search("qqqq", mode="lexical", rerank="maxsim").total == 0


def test_totals_and_pages_are_those_of_the_first_ranking(engine: SearchEngine) -> None:
    plain = engine.search("harbour", k=4)
    pages = [engine.search("harbour", rerank="maxsim", k=4, page=page) for page in (1, 2, 3, 4)]
    assert {results.total for results in pages} == {plain.total}
    scores = [hit.score for results in pages for hit in results]
    assert scores == sorted(scores, reverse=True)
    assert len({hit.article.id for results in pages for hit in results}) == plain.total


def test_long_articles_and_titles_alone_are_read(index_dir_of_words: Path, word_encoder: Path) -> None:
    articles = [
        Article(id="title", title="Amber ferry", text=""),
        Article(
            id="long", title="Amber", text="Barley grows. " * 300 + "The amber ferry sails. " + "Oats grow. " * 300
        ),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("indexer.build.read_sources", lambda *_, **__: iter(articles))
        build_index([], index_dir_of_words, BuildOptions(encoder=str(word_encoder)))
    hits = SearchEngine.open(index_dir_of_words).search("amber ferry", rerank="maxsim").hits
    # The tokens of this encoder have the same vector wherever they stand.
    assert {hit.article.id: hit.rerank.score for hit in hits if hit.rerank} == {"title": 1, "long": 1}


def test_a_second_look_ends_at_the_deadline(encoder_dir: Path, cross_encoder: Path) -> None:
    for reranker in (MaxSim(ExportedEncoder(encoder_dir)), CrossEncoderReranker(str(cross_encoder))):
        with measured(deadline=time.monotonic() - 1), pytest.raises(OutOfTime):
            reranker.score("ferry", [["The ferry sails."]])


def test_an_index_without_an_encoder_of_its_own_has_no_maxsim(
    engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search_app.snapshot.encoders.QueryEncoders.of", lambda *_: object())
    with pytest.raises(UsageError, match="needs the encoder that an index carries"):
        engine.search("harbour", mode="lexical", rerank="maxsim")


@pytest.mark.parametrize("name", ["", "magic", "maxsim:x", "none:x", "cross-encoder", "cross-encoder: "])
def test_names_that_are_none(engine: SearchEngine, index_dir: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no reranker: choose none, maxsim, or cross-encoder:MODEL"):
        engine.search("harbour", rerank=name)
    run = CliRunner().invoke(main, ["search", "--index-dir", str(index_dir), "--rerank", name, "harbour"])
    assert (run.exit_code, run.stdout) == (2, "")


def test_names_that_are_some() -> None:
    assert reranker_parts("none") == ("none", "")
    assert reranker_parts("maxsim") == ("maxsim", "")
    assert reranker_parts("cross-encoder:C:/models/x") == ("cross-encoder", "C:/models/x")


def test_a_model_that_cannot_be_loaded_fails_the_command(index_dir: Path) -> None:
    name = "cross-encoder:/no/such/folder"
    run = CliRunner().invoke(main, ["search", "--index-dir", str(index_dir), "--rerank", name, "harbour"])
    assert run.exit_code == 1
    assert "There is no folder '/no/such/folder'" in run.stderr
    assert "Traceback" not in run.stderr


def test_the_command_line_explains_it(index_dir: Path) -> None:
    run = CliRunner().invoke(
        main, ["search", "--index-dir", str(index_dir), "--rerank", "maxsim", "--explain", "ferry", "strike"]
    )
    assert "on a second look" in run.stdout
    assert "rerank:  rank 1, 0." in run.stdout


def test_a_site_offers_what_it_names(engine: SearchEngine) -> None:
    client = create_app(engine=engine, settings=WebSettings(rerank=("maxsim",))).test_client()
    answer = client.get("/api/v1/search?q=harbour&rerank=maxsim").json
    assert answer is not None
    assert answer["hits"][0]["rerank"]["rank"] >= 1
    refused = client.get("/api/v1/search?q=harbour&rerank=cross-encoder:elsewhere")
    assert refused.status_code == 400
    assert json.loads(refused.data)["detail"] == (
        "The reranker 'cross-encoder:elsewhere' is not offered here; rerank can be 'none' or 'maxsim'."
    )
    page = client.get("/?q=harbour&rerank=maxsim").text
    assert '<option value="maxsim" selected>' in page
    assert '<th scope="row">Second look</th>' in page
    parameters = client.get("/api/v1/openapi.json").json["paths"]["/api/v1/search"]["get"]["parameters"]  # type: ignore[index]
    (schema,) = [one["schema"] for one in parameters if one["name"] == "rerank"]
    assert schema["enum"] == ["none", "maxsim"]


def test_a_site_offers_nothing_by_itself(engine: SearchEngine) -> None:
    client = create_app(engine=engine).test_client()
    refused = client.get("/api/v1/search?q=harbour&rerank=maxsim")
    assert refused.status_code == 400
    assert json.loads(refused.data)["detail"] == "The reranker 'maxsim' is not offered here; rerank can be 'none'."
    assert client.get("/api/v1/search?q=harbour&rerank=none").json["hits"][0]["rerank"] is None  # type: ignore[index]
    assert "Second look" not in client.get("/?q=harbour").text


def test_a_site_names_only_rerankers() -> None:
    for name in ("none", "magic"):
        with pytest.raises(UsageError, match=name):
            WebSettings(rerank=(name,))


def test_settings_of_an_evaluation() -> None:
    (setting,) = varied("rerank=cross-encoder:./model")
    assert (setting.mode, setting.rerank) == ("hybrid", "cross-encoder:./model")
    with pytest.raises(UsageError, match="is no reranker"):
        varied("rerank=magic")
