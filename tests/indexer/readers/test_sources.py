"""Files, folders and patterns, and everything that can be wrong with them: the stream goes on."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from indexer.article import Article
from indexer.readers import Skipped, read_sources

STORY = "The council of Karst approved the tram line on Tuesday after a debate that lasted until two in the morning."


def split(sources: list[Path | str], **options: Any) -> tuple[list[Article], list[Skipped]]:
    found = list(read_sources(sources, **options))
    return [x for x in found if isinstance(x, Article)], [x for x in found if isinstance(x, Skipped)]


def write(path: Path, data: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def line(**fields: object) -> str:
    return json.dumps(fields) + "\n"


def test_folders_are_read_in_sorted_order_and_the_rest_is_named(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.md", "a/b.txt", "c.TXT"):
        write(tmp_path / name, f"Karst gets a tram\n\n{STORY}")
    write(tmp_path / ".hidden.txt", STORY)
    write(tmp_path / ".git" / "config.txt", STORY)
    write(tmp_path / "photo.jpg", b"\xff\xd8\xff")
    articles, skipped = split([tmp_path])
    assert [Path(article.origin).relative_to(tmp_path).as_posix() for article in articles] == [
        "a/b.txt", "a/z.md", "b.txt", "c.TXT",
    ]  # fmt: skip
    reasons = {Path(item.origin).name: item.reason for item in skipped}
    assert reasons.keys() == {".hidden.txt", ".git", "photo.jpg"}
    assert reasons[".hidden.txt"] == reasons[".git"] == "hidden"
    assert "'.jpg'" in reasons["photo.jpg"]


def test_patterns_and_repeated_sources(tmp_path: Path) -> None:
    first = write(tmp_path / "x1.txt", STORY)
    write(tmp_path / "deep" / "x2.txt", STORY)
    articles, skipped = split([f"{tmp_path}/**/x*.txt", first, str(first)])
    assert sorted(Path(article.origin).name for article in articles) == ["x1.txt", "x2.txt"]
    assert skipped == []


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    articles, skipped = split([tmp_path / "nowhere.txt", f"{tmp_path}/*.md", write(tmp_path / "a.txt", STORY)])
    assert len(articles) == 1
    assert [item.origin for item in skipped] == [str(tmp_path / "nowhere.txt"), f"{tmp_path}/*.md"]


def test_links_that_loop_or_lead_nowhere(tmp_path: Path) -> None:
    write(tmp_path / "folder" / "a.txt", STORY)
    (tmp_path / "folder" / "loop").symlink_to(tmp_path)
    (tmp_path / "folder" / "again.txt").symlink_to(tmp_path / "folder" / "a.txt")
    (tmp_path / "broken.txt").symlink_to(tmp_path / "gone.txt")
    (tmp_path / "self.txt").symlink_to(tmp_path / "self.txt")
    articles, skipped = split([tmp_path])
    assert len(articles) == 1
    assert {Path(item.origin).name for item in skipped} == {"broken.txt", "self.txt"}


def test_a_pipe_does_not_hang_the_run(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    assert split([tmp_path])[1] == [Skipped(str(tmp_path / "pipe.txt"), "not a regular file")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path / "secret.txt", STORY).chmod(0)
    articles, skipped = split([tmp_path])
    assert articles == []
    assert "ermission" in skipped[0].reason


@pytest.mark.parametrize("suffix", [".txt", ".md", ".html", ".json", ".jsonl", ".csv", ".txt.gz", ".jsonl.gz"])
def test_empty_files(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"empty{suffix}", gzip.compress(b"") if suffix.endswith(".gz") else b"")
    articles, skipped = split([path])
    assert articles == []
    assert suffix.startswith(".jsonl") or "empty" in skipped[0].reason


@pytest.mark.parametrize("suffix", [".txt", ".md", ".html", ".json", ".jsonl", ".csv"])
@pytest.mark.parametrize("data", [b"%PDF-1.7\n...", b"\x00\x01\x02\xff" * 500, bytes(range(256)) * 20])
def test_binary_files(tmp_path: Path, suffix: str, data: bytes) -> None:
    articles, skipped = split([write(tmp_path / f"data{suffix}", data)])
    assert articles == []
    assert "not text" in skipped[0].reason


def test_a_file_that_is_too_large_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "huge.html"
    with path.open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    _, skipped = split([path])
    assert "200 MiB" in skipped[0].reason
    assert "64 MiB at most" in skipped[0].reason


def test_a_compressed_file_is_measured_unpacked(tmp_path: Path) -> None:
    path = write(tmp_path / "bomb.txt.gz", gzip.compress(b"a " * 1_000_000))
    assert "more than 1 MiB when unpacked" in split([path], limit=1024 * 1024)[1][0].reason


def test_a_gzip_file_that_ends_early_gives_what_is_there(tmp_path: Path) -> None:
    lines = "".join(line(id=n, title=f"Tram {n}", text=f"{STORY} {os.urandom(40).hex()}") for n in range(400))
    packed = gzip.compress(lines.encode())
    articles, skipped = split([write(tmp_path / "cut.jsonl.gz", packed[: len(packed) // 2])])
    assert 50 < len(articles) < 400
    assert "gzip data are damaged" in skipped[-1].reason


def test_a_file_that_only_calls_itself_gzip(tmp_path: Path) -> None:
    articles, skipped = split([write(tmp_path / "fake.txt.gz", STORY)])
    assert articles == []
    assert any("gzip" in item.reason for item in skipped)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8-sig", "‘Naïve’ is the word"),
        ("utf-16", "‘Naïve’ is the word"),
        ("utf-16-le", "A word is a word is a word"),
        ("utf-32", "‘Naïve’ is the word"),
        ("cp1252", "‘Naïve’ is the word – said the café"),
        ("cp1251", "Мост через реку открыли раньше срока, сообщили в городском совете в субботу"),
        ("cp932", "市の中央図書館は夜間開館を試験的に始めた。来館者は増えている。"),
    ],
)
@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".csv"])
def test_encodings(tmp_path: Path, encoding: str, text: str, suffix: str) -> None:
    body = f"{text}. {text}."
    content = {
        ".txt": f"Title: {text}\n\n{body}",
        ".jsonl": json.dumps({"title": text, "text": body}, ensure_ascii=False),
        ".csv": f"title,text\n{text.replace(',', ' ')},{body.replace(',', ' ')}\n",
    }[suffix]
    articles, skipped = split([write(tmp_path / f"a{suffix}", content.encode(encoding))])
    assert skipped == []
    assert text.replace(",", " ").split()[-1] in articles[0].text


def test_single_stray_bytes_in_utf8(tmp_path: Path) -> None:
    data = (
        "Élan – the word café\n\n".encode() + b"She said \x93no\x94 and left the room, witnesses told the court today."
    )
    assert "“no”" in split([write(tmp_path / "a.txt", data)])[0][0].text


def test_ids_do_not_depend_on_the_place_in_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", line(title="Karst gets a tram", text=STORY))
    before = split([path])[0][0]
    write(path, line(title="A line before it", text="Another story.") + line(title="Karst gets a tram", text=STORY))
    after = split([path])[0][1]
    assert before.id == after.id
    assert (before.origin, after.origin) == (f"{path}#1", f"{path}#2")


def test_a_parser_that_fails_in_its_own_way_does_not_stop_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("odd")

    monkeypatch.setattr("indexer.readers.plain_text.read_dump", fail)
    write(tmp_path / "a.txt", STORY)
    write(tmp_path / "b.md", f"---\ntitle: Karst gets a tram\n---\n{STORY}")
    articles, skipped = split([tmp_path])
    assert [article.title for article in articles] == ["Karst gets a tram"]
    assert "KeyError" in skipped[0].reason
