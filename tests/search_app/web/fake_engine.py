"""An engine with the signatures and errors of SearchEngine over the small archive, without an index or a model."""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from indexer.article import Article
from indexer.errors import IndexNotFound, NotFound, UsageError
from search_app.options import SearchOptions
from search_app.results import ArticleInfo, Hit, Interpretation, LegScore, Results, Snippet, Suggestion

__all__ = ["FakeEngine", "FakeStatus"]

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class FakeStatus:
    generation: int
    created_at: str
    articles: int
    passages: int
    oldest: str | None
    newest: str | None
    sections: tuple[tuple[str, int], ...]
    encoder: str = "/srv/models/mine"
    stale: str | None = None


@dataclass(frozen=True, slots=True)
class _Query:
    words: tuple[str, ...]
    phrases: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Scored:
    article: Article
    lexical: float
    dense: float
    passage: tuple[int, int]


class FakeEngine:
    def __init__(self, articles: Sequence[Article]) -> None:
        self._articles = {article.id: article for article in articles}

    @property
    def stale(self) -> str | None:
        return None

    @classmethod
    def open(cls, index_dir: str | Path = "index_data") -> FakeEngine:
        raise IndexNotFound(f"There is no index in {index_dir}: make one with `concord index SOURCE`.")

    def answer(self, query: str, options: SearchOptions) -> Results:
        mode, k, page, explain = options.mode, options.k, options.page, options.explain
        since, until = options.since, options.until
        if len(query) > 2000:
            raise UsageError(f"The query has {len(query)} characters; at most 2000 are read. Shorten it.")
        low, high = _day(since, "since"), _day(until, "until")
        if low and high and high < low:
            raise UsageError(f"until ({until}) is before since ({since}); swap them.")
        wanted = {name: _many(getattr(options, name)) for name in ("section", "source", "author")}
        parsed = _parse(query)
        found = self._score(parsed, mode) if parsed.words or parsed.phrases else self._newest()
        if not (parsed.words or parsed.phrases or low or high or any(wanted.values())):
            found = []
        kept = [
            one
            for one in found
            if all(not values or _field(one.article, name) in values for name, values in wanted.items())
            and (low is None or (one.article.date is not None and one.article.date >= low))
            and (high is None or (one.article.date is not None and one.article.date < high + timedelta(days=1)))
        ]
        legs = _ranks(kept)
        in_force = {name: values for name, values in wanted.items() if values}
        facets = {
            name: tuple(Counter(value for one in kept if (value := getattr(one.article, name))).most_common())
            for name in ("section", "source")
        }
        hits = tuple(
            _hit(rank, one, parsed, mode, legs, explain)
            for rank, one in enumerate(kept, 1)
            if (page - 1) * k < rank <= page * k
        )
        return Results(
            query=query,
            mode=mode,
            hits=hits,
            total=len(kept),
            page=page,
            k=k,
            interpretation=Interpretation(parsed.words, parsed.phrases, filters=in_force, notes=parsed.notes),
            suggestions=() if kept else self._suggest(query, parsed, found, tuple(in_force)),
            facets=facets,
            generation=1,
            took_ms=1.5,
        )

    def related(self, article_id: str, k: int = 5) -> tuple[Hit, ...]:
        article = self.article(article_id)
        parsed = _Query(tuple(word.casefold() for word in _WORD.findall(article.title)), (), ())
        near = [one for one in self._score(parsed, "hybrid") if one.article.id != article_id][:k]
        return tuple(_hit(rank, one, parsed, "hybrid", _ranks(near), False) for rank, one in enumerate(near, 1))

    def article(self, article_id: str) -> Article:
        try:
            return self._articles[article_id]
        except KeyError:
            raise NotFound(f"No article has the id '{article_id}'.") from None

    def status(self) -> FakeStatus:
        dates = [article.date for article in self._articles.values() if article.date]
        sections = Counter(article.section for article in self._articles.values() if article.section)
        return FakeStatus(
            generation=1,
            created_at="2024-09-01T06:00:00+00:00",
            articles=len(self._articles),
            passages=2 * len(self._articles),
            oldest=min(dates).date().isoformat(),
            newest=max(dates).date().isoformat(),
            sections=tuple(sections.most_common()),
        )

    def warm_up(self) -> None:
        pass

    def _score(self, parsed: _Query, mode: str) -> list[_Scored]:
        found = []
        for article in self._articles.values():
            whole = f"{article.title}\n\n{article.text}".casefold()
            if not all(phrase in whole for phrase in parsed.phrases):
                continue
            words = Counter(_WORD.findall(whole))
            asked = (*parsed.words, *(word for phrase in parsed.phrases for word in phrase.split()))
            lexical = sum(math.log1p(words[word]) for word in asked)
            start, end, dense = _best_paragraph(article, asked)
            score = {"lexical": lexical, "semantic": dense}.get(mode, lexical + dense)
            if score > 0:
                found.append((score, _Scored(article, lexical, dense, (start, end))))
        return [one for _, one in sorted(found, key=lambda pair: (-pair[0], pair[1].article.id))]

    def _newest(self) -> list[_Scored]:
        dated = [article for article in self._articles.values() if article.date]
        newest = sorted(dated, key=lambda one: one.date or datetime.min, reverse=True)
        return [_Scored(article, 0.0, 0.0, (0, len(article.text))) for article in newest]

    def _suggest(
        self, query: str, parsed: _Query, found: list[_Scored], filters: tuple[str, ...]
    ) -> tuple[Suggestion, ...]:
        if found and filters:
            names = " and ".join(filters)
            text = f"Without the filter on {names}: {len(found)} articles"
            return (Suggestion("filter", text, query, len(found), filters),)
        vocabulary = {word for article in self._articles.values() for word in _WORD.findall(article.text.casefold())}
        better = " ".join((difflib.get_close_matches(word, vocabulary, 1) or [word])[0] for word in parsed.words)
        if better == " ".join(parsed.words):
            return ()
        return (Suggestion("spelling", f"Did you mean {better}?", better),)


def _parse(query: str) -> _Query:
    phrases = tuple(phrase.casefold() for phrase in re.findall(r'"([^"]+)"', query))
    rest = re.sub(r'"[^"]+"', " ", query)
    notes = ("A quotation mark without its partner was read as a space.",) if '"' in rest else ()
    return _Query(tuple(word.casefold() for word in _WORD.findall(rest)), phrases, notes)


def _best_paragraph(article: Article, words: Sequence[str]) -> tuple[int, int, float]:
    best = (0, len(article.text), 0.0)
    for found in re.finditer(r"[^\n]+", article.text):
        stems = [word[:8] for word in _WORD.findall(found[0].casefold())]
        alike = sum(word[:8] in stems for word in words) / max(1, len(words))
        if alike > best[2]:
            best = (found.start(), found.end(), alike)
    return best


def _ranks(found: Sequence[_Scored]) -> dict[str, dict[str, int]]:
    legs = {}
    for name in ("lexical", "dense"):
        order = sorted(found, key=lambda one: (-getattr(one, name), one.article.id))
        legs[name] = {one.article.id: rank for rank, one in enumerate(order, 1) if getattr(one, name) > 0}
    return legs


def _hit(rank: int, one: _Scored, parsed: _Query, mode: str, legs: dict[str, dict[str, int]], explain: bool) -> Hit:
    article = one.article
    both = one.lexical + one.dense
    lexical = dense = None
    if mode != "semantic" and one.lexical:
        share = 1.0 if mode == "lexical" else one.lexical / both
        lexical = LegScore(legs["lexical"].get(article.id), one.lexical, share)
    if mode != "lexical" and one.dense:
        dense = LegScore(legs["dense"].get(article.id), one.dense, 1.0 if mode == "semantic" else one.dense / both)
    start, end = one.passage
    words = (*parsed.words, *(word for phrase in parsed.phrases for word in phrase.split()))
    return Hit(
        rank=rank,
        score=min(1.0, both / (2 * max(1, len(words)))),
        article=ArticleInfo(
            article.id, article.title, article.url, article.source, article.section, article.author, article.date
        ),
        passage=one.passage,
        snippet=Snippet(article.text[start:end], start, end, _spans(article.text[start:end], words)),
        title_highlights=_spans(article.title, words),
        lexical=lexical,
        dense=dense,
        why=f"{'Both rankings agree' if lexical and dense else 'One ranking found it'}: number {rank} of all.",
        explanation={"lexical": one.lexical, "dense": one.dense} if explain else None,
    )


def _spans(text: str, words: Sequence[str]) -> tuple[tuple[int, int], ...]:
    return tuple(found.span() for found in _WORD.finditer(text) if found[0].casefold() in words)


def _field(article: Article, name: str) -> str:
    return (getattr(article, name) or "").casefold()


def _many(values: str | Sequence[str]) -> tuple[str, ...]:
    given = (values,) if isinstance(values, str) else tuple(values)
    return tuple(value.casefold() for value in given)


def _day(value: str | date | None, name: str) -> datetime | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else value.isoformat()
    padded = {4: f"{text}-01-01", 7: f"{text}-01"}.get(len(text), text)
    try:
        return datetime.fromisoformat(padded).replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"{name} is '{text}', which is no date; write 2023, 2023-12 or 2023-12-07.") from None
