"""Indexing again and again: what changes, what stays, what it costs, in both rankings."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import pytest

from indexer import build
from indexer.build import BuildOptions, BuildProgress, build_index
from indexer.encoders.for_passages import PassageEncoder, prepare_encoder
from indexer.encoders.spec import Vectors
from indexer.errors import ConcordError, IndexMismatch, NoArticles
from indexer.generations.commit import commit_generation
from search_app.options import Mode
from tests.archive import Archive, counts, ranked, story

BOTH: tuple[Mode, ...] = ("lexical", "semantic")
PAGE = """<!doctype html><html><head><title>{title}</title></head><body><article><h1>{title}</h1>
<p>{text}</p><p>The council of the valley will look at the matter again before the end of the year.</p>
</article></body></html>"""


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is encoded from now on."""
    texts: list[str] = []
    original = PassageEncoder.encode_passages

    def encode(self: PassageEncoder, batch: list[str]) -> Vectors:
        texts.extend(batch)
        return original(self, batch)

    monkeypatch.setattr(PassageEncoder, "encode_passages", encode)
    return texts


def test_only_what_is_new_or_changed_is_encoded(archive: Archive, encoded: list[str]) -> None:
    records = [story("a", "amber"), story("b", "basalt"), story("c", "copper")]
    archive.write_lines("news.jsonl", records)
    assert counts(archive.index()) == {"added": 3, "encoded": 3}

    first = archive.index()
    assert counts(first) == {"unchanged": 3}
    assert first.generation == 1

    encoded.clear()
    archive.write_lines("news.jsonl", [*records[:2], story("c", "cobalt"), story("d", "diamond")])
    report = archive.index()
    assert counts(report) == {"added": 1, "updated": 1, "unchanged": 2, "encoded": 2}
    assert (report.generation, report.articles, report.passages) == (2, 4, 4)
    assert ["cobalt" in encoded[0], "diamond" in encoded[1], len(encoded)] == [True, True, 2]


def test_the_encoder_is_out_of_memory_when_the_indexes_are_derived(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoders: list[weakref.ref[PassageEncoder]] = []
    held: list[object] = []

    def prepare(*given: Any) -> Any:
        prepared = prepare_encoder(*given)
        encoders.append(weakref.ref(prepared[0]))
        return prepared

    def commit(*given: Any, **named: Any) -> Any:
        held.extend(encoder() for encoder in encoders)
        return commit_generation(*given, **named)

    monkeypatch.setattr("indexer.pipeline.prepare_encoder", prepare)
    monkeypatch.setattr(build, "commit_generation", commit)
    archive.write_lines("news.jsonl", [story("a", "amber")])
    archive.index()
    assert held == [None]


def test_an_edited_record_with_an_id_replaces_its_old_self_in_both_rankings(archive: Archive) -> None:
    archive.write_lines("news.jsonl", [story("a", "amber"), story("b", "basalt")])
    archive.index()
    archive.write_lines("news.jsonl", [story("a", "obsidian"), story("b", "basalt")])
    archive.index()
    assert archive.ids("obsidian") == archive.ids("obsidian", "semantic")[:1] == ["a"]
    assert archive.ids("amber") == []
    assert archive.open().status().passages == 2


@pytest.mark.parametrize(
    ("name", "old"),
    [
        ("levy.txt", "Levy on flats\n\nThe levy on empty flats rises to nine percent.\n"),
        ("levy.html", PAGE.format(title="Levy on flats", text="The levy on empty flats rises to nine percent.")),
        ("levy.jsonl", '{"title": "Levy on flats", "text": "The levy on empty flats rises to nine percent."}'),
    ],
)
def test_an_edited_article_without_an_id_replaces_its_old_self_in_both_rankings(
    archive: Archive, name: str, old: str
) -> None:
    new = old.replace("nine percent", "eleven crowns").replace("empty flats", "vacant houses")
    archive.write(name, old)
    archive.write_lines("other.jsonl", [story("z", "zinc")])
    archive.index()
    (before,) = archive.ids("levy")
    archive.write(name, new)
    assert counts(archive.index()) == {"updated": 1, "unchanged": 1, "encoded": 1}
    (after,) = archive.ids("levy")
    # A file has its name, a record without an id nothing but its text.
    assert (after == before) == (not name.endswith(".jsonl"))
    assert archive.ids("nine percent") == []
    assert archive.ids("Levy on flats. The levy on vacant houses rises", "semantic") == [after, "z"]
    assert archive.open().status().passages == 2


def test_a_removed_article_stays_until_it_is_pruned(archive: Archive) -> None:
    archive.write_lines("news.jsonl", [story("a", "amber"), story("b", "basalt")])
    archive.index()
    archive.write_lines("news.jsonl", [story("b", "basalt")])
    assert counts(archive.index()) == {"unchanged": 1}
    assert archive.ids("amber") == ["a"]

    report = archive.index(prune=True)
    assert counts(report) == {"unchanged": 1, "removed": 1}
    assert (report.articles, report.passages) == (1, 1)
    for mode in BOTH:
        assert "a" not in archive.ids("amber", mode)
    assert archive.ids("basalt", "semantic") == ["b"]


def test_prune_leaves_the_articles_of_other_sources_alone(archive: Archive) -> None:
    one = archive.write_lines("one/news.jsonl", [story("a", "amber")])
    archive.write_lines("one-more/news.jsonl", [story("b", "basalt")])
    archive.index()
    one.write_text("", "utf-8")
    assert counts(archive.index(archive.sources / "one", prune=True)) == {"removed": 1}
    assert archive.ids("amber basalt") == ["b"]


def test_prune_takes_an_empty_folder_for_a_disk_that_is_not_mounted(archive: Archive) -> None:
    one = archive.write_lines("one/news.jsonl", [story("a", "amber")])
    archive.write_lines("two/news.jsonl", [story("b", "basalt")])
    archive.index()
    one.unlink()
    report = archive.index(archive.sources / "one", prune=True)
    assert (report.removed, len(report.skipped)) == (0, 1)
    assert "the 1 articles from it are kept" in report.skipped[0].reason
    assert archive.ids("amber") == ["a"]
    assert counts(archive.index(prune=True)) == {"unchanged": 1, "removed": 1}


def test_prune_knows_sources_from_wherever_they_are_named(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("news", "sport"):
        archive.write(f"{name}/one.txt", f"A word on {name}\n\nIt is said that {name} came up on Monday.")
    monkeypatch.chdir(archive.sources)
    assert archive.index("news", "sport").added == 2
    monkeypatch.chdir(archive.sources / "news")
    assert counts(archive.index(".", prune=True)) == {"unchanged": 1}
    assert counts(archive.index("../sport/../news", archive.sources / "sport", prune=True)) == {"unchanged": 2}


def test_prune_follows_patterns(archive: Archive) -> None:
    for name in ("a", "b"):
        archive.write_lines(f"{name}.jsonl", [story(name, "amber")])
    archive.write_lines("deep/c.jsonl", [story("c", "amber")])
    archive.index()
    (archive.sources / "a.jsonl").unlink()
    (archive.sources / "deep" / "c.jsonl").unlink()
    pattern = archive.sources / "*.jsonl"
    assert counts(archive.index(pattern, prune=True)) == {"unchanged": 1, "removed": 1}
    assert sorted(archive.ids("amber")) == ["b", "c"]


def test_prune_keeps_what_could_not_be_read_this_time(archive: Archive) -> None:
    lines = archive.write_lines("lines.jsonl", [story("a", "amber"), story("b", "basalt"), story("c", "copper")])
    page = archive.write("page.json", '[{"id": "d", "title": "Diamond", "text": "A diamond was found in the mud."}]')
    archive.index()
    text = lines.read_text("utf-8").splitlines()
    lines.write_text(f"{text[0]}\n{text[1][:-9]}\n", "utf-8")
    page.write_text('[{"id": "d", "title":', "utf-8")
    report = archive.index(prune=True)
    assert counts(report) == {"unchanged": 1, "removed": 1, "skipped": 2}
    assert sorted(archive.ids("amber basalt copper diamond")) == ["a", "b", "d"]


def test_a_source_that_is_not_there_prunes_nothing(archive: Archive) -> None:
    archive.write_lines("disk/news.jsonl", [story("a", "amber")])
    archive.index()
    (archive.sources / "disk").rename(archive.sources / "elsewhere")
    report = archive.index(archive.sources / "disk", prune=True)
    assert counts(report) == {"skipped": 1}
    assert archive.ids("amber") == ["a"]


def test_an_article_that_moved_belongs_to_its_new_file(archive: Archive) -> None:
    archive.write_lines("one/news.jsonl", [story("a", "amber"), story("b", "basalt")])
    archive.index()
    archive.write_lines("one/news.jsonl", [story("b", "basalt")])
    archive.write_lines("two/news.jsonl", [story("a", "amber")])
    assert counts(archive.index()) == {"unchanged": 2}
    assert counts(archive.index(archive.sources / "one", prune=True)) == {"unchanged": 1}
    assert sorted(archive.ids("amber basalt")) == ["a", "b"]


def test_lines_that_move_up_and_down_replace_nothing(archive: Archive) -> None:
    def line(words: str) -> dict[str, str]:
        record = story("", words)
        del record["id"]
        return record

    archive.write_lines("news.jsonl", [line("amber"), line("basalt")])
    archive.index()
    archive.write_lines("news.jsonl", [line("copper"), line("amber"), line("basalt")])
    assert counts(archive.index()) == {"added": 1, "unchanged": 2, "encoded": 1}
    archive.write_lines("news.jsonl", [line("copper"), line("basalt")])
    assert counts(archive.index()) == {"unchanged": 2}
    assert len(archive.ids("amber")) == 1
    archive.write_lines("news.jsonl", [line("cobalt"), line("basalt")])
    assert counts(archive.index()) == {"updated": 1, "unchanged": 1, "encoded": 1}
    assert archive.ids("copper") == []


def test_the_later_version_of_an_id_wins_and_copies_are_named(archive: Archive) -> None:
    archive.write_lines("a.jsonl", [story("x", "amber"), story("x", "amber"), story("y", "basalt")])
    archive.write_lines("b.jsonl", [story("x", "copper")])
    report = archive.index()
    assert counts(report) == {"added": 2, "skipped": 1, "encoded": 3}
    assert report.skipped[0].origin.endswith("a.jsonl#2")
    assert "a second copy of the article 'x'" in report.skipped[0].reason
    assert (archive.ids("copper"), archive.ids("amber")) == (["x"], [])
    again = archive.index()
    assert (again.added, again.updated, again.unchanged, again.removed) == (0, 0, 2, 0)
    assert (archive.ids("copper"), archive.ids("amber")) == (["x"], [])


def test_every_article_can_go(archive: Archive) -> None:
    file = archive.write_lines("news.jsonl", [story("a", "amber")])
    archive.index()
    file.write_text("\n", "utf-8")
    report = archive.index(prune=True)
    assert (report.removed, report.articles, report.passages) == (1, 0, 0)
    assert archive.ids("amber") == archive.ids("amber", "semantic") == archive.ids("amber", "hybrid") == []
    assert archive.ids("-basalt") == []
    file.write_text("", "utf-8")
    archive.write_lines("news.jsonl", [story("b", "basalt")])
    archive.index()
    assert archive.ids("basalt", "hybrid") == ["b"]


def test_nothing_to_index_says_what_was_skipped(archive: Archive) -> None:
    archive.write("notes.docx", "PK")
    with pytest.raises(NoArticles, match=r"1 files or records were skipped.*notes\.docx.*unknown file type"):
        archive.index()
    with pytest.raises(NoArticles, match="there is no such file"):
        archive.index(archive.sources / "nowhere")


def test_nothing_to_index_leaves_an_index_as_it_is(archive: Archive) -> None:
    archive.write_lines("news.jsonl", [story("a", "amber")])
    archive.index()
    assert counts(archive.index(archive.sources / "nowhere")) == {"skipped": 1}
    assert archive.ids("amber") == ["a"]


def test_an_interrupted_run_goes_on_where_it_stopped(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, encoded: list[str]
) -> None:
    monkeypatch.setattr("indexer.pipeline.BATCH_PASSAGES", 2)
    archive.write_lines("news.jsonl", [story("old", "amber"), story("edited", "basalt")])
    archive.index()
    engine = archive.open()
    encoded.clear()
    words = ("copper", "cobalt", "diamond", "emerald", "feldspar", "granite")
    records = [story("old", "amber"), story("edited", "zinc"), *(story(word, word) for word in words)]
    archive.write_lines("news.jsonl", records)

    counting = PassageEncoder.encode_passages

    def fail_at_the_third_batch(self: PassageEncoder, batch: list[str]) -> Vectors:
        if len(encoded) >= 4:
            raise KeyboardInterrupt
        return counting(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(PassageEncoder, "encode_passages", fail_at_the_third_batch)
        with pytest.raises(KeyboardInterrupt):
            archive.index()
    assert len(encoded) == 4
    for one in (engine, archive.open()):
        assert ranked(one, "basalt copper") == ["edited"]
        assert sorted(ranked(one, "amber", "semantic")) == ["edited", "old"]

    report = archive.index()
    assert counts(report) == {"added": 6, "updated": 1, "unchanged": 1, "encoded": 3}
    assert len(encoded) == len(set(encoded)) == 7
    assert archive.ids("basalt") == []
    assert sorted(archive.ids("zinc copper granite")) == ["copper", "edited", "granite"]


def test_an_interrupted_first_run_is_never_mixed_with_another_passage_size(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.pipeline.BATCH_PASSAGES", 1)
    archive.write_lines("news.jsonl", [story("a", "amber"), story("b", "basalt")])

    def stop(progress: BuildProgress) -> None:
        if progress.passages:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index([archive.sources], archive.index_dir, _options(archive, 200), stop)
    assert counts(archive.index(window=60)) == {"added": 2, "encoded": 2}
    assert archive.open().status().passage_window == 60
    assert sorted(archive.ids("amber basalt", "hybrid")) == ["a", "b"]


def test_an_interrupted_first_run_of_the_same_kind_is_kept(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.pipeline.BATCH_PASSAGES", 1)
    archive.write_lines("news.jsonl", [story("a", "amber"), story("b", "basalt")])

    def stop(progress: BuildProgress) -> None:
        if progress.passages:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index([archive.sources], archive.index_dir, _options(archive, None), stop)
    assert counts(archive.index()) == {"added": 2, "encoded": 1}


@pytest.mark.parametrize(("option", "found"), [("window", 256), ("overlap", 50)])
def test_another_passage_size_is_refused_with_the_way_out(archive: Archive, option: str, found: int) -> None:
    archive.write_lines("news.jsonl", [story("a", "amber")])
    archive.index()
    asked: dict[str, Any] = {option: 77}
    with pytest.raises(IndexMismatch, match=rf"{option} {found}, not 77.*--index-dir NEW --{option} 77"):
        archive.index(**asked)
    asked[option] = found
    assert counts(archive.index(**asked)) == {"unchanged": 1}
    assert archive.ids("amber") == ["a"]


def test_a_folder_that_cannot_be_written_is_one_sentence(archive: Archive, tmp_path: Path) -> None:
    archive.write_lines("news.jsonl", [story("a", "amber")])
    in_the_way = tmp_path / "a-file"
    in_the_way.write_text("")
    with pytest.raises(ConcordError, match="cannot be written"):
        build_index([archive.sources], in_the_way / "index", _options(archive, None))


def test_progress_goes_from_the_encoder_to_done(archive: Archive) -> None:
    archive.write_lines("news.jsonl", [story("a", "amber"), story("b", "basalt")])
    seen: list[BuildProgress] = []
    build_index([archive.sources], archive.index_dir, _options(archive, None), seen.append)
    stages = list(dict.fromkeys(progress.stage for progress in seen))
    assert stages == ["encoder", "reading", "vectors", "lexical", "duplicates", "done"]
    last = seen[-1]
    assert (last.articles, last.passages, last.bytes_read) == (2, 2, last.bytes_total)


def test_long_articles_are_cut_to_the_window(archive: Archive) -> None:
    text = " ".join(f"Delegation {n} left the table after {n} hours of talks about water." for n in range(60))
    archive.write_lines("news.jsonl", [{"id": "long", "title": "Talks about water", "text": text}])
    report = archive.index(window=48, overlap=0)
    assert report.passages > 15
    hits = archive.open().search('"delegation 41"', mode="lexical").hits
    start, end = hits[0].passage
    assert "Delegation 41 " in text[start:end]


def _options(archive: Archive, window: int | None) -> BuildOptions:
    return BuildOptions(encoder=archive.encoder, window=window)
