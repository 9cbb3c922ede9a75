"""A thousand small updates: the index does not grow with their number, and nothing dead stays in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from indexer.build import BuildOptions, build_index
from tests.faults.ledger import Ledger, count
from tests.faults.world import World, differences, leftovers, words

UPDATES = count("updates", 60, 1000)


def sizes(index_dir: Path) -> tuple[int, int]:
    """Bytes on disk, a file with several names once, and the number of files; the encoder left out."""
    found = {}
    for parent, folders, files in os.walk(index_dir):
        folders[:] = [name for name in folders if name != "encoders"]
        for name in files:
            status = (Path(parent) / name).stat()
            found[Path(parent) / name] = (status.st_ino, status.st_size)
    return sum(size for _, size in set(found.values())), len(found)


def test_size_stays_bounded_over_many_small_updates(
    index_dir_of_words: Path, tmp_path: Path, word_encoder: Path, ledger: Callable[[str], Ledger]
) -> None:
    book = ledger("small updates")
    world = World(tmp_path / "sources", 21)
    world.change(add=30, edit=0, drop=0)
    options = BuildOptions(encoder=str(word_encoder), prune=True)
    most: list[tuple[int, int]] = []
    for number in range(UPDATES):
        # One article changed, one added, one gone: always thirty. Words come round again, so there are enough.
        chosen = world.chance.sample(sorted(world.state), 2)
        world.state.pop(chosen[0])
        for position, article_id in enumerate((chosen[1], f"update-{number}")):
            world.state[article_id] = words()[-1 - (2 * number + position) % 1500]
        world.write()
        build_index([world.sources], index_dir_of_words, options)
        most.append(sizes(index_dir_of_words))
        if number % 100 == 99 and (wrong := differences(index_dir_of_words, world.state)):
            book.found.append(f"update {number}: {wrong}")
    early, late = most[UPDATES // 6 : UPDATES // 3], most[-UPDATES // 6 :]
    (bytes_early, files_early), (bytes_late, files_late) = (
        (max(size for size, _ in part), max(files for _, files in part)) for part in (early, late)
    )
    book.tried |= {
        "updates": UPDATES,
        "bytes at most in their second sixth": bytes_early,
        "bytes at most in their last sixth": bytes_late,
        "files at most in their second sixth": files_early,
        "files at most in their last sixth": files_late,
    }
    if bytes_late > 1.25 * bytes_early or files_late > 1.25 * files_early:
        book.found.append(f"{bytes_early:,} bytes in {files_early} files have become {bytes_late:,} in {files_late}")
    if dead := leftovers(index_dir_of_words):
        book.found.append(f"left behind: {dead}")
    if wrong := differences(index_dir_of_words, world.state):
        book.found.append(wrong)
    assert book.found == []
