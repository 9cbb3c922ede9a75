from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from indexer.errors import UsageError
from search_app.cli import main
from search_app.cli import serve_command as command
from search_app.web import WebSettings
from search_app.web.settings import Setting, all_settings, read_keys

DOCUMENT = Path(__file__).parents[3] / "docs" / "serving.md"
GOOD_KEY = "0123456789abcdef"


def _row(setting: Setting) -> str:
    """The row of the documentation that a setting has to have."""
    option = f"`{setting.option}`" if setting.option else "environment only"
    default = "; ".join(setting.default) if setting.many else setting.default
    shown = f"`{str(default).lower() if setting.kind is bool else default}`" if default != "" else "none"
    limits = ""
    if setting.low is not None:
        limits = f"{setting.low:,.10g} to {setting.high:,.10g}"
    elif setting.among:
        limits = ", ".join(f"`{one}`" for one in setting.among)
    return f"| {option} | `{setting.variable}` | {shown} | {limits} | {setting.text} |"


@pytest.mark.parametrize("setting", all_settings(), ids=lambda one: one.name)
def test_every_setting_is_documented_with_its_default_and_limits(setting: Setting) -> None:
    assert _row(setting) in DOCUMENT.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("setting", all_settings(), ids=lambda one: one.name)
def test_every_setting_is_an_option_unless_it_is_a_secret(setting: Setting) -> None:
    text = CliRunner().invoke(main, ["serve", "--help"]).output
    assert (setting.option is None) == setting.secret
    assert setting.secret or f"{setting.option} " in text


@pytest.mark.parametrize("setting", [one for one in all_settings() if one.low is not None], ids=lambda one: one.name)
def test_numbers_outside_their_limits_are_refused(setting: Setting) -> None:
    assert setting.low is not None
    assert setting.high is not None
    for good in (setting.low, setting.high):
        assert getattr(WebSettings.from_environment({setting.variable: f"{good:.10g}"}), setting.name) == good
    for bad in (setting.low - 1, setting.high + 1, "nan", "ten", ""):
        with pytest.raises(UsageError, match=rf"^{setting.name} \({setting.variable}\) is .* must be .* from .* to"):
            WebSettings.from_environment({setting.variable: str(bad)})


def test_texts_lists_and_switches_are_read() -> None:
    settings = WebSettings.from_environment(
        {
            "CONCORD_NAME": "The Courier",
            "CONCORD_EXAMPLES": "harbour; ferry strike ;",
            "CONCORD_PAGES": "No",
            "CONCORD_METRICS": "open",
            "CONCORD_MAX_K": "20",
            "CONCORD_INDEX_DIR": "elsewhere",
            "PATH": "/bin",
        },
        over={"max_k": "30"},
    )
    assert settings == WebSettings(
        name="The Courier", examples=("harbour", "ferry strike"), pages=False, metrics="open", max_k=30
    )


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("PAGES", "perhaps", "must be true or false"),
        ("METRICS", "everyone", "must be one of off, local, key, open"),
        ("METRICS", "key", "there is no key"),
        ("CORS_ORIGINS", "https://news.example/path", "is no origin"),
        ("CORS_ORIGINS", "news.example", "is no origin"),
        ("API_KEYS", "short", "has 5 characters, and must have at least 16"),
        ("API_KEYS", "sixteen characters and blanks", "has blanks"),
        ("API_KEYS", "sha256:12ab", "64 hexadecimal digits"),
        ("API_KEYS_FILE", "/does/not/exist", "cannot be read: No such file"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(name: str, text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        read_keys(WebSettings.from_environment({f"CONCORD_{name}": text}))
    assert name != "API_KEYS" or text not in str(caught.value)


def test_keys_come_from_the_environment_and_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# of the archive\n\nanother-key-of-the-file\n")
    settings = WebSettings(api_keys=(GOOD_KEY,), api_keys_file=str(file))
    assert read_keys(settings) == (GOOD_KEY, "another-key-of-the-file")
    assert GOOD_KEY not in repr(settings)
    file.write_text("# nothing\n")
    with pytest.raises(UsageError, match="There is no key in"):
        read_keys(settings)


def test_the_command_hands_over_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(command, "serve_index", lambda *given: seen.extend(given))
    monkeypatch.setattr(command, "log_to_stderr", lambda: None)
    given = ["serve", "--port", "0", "--max-k", "7", "--no-pages", "--cors-origins", "https://a.example"]
    result = CliRunner().invoke(main, [*given, "--cors-origins", "https://b.example"], env={"CONCORD_MAX_PAGE": "9"})
    assert result.exit_code == 0, result.output
    expected = WebSettings(max_k=7, max_page=9, pages=False, cors_origins=("https://a.example", "https://b.example"))
    assert seen[1:] == ["127.0.0.1", 0, expected]
