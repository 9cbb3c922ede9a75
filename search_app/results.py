"""What a search answers: the same values, with the same fields, for the library, the command line and HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, overload

from search_app.json_values import to_json

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = [
    "ArticleInfo",
    "Hit",
    "Interpretation",
    "LegScore",
    "RerankScore",
    "Results",
    "Similar",
    "Snippet",
    "Suggestion",
]

_SHOWN = 60
"""Characters of a query or title in a `repr`."""


@dataclass(frozen=True, slots=True)
class ArticleInfo:
    """What a hit says of its article; `show` and the article page add the text."""

    id: str
    title: str
    url: str | None
    source: str | None
    section: str | None
    author: str | None
    date: datetime | None


@dataclass(frozen=True, slots=True)
class LegScore:
    """One ranking's view of an article.

    `rank` counts from 1 and is None when the article is not among the ranking's candidates but was scored all the same;
    `score` is the ranking's raw score (BM25, or the cosine of the best passage); `share` is the part of the final
    score that came from this ranking, 0 to 1.
    """

    rank: int | None
    score: float
    share: float


@dataclass(frozen=True, slots=True)
class RerankScore:
    """A reranker's view of an article: `rank` from 1 among those that it read, and its raw `score` (maxsim: mean cosine
    of the query's tokens; cross-encoder: logit)."""

    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Snippet:
    """Whole sentences of the winning passage.

    `text` is `article.text[start:end]`, with '…' before or after it where a sentence was too long and had to be cut;
    `highlights` are (start, end) offsets inside `text`, sorted, not overlapping.
    """

    text: str
    start: int
    end: int
    highlights: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Similar:
    """The near-duplicates of a hit that are folded into it: `count` of all that are in the answer, and the first ten of
    their `articles`, best first."""

    count: int = 0
    articles: tuple[ArticleInfo, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Hit:
    """One article in the answer. `lexical` or `dense` is None when that ranking did not score the article at all,
    `rerank` when no reranker read it.

    `similar` are the copies and updates of the article that it stands for.
    """

    rank: int
    score: float
    article: ArticleInfo
    passage: tuple[int, int]
    snippet: Snippet
    title_highlights: tuple[tuple[int, int], ...]
    lexical: LegScore | None
    dense: LegScore | None
    why: str
    explanation: dict[str, object] | None = None
    similar: Similar = Similar()
    rerank: RerankScore | None = None

    def __repr__(self) -> str:
        return f"<Hit {self.rank}, {self.score:.2f}: {_cut(self.article.title)!r}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return _html((self,))

    def to_dict(self) -> dict[str, Any]:
        """The hit as JSON values, as the command line and the HTTP API have it."""
        return to_json(self)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A way out of an empty answer: `kind` is 'spelling' or 'filter', `query` can be searched as it is.

    For 'filter', `remove` names the filters (as in Interpretation.filters) that exclude everything.
    """

    kind: str
    text: str
    query: str
    count: int | None = None
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Interpretation:
    """How the query was read."""

    words: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    must: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()
    filters: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Results:
    """The answer to one query; a sequence of the hits of the page asked for, so that it is true when there is one.

    `total` counts the hits of the whole answer and is the same on every page, `folded` the articles that are folded
    into them; `facets` maps 'section' and 'source' to (value, hits) pairs over the whole answer, most frequent first. A
    field that the search filters by is counted as without that filter: so its counts say what other values would give.
    """

    query: str
    mode: str
    hits: tuple[Hit, ...]
    total: int
    page: int
    k: int
    interpretation: Interpretation
    suggestions: tuple[Suggestion, ...] = ()
    facets: dict[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    generation: int = 0
    took_ms: float = 0.0
    folded: int = 0

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    @overload
    def __getitem__(self, place: int) -> Hit: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, place: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[place]

    def __repr__(self) -> str:
        page = f", page {self.page}" if self.page > 1 else ""
        return f"<Results for {_cut(self.query)!r}: {len(self)} of {self.total:,}, {self.mode}{page}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        page = f", page {self.page:,} of {self.pages:,}" if self.pages > 1 else ""
        counts = f"{len(self)} of {self.total:,}, {self.mode}{page}"
        notes = (*self.interpretation.notes, *(suggestion.text for suggestion in self.suggestions))
        return _html(self.hits, (self.query, counts, *notes))

    @property
    def pages(self) -> int:
        """How many pages of `k` hits the whole answer has."""
        return -(-self.total // self.k)

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON values, as the command line and the HTTP API have it."""
        return to_json(self)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _html(hits: Iterable[Hit], lines: Iterable[str] = ()) -> str:
    """Lines and a table of hits for a notebook; articles are strangers' and nothing in them becomes markup."""
    from markupsafe import Markup

    from search_app.markup import breakable, short, showable, table

    head = (Markup('<p dir="auto">{}</p>').format(breakable(short(line))) for line in lines if line)
    found = table(("", "score", "title", "source", "date", "snippet", "why"), map(_cells, hits))
    return showable(Markup("").join([*head, found]))


def _cells(hit: Hit) -> tuple[str | Markup, ...]:
    from markupsafe import Markup

    from search_app.markup import breakable, long_date, mark, original_link, short

    article = hit.article
    title = mark(short(article.title), hit.title_highlights) or Markup("Untitled")
    if link := original_link(article.url):
        title = Markup('<a href="{}" rel="noopener noreferrer" target="_blank">{}</a>').format(link, title)
    return (
        str(hit.rank),
        f"{hit.score:.2f}",
        title,
        breakable(short(article.source or "")),
        long_date(article.date) if article.date else "",
        mark(hit.snippet.text, hit.snippet.highlights),
        breakable(hit.why),
    )
