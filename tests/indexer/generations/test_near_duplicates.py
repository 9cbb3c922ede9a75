from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from datasketch import MinHash  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from indexer.article import Article
from indexer.errors import IndexDamaged
from indexer.generations.commit import rebuild
from indexer.generations.manifest import current_generation, generation_folder, read_current
from indexer.generations.near_duplicate_groups import NearDuplicates, load_groups
from indexer.generations.near_duplicates import (
    _ASCII_WORD,
    _WORD,
    Sketches,
    Wording,
    _groups,
    _words,
    near_duplicates,
)
from indexer.store.database import Store
from tests.archive import Archive

FIRST = (
    "The harbour of Ardlen will be closed to ferries for three weeks in March, the port authority said on Monday. "
    "Divers found cracks in the wall below the northern pier last autumn, and engineers want to pour new concrete "
    "before the spring tides. Crews will be paid in full, a spokesman for the union said. Fishing boats may use "
    "the old basin meanwhile, and a bus will take passengers to the landing at Hornby every hour."
)
UPDATE = f"{FIRST} The mayor, Tove Lindqvist, called the work overdue and promised that it would cost 2 million crowns."
REPORT = (
    "The crown opened at {0} against the dollar on {1}, from {2} at the close of the day before, as traders in Ardlen "
    "waited for the decision of the central bank on its key rate. Volume was thin before the holiday, a dealer said, "
    "and orders from exporters kept the currency in a narrow range between {3} and {4}. Shares on the Ardlen exchange "
    "rose {5} per cent, and yields on bonds of ten years fell by {6} basis points."
)
RATING = (
    "The agency confirmed its rating of {0} and left the outlook at stable, it said in a statement on Monday. "
    "{0} has reserves for a year, the statement said, and the board has shown that it can cut costs when it must. "
    "The agency expects that sales will grow slowly and that debt will fall over the next two years, unless the "
    "price of freight goes up again and the larger competitors lower theirs in order to win back what they lost."
)


def article(text: str, article_id: str = "a", title: str = "Harbour closes for repairs") -> Article:
    return Article(id=article_id, title=title, text=text)


def alike(one: str, other: str) -> bool:
    return near_duplicates(Wording.of(article(one)), Wording.of(article(other)))


def groups_of(index_dir: Path) -> set[frozenset[str]]:
    """The groups of the newest generation that have more than one article, by id."""
    folder = generation_folder(index_dir, current_generation(index_dir))
    found = NearDuplicates.load(folder)
    ids = Store(index_dir).ids(found.docs.tolist())
    members: dict[int, set[str]] = {}
    for doc, group in zip(found.docs.tolist(), found.groups.tolist(), strict=True):
        members.setdefault(group, set()).add(ids[doc])
    return {frozenset(group) for group in members.values() if len(group) > 1}


def test_copies_and_updates_are_near_duplicates() -> None:
    assert alike(FIRST, FIRST)
    assert alike(FIRST, UPDATE)
    assert alike(FIRST.upper(), FIRST.upper())
    assert alike(FIRST, FIRST.replace("a spokesman for the union said", "the union said"))


def test_reports_on_one_template_are_not() -> None:
    monday = REPORT.format("9.4125", "Monday", "9.3990", "9.40", "9.43", "0.4", "3")
    tuesday = REPORT.format("9.4410", "Tuesday", "9.4125", "9.42", "9.45", "0.7", "5")
    assert len(Wording.of(article(monday)).runs & Wording.of(article(tuesday)).runs) > 30
    assert not alike(monday, tuesday)
    assert not alike(RATING.format("Coast Ferries"), RATING.format("Upland Rail"))


def test_a_digest_is_no_copy_of_what_it_holds() -> None:
    digest = " ".join([FIRST, REPORT.format(*"1234567"), RATING.format("Coast Ferries"), RATING.format("Upland Rail")])
    assert not alike(FIRST, digest)


def test_a_few_lines_are_compared_as_a_whole() -> None:
    assert alike("Shares of Upland Rail rose.", "Shares of Upland Rail rose.")
    assert not alike("Shares of Upland Rail rose.", "Shares of Upland Rail fell.")
    assert not near_duplicates(Wording.of(article("", title="")), Wording.of(article("", title="")))


@given(st.text(max_size=400), st.text(max_size=400))
def test_near_duplicates_are_symmetric_and_copies_are(one: str, other: str) -> None:
    assert alike(one, other) == alike(other, one)
    assert alike(one, one) == bool(Wording.of(article(one)).runs)


def test_groups_through_updates_deletes_and_a_rebuild(archive: Archive) -> None:
    def record(article_id: str, text: str) -> dict[str, str]:
        return {"id": article_id, "title": "Harbour closes for repairs", "text": text}

    archive.write_lines("a.jsonl", [record("first", FIRST), record("rating", RATING.format("Coast Ferries"))])
    archive.index()
    assert groups_of(archive.index_dir) == set()
    archive.write_lines("b.jsonl", [record("update", UPDATE), record("other", RATING.format("Upland Rail"))])
    archive.index()
    assert groups_of(archive.index_dir) == {frozenset({"first", "update"})}
    archive.write_lines("c.jsonl", [record("copy", FIRST)])
    archive.index()
    assert groups_of(archive.index_dir) == {frozenset({"first", "update", "copy"})}
    rebuild(archive.index_dir)
    assert groups_of(archive.index_dir) == {frozenset({"first", "update", "copy"})}
    archive.write_lines("b.jsonl", [record("update", RATING.format("Hornby Bank"))])
    archive.index()
    assert groups_of(archive.index_dir) == {frozenset({"first", "copy"})}
    archive.write_lines("c.jsonl", [])
    archive.index(prune=True)
    assert groups_of(archive.index_dir) == set()


@pytest.mark.slow
def test_the_same_groups_at_once_and_one_by_one(monkeypatch: pytest.MonkeyPatch, archive: Archive) -> None:
    texts = [FIRST, RATING.format("Upland Rail"), UPDATE, "", "", RATING.format("Upland Rail") + " It said no more."]
    articles = [Article(id=str(n), title="T", text=text, origin=str(n)) for n, text in enumerate(texts)]
    monkeypatch.setattr("indexer.build.read_sources", lambda sources, **_: iter(sources))
    for one in articles:
        archive.index(one)  # type: ignore[arg-type]
    assert groups_of(archive.index_dir) == {frozenset({"0", "2"}), frozenset({"1", "5"})}
    rebuild(archive.index_dir)
    assert groups_of(archive.index_dir) == {frozenset({"0", "2"}), frozenset({"1", "5"})}


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_groups_are_the_connected_components(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    count, links = drawn
    docs = np.arange(count) * 3 + 7
    pairs = docs[np.array(links, np.int64).reshape(-1, 2)]
    joined = coo_array((np.ones(len(links)), np.array(links, np.int64).reshape(-1, 2).T), shape=(count, count))
    labels = connected_components(joined, directed=False)[1].tolist()
    assert _groups(docs, pairs).tolist() == [labels.index(label) for label in labels]


@pytest.mark.parametrize("order", [1, -1])
def test_a_chain_of_a_hundred_thousand_is_one_group(order: int) -> None:
    docs = np.arange(100_000)
    pairs = np.column_stack((docs[:-1], docs[1:]))[::order]
    assert not _groups(docs, pairs).any()


@pytest.mark.slow
def test_many_equal_texts_are_one_group(archive: Archive) -> None:
    archive.write_lines("a.jsonl", [{"id": str(n), "title": "T", "text": FIRST} for n in range(300)])
    archive.index()
    (group,) = groups_of(archive.index_dir)
    assert len(group) == 300
    folder = generation_folder(archive.index_dir, 1)
    assert len(NearDuplicates.load(folder).pairs) <= 300 * 32


def test_texts_in_scripts_without_spaces() -> None:
    text = "港の北の桟橋の下の壁にひびが見つかり、三月に三週間、フェリーは運休すると当局が月曜日に発表した。" * 2
    assert alike(text, text.replace("月曜日に", ""))
    assert not alike(text, "市議会は木曜日に七対四で港口の浚渫を可決した。反対派は藻場への影響を心配している。")


@given(st.text(st.characters(max_codepoint=127)) | st.text(st.sampled_from("aZ09_.,' \n-")))
def test_the_faster_pattern_cuts_ascii_as_the_general_one_does(text: str) -> None:
    assert _ASCII_WORD.findall(text) == _WORD.findall(text)


@given(st.text() | st.text(st.sampled_from("ab "), min_size=20))
def test_signatures_are_those_of_the_reference(text: str) -> None:
    sketches = Sketches()
    list(sketches.noting([(1, article(text))]))
    reference = MinHash(num_perm=96, hashfunc=zlib.crc32, scheme="affine32")
    words = [word.casefold() for word in _words(article(text))]
    runs = [" ".join(words[start : start + 4]) for start in range(max(1, len(words) - 3))] if words else []
    reference.update_batch([run.encode("utf-8", "surrogatepass") for run in runs])
    assert sketches.columns()[1].tolist() == [reference.hashvalues.tolist()]


def test_a_long_text_is_hashed_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    def signatures() -> list[list[int]]:
        sketches = Sketches()
        list(sketches.noting([(1, article(FIRST)), (2, article("one word")), (3, article(""))]))
        found: list[list[int]] = sketches.columns()[1].tolist()
        return found

    at_once = signatures()
    monkeypatch.setattr("indexer.generations.near_duplicates._HASHED_AT_ONCE", 7)
    assert signatures() == at_once
    assert len({tuple(values) for values in at_once}) == 3


def test_a_broken_file_is_damage(archive: Archive) -> None:
    archive.write_lines("a.jsonl", [{"id": "a", "title": "T", "text": FIRST}])
    archive.index()
    folder = generation_folder(archive.index_dir, 1)
    assert "near_duplicates.npz" in read_current(archive.index_dir).files
    file = folder / "near_duplicates.npz"
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(IndexDamaged, match="run 'concord rebuild'"):
        load_groups(folder)
    file.unlink()
    with pytest.raises(IndexDamaged, match="run 'concord rebuild'"):
        NearDuplicates.load(folder)
