"""kill -9 at every step of a restore: either what answered before answers, or what was put back, and both can go on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from indexer.build import BuildOptions, build_index
from indexer.generations.backup import backup
from tests.faults import child
from tests.faults.ledger import LONG, Ledger
from tests.faults.world import World, differences, leftovers

_EVERY = 1 if LONG else 9
"""Of how many steps one is killed."""


def test_a_restore_killed_at_any_step_loses_nothing(
    tmp_path: Path, word_export: Path, word_encoder: Path, ledger: Callable[[str], Ledger]
) -> None:
    book = ledger("kills of a restore")
    world = World(tmp_path / "sources", 5)
    world.change(add=12)
    options = BuildOptions(encoder=str(word_encoder), prune=True)
    newer, saved, scratch = tmp_path / "newer", tmp_path / "saved.concord", tmp_path / "scratch"
    scratch.mkdir()
    shutil.copytree(word_export, newer / "encoders")
    build_index([world.sources], newer, options)
    backup(newer, saved)
    put_back = dict(world.state)
    world.change()
    build_index([world.sources], newer, options)

    index_dir = tmp_path / "index"
    step, code = 1, -9
    while code == -9:
        shutil.rmtree(index_dir, ignore_errors=True)
        shutil.copytree(newer, index_dir)
        arguments = ["restore", str(saved), "--index-dir", str(index_dir)]
        with child.run(arguments, index_dir, scratch, child.Limits(kill_at_step=step)) as running:
            end = running.ended()
        code = end.code
        assert code in (0, -9), end.output
        book.tried["kills" if code else "restores that ended"] += 1
        where = f"killed at step {step}" if code else "not killed"
        wrong = differences(index_dir, put_back)
        if wrong and code:
            wrong = differences(index_dir, world.state)
        if wrong:
            book.found.append(f"{where}: {wrong}")
        build_index([world.sources], index_dir, options)
        if wrong := differences(index_dir, world.state, world.retired):
            book.found.append(f"{where}, then indexed: {wrong}")
        elif dead := leftovers(index_dir):
            book.found.append(f"{where}, then indexed: left behind {dead}")
        step += _EVERY
    assert book.tried["kills"] > 1
    assert book.found == []
