from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.article import Article
from indexer.build import build_index
from search_app.denial.query import Denial, denial, without_denied
from search_app.denial.spans import negative_base, spans
from search_app.denial.stances import Verdict, adjusted, verdicts
from search_app.engine import SearchEngine
from search_app.query.parsed import parse
from tests.once import made_once

DATA = Path(__file__).parents[2] / "data"


def pairs_of(name: str) -> list[dict[str, Any]]:
    with (DATA / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


PAIRS = pairs_of("negation.jsonl")
NEWS_PAIRS = pairs_of("denials-a.jsonl") + pairs_of("denials-b.jsonl")
STANCES = ["absent", "present", "silent"]


def index(pairs: list[dict[str, Any]], folder: Path, encoders: Path) -> None:
    """Take all articles of all pairs into one index made with the bundled encoder, exported to `encoders`."""
    articles = [
        Article(id=f"{pair['_id']}-{side}", title=pair[side]["title"], text=pair[side]["text"])
        for pair in pairs
        for side in ("match", "clash")
    ]
    (folder / "encoders").symlink_to(encoders, target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("indexer.build.read_sources", lambda *_, **__: iter(articles))
        build_index([], folder)


@pytest.fixture(scope="module")
def archive(bundled_export: Path, tmp_path_factory: pytest.TempPathFactory) -> SearchEngine:
    return SearchEngine.open(
        made_once(tmp_path_factory, "denials", lambda folder: index(PAIRS, folder, bundled_export))
    )


def shares(engine: SearchEngine, pairs: list[dict[str, Any]]) -> tuple[float, float]:
    """Share of the pairs with the match above the clash, and with the match first of all articles."""
    before = first = 0
    for pair in pairs:
        ids = [hit.article.id for hit in engine.search(pair["query"], k=100)]
        match, clash = (f"{pair['_id']}-{side}" for side in ("match", "clash"))
        before += match in ids and (clash not in ids or ids.index(match) < ids.index(clash))
        first += ids[:1] == [match]
    return before / len(pairs), first / len(pairs)


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
        ("bill opposed by no one", "opposed", "bill"),
        ("a debate watched live by no one", "live", "a debate watched"),
        ("talks with Russia excluded", "Russia", "talks"),
        ("squad with Ronaldo left out", "Ronaldo", "squad"),
        ("crash that left no survivors", "survivors", "crash"),
        ("prisoner swap, no mediators", "mediators", "prisoner swap"),
        ("were prisoners exchanged without mediation?", "mediation", "were prisoners exchanged"),
        ("oil spill that did not reach the coast", "reach the coast", "oil spill"),
        ("wildfire that didn't reach the town", "reach the town", "wildfire"),
        ("rocket did not reach orbit", "reach orbit", "rocket"),
        ("rocket failed to reach orbit", "reach orbit", "rocket"),
        ("jackpot that nobody won", "won", "jackpot"),
        ("bid backed by neither the board nor the union", "backed by the board or the union", "bid"),
        ("boxer retires having never lost a fight", "lost a fight", "boxer retires"),
        ("champion beaten except in one race", "one race", "champion beaten"),
        ("summit with the president absent", "president", "summit"),
        ("king absent from the coronation", "king", "the coronation"),
        ("census without a question on religion", "question on religion", "census"),
        ("film with no dialogue wins prize", "dialogue", "film wins prize"),
        ("driverless buses carry passengers", "driver", "buses carry passengers"),
        ("votes in local but not national elections", "national elections", "votes in local"),
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
        "Loggers Have NOT Cut Down The World's Oldest Tree",
        "how to avoid being a werewolf",
        "talks NOT Russia",
        "Egypt is in trouble with or without the IMF",
        "yes or no referendum in Greece",
        "In Georgia, the peach state, a summer almost without",
        "Armenia talks without",
        'Armenia talks without "Red Cross"',
        "stimulus bill falls short of",
        "JPMorgan Chase fails to",
        "prisoner swap, no",
        "summit attended by no",
        "deal signed by none of the",
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
        "The plan goes on with or without the mediators.",
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
    words += ["underfunded", "uniformed", "UN-backed", "UNESCO-listed", "unionised"]
    assert [negative_base(word) for word in words] == [
        "armed", "violent", "lead", "leader", "paid", None, None, None, None, None, None, None, None, None,
    ]  # fmt: skip


def test_a_prefix_denies_its_own_word_and_not_the_clause() -> None:
    found = spans("Mediators from Turkey freed the unnamed soldiers")
    assert ("", True) in {(span.cue, "Mediators" in span.text) for span in found}
    assert ("named", "unnamed") in {(span.text, span.cue) for span in found}


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
    before, first = shares(archive, PAIRS)
    assert before >= 0.95
    assert first >= 0.9


@pytest.mark.slow
def test_it_holds_for_longer_stories_with_cues_of_every_kind(tmp_path: Path, bundled_export: Path) -> None:
    index(NEWS_PAIRS, tmp_path, bundled_export)
    before, first = shares(SearchEngine.open(tmp_path), NEWS_PAIRS)
    assert before >= 0.85
    assert first >= 0.8


def test_a_word_of_the_denied_part_is_no_cue() -> None:
    read = [["Ten operations were cancelled."]]
    assert verdicts(read, Denial("without", "cancelled operations", "outage"), by_words_alone)[0].stance == "present"
    assert verdicts(read, Denial("with", "operations", "outage"), by_words_alone)[0].stance == "absent"


def test_an_exception_has_to_be_named() -> None:
    named = [["Tarvo held out."]]
    assert verdicts(named, Denial("apart from", "Tarvo", "plan"), by_words_alone)[0].stance == "silent"
    assert verdicts(named, Denial("without", "Tarvo", "plan"), by_words_alone)[0].stance == "present"


def test_but_no_denies_and_makes_no_exception() -> None:
    denied = denial(parse("quake but no injuries"))
    assert denied == Denial("but no", "injuries", "quake")
    assert not denied.excepts


@pytest.mark.parametrize("query", ["sugar harvest without machines", "hamster rescued with no ladder"])
def test_what_no_article_is_about_is_not_answered_with_half_the_archive(archive: SearchEngine, query: str) -> None:
    assert denial(parse(query)) is not None
    assert archive.search(query).total <= len(PAIRS) // 3


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
