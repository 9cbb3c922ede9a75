"""`concord search`, `concord related` and `concord show`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from search_app.cli.options import index_dir_option, json_option, search_options
from search_app.cli.terminal import console, inline, marked, print_text, when
from search_app.engine import SearchEngine
from search_app.options import NO_RERANKER, SearchOptions
from search_app.results import Hit, LegScore, Results
from search_app.serialise import article_to_json, dumps, related_to_json

__all__ = ["related", "search", "show"]


@click.command()
@click.argument("query", nargs=-1, required=True)
@index_dir_option
@search_options
@json_option
def search(
    query: tuple[str, ...],
    index_dir: Path,
    as_json: bool,
    **given: Any,
) -> None:
    """Search the index for QUERY.

    \b
    prisoner exchange        plain words, found by words and by meaning
    "joint statement"        exact phrase, must be in the article
    +must -mustnot           word that must, or must not, be in it
    title:word section:World source:... author:... after:2023-12 before:2024
    "phrase one" OR "phrase two"

    Put -- before a query that holds -words: concord search -k 5 -- prisoner -election
    """
    options = SearchOptions(**given)
    ahead = options.mode != "lexical" or options.rerank != NO_RERANKER
    results = SearchEngine.open(index_dir, ahead=ahead).answer(" ".join(query), options)
    if as_json:
        click.echo(dumps(results.to_dict(), indent=2))
    else:
        _print_results(console(), results, options.explain)


@click.command()
@click.argument("article_id")
@index_dir_option
@click.option("-k", default=5, show_default=True, help="Number of articles, 1 to 100.")
@json_option
def related(article_id: str, index_dir: Path, k: int, as_json: bool) -> None:
    """Show the articles most like the one with ARTICLE_ID."""
    hits = SearchEngine.open(index_dir).related(article_id, k)
    if as_json:
        click.echo(dumps(related_to_json(article_id, hits), indent=2))
        return
    _print_hits(console(), hits, explain=False)


@click.command()
@click.argument("article_id")
@index_dir_option
@json_option
def show(article_id: str, index_dir: Path, as_json: bool) -> None:
    """Show the article with ARTICLE_ID."""
    article = SearchEngine.open(index_dir).article(article_id)
    if as_json:
        click.echo(dumps(article_to_json(article), indent=2))
        return
    out = console()
    out.print(inline(article.title), style="bold")
    known = [when(article.date), article.section, article.source, article.author, article.url]
    out.print(" · ".join(inline(part) for part in known if part), style="dim")
    out.print()
    print_text(out, article.text)


def _print_results(out: Console, results: Results, explain: bool) -> None:
    for note in results.interpretation.notes:
        out.print(inline(note), style="italic")
    if not results.hits:
        out.print("Nothing found." if results.total == 0 else f"No page {results.page}: there are {results.pages}.")
    _print_hits(out, results.hits, explain)
    for suggestion in results.suggestions:
        lead = "Did you mean: " if suggestion.kind == "spelling" else ""
        out.print(lead + inline(suggestion.text), style="italic")
    if results.hits:
        first = (results.page - 1) * results.k + 1
        last = first + len(results.hits) - 1
        folded = f", {results.folded:,} more {'is' if results.folded == 1 else 'are'} similar" if results.folded else ""
        out.print(f"{first}-{last} of {results.total:,} articles{folded}, {results.took_ms:.0f} ms", style="dim")


def _print_hits(out: Console, hits: Sequence[Hit], explain: bool) -> None:
    for hit in hits:
        title = marked(hit.article.title, hit.title_highlights)
        title.stylize("bold")
        _print_indented(out, title, f"{hit.rank:>2}. ")
        known = [when(hit.article.date), hit.article.section, hit.article.source, hit.article.author]
        out.print(Text("    " + " · ".join(inline(part) for part in known if part), style="dim"))
        if hit.snippet.text:
            _print_indented(out, marked(hit.snippet.text, hit.snippet.highlights))
        _print_indented(out, Text(f"score {hit.score:.2f}: {inline(hit.why)}", style="green"))
        if explain:
            out.print(Text(f"    words:   {_leg(hit.lexical, 'BM25')}", style="dim"))
            out.print(Text(f"    meaning: {_leg(hit.dense, 'cosine')}", style="dim"))
            if hit.rerank:
                out.print(Text(f"    rerank:  rank {hit.rerank.rank}, {hit.rerank.score:.3f}", style="dim"))
        out.print(Text(f"    id {inline(hit.article.id)}", style="dim"))
        if hit.similar.count:
            out.print(Text(f"    and {hit.similar.count:,} similar:"))
        for other in hit.similar.articles:
            told = [other.title, when(other.date), other.source, f"id {other.id}"]
            _print_indented(out, Text(" · ".join(inline(part) for part in told if part), style="dim"), " " * 6)
        if hit.similar.count > len(hit.similar.articles):
            out.print(Text(f"      … and {hit.similar.count - len(hit.similar.articles):,} more", style="dim"))
        out.print()


def _print_indented(out: Console, text: Text, first: str = "    ") -> None:
    for line in text.wrap(out, max(out.width - len(first), 20)):
        out.print(Text(first).append_text(line))
        first = " " * len(first)


def _leg(leg: LegScore | None, unit: str) -> str:
    if leg is None:
        return "not asked"
    place = f"rank {leg.rank}" if leg.rank else "not among its best"
    return f"{place}, {unit} {leg.score:.3f}, {leg.share:.0%} of the score"
