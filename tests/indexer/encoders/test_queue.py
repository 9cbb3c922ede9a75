"""Encoding in the background: the order stays, what waits is bounded, and failures leave nothing behind."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from indexer.article import Passage
from indexer.build import BuildOptions, BuildProgress, build_index
from indexer.encoders.for_passages import PassageEncoder
from indexer.encoders.queue import AHEAD, EncodingQueue
from indexer.encoders.spec import Vectors
from indexer.errors import ConcordError
from indexer.generations.manifest import current_generation
from indexer.store.database import Store
from tests.archive import Archive, counts, story

WORDS = ("amber", "basalt", "copper", "diamond", "emerald", "feldspar", "granite", "hematite")


def lengths(texts: list[str]) -> Vectors:
    return np.array([[len(text)] for text in texts], np.float32)


def test_items_come_out_in_the_order_they_went_in() -> None:
    second = threading.Event()

    def encode(texts: list[str]) -> Vectors:
        if texts == ["a"]:
            assert second.wait(10)
        else:
            second.set()
        return lengths(texts)

    queue: EncodingQueue[int] = EncodingQueue(encode, lambda: None)
    for number, text in enumerate(("a", "bb", "ccc")):
        queue.put(number, [text])
    assert [(number, vectors.item()) for number, vectors in queue.done()] == [(0, 1), (1, 2), (2, 3)]
    queue.close()


def test_no_more_waits_than_is_kept() -> None:
    queue: EncodingQueue[int] = EncodingQueue(lengths, lambda: None)
    taken: list[int] = []
    for number in range(10):
        queue.put(number, ["a"])
        taken += [item for item, _ in queue.done(keep=AHEAD)]
        assert number + 1 - len(taken) <= AHEAD
    queue.close()
    assert taken == list(range(len(taken)))


def test_closing_cancels_what_is_encoded_and_ends_the_threads() -> None:
    given_up = threading.Event()
    started: list[str] = []

    def encode(texts: list[str]) -> Vectors:
        started.extend(texts)
        assert given_up.wait(10)
        return lengths(texts)

    before = threading.active_count()
    queue: EncodingQueue[int] = EncodingQueue(encode, given_up.set)
    for number in range(8):
        queue.put(number, [str(number)])
    queue.close()
    assert len(started) <= AHEAD
    assert threading.active_count() <= before  # encoders of other tests may have ended meanwhile


def contents(archive: Archive) -> dict[str, list[tuple[Passage, bytes]]]:
    """Passages and vectors of every article in the store, by id."""
    store = Store(archive.index_dir)
    docs = store.docs(current_generation(archive.index_dir))
    ids = store.ids(docs)
    vectors = {
        passage: vector.tobytes()
        for passages, _, block in store.vectors(docs, 64)
        for passage, vector in zip(passages, block, strict=True)
    }
    found: dict[str, list[tuple[Passage, bytes]]] = {}
    for row in store.passages(docs):
        passage = Passage(row.ordinal, row.start, row.end)
        found.setdefault(ids[row.doc], []).append((passage, vectors[row.passage]))
    store.close()
    return found


def test_many_batches_at_once_store_what_one_alone_does(
    archive: Archive, tmp_path: Path, word_encoder: Path, word_export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = " ".join(f"Delegation {n} left the table after {n} hours of talks about water." for n in range(30))
    records = [story(word, word) for word in WORDS]
    records += [{"id": f"long {n}", "title": f"Talks {n}", "text": text} for n in range(4)]
    records.append(story("amber", "zinc"))
    archive.write_lines("news.jsonl", records)
    archive.index(window=48)
    other = Archive(tmp_path, tmp_path / "other", word_encoder)
    other.index_dir.mkdir()
    (other.index_dir / "encoders").symlink_to(word_export, target_is_directory=True)
    monkeypatch.setattr("indexer.pipeline.BATCH_PASSAGES", 3)
    other.index(window=48)
    one, many = contents(archive), contents(other)
    assert {article_id: [passage for passage, _ in rows] for article_id, rows in one.items()} == {
        article_id: [passage for passage, _ in rows] for article_id, rows in many.items()
    }
    for article_id, rows in one.items():
        for (_, vector), (_, same) in zip(rows, many[article_id], strict=True):
            np.testing.assert_allclose(np.frombuffer(vector, np.float32), np.frombuffer(same, np.float32), atol=1e-3)
    assert other.ids("zinc")[:1] == ["amber"]


def test_an_encoder_that_fails_leaves_what_was_stored_and_no_thread(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.pipeline.BATCH_PASSAGES", 1)
    archive.write_lines("news.jsonl", [story(word, word) for word in WORDS])
    original = PassageEncoder.encode_passages

    def fail(self: PassageEncoder, texts: list[str]) -> Vectors:
        if "emerald" in texts[0]:
            raise MemoryError("no room for a batch")
        return original(self, texts)

    before = threading.active_count()
    with monkeypatch.context() as patch:
        patch.setattr(PassageEncoder, "encode_passages", fail)
        with pytest.raises(MemoryError):
            archive.index()
    assert threading.active_count() <= before  # encoders of other tests may have ended meanwhile
    assert counts(archive.index()) == {"added": 8, "encoded": 4}


def test_a_reader_that_fails_costs_no_more_than_what_was_being_encoded(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.pipeline.BATCH_PASSAGES", 1)
    archive.write_lines("news.jsonl", [story(word, word) for word in WORDS])

    def stop(progress: BuildProgress) -> None:
        if progress.articles == len(WORDS) - 1:
            raise ConcordError("the disk is gone")

    before = threading.active_count()
    with pytest.raises(ConcordError, match="the disk is gone"):
        build_index([archive.sources], archive.index_dir, BuildOptions(encoder=archive.encoder), stop)
    assert threading.active_count() <= before  # encoders of other tests may have ended meanwhile
    report = archive.index()
    assert report.added == 8
    assert report.passages_encoded <= AHEAD + 2
