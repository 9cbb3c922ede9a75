"""HTML pages, Markdown and plain text."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from indexer.article import Article
from indexer.readers import Skipped, read_sources

PARAGRAPHS = [
    "The council of Karst approved the tram line on Tuesday after a debate that lasted until two in the morning.",
    "Work on the bridge section starts in April, said the mayor, and the first trams are to run in the autumn.",
    "Opponents announced that they would go to court, because the depot takes up a third of the old fairground.",
]
BODY = "\n\n".join(PARAGRAPHS)
TITLE = "Karst council votes for tram line after night of debate"


def read(tmp_path: Path, name: str, content: str | bytes) -> Article | Skipped:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (found,) = read_sources([path])
    return found


def article(tmp_path: Path, name: str, content: str | bytes) -> Article:
    found = read(tmp_path, name, content)
    assert isinstance(found, Article), found
    return found


def page(head: str = "", before: str = "", after: str = "") -> str:
    text = "".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS)
    return f"""<!doctype html><html><head><title>{TITLE} | The Karst Post</title>{head}</head><body>
    <nav><ul><li><a href="/">Home</a></li><li><a href="/sport">Sport</a></li></ul></nav>
    <article><h1>{TITLE}</h1>{before}{text}{after}</article>
    <aside><h3>Most read</h3><ul><li><a href="/f">Ferries collide outside Port Senn in fog</a></li></ul></aside>
    <footer>© 2024 The Karst Post</footer></body></html>"""


LINKED = {
    "@context": "https://schema.org",
    "@graph": [
        {"@type": "WebSite", "name": "The Karst Post"},
        {
            "@type": ["NewsArticle"],
            "headline": TITLE,
            "datePublished": "2024-03-12T08:15:00+01:00",
            "articleSection": ["Transport", "Council"],
            "author": [{"@type": "Person", "name": "Mara Lind"}, {"@type": "Person", "name": "Jo Ash"}],
            "publisher": {"@type": "Organization", "name": "The Karst Post"},
            "url": "https://karst.example/tram",
        },
    ],
}


def test_a_page_with_linked_data(tmp_path: Path) -> None:
    found = article(tmp_path, "a.html", page(f'<script type="application/ld+json">{json.dumps(LINKED)}</script>'))
    assert found.title == TITLE
    assert found.text == BODY
    assert found.section == "Transport"
    assert found.author == "Mara Lind, Jo Ash"
    assert found.source == "The Karst Post"
    assert found.url == "https://karst.example/tram"
    assert found.date == datetime(2024, 3, 12, 8, 15, tzinfo=timezone(timedelta(hours=1)))


def test_a_page_with_meta_tags(tmp_path: Path) -> None:
    head = f"""<meta property="og:title" content="{TITLE} | The Karst Post"><meta name="author" content="By Mara Lind">
    <meta property="article:published_time" content="2024-03-12T08:15:00Z">
    <meta property="article:section" content="Transport">
    <meta property="article:author" content="https://social.example/mara">
    <link rel="canonical" href="https://karst.example/tram">"""
    found = article(tmp_path, "a.html", page(head))
    assert (found.title, found.author, found.section) == (TITLE, "Mara Lind", "Transport")
    assert (found.source, found.url) == ("The Karst Post", "https://karst.example/tram")
    assert found.date == datetime(2024, 3, 12, 8, 15, tzinfo=UTC)


def test_a_page_with_nothing_but_its_looks(tmp_path: Path) -> None:
    before = """<div class="breadcrumbs"><a href="/">Home</a> » <a href="/t">Transport</a></div>
    <p class="byline">By <a rel="author" href="/m">Mara Lind</a></p>
    <time datetime="2024-03-12T08:15:00+00:00">12 March</time>"""
    found = article(tmp_path, "a.htm", page(before=before))
    assert (found.title, found.section, found.source) == (TITLE, "Transport", "The Karst Post")
    assert found.date == datetime(2024, 3, 12, 8, 15, tzinfo=UTC)
    assert PARAGRAPHS[0] in found.text


def test_what_markup_makes_a_part_of_the_article_stays_though_it_reads_like_furniture(tmp_path: Path) -> None:
    more = "Traders on the fairground said on Wednesday that nobody had asked them before the plans were drawn."
    found = article(tmp_path, "a.html", page(after=f"<h2>Comments</h2><p>{more}</p>"))
    assert found.text == f"{BODY}\n\nComments\n\n{more}"


def test_broken_linked_data_is_no_obstacle(tmp_path: Path) -> None:
    found = article(tmp_path, "a.html", page('<script type="application/ld+json">{"@type": "NewsArticle", </script>'))
    assert found.text == BODY


def test_the_declared_encoding_is_honoured(tmp_path: Path) -> None:
    content = page('<meta charset="windows-1250">').replace("Tuesday", "Tuesday in Łódź").encode("cp1250")
    assert "Łódź" in article(tmp_path, "a.html", content).text


@pytest.mark.parametrize(
    "content",
    [
        "<html><head><meta http-equiv='refresh' content='0; url=/x'></head><body></body></html>",
        "<html><body><a href='/a'>One</a> <a href='/b'>Two</a></body></html>",
        "<" * 5000,
        "<div>" * 20_000,
        "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><html>&b;</html>",
    ],
)
def test_pages_without_an_article(tmp_path: Path, content: str) -> None:
    assert isinstance(read(tmp_path, "a.html", content), Skipped)


def test_scripts_do_not_reach_any_field(tmp_path: Path) -> None:
    head = '<meta name="author" content="Mara &lt;script&gt;alert(1)&lt;/script&gt;">'
    found = article(tmp_path, "a.html", page(head, before="<script>alert(1)</script>"))
    assert "alert" not in found.text
    assert "<script" not in f"{found.title}{found.author}{found.section}"


def test_markdown_with_front_matter(tmp_path: Path) -> None:
    found = article(
        tmp_path,
        "a.md",
        f"---\ntitle: {TITLE}\ndate: 2024-03-12\ncategory: Transport\nauthor: [Mara Lind, Jo Ash]\nslug: 7\n---\n"
        f"# {TITLE}\n\n{PARAGRAPHS[0]}\n\n## Next\n\n* {PARAGRAPHS[1]}\n\n**Bold** [link](http://x.example) `code`"
        " ![a tram](tram.jpg)\n",
    )
    assert found.title == TITLE
    assert found.text == f"{PARAGRAPHS[0]}\n\nNext\n\n{PARAGRAPHS[1]}\n\nBold link code"
    assert (found.section, found.author) == ("Transport", "Mara Lind, Jo Ash")
    assert found.date == datetime(2024, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "byline",
    [
        "By **Mara Lind** | The Karst Post | 2024-03-12 | Transport",
        "*By Mara Lind, The Karst Post, Transport, 12 March 2024*",
    ],
)
def test_markdown_with_a_heading_and_a_byline(tmp_path: Path, byline: str) -> None:
    found = article(tmp_path, "a.markdown", f"# {TITLE}\n\n{byline}\n\n{BODY}\n")
    assert (found.title, found.text) == (TITLE, BODY)
    assert (found.author, found.source, found.section) == ("Mara Lind", "The Karst Post", "Transport")
    assert found.date == datetime(2024, 3, 12, tzinfo=UTC)


def test_front_matter_that_is_no_sound_yaml(tmp_path: Path) -> None:
    found = article(tmp_path, "a.md", f"---\ntitle: Tram: the night of debate\ndate: 2024-03-12\n---\n\n{BODY}\n")
    assert found.title == "Tram: the night of debate"
    assert found.date == datetime(2024, 3, 12, tzinfo=UTC)
    assert found.text == BODY


def test_a_yaml_bomb_is_only_a_bad_title(tmp_path: Path) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9))
    found = article(tmp_path, "a.md", f"---\nl0: &l0 [x, x]\n{levels}title: Karst gets a tram\n---\n\n{BODY}\n")
    assert found.title == "Karst gets a tram"


def test_plain_text_without_a_title_takes_it_from_the_file_name(tmp_path: Path) -> None:
    found = article(tmp_path, "karst-gets-a-tram.txt", BODY)
    assert (found.title, found.text) == ("Karst gets tram", BODY)
    assert article(tmp_path, "a17.txt", BODY).title == ""
