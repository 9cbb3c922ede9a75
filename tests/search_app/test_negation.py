from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.article import Article
from indexer.build import build_index
from search_app.engine import SearchEngine
from search_app.negated_spans import negative_base, spans
from search_app.negation import Denial, Verdict, adjusted, denial, verdicts, without_denied
from search_app.query import parse

PAIRS = [json.loads(line) for line in (Path(__file__).parents[1] / "data" / "negation.jsonl").open(encoding="utf-8")]
STANCES = ["absent", "present", "silent"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> SearchEngine:
    """All articles of all pairs, 108 together, in one index made with the bundled encoder."""
    articles = [
        Article(id=f"{pair['_id']}-{side}", title=pair[side]["title"], text=pair[side]["text"])
        for pair in PAIRS
        for side in ("match", "clash")
    ]
    folder = tmp_path_factory.mktemp("denials")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("indexer.build.read_sources", lambda *_, **__: iter(articles))
        build_index([], folder)
    return SearchEngine.open(folder)


@pytest.mark.parametrize(
    ("query", "denied", "affirmed"),
    [
        ("prisoner exchange without mediation", "mediation", "prisoner exchange"),
        ("election held with no foreign observers", "foreign observers", "election held"),
        ("peace talks not hosted by Russia", "hosted by Russia", "peace talks"),
        ("concert not broadcast on television", "broadcast on television", "concert"),
        ("bridge never inspected before collapse", "inspected", "bridge before collapse"),
        ("school lunches free of meat", "meat", "school lunches"),
        ("unmediated talks", "mediated", "talks"),
        ("non-violent protest", "violent", "protest"),
        ("talks held without Russia in Geneva", "Russia", "talks held in Geneva"),
        ("companies fined except Google", "Google", "companies fined"),
        ("summit attended by nobody", "attended", "summit"),
        ("crash that left no survivors", "survivors", "crash"),
        ("prisoner swap, no mediators", "mediators", "prisoner swap"),
        ("were prisoners exchanged without mediation?", "mediation", "were prisoners exchanged"),
    ],
)
def test_a_denying_query_is_taken_apart(query: str, denied: str, affirmed: str) -> None:
    found = denial(parse(query))
    assert found is not None
    assert (found.denied, found.affirmed) == (denied, affirmed)


@pytest.mark.parametrize(
    "query",
    [
        "prisoner exchange",
        "Doctors Without Borders in Gaza",
        "doctors without borders",
        "No. 5 perfume",
        "no-fly zone over Libya",
        "not guilty verdict",
        "No Time to Die premiere",
        '"no deal" Brexit',
        'election "without observers"',
        "ceasefire not without conditions",
        "United Nations under fire",
        "unprecedented unrest",
        "aspirin does not prevent strokes",
        "mice without the receptor are resistant",
        "bank says no decision on merger",
        "talks NOT Russia",
        "without mediation",
        "without",
        "",
    ],
)
def test_names_compounds_phrases_and_claims_deny_nothing(query: str) -> None:
    assert denial(parse(query)) is None


@given(st.text(max_size=60))
def test_any_query_is_read(text: str) -> None:
    found = denial(parse(f"deal {text} without {text}"))
    assert found is None or (found.denied and found.affirmed)


def test_bm25_is_not_asked_for_the_denied_word() -> None:
    parsed = parse('"joint statement" exchange without mediation')
    found = denial(parsed)
    assert found is not None
    assert [atom.text for atom in without_denied(parsed.scoring, found)] == ["joint statement", "exchange"]


@pytest.mark.parametrize(
    ("sentence", "denied"),
    [
        ("The deal was struck with no outside mediator at the table.", "outside mediator at the table"),
        ("Foreign observers had not been invited.", "Foreign observers had been invited"),
        ("Moscow, which had offered to host, was not involved.", "Moscow had offered to host was involved"),
        ("She sailed unescorted.", "escorted"),
        ("The opposition boycotted the vote.", "The opposition the vote"),
        ("They talked face to face.", "mediator"),
        ("It didn't rain.", "It rain"),
    ],
)
def test_a_sentence_denies_what_its_cue_governs(sentence: str, denied: str) -> None:
    assert denied in [span.text for span in spans(sentence) if span.cue]


@pytest.mark.parametrize(
    "sentence",
    [
        "The deal was not without conditions.",
        "There was no lack of witnesses.",
        "They failed to avoid a strike.",
        "Not only the army came.",
        "Observers watched the count.",
    ],
)
def test_double_and_seeming_negation_denies_nothing(sentence: str) -> None:
    assert not [span for span in spans(sentence) if span.cue]


def test_a_question_and_the_past_say_less_than_a_fact() -> None:
    def weight(sentence: str) -> float:
        return max(span.weight for span in spans(sentence))

    fact = weight("The envoys mediated the talks.")
    assert weight("Did the envoys mediate the talks?") < fact
    assert weight("In 2019 the envoys mediated the talks.") < fact
    assert weight("The envoys offered to mediate.") < fact


@given(st.text(max_size=200))
def test_any_sentence_is_read(text: str) -> None:
    assert all(0 < span.weight <= 1 for span in spans(text))


def test_bases_of_denying_words() -> None:
    words = ["unarmed", "non-violent", "lead-free", "leaderless", "unpaid", "united", "homeless", "non-profit", "under"]
    assert [negative_base(word) for word in words] == [
        "armed", "violent", "lead", "leader", "paid", None, None, None, None,
    ]  # fmt: skip


def by_words_alone(texts: list[str]) -> np.ndarray:
    return np.eye(len(texts), dtype=np.float32)


def test_the_story_outweighs_its_background() -> None:
    both = ["The two sides settled it with no mediator.", "In 2019 a mediator, the Swiss, had chaired the talks."]
    presence = ["A mediator chaired the talks.", "In 2019 they had talked without a mediator."]
    silent = ["The harvest was good."]
    found = verdicts([both, presence, silent], Denial("without", "mediator", "talks"), by_words_alone)
    assert [(verdict.stance, verdict.sentence) for verdict in found] == [("absent", 0), ("present", 0), ("silent", -1)]
    assert found[0].cue == "no"


@given(
    st.lists(st.tuples(st.floats(0, 1, width=32), st.sampled_from(STANCES), st.floats(0, 1)), min_size=1, max_size=30)
)
def test_scores_stay_bounded_and_ordered(rows: list[tuple[float, str, float]]) -> None:
    scores = np.array([row[0] for row in rows], np.float32)
    found = [Verdict(stance, 0, "", strength) for _, stance, strength in rows]  # type: ignore[arg-type]
    moved = adjusted(scores, found)
    assert ((moved >= 0) & (moved <= 1)).all()
    for old, new, verdict in zip(scores, moved, found, strict=True):
        if verdict.stance == "silent":
            assert new == old
        elif verdict.stance == "absent":
            assert new >= min(old, 0.999) - 1e-5
        else:
            assert new <= max(old, 0.001) + 1e-5


def test_an_article_far_below_the_best_is_not_lifted() -> None:
    scores = np.array([0.9, 0.01], np.float32)
    moved = adjusted(scores, [Verdict("silent"), Verdict("absent", 0, "no", 1.0)])
    assert moved[1] == pytest.approx(0.01, rel=1e-3)


def test_articles_that_state_the_absence_come_before_those_that_state_the_presence(archive: SearchEngine) -> None:
    before = first = 0
    for pair in PAIRS:
        ids = [hit.article.id for hit in archive.search(pair["query"], k=100)]
        match, clash = (f"{pair['_id']}-{side}" for side in ("match", "clash"))
        before += match in ids and (clash not in ids or ids.index(match) < ids.index(clash))
        first += ids[:1] == [match]
    assert before >= 0.9 * len(PAIRS)
    assert first >= 0.75 * len(PAIRS)


def test_a_hit_says_what_moved_it(archive: SearchEngine) -> None:
    hits = archive.search("ship crossing the strait without an escort", explain=True).hits
    assert hits[0].article.id == "a08-match"
    assert hits[0].why.startswith('says: "It sailed unescorted, its owners confirmed."')
    assert hits[0].explanation is not None
    assert hits[0].explanation["denial"] == {
        "stance": "absent", "cue": "unescorted", "strength": 0.9,
        "sentence": "It sailed unescorted, its owners confirmed.",
    }  # fmt: skip


def test_single_rankings_stay_what_they_are(archive: SearchEngine) -> None:
    for mode in ("lexical", "semantic"):
        assert all("says:" not in hit.why for hit in archive.search("hostages freed without a ransom", mode=mode))


def test_pages_of_a_denying_query_fit_together(archive: SearchEngine) -> None:
    whole = archive.search("hostages freed without a ransom", k=6)
    parts = [archive.search("hostages freed without a ransom", k=2, page=page) for page in (1, 2, 3)]
    assert [hit.article.id for part in parts for hit in part] == [hit.article.id for hit in whole]
    assert {part.total for part in parts} == {whole.total}
