"""A ranking, weighed by what its first articles say of the thing that the query denies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from indexer.text.sentences import sentences
from search_app.denial.query import Denial, without_denied
from search_app.denial.stances import Encode, Verdict, adjusted, verdicts
from search_app.query.parsed import ParsedQuery
from search_app.ranking.candidates import Ranking
from search_app.snapshot.passages import mean_vector, nearest_passages
from search_app.snapshot.snapshot import ReadView, Snapshot

__all__ = ["DENSE_WEIGHT", "DEPTH", "Evidence", "affirmed_query", "query_texts", "topic_vector", "weigh"]

DENSE_WEIGHT = 0.9
"""Weight of the dense leg for a denying query: who states an absence rarely uses the words of who denies a presence."""
DEPTH = 20
"""Articles, from the first on, that are read."""
_FEEDBACK = (1.0, 0.5)
"""Weights of the first articles of the plain ranking in the topic of a denying query."""
_PASSAGES = 3
"""Passages of an article that are read: those nearest to the query."""
_LONGEST_TITLE = 300
"""Characters of a title that are read: what is longer is no title."""
_QUOTED = 140
"""Characters of a sentence that the reason for a rank quotes."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a denying query moved an article: a verdict and the sentence behind it.

    `start` and `end` are offsets into the article's text, both -1 when the title decided; `text` is the sentence.
    """

    verdict: Verdict
    text: str
    start: int
    end: int

    def line(self) -> str:
        """The verdict for people: 'says: "with no outside mediator at the table"'."""
        quoted = " ".join(self.text.split())
        if len(quoted) > _QUOTED:
            quoted = f"{quoted[:_QUOTED].rsplit(' ', 1)[0]} …"
        return f'{"says" if self.verdict.stance == "absent" else "but says"}: "{quoted}"'

    def explanation(self) -> dict[str, object]:
        """The verdict as JSON values."""
        verdict = self.verdict
        return {
            "stance": verdict.stance,
            "cue": verdict.cue,
            "strength": round(verdict.strength, 3),
            "sentence": self.text,
        }


def affirmed_query(parsed: ParsedQuery, denied: Denial) -> ParsedQuery:
    """The query that BM25 should answer: without the denied words, which it would reward."""
    return replace(parsed, scoring=without_denied(parsed.scoring, denied))


def query_texts(parsed: ParsedQuery, denied: Denial | None) -> list[str]:
    """The texts whose vectors the dense ranking answers: with a denial, the whole query and its affirmed part."""
    return [parsed.semantic, denied.affirmed] if denied else [parsed.semantic]


def topic_vector(vectors: NDArray[np.float32], first: Ranking, snapshot: Snapshot) -> NDArray[np.float32]:
    """What a denying query is about, a unit vector (d,): its texts' `vectors` (2, d) and the first articles of the
    plain ranking.

    Those may well state the opposite, but they tell of the same kind of event, in the words of news (dense feedback
    after Rocchio 1971). The query alone shares too little with articles that paraphrase it.
    """
    known = [mean_vector(snapshot.vectors.article_vectors(int(row))) for row in first.rows[: len(_FEEDBACK)]]
    articles = mean_vector(np.stack([weight * vector for weight, vector in zip(_FEEDBACK, known, strict=False)]))
    return mean_vector(np.concatenate([vectors, [articles] * len(vectors)]))


def weigh(
    ranking: Ranking,
    denied: Denial,
    vector: NDArray[np.float32],
    view: ReadView,
    encode: Encode,
) -> tuple[Ranking, dict[int, Evidence]]:
    """The ranking, best first, with its scores moved by the verdicts, and the evidence by catalogue row.

    `vector` is the query's: the passages nearest to it are those that may speak of the denied thing.
    Raises RowGone when the store has dropped one of the articles.
    """
    rows = ranking.rows[:DEPTH]
    docs = view.snapshot.catalogue.docs[rows].tolist()
    articles = view.store.articles_by_row(docs)
    nearest = nearest_passages(rows, vector, view)
    read: list[list[tuple[int, int]]] = []
    for doc in docs:
        text = articles[doc].text
        found_in = {
            (start + a, start + b) for start, end in nearest[doc][:_PASSAGES] for a, b in sentences(text[start:end])
        }
        read.append(sorted(found_in))
    found = verdicts(
        [
            [articles[doc].title[:_LONGEST_TITLE], *(articles[doc].text[a:b] for a, b in spans)]
            for doc, spans in zip(docs, read, strict=True)
        ],
        denied,
        encode,
    )
    scores = ranking.scores.copy()
    scores[: len(rows)] = adjusted(scores[: len(rows)], found)
    evidence = {}
    for row, doc, spans, verdict in zip(rows.tolist(), docs, read, found, strict=True):
        if verdict.sentence == 0:
            evidence[row] = Evidence(verdict, articles[doc].title[:_LONGEST_TITLE], -1, -1)
        elif verdict.sentence > 0:
            start, end = spans[verdict.sentence - 1]
            evidence[row] = Evidence(verdict, articles[doc].text[start:end], start, end)
    return replace(ranking, scores=scores), evidence
