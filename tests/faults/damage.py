"""Ways to damage a file, and the examination of an index that has a damaged one, in a process of its own."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from indexer.build import BuildOptions, build_index
from indexer.errors import ConcordError
from indexer.generations.backup import backup, restore
from indexer.generations.commit import rebuild
from indexer.store.database import STORE_FILE
from search_app.engine import SearchEngine
from search_app.options import MODES
from tests.faults.child import CONTEXT
from tests.faults.world import record

__all__ = ["Answers", "Case", "Outcome", "answers", "copied", "examine", "files_of", "ways"]

Answers = dict[tuple[str, str], tuple[object, ...]]
_PATIENCE = 4
_OF_ONE_PROCESS = 40
"""Cases that one process looks at: each leaves an encoder's memory behind."""
_NOT_DATA = ("write.lock", "writer.json", ".sqlite-shm", "_LOCK")


@dataclass(frozen=True, slots=True)
class Case:
    """One file, by its path in the index, and one way to damage it."""

    file: str
    way: str
    position: float = 0.0
    """Where in the file, as a share of its length."""

    def __str__(self) -> str:
        return f"{self.file} {self.way}" + (f" at {self.position:.0%}" if self.way in ("truncated", "flipped") else "")

    def apply(self, index_dir: Path, other_dir: Path) -> None:
        """Damage the file. What is linked to it elsewhere stays as it is."""
        path = index_dir / self.file
        data = path.read_bytes()
        path.unlink()
        spot = min(int(self.position * len(data)), max(len(data) - 1, 0))
        if self.way == "truncated":
            path.write_bytes(data[:spot])
        elif self.way == "emptied":
            path.write_bytes(b"")
        elif self.way == "flipped" and data:
            path.write_bytes(data[:spot] + bytes([data[spot] ^ (1 << spot % 8)]) + data[spot + 1 :])
        elif self.way == "exchanged":
            shutil.copy(_counterpart(other_dir, self.file), path)


def _counterpart(other_dir: Path, file: str) -> Path:
    """The file of another index that plays the part of `file`; the names of some are made by chance."""
    same = other_dir / file
    alike = sorted(path for path in same.parent.iterdir() if path.suffix == same.suffix)
    return same if same.exists() else alike[0]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a damaged index: `survived` is how ('answers as before', 'says so', 'mended by itself', ...), ''
    when `wrong` says what went wrong."""

    survived: str
    wrong: str = ""


def files_of(index_dir: Path) -> list[str]:
    """The files of an index that hold data, of the generation that answers and around it."""
    found = [path for path in index_dir.rglob("*") if path.is_file() and not path.name.endswith(_NOT_DATA)]
    newest = max(path.name for path in (index_dir / "generations").iterdir())
    names = sorted(path.relative_to(index_dir).as_posix() for path in found)
    return [name for name in names if not name.startswith("generations") or f"/{newest}/" in name]


def ways(file: str, points: int, chance: random.Random) -> Iterator[Case]:
    """Every way to damage a file; truncations and flips at so many points each, the ends among them."""
    for way in ("deleted", "emptied", "exchanged"):
        yield Case(file, way)
    for n in range(points):
        yield Case(file, "truncated", (n + chance.random() * (n > 0)) / points)
        yield Case(file, "flipped", (n + chance.random() * (n > 0)) / points)
    yield Case(file, "truncated", 1.0)  # the last byte is missing
    yield Case(file, "flipped", 1.0)


def copied(index_dir: Path, target: Path) -> Path:
    """A copy of an index; what is never written in place is linked."""
    shutil.copytree(index_dir, target, copy_function=_link)
    return target


def _link(source: str, target: str) -> None:
    if Path(source).name.startswith(STORE_FILE):
        shutil.copy2(source, target)
    else:
        os.link(source, target)


def answers(index_dir: Path, state: dict[str, str]) -> Answers:
    """Everything that can be asked of a small index: each word in each mode, and each article."""
    found: Answers = {}
    with closing(SearchEngine.open(index_dir)) as engine:
        for article_id, word in state.items():
            for mode in MODES:
                hits = engine.search(word, mode=mode).hits
                found[word, mode] = tuple(
                    (hit.article.id, hit.article.title, round(hit.score, 4), hit.snippet.text) for hit in hits
                )
            article = engine.article(article_id)
            found[article_id, "article"] = (article.title, article.text, article.source, article.date)
    return found


def examine(
    cases: list[Case], index_dir: Path, other_dir: Path, state: dict[str, str], encoder: str, scratch: Path
) -> Iterator[tuple[Case, Outcome]]:
    """What becomes of an index damaged in each of the ways; a process that dies over one is an outcome too."""
    expected = answers(index_dir, state)
    left = list(cases)
    while left:
        ours, theirs = CONTEXT.Pipe(duplex=False)
        batch = left[:_OF_ONE_PROCESS]
        given = (batch, index_dir, other_dir, state, encoder, expected, scratch, theirs)
        process = CONTEXT.Process(target=_examine_all, args=given, daemon=True)
        process.start()
        theirs.close()
        for _ in batch:
            try:
                outcome = ours.recv()
            except EOFError:
                process.join()
                outcome = Outcome("", f"the process died with {process.exitcode}")
                yield left.pop(0), outcome
                break
            yield left.pop(0), outcome
        process.kill()
        process.join()
        ours.close()


def _examine_all(
    cases: list[Case],
    index_dir: Path,
    other_dir: Path,
    state: dict[str, str],
    encoder: str,
    expected: Answers,
    scratch: Path,
    pipe: Connection,
) -> None:
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    for number, case in enumerate(cases):
        folder = scratch / f"{os.getpid()}-{number}"
        folder.mkdir()
        try:
            pipe.send(_one(case, index_dir, other_dir, state, encoder, expected, folder))
        except Exception as error:
            pipe.send(Outcome("", f"{type(error).__name__}: {error}"))
        finally:
            shutil.rmtree(folder)


def _one(
    case: Case, index_dir: Path, other_dir: Path, state: dict[str, str], encoder: str, expected: Answers, folder: Path
) -> Outcome:
    damaged = copied(index_dir, folder / "index")
    case.apply(damaged, other_dir)
    read_only = _mended(case, damaged, index_dir, expected, lambda: answers(damaged, state))
    if read_only.wrong:
        return read_only
    # A writer that comes first must not build upon what is broken either.
    damaged = copied(index_dir, folder / "updated")
    case.apply(damaged, other_dir)
    sources = folder / "sources"
    sources.mkdir()
    (sources / "one.json").write_text(json.dumps(record("new", "zulu")), "utf-8")

    def updated() -> Answers:
        build_index([sources], damaged, BuildOptions(encoder=encoder))
        found = answers(damaged, {**state, "new": "zulu"})
        if [hit[0] for hit in found["zulu", "lexical"]] != ["new"]:  # type: ignore[index]
            raise AssertionError(f"the added article is not found: {found['zulu', 'lexical']}")
        return {key: value for key, value in found.items() if key[0] not in ("zulu", "new")}

    written = _mended(case, damaged, index_dir, expected, updated, scores=False)
    return written if written.wrong else read_only


def _mended(
    case: Case, damaged: Path, sound: Path, expected: Answers, act: Callable[[], Answers], *, scores: bool = True
) -> Outcome:
    """Try; where that is refused, do what the sentence says, and try again: three times, as people would."""
    done: list[tuple[str, str]] = []
    for _ in range(_PATIENCE):
        try:
            found = act()
        except ConcordError as error:
            sentence = str(error)
        else:
            wrong = _difference(found, expected, scores=scores)
            if wrong:
                return Outcome("", f"answers otherwise after {done}, {wrong}")
            return Outcome(f"one sentence, mended by {done[-1][0]}" if done else "answers as before")
        if "\n" in sentence or not sentence.endswith("."):
            return Outcome("", f"not one sentence: {sentence!r}")
        done.append((_way_out(sentence), sentence))
        if done[-1][0] == "a backup" and not case.file.startswith("store"):
            return Outcome("", f"asks for a backup where a rebuild would do: {sentence}")
        if done[-1][0] == "a backup":
            _put_back(sound, damaged)
        elif done[-1][0] == "rebuild":
            try:
                rebuild(damaged)
            except ConcordError as error:
                # It says that it cannot help, and what can.
                if _way_out(str(error)) != "a backup" or not case.file.startswith("store"):
                    return Outcome("", f"'{sentence}', but: {error}")
                done[-1] = ("a backup", str(error))
                _put_back(sound, damaged)
        else:
            return Outcome("", f"names no way out: {sentence}")
    return Outcome("", f"still refused after {done}")


def _put_back(sound: Path, damaged: Path) -> None:
    saved = damaged.parent / "saved.concord"
    if not saved.exists():
        backup(sound, saved)
    restore(saved, damaged)


def _way_out(sentence: str) -> str:
    """What a sentence tells people to do, the first of it where it names two things."""
    places = {
        "rebuild": sentence.find("concord rebuild"),
        "a backup": sentence.find("backup"),
        "put": sentence.find("put that one back"),
    }
    named = {what: place for what, place in places.items() if place >= 0}
    first = min(named, key=named.__getitem__, default="nothing")
    return "a backup" if first == "put" else first


def _first(hits: tuple[object, ...]) -> object:
    """Id and title of the best of them."""
    return hits[0][:2] if hits else None  # type: ignore[index]


def _difference(found: Answers, expected: Answers, *, scores: bool) -> str:
    for key, wanted in expected.items():
        got = found.get(key)
        # One more article moves every score a little.
        exact = scores or key[1] == "article"
        if got is None or (got != wanted if exact else _first(got) != _first(wanted)):
            return f"{key}: {str(got)[:300]} instead of {str(wanted)[:300]}"
    return ""
