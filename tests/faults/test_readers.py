"""Readers in threads and in processes while a writer switches: one generation each, whole, and never an error."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from indexer.generations.commit import rebuild
from search_app.engine import SearchEngine
from search_app.options import MODES
from tests.archive import Archive, story
from tests.faults.child import CONTEXT
from tests.faults.ledger import Ledger, count
from tests.faults.world import words

SWITCHES = count("switches", 12, 200)
_PROCESSES = 2
_THREADS = 3


def record_of(generation: int, number: int) -> dict[str, Any]:
    """Article `number` as a generation has it: it names the generation's word in title and text."""
    return story(f"clock-{number}", words()[generation], section=words()[generation + 500])


def hammer(index_dir: Path, stop: Callable[[], bool]) -> tuple[int, int, list[str]]:
    """Search until told to stop; gives the number of answers, of generations seen, and what was wrong with answers.

    Every article says which generation it is of, in title, text, section and vectors, so an answer that mixes two
    shows.
    """
    failures: list[str] = []
    seen: set[int] = set()
    answers = 0
    engine = SearchEngine.open(index_dir)
    while not stop() and len(failures) < 5:
        for mode in MODES:
            try:
                results = engine.search("means said Monday", mode=mode, section=(), k=20, fold=False)
                failures += _torn(results, mode)
                word = words()[results.generation]
                again = engine.search(word, mode="lexical", k=20, fold=False)
                if again.generation == results.generation and again.total != 3:
                    failures.append(f"BM25 of generation {again.generation} has {again.total} articles for '{word}'")
                article = engine.article("clock-1")
                if article.title.split()[1] not in article.text:
                    failures.append(f"a torn article: {article.title}: {article.text}")
                seen.add(results.generation)
                answers += 2
            except Exception as error:
                failures.append(f"{mode}: {error!r}")
    engine.close()
    return answers, len(seen), failures


def _torn(results: Any, mode: str) -> list[str]:
    word, section = words()[results.generation], words()[results.generation + 500]
    shown = {(hit.article.id, hit.article.title, hit.article.section, word in hit.snippet.text) for hit in results.hits}
    expected = {(f"clock-{number}", f"What {word} means", section, True) for number in range(3)}
    wrong = shown - expected if mode == "semantic" else shown ^ expected
    facets = dict(results.facets["section"])
    if wrong or (results.hits and set(facets) != {section}):
        return [f"{mode}, generation {results.generation}: {sorted(map(str, wrong))}, facets {facets}"]
    return []


def _hammer_in_process(index_dir: Path, pipe: Connection) -> None:
    pipe.send("open")
    pipe.send(hammer(index_dir, pipe.poll))


def test_readers_in_threads_and_processes_while_a_writer_switches(
    archive: Archive, ledger: Callable[[str], Ledger]
) -> None:
    book = ledger("readers among generation switches")
    generation = 1

    def switch() -> None:
        archive.write("news.jsonl", "".join(json.dumps(record_of(generation, n)) + "\n" for n in range(3)))
        assert archive.index(prune=True).generation == generation

    switch()
    stopped = threading.Event()
    found: list[tuple[int, int, list[str]]] = []
    threads = [
        threading.Thread(target=lambda: found.append(hammer(archive.index_dir, stopped.is_set)))
        for _ in range(_THREADS)
    ]
    pipes = [CONTEXT.Pipe() for _ in range(_PROCESSES)]
    processes = [
        CONTEXT.Process(target=_hammer_in_process, args=(archive.index_dir, theirs), daemon=True) for _, theirs in pipes
    ]
    for thread in threads:
        thread.start()
    for process in processes:
        process.start()
    for ours, _ in pipes:
        assert ours.recv() == "open"
    while generation < SWITCHES:
        generation += 1
        switch()
        time.sleep(0.02)  # a writer in the same process would leave the readers' threads no time of their own
    stopped.set()
    for thread in threads:
        thread.join()
    for (ours, _), process in zip(pipes, processes, strict=True):
        ours.send("stop")
        found.append(ours.recv())
        process.join()
    book.tried["switches"] = generation
    book.tried["readers"] = len(found)
    book.tried["answers"] = sum(answers for answers, _, _ in found)
    book.tried["generations seen by a reader at least"] = min(seen for _, seen, _ in found)
    book.found += [one for _, _, failures in found for one in failures]
    assert book.found == []
    assert book.tried["generations seen by a reader at least"] >= 3
    rebuild(archive.index_dir)
