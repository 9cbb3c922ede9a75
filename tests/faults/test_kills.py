"""kill -9 at every step and at random moments of indexing, pruning and rebuilding; half of them with a power cut.

After each: the last committed generation answers, whole and right, in an engine that was open all the time and in a new
one; the same command, run again, ends well, encodes nothing that was already stored, and leaves nothing dead behind.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from indexer.build import BuildOptions, build_index
from indexer.errors import IndexNotFound
from indexer.generations.commit import rebuild
from search_app.engine import SearchEngine
from tests.faults import child, power
from tests.faults.ledger import Ledger, count
from tests.faults.world import World, differences, leftovers

KILLS = count("kills", 15, 600)
_AFRESH = count("kills_of_one_archive", 8, 15)
"""After so many kills an archive is begun anew, so that the first run of one is killed too."""
_COMMANDS = ("index", "index", "index", "prune", "rebuild")
_LONGEST_DELAY = 0.03
"""Seconds between a step and a kill at a random moment."""
_Sweep = tuple[dict[str, int], dict[str, int]]
"""By kind of command: the step that was killed last, and how many steps a whole run has."""


class Killing:
    """One archive, killed again and again."""

    def __init__(self, folder: Path, word_export: Path, encoder: Path, seed: int, sweep: _Sweep) -> None:
        self.index_dir = folder / "index"
        self.index_dir.mkdir(parents=True)
        (self.index_dir / "encoders").symlink_to(word_export, target_is_directory=True)
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.encoder = str(encoder)
        self.world = World(folder / "sources", seed)
        self.world.change(add=12)
        self.answering: dict[str, str] | None = None
        self.engine: SearchEngine | None = None
        self.steps, self.totals = sweep

    def kill(self, command: str, ledger: Ledger) -> str:
        """Run a command, kill it, examine, finish it, examine; what is wrong, '' if nothing is."""
        chance = self.world.chance
        if self.answering is not None and command != "rebuild":
            self.world.change(**({"add": 0, "edit": 0, "drop": 1} if command == "prune" else {}))
        before = power.Before.of(self.index_dir)
        kind = "first" if self.answering is None else command
        # Steps are gone through in order, and begin anew at the end; every other kill comes at a random moment.
        at_step = self.steps.setdefault(kind, 0) >= 0 and ledger.tried["kills"] % 2 == 0
        if at_step:
            self.steps[kind] += 1
        behind = chance.randrange(self.totals.get(kind, 50))
        delay = chance.random() * _LONGEST_DELAY
        end = self._run(kind, self.steps[kind]) if at_step else self._run_until(kind, behind, delay)
        if end.code != -9:
            if end.code != 0:
                return f"'{command}' ended with {end.code}: {end.output[-300:]}"
            self.totals[kind] = end.steps
            if at_step:
                self.steps[kind] = 0
            ledger.tried["commands that ended before the kill"] += 1
        else:
            ledger.tried["kills"] += 1
            ledger.tried["at a chosen step" if at_step else "at a random moment"] += 1
            ledger.tried[f"while '{kind}' ran"] += 1
        if end.code == -9 and chance.random() < 0.5:
            ledger.tried["power cuts"] += 1
            if self.engine is not None:  # nobody survives one
                self.engine.close()
                self.engine = None
            ledger.tried["unsynced files and names taken away"] += power.cut_power(
                self.index_dir, before, self.scratch / "synced", chance
            )
        where = f"{kind} killed at step {end.steps}" + ("" if at_step else f" ({delay:.3f} s behind {behind})")
        if wrong := self._examine():
            return f"{where}: {wrong}"
        wrong = self._finish(command, ledger)
        return f"{where}, finished: {wrong}" if wrong else ""

    def _arguments(self, kind: str) -> list[str]:
        given = ["rebuild"]
        if kind != "rebuild":
            given = ["index", str(self.world.sources), "--prune", "--encoder", self.encoder]
        return [*given, "--index-dir", str(self.index_dir)]

    def _run(self, kind: str, step: int) -> child.Ended:
        """Let a command kill itself before a step."""
        limits = child.Limits(kill_at_step=step)
        with child.run(self._arguments(kind), self.index_dir, self.scratch, limits) as running:
            return running.ended()

    def _run_until(self, kind: str, behind: int, delay: float) -> child.Ended:
        """Kill a command from outside, some time after a step."""
        (self.scratch / "steps").unlink(missing_ok=True)
        with child.run(self._arguments(kind), self.index_dir, self.scratch) as running:
            while running.process.is_alive() and running.steps() < behind:
                time.sleep(0.0005)
            running.process.join(delay)
            running.process.kill()
            return running.ended()

    def _examine(self) -> str:
        """Whether the last committed generation answers: that from before, or that of the killed command."""
        try:
            wrong = differences(self.index_dir, self.world.state, engine=self.engine)
        except IndexNotFound:
            return "" if self.answering is None else "the index is gone"
        if wrong and self.answering is not None:
            wrong = differences(self.index_dir, self.answering, engine=self.engine)
        return wrong

    def _finish(self, command: str, ledger: Ledger) -> str:
        state = self.world.state
        missing = self.world.to_encode(self.index_dir)
        if command == "rebuild" and self.answering is not None:
            rebuild(self.index_dir)
        else:
            options = BuildOptions(encoder=self.encoder, prune=True)
            report = build_index([self.world.sources], self.index_dir, options)
            if (report.passages_encoded > 0) != bool(missing):
                return f"{report.passages_encoded} passages were encoded for {len(missing)} articles not in the store"
            expected = self.world.passages(self.index_dir, missing)
            if report.passages_encoded != expected:
                return f"{report.passages_encoded} passages were encoded instead of {expected}"
            ledger.tried["passages not encoded again"] += report.passages - report.passages_encoded
        self.answering = dict(state)
        if self.engine is None:
            self.engine = SearchEngine.open(self.index_dir)
        if wrong := differences(self.index_dir, state, self.world.retired, self.engine):
            return wrong
        if dead := leftovers(self.index_dir):
            return f"left behind: {dead}"
        return ""


def test_kills_and_power_cuts(
    tmp_path: Path, word_export: Path, word_encoder: Path, ledger: Callable[[str], Ledger]
) -> None:
    book = ledger("kills")
    sweep: _Sweep = ({}, {})
    seed = 0
    while book.tried["kills"] < KILLS:
        seed += 1
        killing = Killing(tmp_path / str(seed), word_export, word_encoder, seed, sweep)
        until = min(KILLS, book.tried["kills"] + _AFRESH)
        while book.tried["kills"] < until:
            command = "index" if killing.answering is None else killing.world.chance.choice(_COMMANDS)
            try:
                wrong = killing.kill(command, book)
            except Exception as error:
                wrong = f"'{command}': {error!r}"
            if wrong:
                book.found.append(f"archive {seed}, kill {book.tried['kills']}: {wrong}")
                break
        if killing.engine is not None:
            killing.engine.close()
        shutil.rmtree(tmp_path / str(seed))
    if not book.found:
        book.tried["survived"] = book.tried["kills"]
    assert book.found == []
