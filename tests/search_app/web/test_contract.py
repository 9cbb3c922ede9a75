"""schemathesis against the running site: whatever is sent, the answer is as the OpenAPI document says.

CONTRACT_EXAMPLES sets how much is tried ('make contract' tries more).
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import waitress

from search_app.web import WebSettings, create_app
from search_app.web.site import Engine

EXAMPLES = os.environ.get("CONTRACT_EXAMPLES", "25")
KEY = "a-key-that-opens-the-contract"
# What a schema cannot say: which texts are dates, and that a range of dates must not end before it begins (400).
CONFIG = """
[checks]
positive_data_acceptance.expected-statuses = [200, 400, 404, 503]
"""
KEYED = f"""
[auth.openapi]
key = {{ api_key = "{KEY}" }}
"""

pytestmark = pytest.mark.slow


@contextmanager
def _running(engine: Engine, settings: WebSettings) -> Iterator[str]:
    server = waitress.create_server(create_app(engine=engine, settings=settings), host="127.0.0.1", port=0, threads=8)
    threading.Thread(target=server.run, daemon=True).start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()


@pytest.mark.parametrize("keyed", [False, True])
def test_every_answer_is_as_the_document_says(engine: Engine, tmp_path: Path, keyed: bool) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG + (KEYED if keyed else ""))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    settings = WebSettings(access_log=False, api_keys=(KEY,) if keyed else ())
    with _running(engine, settings) as address:
        command += [f"{address}/api/v1/openapi.json", "--max-examples", EXAMPLES, "--seed", "20231207", "--no-color"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False, timeout=3600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "5 selected / 5 total" in done.stdout
