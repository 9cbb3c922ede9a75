"""kill -9 of the very first run of an index, while it starts, exports the encoder and encodes the first articles."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from indexer.build import BuildOptions, build_index
from tests.faults.ledger import Ledger, count
from tests.faults.world import World, differences, leftovers

KILLS = count("kills_of_first_runs", 1, 15)


def test_a_first_run_killed_while_it_exports_the_encoder(
    tmp_path: Path, word_encoder: Path, ledger: Callable[[str], Ledger]
) -> None:
    book = ledger("kills of first runs")
    chance = random.Random(11)
    world = World(tmp_path / "sources", 11)
    world.change(add=12)
    index_dir = tmp_path / "index"
    options = BuildOptions(encoder=str(word_encoder))
    command = [sys.executable, "-m", "search_app.cli", "index", str(world.sources), "--encoder", str(word_encoder)]
    started = time.perf_counter()
    subprocess.run([*command, "--index-dir", index_dir], check=True, capture_output=True)
    whole = time.perf_counter() - started
    while book.tried["kills"] < KILLS:
        shutil.rmtree(index_dir)
        process = subprocess.Popen([*command, "--index-dir", index_dir], stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.3, 0.95) * whole)
        process.kill()
        code = process.wait()
        assert code in (0, -9)
        if code == 0:
            book.tried["runs that ended before the kill"] += 1
        else:
            book.tried["kills"] += 1
        drafts = list((index_dir / "encoders").glob(".*.draft")) if (index_dir / "encoders").exists() else []
        book.tried["with a half exported encoder"] += len(drafts)
        build_index([world.sources], index_dir, options)
        if wrong := differences(index_dir, world.state):
            book.found.append(f"kill {book.tried['kills']}: {wrong}")
        elif dead := [*leftovers(index_dir), *(index_dir / "encoders").glob(".*")]:
            book.found.append(f"kill {book.tried['kills']}: left behind {dead}")
    assert book.found == []
