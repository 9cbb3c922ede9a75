"""JSON, JSON lines and CSV: field names, shapes, and broken records among good ones."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.article import Article
from indexer.errors import SourceError
from indexer.readers import Skipped, csv_tables, json_records, read_sources
from indexer.readers.cleaning import clean_text
from indexer.readers.fields import article_from_record

STORY = "The council of Karst approved the tram line on Tuesday."


def record(**fields: object) -> Article:
    return article_from_record({"title": "Karst gets a tram", "text": STORY} | fields, path="x", origin="x#1")


def read(tmp_path: Path, name: str, content: str) -> tuple[list[Article], list[Skipped]]:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    found = list(read_sources([path]))
    return [x for x in found if isinstance(x, Article)], [x for x in found if isinstance(x, Skipped)]


@pytest.mark.parametrize("name", ["title", "Headline", "NAME"])
def test_title_names(name: str) -> None:
    assert article_from_record({name: "A tram", "body": STORY}, path="x", origin="x").title == "A tram"


@pytest.mark.parametrize("name", ["text", "body", "content", "articleBody", "Description", "summary"])
def test_text_names(name: str) -> None:
    assert article_from_record({"title": "A tram", name: STORY}, path="x", origin="x").text == STORY


def test_a_full_text_wins_over_a_summary_and_the_longest_over_others() -> None:
    fields = {"title": "A tram", "description": "x" * 500, "content": "Cut off… [+900 chars]", "text": STORY}
    assert article_from_record(fields, path="x", origin="x").text == STORY
    assert article_from_record(fields | {"text": ""}, path="x", origin="x").text == "Cut off"


@pytest.mark.parametrize("mark", ["[+900 chars]", "…[+1 chars]", " ... [+12345 chars] \n", "\n… \n [+7 chars]"])
def test_where_a_text_was_cut_off_is_no_text(mark: str) -> None:
    assert record(text=f"{STORY} It went on{mark}").text == f"{STORY} It went on"
    for kept in (f"{mark} and on.", "…", " [+x chars]"):
        text = f"{STORY} It went on{kept}"
        assert record(text=text).text == clean_text(text)


@pytest.mark.parametrize("blanks", [" ", "\t", "\u00a0", " \n", "... ", "[+1 "])
def test_a_hundred_thousand_blanks_are_read_in_one_pass(blanks: str) -> None:
    text = f"{STORY}{blanks * 100_000}The end."
    assert record(text=text).text == clean_text(text)


@pytest.mark.parametrize(
    "name", ["date", "published_at", "pubDate", "published", "datePublished", "created_at", "timestamp", "PublishedAt"]
)
def test_date_names(name: str) -> None:
    assert record(**{name: "2024-03-12"}).date == datetime(2024, 3, 12, tzinfo=UTC)


def test_a_date_that_is_none_is_no_error_and_the_next_name_is_tried() -> None:
    assert record(date="yesterday-ish").date is None
    assert record(date="", pubDate="2024-03-12").date == datetime(2024, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("By Mara Lind", "Mara Lind"),
        ("by: Mara Lind", "Mara Lind"),
        ("Byron Lind", "Byron Lind"),
        (["Mara Lind", "Jo Ash"], "Mara Lind, Jo Ash"),
        ({"name": "Mara Lind"}, "Mara Lind"),
        ([{"@type": "Person", "name": "Mara Lind"}, {"name": "Jo Ash"}], "Mara Lind, Jo Ash"),
        ("https://example.org/mara", None),
        ("", None),
    ],
)
def test_authors(value: object, expected: str | None) -> None:
    assert record(author=value).author == expected


def test_sources_and_sections() -> None:
    assert record(source={"id": None, "name": "The Karst Post"}).source == "The Karst Post"
    assert record(url="https://www.karst.example/tram").source == "karst.example"
    assert record(source="https://www.karst.example/").source == "karst.example"
    assert record().source is None
    assert record(category=["Transport", "Politics"]).section == "Transport"
    assert record(desk="Transport").section == "Transport"


def test_ids() -> None:
    assert record(_id="k-1").id == "k-1"
    assert record(id=17).id == "17"
    by_url = record(url="https://karst.example/tram")
    assert by_url.id == record(url="https://karst.example/tram", text="Rewritten entirely by now.").id
    assert record().id != record(text="Rewritten entirely by now.").id


def test_a_guid_that_is_an_address_serves_as_one() -> None:
    article = record(guid="https://karst.example/?p=12")
    assert article.url == "https://karst.example/?p=12"
    assert article.id == record(guid="https://karst.example/?p=12", link="https://karst.example/tram").id


@pytest.mark.parametrize("url", ["javascript:alert(1)", "/relative", "data:text/html,x", "http://", "https://[bad"])
def test_what_is_no_web_address_is_left_out(url: str) -> None:
    assert record(url=url).url is None


def test_html_in_fields_becomes_text() -> None:
    article = record(
        title="Fish &amp; <em>chips</em>",
        text="<p>One<br>two</p><script>bad()</script><p>Three &amp; <b>four</b></p><figure><figcaption><i>A</i> tram"
        "</figcaption></figure>",
    )
    assert article.title == "Fish & chips"
    assert article.text == "One two\n\nThree & four"


def test_wrapped_records() -> None:
    fields = {"_source": {"headline": "A tram", "body": STORY, "meta": 3}, "metadata": {"date": "2024-03-12"}}
    article = article_from_record(fields, path="x", origin="x")
    assert (article.title, article.text) == ("A tram", STORY)
    assert article.date == datetime(2024, 3, 12, tzinfo=UTC)


def test_a_title_alone_is_enough_if_it_has_three_words() -> None:
    assert article_from_record({"title": "Karst gets tram"}, path="x", origin="x").text == ""
    with pytest.raises(SourceError, match="2 words"):
        article_from_record({"title": "Karst tram"}, path="x", origin="x")
    with pytest.raises(SourceError):
        article_from_record({"url": "https://karst.example"}, path="x", origin="x")


def test_a_text_without_title_is_kept() -> None:
    assert article_from_record({"text": STORY}, path="x", origin="x").title == ""


@given(
    st.dictionaries(
        st.sampled_from(
            ["title", "text", "date", "author", "source", "section", "url", "id", "metadata", "description"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        ),
    )
)
def test_any_record_gives_an_article_or_a_reason(fields: dict[str, object]) -> None:
    try:
        article = article_from_record(fields, path="x", origin="x")
    except SourceError as error:
        assert str(error)
    else:
        assert article.id
        assert article.title or article.text


def test_broken_lines_are_named_and_the_others_read(tmp_path: Path) -> None:
    good = json.dumps({"title": "Karst gets a tram", "text": STORY, "lone": "\ud83d"})
    lines = [good, '{"title": "cut', "", "[1, 2]", '"text"', "[" * 100_000, '{"title": "x"}', "NaN", good]
    articles, skipped = read(tmp_path, "a.jsonl", "\n".join(lines))
    assert [article.origin.rpartition("#")[2] for article in articles] == ["1", "9"]
    assert [item.origin.rpartition("#")[2] for item in skipped] == ["2", "4", "5", "6", "7", "8"]
    assert "broken JSON" in skipped[0].reason


def test_lone_surrogates_are_replaced(tmp_path: Path) -> None:
    articles, _ = read(tmp_path, "a.jsonl", r'{"title": "Tram \ud83d line", "text": "A \ud83d\ude8b here."}')
    assert articles[0].title == "Tram \ufffd line"
    assert articles[0].text == "A \U0001f68b here."


def test_a_line_beyond_the_limit_is_skipped_without_being_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_records, "RECORD_LIMIT", 1000)
    good = json.dumps({"title": "Karst gets a tram", "text": STORY})
    long = json.dumps({"title": "Karst gets a tram", "text": "x" * 50_000})
    articles, skipped = read(tmp_path, "a.jsonl", f"{good}\n{long}\n{good}\n")
    assert [article.origin.rpartition("#")[2] for article in articles] == ["1", "3"]
    assert "1,000 characters" in skipped[0].reason


ONE = {"title": "Karst gets a tram", "text": STORY}


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (json.dumps(ONE), 1),
        (json.dumps([ONE, ONE, ONE], indent=2), 3),
        (json.dumps({"status": "ok", "articles": [ONE, ONE]}), 2),
        (json.dumps({"response": {"results": [ONE]}}), 1),
        (json.dumps({"hits": {"hits": [{"_id": "1", "_source": ONE}]}}), 1),
        (json.dumps(ONE) + "\n" + json.dumps(ONE), 2),
        ("\ufeff" + json.dumps([ONE]), 1),
    ],
)
def test_shapes_of_json_documents(tmp_path: Path, content: str, count: int) -> None:
    articles, skipped = read(tmp_path, "a.json", content)
    assert (len(articles), skipped) == (count, [])


def test_a_long_list_is_read_item_by_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_records, "_CHUNK", 64)
    items = [{"_id": str(n), "title": "Karst gets a tram", "text": STORY * (n % 7)} for n in range(200)]
    articles, skipped = read(tmp_path, "a.json", json.dumps(items, indent=1))
    assert [article.id for article in articles] == [str(n) for n in range(200)]
    assert skipped == []


def test_a_broken_list_gives_what_stands_before_the_break(tmp_path: Path) -> None:
    content = json.dumps([ONE, ONE], indent=1)[:-1] + ',\n{"title": oops}]'
    articles, skipped = read(tmp_path, "a.json", content)
    assert len(articles) == 2
    assert f"line {content.count(chr(10)) + 1}" in skipped[0].reason


@pytest.mark.parametrize("content", ["[]", "{}", "null", "3", "[[1, 2], [3]]", '{"a": 1', "[" * 50_000, "not json"])
def test_json_without_articles(tmp_path: Path, content: str) -> None:
    articles, skipped = read(tmp_path, "a.json", content)
    assert articles == []
    assert skipped


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_tables(tmp_path: Path, delimiter: str) -> None:
    rows = [["Headline", "Body", "pubDate"], ["Karst gets a tram", '"One\n\ntwo, three; four"', "2024-03-12"]]
    articles, skipped = read(tmp_path, "a.csv", "\r\n".join(delimiter.join(row) for row in rows))
    assert skipped == []
    assert articles[0].text == "One\n\ntwo, three; four"
    assert articles[0].date == datetime(2024, 3, 12, tzinfo=UTC)
    assert articles[0].origin.endswith("#2")


def test_rows_that_are_no_articles_are_named(tmp_path: Path) -> None:
    content = f"title,text\nKarst gets a tram,{STORY}\nx,\n,,\na,b,c\n\0Karst gets a tram,{STORY}\n"
    articles, skipped = read(tmp_path, "a.csv", content.replace("\0", ""))
    assert [article.origin.rpartition("#")[2] for article in articles] == ["2", "6"]
    assert [item.origin.rpartition("#")[2] for item in skipped] == ["3", "5"]
    assert "3 values" in skipped[1].reason


def test_a_field_of_a_megabyte_is_read(tmp_path: Path) -> None:
    articles, _ = read(tmp_path, "a.csv", f"title,text\nKarst gets a tram,{'word ' * 200_000}\n")
    assert len(articles[0].text) == 999_999


def test_a_quote_that_never_closes_does_not_hold_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_tables, "RECORD_LIMIT", 200_000)
    before = csv.field_size_limit(200_000)
    rows = f"Karst gets a tram,{STORY}\n" * 20_000
    articles, skipped = read(tmp_path, "a.csv", f'title,text\nKarst gets a tram,"{STORY}\n{rows}')
    csv.field_size_limit(before)
    assert len(articles) > 10_000
    assert "field larger than field limit" in skipped[0].reason


def test_a_table_without_known_columns_is_named(tmp_path: Path) -> None:
    _, skipped = read(tmp_path, "a.csv", "price,amount\n1,2\n")
    assert "price, amount" in skipped[0].reason
