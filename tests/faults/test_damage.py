"""Every file of an index, damaged in every way: answers as before, or one sentence whose command mends it.

Never another article's text, never a traceback, never a process that dies.
"""

from __future__ import annotations

import random
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pytest

from indexer.build import BuildOptions, build_index
from indexer.store.database import Store
from tests.faults.damage import Case, copied, examine, files_of, ways
from tests.faults.ledger import LONG, Ledger, count
from tests.faults.world import World

_POINTS = count("points", 1, 12)


Built = tuple[Path, Path, dict[str, str]]


@pytest.fixture
def built(tmp_path: Path, word_export: Path, word_encoder: Path) -> Built:
    """Indexes with the words' encoder."""
    return _built(tmp_path, word_encoder, word_export)


def _built(folder: Path, encoder: Path, export: Path) -> Built:
    """An index of two generations, and another one with the same ids, other words, and another encoder inside; and the
    words of the first."""
    folders = []
    for name, seed in (("sound", 3), ("other", 4)):
        world = World(folder / f"{name}-sources", seed)
        index_dir = folder / name
        index_dir.mkdir()
        shutil.copytree(export, index_dir / "encoders")
        for change in ({"add": 8, "edit": 0, "drop": 0}, {"add": 1, "edit": 1, "drop": 0}):
            world.change(**change)
            if name == "other":
                world.state = dict(zip(world.state, [*list(world.state.values())[1:], "zulu"], strict=True))
                world.write()
            build_index([world.sources], index_dir, BuildOptions(encoder=str(encoder), prune=True))
        folders.append((index_dir, dict(world.state)))
    _change_weights(next(folders[1][0].rglob("model.onnx")))
    return folders[0][0], folders[1][0], folders[0][1]


def _change_weights(path: Path) -> None:
    model = onnx.load(str(path))
    largest = max(model.graph.initializer, key=lambda one: np.prod(one.dims))
    weights = onnx.numpy_helper.to_array(largest)
    largest.CopyFrom(onnx.numpy_helper.from_array(weights[::-1].copy(), largest.name))
    onnx.save(model, str(path))


def test_every_file_damaged_in_every_way(
    built: Built, word_encoder: Path, tmp_path: Path, ledger: Callable[[str], Ledger]
) -> None:
    book = ledger("damage")
    index_dir, other_dir, state = built
    chance = random.Random(5)
    cases: list[Case] = []
    for number, file in enumerate(files_of(index_dir)):
        every = list(ways(file, _POINTS, chance))
        # The short form takes every other file, each in another way.
        cases += every if LONG else [every[number // 2 % len(every)]] if number % 2 else []
    (tmp_path / "cases").mkdir()
    _judge(cases, index_dir, other_dir, state, str(word_encoder), tmp_path / "cases", book)
    assert book.found == []


def test_a_write_ahead_log_damaged_in_every_way(
    built: Built, word_encoder: Path, tmp_path: Path, ledger: Callable[[str], Ledger]
) -> None:
    """A writer that was killed leaves what it committed last in the log beside the store."""
    book = ledger("damage to the write-ahead log")
    index_dir, other_dir, state = built
    world = World(tmp_path / "more", 9)
    world.change(add=2, edit=0, drop=0)
    for folder in (index_dir, other_dir):
        held = Store(folder)
        build_index([world.sources], folder, BuildOptions(encoder=str(word_encoder)))
        copied(folder, tmp_path / f"{folder.name}-logged")
        held.close()
    sound, other = (tmp_path / f"{folder.name}-logged" for folder in (index_dir, other_dir))
    (log,) = [path.name for path in sound.glob("*-wal")]
    every = list(ways(log, _POINTS, random.Random(6)))
    (tmp_path / "cases").mkdir()
    _judge(every if LONG else every[:3], sound, other, state | world.state, str(word_encoder), tmp_path / "cases", book)
    assert book.found == []


def _judge(
    cases: list[Case],
    index_dir: Path,
    other_dir: Path,
    state: dict[str, str],
    encoder: str,
    scratch: Path,
    book: Ledger,
) -> None:
    worst: dict[str, list[str]] = defaultdict(list)
    for case, outcome in examine(cases, index_dir, other_dir, state, encoder, scratch):
        book.tried["damages"] += 1
        if outcome.wrong:
            worst[case.file].append(f"{case}: {outcome.wrong}")
        else:
            book.tried[outcome.survived] += 1
    book.tried["files"] = len({case.file for case in cases})
    book.found += [one for found in worst.values() for one in found]
