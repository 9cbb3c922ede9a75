"""What README and docs name is there: files, folders, headings, make targets, and the wings in the picture of them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_QUOTED = re.compile(r"`([^`\n]+)`")
_OURS = re.compile(r"(?:indexer|search_app|tests|benchmarks|docs|index_data)/[\w./-]*")
_NAME_IN_FILE = re.compile(r"`([\w.]+)`(?: \([^)]*\))? in `((?:indexer|search_app)/[\w/]+\.py)`")
_SVG_TEXT = re.compile(r'<text [^>]*y="(\d+)"><tspan class="wing">(\w+)</tspan>')


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    titles = re.findall(r"(?m)^#+ (.+)$", page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links_of(page: Path) -> list[str]:
    """The targets of a page's links that are no addresses on the web."""
    text = re.sub(r"(?ms)^```.*?^```$", "", page.read_text("utf-8"))
    return [target for target in _LINK.findall(text) if not re.match(r"[a-z]+:", target)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for target in links_of(page):
        path, _, anchor = target.partition("#")
        found = (page.parent / path) if path else page
        assert found.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(found), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_of_the_project_is_there(page: Path) -> None:
    for quoted in _QUOTED.findall(page.read_text("utf-8")):
        for name in quoted.split():
            if (named := _OURS.fullmatch(name)) is not None:
                assert (ROOT / named[0]).exists(), f"{page.name} names {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_says_is_in_a_file_is_in_it(page: Path) -> None:
    for name, file in _NAME_IN_FILE.findall(" ".join(page.read_text("utf-8").split())):
        for part in name.split("."):
            defined = re.search(rf"(?m)^\s*(?:def|class) {part}\b|^{part}\b.* = ", (ROOT / file).read_text("utf-8"))
            assert defined, f"{page.name} says that {name} is in {file}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_has_made_is_a_target_of_make(page: Path) -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8")))
    assert set(re.findall(r"`make ([a-z-]+)", page.read_text("utf-8"))) <= targets


def test_the_readme_names_every_page() -> None:
    linked = links_of(ROOT / "README.md")
    assert [page.name for page in PAGES if page.parent.name == "docs" and f"docs/{page.name}" not in linked] == []


def test_the_picture_shows_every_wing_on_its_floor() -> None:
    shown: dict[int, set[str]] = {}
    for height, wing in _SVG_TEXT.findall((ROOT / "docs" / "wings.svg").read_text("utf-8")):
        shown.setdefault(int(height), set()).add(wing)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    floors = {one["containers"][0]: one["layers"] for one in contracts if one["type"] == "layers"}
    named = [set(layer.split(" | ")) for package in ("search_app", "indexer") for layer in floors[package]]
    assert [wings for _, wings in sorted(shown.items())] == named
