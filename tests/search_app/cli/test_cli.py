"""The command line: exit codes, one sentence for what fails, plain output in pipes, nothing that drives a terminal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indexer.article import Article
from indexer.build import BuildOptions, build_index
from search_app.cli import main
from search_app.cli.terminal import harmless, marked
from tests.archive import Archive, story

COMMANDS = ("index", "search", "related", "show", "status", "check", "rebuild", "backup", "restore", "serve")


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def complaint(result: Result, code: int = 1) -> str:
    """The one sentence on standard error."""
    assert result.exit_code == code
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert lines[-1].startswith("concord: "), lines
    return lines[-1]


@pytest.fixture
def built(archive: Archive) -> Archive:
    archive.write_lines(
        "news.jsonl",
        [
            story("a", "amber", date="2023-12-07", section="World", source="Post", author="Ann Lee"),
            story("b", "basalt"),
        ],
    )
    archive.index()
    return archive


def test_indexing_prints_a_table_and_progress_on_the_other_stream(archive: Archive) -> None:
    archive.write_lines("news.jsonl", [story("a", "amber"), story("b", "basalt")])
    archive.write("broken.json", "{")
    result = run("index", archive.sources, "--index-dir", archive.index_dir, "--encoder", archive.encoder)
    assert result.exit_code == 0
    rows = {name: number for number, name in (line.split() for line in result.stdout.splitlines()[:5])}
    assert rows == {"added": "2", "updated": "0", "unchanged": "0", "removed": "0", "skipped": "1"}
    assert re.search(r"skipped .*broken\.json: ", result.stdout.replace("\n", " "))
    assert "2 articles in 2 passages" in result.stdout.replace("\n", " ")
    stages = [line.partition(":")[0] for line in result.stderr.splitlines()]
    assert stages[0] == "loading the encoder"
    assert stages[-1] == "done"
    assert "\x1b" not in result.output


def test_a_source_that_is_not_there_fails_and_the_others_are_indexed(archive: Archive) -> None:
    archive.write_lines("news.jsonl", [story("a", "amber")])
    given: list[str | Path] = ["index", archive.sources, archive.sources / "gone", "--index-dir", archive.index_dir]
    result = run(*given, "--encoder", archive.encoder, "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["added"], len(report["skipped"])) == (1, 1)


def test_indexing_prints_the_same_as_json(archive: Archive) -> None:
    archive.write_lines("news.jsonl", [story("a", "amber")])
    result = run("index", archive.sources, "--index-dir", archive.index_dir, "--encoder", archive.encoder, "--json")
    report = json.loads(result.stdout)
    assert (report["added"], report["articles"], report["passages_encoded"], report["skipped"]) == (1, 1, 1, [])
    (archive.sources / "news.jsonl").write_text("", "utf-8")
    again = run("index", archive.sources, "--index-dir", archive.index_dir, "--prune", "--json")
    assert json.loads(again.stdout)["removed"] == 1


@pytest.mark.parametrize(
    "command", [["search", "x"], ["show", "x"], ["related", "x"], ["status"], ["check"], ["rebuild"]]
)
def test_a_missing_index_is_one_sentence(tmp_path: Path, command: Sequence[str]) -> None:
    result = run(*command, "--index-dir", tmp_path / "nowhere")
    assert "There is no index in" in complaint(result)
    assert "concord index SOURCE" in result.stderr
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["search", "amber", "-k", "0"], 2),
        (["search", "amber", "--since", "someday"], 2),
        (["search", "amber", "--since", "2024", "--until", "2023"], 2),
        (["search", "amber", "--page", "0"], 2),
        (["show", "no-such-id"], 1),
        (["related", "no-such-id"], 1),
        (["related", "a", "-k", "1000"], 2),
    ],
)
def test_bad_input_is_one_sentence(built: Archive, arguments: Sequence[str], code: int) -> None:
    complaint(run(*arguments, "--index-dir", built.index_dir), code)


@pytest.mark.parametrize(
    "arguments", [["search"], ["search", "x", "--mode", "magic"], ["search", "x", "-k", "ten"], ["fly"]]
)
def test_wrong_usage_has_exit_code_2(arguments: Sequence[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_window_or_an_encoder_that_does_not_fit(built: Archive) -> None:
    place = ("index", built.sources, "--index-dir", built.index_dir)
    assert "--index-dir NEW --window 64" in complaint(run(*place, "--window", "64"))
    assert "--index-dir NEW --encoder" in complaint(run(*place, "--encoder", "all-MiniLM-L6-v2"))
    assert "there is no such file" in complaint(
        run("index", built.sources / "none", "--index-dir", built.index_dir / "new")
    )


def test_nothing_found_ends_well_and_says_so(built: Archive) -> None:
    result = run("search", "glacier", "--mode", "lexical", "--index-dir", built.index_dir)
    assert result.exit_code == 0
    assert "Nothing found." in result.stdout
    filtered = run("search", "amber", "--section", "Sport", "--mode", "lexical", "--index-dir", built.index_dir)
    assert "Without the filter section: 1 article" in filtered.stdout
    misspelt = run("search", "ambre", "baslat", "--mode", "lexical", "--index-dir", built.index_dir)
    assert "Did you mean: amber basalt" in misspelt.stdout
    beyond = run("search", "amber", "--page", "7", "--index-dir", built.index_dir)
    assert "No page 7: there are 1." in beyond.stdout


def test_hits_are_shown_with_what_is_known(built: Archive) -> None:
    result = run("search", "amber", "--explain", "--index-dir", built.index_dir)
    shown = result.stdout
    assert " 1. What amber means" in shown
    assert "7 December 2023 · World · Post · Ann Lee" in shown
    assert re.search(r"words: +rank 1, BM25 \d\.\d{3}, \d+% of the score", shown)
    assert re.search(r"meaning: +rank 1, cosine \d\.\d{3}, \d+% of the score", shown)
    assert "id a" in shown
    assert re.search(r"1-\d of \d articles, \d+ ms", shown)
    assert "\x1b" not in shown


def test_show_related_status_and_rebuild(built: Archive) -> None:
    place = ("--index-dir", built.index_dir)
    shown = run("show", "a", *place).stdout
    assert "What amber means" in shown
    assert "More about amber will be known by Friday." in shown
    assert "What basalt means" in run("related", "a", *place).stdout
    status = run("status", *place).stdout
    assert re.search(r"articles +2 *\n", status)
    assert re.search(r"oldest +2023-12-07", status)
    rebuilt = run("rebuild", *place)
    assert rebuilt.stdout == "2 articles in 2 passages, generation 2.\n"
    assert "rebuilding: lexical" in rebuilt.stderr
    assert json.loads(run("rebuild", "--json", *place).stdout)["generation"] == 3


def test_a_check_says_what_is_wrong_and_what_mends_it(built: Archive) -> None:
    place = ("--index-dir", built.index_dir)
    sound = run("check", *place)
    assert sound.stdout.startswith("sound: generation 1, 2 articles, 2 passages")
    assert [line.removeprefix("checking: ") for line in sound.stderr.splitlines()] == [
        "current",
        "files",
        "encoder",
        "store",
        "lexical",
        "vectors",
    ]
    labels = built.index_dir / "generations" / "00000001" / "catalogue.json"
    labels.write_text(labels.read_text().replace("World", "Earth"))
    broken = run("check", *place)
    assert broken.exit_code == 1
    assert "checksum differs" in broken.stdout
    assert "concord rebuild" in broken.stdout
    report = json.loads(run("check", "--json", *place).stdout)
    assert (report["ok"], [problem["part"] for problem in report["problems"]]) == (False, ["files"])
    run("rebuild", *place)
    assert json.loads(run("check", "--json", *place).stdout)["ok"]


def test_a_backup_is_written_and_put_back(built: Archive, tmp_path: Path) -> None:
    saved = tmp_path / "saved.concord"
    written = run("backup", saved, "--index-dir", built.index_dir)
    assert re.match(r"written: .*saved\.concord, .* MB, generation 1, 2 articles in 2 passages", written.stdout)
    assert written.stderr == "writing: store\nwriting: files\n"
    report = json.loads(run("backup", saved, "--json", "--index-dir", built.index_dir).stdout)
    assert report["bytes"] == saved.stat().st_size
    place = ("--index-dir", tmp_path / "new")
    assert json.loads(run("restore", saved, "--json", *place).stdout)["articles"] == 2
    assert "What amber means" in run("search", "amber", *place).stdout
    assert "cannot be used" in complaint(run("restore", tmp_path / "none", *place))


HOSTILE = "\x1b[31mred\x1b[0m \x9b2J \u202etxet\u202c \u2066x\u2069 \r\x07\x08bell \ud800"


def test_what_articles_say_cannot_drive_the_terminal(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    article = Article(
        id=f"id{HOSTILE[:-1]}",
        title=f"Amber {HOSTILE[:-1]}",
        text=f"The amber was found here. {HOSTILE[:-1]} And more amber was found there.",
        source=HOSTILE[:-1],
        section=HOSTILE[:-1],
        author=HOSTILE[:-1],
        url=HOSTILE[:-1],
    )
    monkeypatch.setattr("indexer.build.read_sources", lambda *_, **__: iter([article]))
    build_index([], archive.index_dir, BuildOptions(encoder=archive.encoder))
    place = ("--index-dir", archive.index_dir)
    for arguments in (("search", "amber", "--explain"), ("show", article.id), ("status",)):
        result = run(*arguments, *place)
        assert result.exit_code == 0
        assert not set(result.stdout) & set("\x1b\x9b\u202e\u202c\u2066\u2069\r\x07\x08")
        assert "red" in result.stdout


def test_lone_surrogates_can_be_printed() -> None:
    for shown in (harmless(HOSTILE), marked(HOSTILE, ((0, 3),)).plain):
        shown.encode("utf-8")
        assert len(shown) == len(HOSTILE)


def test_a_reader_that_goes_away_is_no_error(built: Archive) -> None:
    command = [sys.executable, "-m", "search_app.cli", "search", "amber", "--index-dir", str(built.index_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def test_help_names_every_command_and_imports_none_of_the_heavy_parts() -> None:
    result = run("--help")
    assert all(command in result.stdout for command in COMMANDS)
    script = (
        "import sys; from search_app.cli import main; main(['--help'], standalone_mode=False);"
        "print(sorted({'numpy', 'faiss', 'torch', 'openvino', 'flask', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_search_imports_no_torch(built: Archive) -> None:
    script = (
        "import sys; from search_app.cli import main;"
        f"main(['search', 'amber', '--index-dir', {str(built.index_dir)!r}], standalone_mode=False);"
        "print(sorted({'torch', 'sentence_transformers', 'transformers', 'flask', 'trafilatura'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "--index-dir" in result.stdout
