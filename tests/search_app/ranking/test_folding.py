from __future__ import annotations

import json
from collections import Counter

import numpy as np
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from indexer.catalogue import NO_DATE
from search_app.cli import main
from search_app.query.parsed import parse
from search_app.ranking.candidates import Ranking
from search_app.ranking.folding import OF_ONE_STORY, SPAN, diversified, fold
from search_app.web import create_app
from tests.archive import Archive, story
from tests.indexer.generations.test_near_duplicates import FIRST, UPDATE


def ranking(rows: list[int]) -> Ranking:
    """A ranking of catalogue rows with falling scores."""
    count = len(rows)
    scores = np.linspace(1, 0.1, count, dtype=np.float32)
    ranks = np.arange(1, count + 1)
    return Ranking(np.array(rows, np.int64), scores, scores, scores, ranks, ranks, scores, ranks)


@given(st.lists(st.integers(0, 5), max_size=30), st.randoms())
def test_folding_keeps_the_best_of_each_group_and_loses_nothing(labels: list[int], random: object) -> None:
    firsts = {label: labels.index(label) for label in labels}
    groups = np.array([firsts[label] for label in labels], np.int64)
    rows = list(range(len(labels)))
    random.shuffle(rows)  # type: ignore[attr-defined]
    answer = fold(ranking(rows), groups)
    shown = answer.ranking.rows.tolist()
    assert shown == sorted(shown, key=rows.index)
    assert [groups[row] for row in shown] == list(dict.fromkeys(groups[row] for row in rows))
    for leader, others in answer.others.items():
        assert len(others)
        assert {groups[row] for row in others} == {groups[leader]}
        assert [leader, *others] == sorted([leader, *others], key=rows.index)
    assert sorted([*shown, *(row for others in answer.others.values() for row in others)]) == list(range(len(rows)))
    assert answer.articles == len(rows)


@given(st.lists(st.integers(0, 6), max_size=30), st.integers(0, 20))
def test_no_story_fills_a_ten_while_there_are_others(stories: list[int], more: int) -> None:
    given_ranking = ranking(list(range(len(stories) + more)))
    undated = np.full(len(stories), NO_DATE, np.int64)
    answer = diversified(given_ranking, np.eye(7, dtype=np.float32)[stories].reshape(-1, 7), undated)
    rows = answer.rows.tolist()
    assert sorted(rows) == list(range(len(given_ranking)))
    assert rows[len(stories) :] == list(range(len(stories), len(given_ranking)))
    for start in range(0, len(stories), SPAN):
        ten = [stories[row] for row in rows[start : start + SPAN] if row < len(stories)]
        later = {stories[row] for row in rows[start + SPAN : len(stories)]}
        most = Counter(ten).most_common(1)[0][1]
        assert most <= OF_ONE_STORY or later <= {
            story for story, count in Counter(ten).items() if count >= OF_ONE_STORY
        }
    for one in set(stories):
        of_one = [row for row in rows[: len(stories)] if stories[row] == one]
        assert of_one == sorted(of_one)


def test_one_subject_over_years_is_many_stories() -> None:
    vectors = np.ones((12, 1), np.float32)
    weeks = np.arange(12) * 14 * 86_400
    weeks[11] = NO_DATE
    assert diversified(ranking(list(range(12))), vectors, weeks).rows.tolist() == list(range(12))
    same_day = np.zeros(12, np.int64)
    same_day[10:] = weeks[9:11]
    shown = diversified(ranking(list(range(12))), vectors, same_day).rows.tolist()
    assert shown[:5] == [0, 1, 2, 10, 11]


def filled(archive: Archive) -> Archive:
    """Fifteen copies of one story from three places, its update, and two other articles about the harbour."""
    title = "Harbour closes for repairs"
    archive.write_lines(
        "news.jsonl",
        [
            *({"id": f"c{n:02}", "title": title, "text": FIRST, "source": f"S{n % 3}"} for n in range(15)),
            {"id": "update", "title": title, "text": UPDATE, "source": "S9", "date": "2024-05-01"},
            story("one", "harbour dredging", source="S0"),
            story("two", "harbour lights", source="S1"),
        ],
    )
    archive.index()
    return archive


def test_copies_are_one_hit_at_all_levels(archive: Archive) -> None:
    index_dir = filled(archive).index_dir
    engine = archive.open()
    results = engine.search("harbour")
    assert (results.total, results.folded, len(results)) == (3, 15, 3)
    (hit,) = [hit for hit in results if hit.similar.count]
    assert hit.similar.count == 15
    assert len(hit.similar.articles) == 10
    unfolded = engine.search("harbour", fold=False, k=50)
    assert (unfolded.total, unfolded.folded) == (18, 0)
    assert not any(hit.similar.count for hit in unfolded)
    copies = [hit.article.id for hit in unfolded if hit.article.id not in ("one", "two")]
    assert [hit.article.id, *(other.id for other in hit.similar.articles)] == copies[:11]
    assert hit.score == max(other.score for other in unfolded if other.article.id in copies)

    pages = [engine.search("harbour", k=1, page=page) for page in (1, 2, 3, 4)]
    assert [page.total for page in pages] == [3] * 4
    assert [one.article.id for page in pages for one in page] == [one.article.id for one in results]

    client = create_app(index_dir).test_client()
    assert json.loads(client.get("/api/v1/search?q=harbour").data)["hits"][hit.rank - 1]["similar"]["count"] == 15
    assert json.loads(client.get("/api/v1/search?q=harbour&fold=false").data)["total"] == 18
    page = client.get("/?q=harbour").text
    assert "and 15 similar</summary>" in page
    assert "fold=False" in page or "fold=false" in page
    printed = CliRunner().invoke(main, ["search", "--index-dir", str(index_dir), "harbour"]).output
    assert "and 15 similar:" in printed
    assert "… and 5 more" in printed
    assert "1-3 of 3 articles, 15 more are similar" in printed
    assert (
        "similar"
        not in CliRunner().invoke(main, ["search", "--index-dir", str(index_dir), "--no-fold", "harbour"]).output
    )


def test_a_facet_counts_the_hits_that_its_filter_gives(archive: Archive) -> None:
    engine = filled(archive).open()
    for fold_them in (True, False):
        for value, count in engine.search("harbour", fold=fold_them).facets["source"]:
            assert engine.search("harbour", source=value, fold=fold_them).total == count


def test_runs_are_not_folded_and_related_articles_are(archive: Archive) -> None:
    engine = filled(archive).open()
    assert len(engine.ranked(parse("harbour"))[0]) == 18
    related = engine.related("update", k=5)
    shown = {hit.article.id for hit in related} | {one.id for hit in related for one in hit.similar.articles}
    # Its own copies are the article once more, and no article that is like it.
    assert shown <= {"one", "two"}


def test_diversified_answers_have_the_same_articles_and_say_which_were_moved(archive: Archive) -> None:
    copies = ({"id": f"c{n:02}", "title": "Harbour harbour", "text": f"The harbour, part {n}."} for n in range(8))
    others = (
        {"id": f"o{n}", "title": f"Council on {word}", "text": f"All about {word}: the {word} {'is so. ' * 9}Harbour."}
        for n, word in enumerate(("taxes", "schools", "bridges"))
    )
    archive.write_lines("news.jsonl", [*copies, *others])
    archive.index()
    engine = archive.open()
    plain, diverse = (engine.search("harbour", fold=False, diversify=on, k=50) for on in (False, True))
    assert {hit.article.id: hit.score for hit in plain} == {hit.article.id: hit.score for hit in diverse}
    assert [hit.article.id[0] for hit in plain] == [*"cccccccc", *"ooo"]
    assert [hit.article.id[0] for hit in diverse] == [*"ccc", *"ooo", *"ccccc"]
    told = ["placed behind other stories" in hit.why for hit in diverse]
    assert told == [False] * 6 + [True] * 5
