"""The examples of the documentation run as they stand, and print what they say; tables are those of the code."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

import indexer
import search_app
from indexer import build_index
from search_app.options import DateLike, Option, Values, all_options
from search_app.web.site import Engine

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "docs" / "library.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SCORE = re.compile(r"\d+\.\d+")
_TOTAL = re.compile(r"(?<= of )\d+(?=, hybrid)")
_PRINTED = "# -> "


def _values(option: Option) -> str:
    if option.choices:
        return ", ".join(f"`{one}`" for one in option.choices)
    if option.low is not None:
        return f"{option.low:,.10g} to {option.high:,.10g}"
    if option.hint.startswith("["):
        return ", ".join(f"`{one}`" for one in option.hint.strip("[]").split("|"))
    return {bool: "`True`, `False`", Values: "a text or several", DateLike: "a text or a date"}[option.kind]


def _row(option: Option) -> str:
    """The row of the documentation that an option has to have."""
    flag = f"{option.flag}` or `--no-{option.name}" if option.default is True else option.flag
    return f"| `{option.name}` | `{flag}` | `{option.default!r}` | {_values(option)} | {option.text} |"


def test_the_table_of_options_is_the_table_of_the_code() -> None:
    table = LIBRARY.read_text("utf-8").partition("## Options\n")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert rows == [_row(option) for option in all_options()]


def test_every_name_of_both_packages_that_raises_or_is_called_is_told() -> None:
    text = LIBRARY.read_text("utf-8")
    for name in {*indexer.__all__, *search_app.__all__}:
        value = getattr(indexer, name, None) or getattr(search_app, name)
        if isinstance(value, type) and issubclass(value, Exception):
            assert f"`{name}`" in text


def test_what_an_engine_of_ones_own_has_is_told() -> None:
    text = (ROOT / "docs" / "serving.md").read_text("utf-8")
    for name in (name for name in vars(Engine) if not name.startswith("_")):
        assert f"`{name}" in text


@pytest.fixture(scope="module")
def demo(index_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `make demo` has been; the encoder is not exported once more."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(ROOT / "index_data" / "sample_articles", folder / "index_data" / "sample_articles")
    (folder / "index_data" / "encoders").symlink_to(index_dir / "encoders", target_is_directory=True)
    build_index([folder / "index_data" / "sample_articles"], folder / "index_data")
    return folder


def _blocks(document: Path) -> Iterator[tuple[int, str]]:
    text = document.read_text("utf-8")
    for found in _BLOCK.finditer(text):
        yield text.count("\n", 0, found.start(1)) + 1, found[1]


def _assert_printed(printed: str, said: list[str], line: int) -> None:
    """Encoders on other machines round otherwise: scores may differ in their second digit, and how many hits come near
    enough by meaning by two."""
    lines = printed.splitlines()
    assert [_even(one) for one in lines] == [_even(one) for one in said], f"line {line}"
    for one, other in zip(lines, said, strict=True):
        for numbers, most in ((_SCORE, 0.021), (_TOTAL, 2)):
            found, wanted = (list(map(float, numbers.findall(text))) for text in (one, other))
            assert found == pytest.approx(wanted, abs=most), f"line {line}"


def _even(line: str) -> str:
    return _TOTAL.sub("0", _SCORE.sub("0.0", line))


def _ran(document: Path) -> Iterator[tuple[int, str, str]]:
    """Line, text and output of every example, which are run in their order in one namespace."""
    names: dict[str, Any] = {"__name__": "example"}
    for line, source in _blocks(document):
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile("\n" * (line - 1) + source, document, "exec"), names)
        yield line, source, printed.getvalue()


@pytest.mark.slow
def test_the_examples_of_the_readme_run(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo)
    outputs = [printed for _, _, printed in _ran(ROOT / "README.md")]
    assert len(outputs) == 2
    assert "0.99 Armenia and Azerbaijan agree prisoner exchange in first joint statement" in outputs[0]


@pytest.mark.slow
def test_the_examples_of_the_library_print_what_they_say(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo)
    for line, source, printed in _ran(LIBRARY):
        said = [one.removeprefix(_PRINTED) for one in source.splitlines() if one.startswith(_PRINTED)]
        _assert_printed(printed, said, line)
