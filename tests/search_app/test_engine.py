"""The engine over a small archive and the bundled encoder: order, pages, limits, filters, honest empty answers."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.errors import ConcordError, IndexNotFound, NotFound, UsageError
from search_app import SearchEngine
from search_app.options import MODES, DateLike, Mode
from search_app.query.filters import given_filters
from search_app.query.parsed import parse, with_filters
from search_app.ranking.fusion import Merging
from search_app.results import Results
from tests.archive import Archive, story
from tests.search_app.small_archive import ARTICLES

BY_ID = {article.id: article for article in ARTICLES}


def ids(results: Results) -> list[str]:
    return [hit.article.id for hit in results]


@pytest.mark.parametrize("mode", MODES)
def test_the_article_that_says_it_comes_first(engine: SearchEngine, mode: Mode) -> None:
    results = engine.search("neighbours exchange prisoners without mediation", mode=mode)
    assert ids(results)[0] == "prisoners"
    assert all(0 <= hit.score <= 1 for hit in results)
    assert [hit.rank for hit in results] == list(range(1, len(results) + 1))


def test_meaning_is_found_without_a_shared_word(engine: SearchEngine) -> None:
    results = engine.search("captives swapped", mode="semantic")
    assert ids(results)[0] in {"prisoners", "brokered"}
    assert engine.search("captives swapped", mode="lexical").total == 0


def test_each_mode_shows_only_the_rankings_it_asked(engine: SearchEngine) -> None:
    query = "ferry strike at the harbour"
    for hit in engine.search(query, mode="lexical"):
        assert hit.dense is None
        assert hit.lexical is not None
        assert hit.lexical.share == 1
    for hit in engine.search(query, mode="semantic"):
        assert hit.lexical is None
        assert hit.dense is not None
        assert hit.dense.share == 1
    for fusion in ("convex", "rrf"):
        for hit in engine.search(query, fusion=fusion):
            assert hit.lexical is not None
            assert hit.dense is not None
            assert hit.lexical.share + hit.dense.share == pytest.approx(1, abs=2e-4)


def test_a_score_that_only_one_ranking_found_is_computed_in_the_other(engine: SearchEngine) -> None:
    query = "captives exchange"
    dense = {hit.article.id: hit.dense.score for hit in engine.search(query, mode="semantic", k=100) if hit.dense}
    for hit in engine.search(query, k=100):
        assert hit.dense is not None
        assert hit.dense.score != 0
        if hit.article.id in dense:
            assert hit.dense.score == pytest.approx(dense[hit.article.id], abs=1e-4)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", ["harbour", "harbour ferry council", "section:World", "-ferry"])
def test_pages_are_parts_of_one_order(engine: SearchEngine, query: str, mode: Mode) -> None:
    whole = engine.search(query, mode=mode, k=100)
    for k in (1, 3, 7):
        pages = [engine.search(query, mode=mode, k=k, page=page) for page in range(1, -(-whole.total // k) + 2)]
        assert [one for page in pages for one in ids(page)] == ids(whole)
        assert {page.total for page in pages} == {whole.total}
        assert len(pages[-1]) == 0
        assert [hit.score for page in pages for hit in page] == [hit.score for hit in whole]
    assert len(set(ids(whole))) == whole.total


def test_equal_scores_are_ordered_by_date_and_then_by_id(archive: Archive) -> None:
    dates = {"c": "2024-01-01", "a": "2024-01-01", "b": "2024-01-02", "d": None}
    archive.write_lines("news.jsonl", [story(one, "amber", date=day) for one, day in dates.items()])
    archive.index()
    engine = archive.open()
    for mode in MODES:
        assert ids(engine.search("amber", mode=mode, fold=False)) == ["b", "a", "c", "d"]
    assert ids(engine.search("-basalt", fold=False)) == ["b", "a", "c", "d"]
    archive.write_lines("news.jsonl", [story(one, "amber", date=dates[one]) for one in ("d", "b", "c", "a")])
    archive.write_lines("more.jsonl", [story("z", "zinc")])
    archive.index()
    assert ids(engine.search("-zinc", fold=False)) == ["b", "a", "c", "d"]


def test_filters_alone_list_the_newest_first_and_the_undated_last(engine: SearchEngine) -> None:
    results = engine.search('source:"Upland Post"', k=100)
    dates = [hit.article.date for hit in results]
    assert dates[-1] is None
    known = [one for one in dates if one is not None]
    assert len(known) == len(dates) - 1
    assert known == sorted(known, reverse=True)
    assert {(hit.score, hit.lexical, hit.dense, hit.why) for hit in results} == {(1.0, None, None, "newest first")}


@pytest.mark.parametrize("query", ["", "   ", "?!", '""'])
def test_a_query_that_says_nothing_finds_nothing(engine: SearchEngine, query: str) -> None:
    results = engine.search(query)
    assert (results.total, results.hits, results.suggestions) == (0, (), ())


@pytest.mark.parametrize("mode", ["hybrid", "semantic", "lexical"])
@pytest.mark.parametrize("query", ["quantum chromodynamics lattice", "sandwich recipe with mayonnaise"])
def test_off_topic_queries_find_nothing(engine: SearchEngine, query: str, mode: Mode) -> None:
    assert engine.search(query, mode=mode).total == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k is 0, and must be from 1 to 100"),
        ({"k": 101}, "k is 101, and must be from 1 to 100"),
        ({"page": 0}, "page is 0, and must be from 1 to"),
        ({"page": 10**9}, "must be from 1 to"),
        ({"mode": "magic"}, "'magic' is no mode: choose one of hybrid, lexical, semantic"),
        ({"fusion": "magic"}, "'magic' is no fusion: choose one of convex, rrf"),
        ({"since": "yesterday-ish"}, "since: 'yesterday-ish' is no date"),
        (
            {"since": "2024", "until": "2023-06"},
            "begins on 2024-01-01 and ends on 2023-06-30. Exchange since and until",
        ),
    ],
)
def test_what_is_out_of_range_is_said_in_one_sentence(
    engine: SearchEngine, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as error:
        engine.search("harbour", **arguments)
    assert message in str(error.value)


def test_unknown_ids(engine: SearchEngine) -> None:
    for act in (engine.article, engine.related):
        with pytest.raises(NotFound, match="No article has the id 'no-such-thing'"):
            act("no-such-thing")
    with pytest.raises(NotFound) as error:
        engine.article("x" * 5000)
    assert len(str(error.value)) < 200
    with pytest.raises(UsageError):
        engine.related("prisoners", k=0)


def test_very_long_queries_are_read_as_far_as_the_limit(engine: SearchEngine) -> None:
    results = engine.search("ferry strike " + "harbour " * 1250)
    assert ids(results)
    assert "read" in " ".join(results.interpretation.notes)


@pytest.mark.parametrize("mode", MODES)
def test_filters_hold_in_every_mode(engine: SearchEngine, mode: Mode) -> None:
    query = parse("harbour ferry council storm vote")

    def found(
        *, since: DateLike = None, until: DateLike = None, section: str = "", source: str = "", author: str = ""
    ) -> set[str]:
        filters = given_filters(since, until, section, source, author)
        shown = engine.search(
            query.text, mode=mode, since=since, until=until, section=section, source=source, author=author, k=100
        )
        candidates = set(engine.ranked(with_filters(query, filters), mode=mode, merging=Merging(floors=False))[0])
        assert set(ids(shown)) <= candidates
        return candidates

    everything = found()
    assert len(everything) > 12
    for value in {BY_ID[one].section for one in everything} - {None}:
        expected = {one for one in everything if BY_ID[one].section == value}
        assert found(section=str(value).upper()) == expected, value
    assert found(source="coast radio") == {one for one in everything if BY_ID[one].source == "Coast Radio"}
    assert found(author="holm") == {one for one in everything if BY_ID[one].author == "Mira Holm"}
    june = {one for one in everything if (when := BY_ID[one].date) and (when.year, when.month) == (2023, 6)}
    assert found(since="2023-06", until="2023-06") == june
    assert found(since=date(2023, 6, 1), until=datetime(2023, 6, 30, 23, tzinfo=UTC)) == june


@pytest.mark.parametrize("mode", MODES)
def test_must_and_must_not_hold_in_every_mode(engine: SearchEngine, mode: Mode) -> None:
    assert set(ids(engine.search('harbour "for forty years"', mode=mode))) <= {"lighthouse"}
    assert "lighthouse" in ids(engine.search('lighthouse keeper "for forty years"', mode=mode))
    found = ids(engine.search("ferry strike -mediator", mode=mode))
    assert found
    assert all("mediator" not in BY_ID[one].text + BY_ID[one].title for one in found)


@pytest.mark.parametrize("query", ['"joint statement"', '"joint statement" COP29', "+mediation"])
def test_what_has_the_phrase_is_found_by_meaning_too(engine: SearchEngine, query: str) -> None:
    totals = {mode: engine.search(query, mode=mode).total for mode in ("lexical", "semantic", "hybrid")}
    assert totals["semantic"] >= totals["lexical"] > 0


def test_filters_that_exclude_everything_say_what_would_be_found_without_them(engine: SearchEngine) -> None:
    results = engine.search("ferry strike section:Science after:2024")
    assert results.total == 0
    ways = {suggestion.remove: suggestion for suggestion in results.suggestions}
    assert ("section", "after") in ways
    for suggestion in ways.values():
        assert suggestion.kind == "filter"
        assert engine.search(suggestion.query).total == suggestion.count
    by_argument = engine.search("ferry strike", section="Science", since="2024")
    assert by_argument.suggestions == results.suggestions


def test_misspelt_words_are_corrected(engine: SearchEngine) -> None:
    (suggestion,) = engine.search("lihgthouse keeper").suggestions
    assert (suggestion.kind, suggestion.query) == ("spelling", "lighthouse keeper")
    assert ids(engine.search(suggestion.query))[0] == "lighthouse"


def test_passages_and_snippets_are_parts_of_the_article(engine: SearchEngine) -> None:
    for query in ("harbour ferry", "captives", "prisoners mediation", "-ferry", "منارة", "chess title"):
        for mode in MODES:
            for hit in engine.search(query, mode=mode, k=100):
                text = engine.article(hit.article.id).text
                start, end = hit.passage
                assert 0 <= start < end <= len(text)
                assert start <= hit.snippet.start < hit.snippet.end <= end
                assert hit.snippet.text.strip("…") == text[hit.snippet.start : hit.snippet.end]
                previous = 0
                for left, right in hit.snippet.highlights:
                    assert previous <= left < right <= len(hit.snippet.text)
                    previous = right


def test_facets_count_the_whole_answer(engine: SearchEngine) -> None:
    results = engine.search("harbour", k=1)
    whole = engine.search("harbour", k=100)
    for field in ("section", "source"):
        counted = dict(results.facets[field])
        assert sum(counted.values()) == sum(getattr(hit.article, field) is not None for hit in whole)
        assert set(counted) == {getattr(hit.article, field) for hit in whole} - {None}


def test_related_articles_are_others_nearest_first(engine: SearchEngine) -> None:
    hits = engine.related("prisoners", k=3)
    assert hits[0].article.id == "brokered"
    assert "prisoners" not in {hit.article.id for hit in hits}
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


def test_one_article_alone_has_no_relatives(archive: Archive) -> None:
    archive.write_lines("news.jsonl", [story("a", "amber")])
    archive.index()
    assert archive.open().related("a") == ()


def test_articles_come_back_as_they_were(engine: SearchEngine) -> None:
    for article in ARTICLES:
        assert engine.article(article.id) == article


def test_status_says_what_the_index_is_made_of(engine: SearchEngine, index_dir: Path) -> None:
    status = engine.status()
    assert (status.generation, status.articles, status.encoder) == (1, len(ARTICLES), "all-MiniLM-L6-v2")
    assert (status.oldest, status.newest) == ("2022-10-04", "2024-08-26")
    assert dict(status.sources)["Coast Radio"] == sum(one.source == "Coast Radio" for one in ARTICLES)
    assert status.size_bytes > (index_dir / "store.sqlite").stat().st_size


def test_threads_get_the_answers_that_one_gets(engine: SearchEngine) -> None:
    queries = ["harbour", "ferry strike", '"joint statement"', "captives swapped", "section:World", "lihgthouse"]
    expected = {query: engine.search(query).hits for query in queries}
    wrong: list[str] = []

    def ask(offset: int) -> None:
        for number in range(24):
            query = queries[(number + offset) % len(queries)]
            if engine.search(query).hits != expected[query]:
                wrong.append(query)

    threads = [threading.Thread(target=ask, args=(offset,)) for offset in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_there_is_no_index(tmp_path: Path) -> None:
    with pytest.raises(IndexNotFound, match="concord index SOURCE"):
        SearchEngine.open(tmp_path / "nowhere")
    assert issubclass(IndexNotFound, ConcordError)


def test_dense_scores_are_cosines(engine: SearchEngine) -> None:
    snapshot = engine._source.current()
    query = engine._source.encoders.of(snapshot.manifest).encode_queries(["flood barrier for the harbour"])[0]
    for hit in engine.search("flood barrier for the harbour", mode="semantic"):
        row = next(i for i, doc in enumerate(snapshot.catalogue.docs) if ARTICLES[doc - 1].id == hit.article.id)
        best = float(np.max(snapshot.vectors.article_vectors(row) @ query))
        assert hit.dense is not None
        assert hit.dense.score == pytest.approx(best, abs=2e-3)


def test_a_facet_promises_what_its_filter_gives_for_a_denying_query(engine: SearchEngine) -> None:
    query = "ferry crossing without a pilot"
    for section, count in engine.search(query).facets["section"]:
        assert engine.search(query, section=section).total == count
