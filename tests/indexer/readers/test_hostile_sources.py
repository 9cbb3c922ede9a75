"""Sources made to do harm: each gives an article without the harm in it, or a reason, in seconds."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.article import Article
from indexer.readers import Skipped, html_pages, read_sources
from indexer.readers.markup import html_to_text, is_crowded

TEXT = (
    "The council of Karst approved the tram line on Tuesday after a debate that lasted until two in the morning. " * 6
)
TITLE = "Karst gets a tram line"
DEEP = 100_000


def read(folder: Path, name: str, content: str | bytes) -> list[Article | Skipped]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return list(read_sources([path]))


def page(body: str, head: str = "") -> str:
    return (
        f"<html><head><title>{TITLE}</title>{head}</head><body><article><h1>{TITLE}</h1>{body}</article></body></html>"
    )


def lines(*records: Mapping[str, object]) -> str:
    return "\n".join(json.dumps({"title": TITLE, "text": TEXT, **record}) for record in records)


@pytest.mark.parametrize("tag", ["div", "span", "b", "blockquote", "svg", "ul><li", "table><tr><td"])
def test_a_hundred_thousand_levels_of_markup(tmp_path: Path, tag: str) -> None:
    (found,) = read(tmp_path, "deep.html", page(f"<{tag}>" * DEEP + f"<p>{TEXT}</p>"))
    assert isinstance(found, Article | Skipped)
    (found,) = read(tmp_path, "deep.jsonl", lines({"text": f"<{tag}>" * DEEP + TEXT}))
    assert isinstance(found, Article)


@pytest.mark.parametrize("opening", ['{"a":', "[", '[{"text": ['])
def test_a_hundred_thousand_levels_of_json(tmp_path: Path, opening: str) -> None:
    (found,) = read(tmp_path, "deep.json", opening * DEEP)
    assert isinstance(found, Skipped)
    (found,) = read(tmp_path, "deep.html", page(f"<p>{TEXT}</p>", f'<script type="application/ld+json">{opening * DEEP}'
                                                "</script>"))  # fmt: skip
    assert isinstance(found, Article)


def test_a_crowded_tag_is_no_reason_to_wait(tmp_path: Path) -> None:
    crowded = "<p " + " ".join(f"a{number}=1" for number in range(DEEP)) + f">{TEXT}</p>"
    (found,) = read(tmp_path, "a.html", page(crowded))
    assert isinstance(found, Skipped)
    assert "a thousand attributes" in found.reason
    (found,) = read(tmp_path, "a.jsonl", lines({"text": crowded}))
    assert isinstance(found, Article)
    assert found.text.strip() == TEXT.strip()


@pytest.mark.parametrize("attribute", ["a{}", "a{}=1", "a{}='x y'", 'a{}="<b>"', "a{} = x"])
def test_attributes_are_counted_however_they_are_written(attribute: str) -> None:
    tag = "<img " + " ".join(attribute.format(number) for number in range(1000))
    assert is_crowded(f"{tag}>")
    assert not is_crowded(tag.rpartition(" a")[0] + ">")
    assert not is_crowded("<p class='x' id=y>text with <b> and more words</b></p>" * 1000)


def test_a_page_of_too_many_elements_is_skipped_with_both_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html_pages, "_MOST_ELEMENTS", 50)
    (found,) = read(tmp_path, "a.html", page("<p>x</p>" * 60 + f"<p>{TEXT}</p>"))
    assert isinstance(found, Skipped)
    assert re.match(r"it has 6\d elements; a page may have 50 at most", found.reason)


@pytest.mark.parametrize("name", ["a.html", "a.xhtml"])
def test_entities_are_neither_expanded_nor_fetched(tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret", "utf-8")
    levels = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    kind = f'<!DOCTYPE html [<!ENTITY a0 "boom"><!ENTITY e SYSTEM "{secret.as_uri()}">{levels}]>'
    (found,) = read(tmp_path, name, f'<?xml version="1.0"?>{kind}' + page(f"<p>&a9; &e; {TEXT}</p>"))
    assert isinstance(found, Article)
    assert "secret" not in found.text
    assert len(found.text) < 2 * len(TEXT)


@pytest.mark.parametrize("suffix", [".txt", ".html", ".md", ".json", ".jsonl", ".csv"])
def test_a_gzip_bomb_is_skipped_and_named(tmp_path: Path, suffix: str) -> None:
    start = {".json": b'{"title": "a b c", "text": "', ".jsonl": b'{"text": "', ".csv": b'title,text\na,"'}
    path = tmp_path / f"bomb{suffix}.gz"
    with gzip.open(path, "wb", 9) as stream:
        stream.write(start.get(suffix, b""))
        for _ in range(20):
            stream.write(b"x" * 2**20)
    assert path.stat().st_size < 50_000
    found = list(read_sources([path], limit=4 * 2**20))
    assert isinstance(found[0], Skipped)
    assert any(re.search(r"[\d,]+ (MiB|characters)|field larger", str(getattr(item, "reason", ""))) for item in found)


def test_ids_are_names_and_never_paths(tmp_path: Path) -> None:
    ids = [
        "../../etc/passwd",
        "/etc/passwd",
        "C:\\x",
        "a\0b",
        "%2e%2e",
        "x" * 100_000,
        "\u202eabc",
        "\x1b[2J",
        "\ud800",
    ]
    found = read(tmp_path, "ids.jsonl", lines(*({"id": one} for one in ids)))
    assert len(found) == len(ids)
    for item in found:
        assert isinstance(item, Article)
        assert 0 < len(item.id) <= 512
        assert not re.search("[\0-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", item.id)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ids.jsonl"]


@pytest.mark.parametrize("name", ["title", "text", "author", "source", "section", "id", "url", "date", "summary"])
def test_script_in_any_field_is_text_or_gone(tmp_path: Path, name: str) -> None:
    (found,) = read(tmp_path, "a.jsonl", lines({name: "<script>alert(1)</script><img src=x onerror=alert(2)> Karst"}))
    assert isinstance(found, Article)
    shown = f"{found.title} {found.text} {found.author} {found.source} {found.section} {found.url}"
    assert "<script" not in shown
    assert "onerror" not in shown


@pytest.mark.parametrize("suffix", [".txt", ".html", ".md", ".jsonl"])
def test_mixed_encodings_and_half_surrogates_become_text(tmp_path: Path, suffix: str) -> None:
    raw = TEXT.encode() + b" caf\xe9 \x93quoted\x94 \xed\xa0\x80 half \xff\xfe " + TEXT.encode()
    wrapped = {".html": page(f"<p>{TEXT}</p><p>@</p>").encode(), ".jsonl": lines({"text": "@"}).encode()}
    (found,) = read(tmp_path, f"a{suffix}", wrapped.get(suffix, b"# Karst gets a tram\n\n@").replace(b"@", raw))
    assert isinstance(found, Article)
    found.text.encode("utf-8")
    assert "“quoted”" in found.text


@pytest.mark.parametrize("charset", ["zip", "rot13", "undefined", "idna", "unicode_escape", "utf-16", "no-such"])
def test_a_declared_encoding_that_is_a_trick_is_not_followed(tmp_path: Path, charset: str) -> None:
    raw = page(f"<p>{TEXT} caf#</p>", f'<meta charset="{charset}">').encode().replace(b"#", b"\xe9")
    (found,) = read(tmp_path, "a.html", raw)
    assert isinstance(found, Article)
    assert "café" in found.text


def test_no_trace_of_a_parser_reaches_the_terminal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        (found,) = read(tmp_path, "a.html", "<svg/onload=alert(1)><!--><script>x</script><div><p>&lt;b&gt;&#0;" + TEXT)
    assert isinstance(found, Article | Skipped)
    assert caplog.text == ""


@settings(max_examples=60)
@given(st.sampled_from([".txt", ".md", ".json", ".jsonl", ".csv", ".tsv"]), st.binary(max_size=300) | st.text().map(
    lambda text: text.encode("utf-8", "surrogatepass")))  # fmt: skip
def test_any_bytes_give_articles_or_reasons(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    for item in read_sources([path]):
        if isinstance(item, Skipped):
            assert item.reason
        else:
            assert item.id
            (item.title + item.text).encode("utf-8")


_MARKUP = st.lists(st.sampled_from(["<p>", "<", ">", "&amp;", "&#0;", "<!--", "a", "<br", " x=", '"', "</p>"]))


@given(st.text() | _MARKUP.map("".join))
def test_any_markup_becomes_text(text: str) -> None:
    assert isinstance(html_to_text(text), str)
