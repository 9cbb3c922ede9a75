"""Exact BM25 over stored frequencies, and matching of words: all of the lexical index but exact phrases."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue import Catalogue, Mask, Rows
from indexer.errors import IndexDamaged
from indexer.lexical.frequencies import Frequencies, FrequencyWriter, move_segments
from indexer.lexical.protocol import Atom, Bm25, LexicalScores, LexicalUpdate, bm25_idf
from indexer.text.analysis import Words, analyse, index_words, phrase_variants, surfaces

__all__ = [
    "VOCABULARY",
    "Bm25Index",
    "Bm25Model",
    "Bm25Scores",
    "best_rows",
    "join_shared",
    "query_terms",
    "update_shared",
]

VOCABULARY = "vocabulary.json"


class Bm25Index(ABC):
    """A LexicalIndex but for what its engine does; read-only and safe to share between threads."""

    def __init__(self, folder: Path, catalogue: Catalogue, bm25: Bm25 | None = None) -> None:
        self._folder = folder
        self._catalogue = catalogue
        self._vocabulary: dict[str, int] | None = None
        try:
            frequencies = Frequencies(folder, catalogue)
            self._open()
        except Exception as error:
            raise IndexDamaged(
                f"The lexical index in '{folder}' cannot be read ({type(error).__name__}: {error}): "
                "run 'concord rebuild' to make it new."
            ) from error
        self._model = Bm25Model(frequencies, bm25 or Bm25())

    @abstractmethod
    def _open(self) -> None:
        """Open the engine's files. May raise anything."""

    @abstractmethod
    def _rows_with_phrase(self, field: str, words: list[str]) -> Rows:
        """The articles in whose `field` two or more terms follow one another."""

    def score(self, atoms: Sequence[Atom]) -> LexicalScores:
        """See LexicalIndex."""
        return Bm25Scores(self._model, query_terms(atoms))

    def held_words(self, atoms: Sequence[Atom], rows: Rows) -> list[tuple[str, ...]]:
        """See LexicalIndex."""
        held: list[dict[str, None]] = [{} for _ in rows]
        keep = not any(analyse(atom.text) for atom in atoms)
        for atom in atoms:
            for token in analyse(atom.text, keep_stop_words=keep):
                for position in np.flatnonzero(self._model.frequency(token.term, atom.field or "", rows)):
                    held[position][atom.text[token.start : token.end]] = None
        return [tuple(words) for words in held]

    def match(self, atom: Atom) -> Mask:
        """See LexicalIndex."""
        mask = np.zeros(len(self._catalogue), np.bool_)
        for field in (atom.field,) if atom.field else ("title", "text"):
            for variant in phrase_variants(atom.text, self._model.frequencies.knows):
                words = [term for term, _ in variant]
                if len(words) > 1:
                    mask[self._rows_with_phrase(field, words)] = True
                else:
                    found = self._model.frequencies.postings(words[0])
                    mask[found.rows[(found.in_title if field == "title" else found.in_text) > 0]] = True
        return mask

    def idf(self, term: str) -> float:
        """See LexicalIndex."""
        return bm25_idf(len(self._catalogue), self.frequency(term))

    def frequency(self, term: str) -> int:
        """See LexicalIndex."""
        return self._model.frequencies.count(term)

    def vocabulary(self) -> Mapping[str, int]:
        """See LexicalIndex."""
        if self._vocabulary is None:
            path = self._folder / VOCABULARY
            try:
                self._vocabulary = json.loads(path.read_text("utf-8"))
            except ValueError as error:
                raise IndexDamaged(
                    f"The word list '{path}' cannot be read ({error}): run 'concord rebuild' to make it new."
                ) from error
        return self._vocabulary


class Bm25Model:
    """The formula over the articles of a generation."""

    def __init__(self, frequencies: Frequencies, parameters: Bm25) -> None:
        self.frequencies = frequencies
        self.parameters = parameters
        lengths = frequencies.text_lengths + parameters.title_weight * frequencies.title_lengths
        self.count = len(lengths)
        self.mean_length = float(lengths.mean()) if len(lengths) else 1.0
        k1, b = parameters.k1, parameters.b
        self._norm = (k1 * (1 - b + b * lengths / max(self.mean_length, 1.0))).astype(np.float32)

    def postings(self, term: str, field: str) -> tuple[Rows, NDArray[np.float32]]:
        """The articles that hold a term in `field` ('' for the whole article), and its weighted frequency there."""
        found = self.frequencies.postings(term)
        if field == "title":
            held = found.in_title > 0
            return found.rows[held], found.in_title[held]
        return found.rows, found.in_text + self.parameters.title_weight * found.in_title

    def frequency(self, term: str, field: str, rows: Rows) -> NDArray[np.float32]:
        """The weighted frequency of a term in `field` of the articles at `rows`."""
        in_text, in_title = self.frequencies.at(term, rows)
        return in_title if field == "title" else in_text + self.parameters.title_weight * in_title

    def holders(self, term: str, field: str) -> int:
        """The number of articles that hold a term in `field`."""
        return len(self.postings(term, field)[0]) if field else self.frequencies.count(term)

    def part(self, idf: float, frequency: NDArray[np.float32], rows: Rows) -> NDArray[np.float32]:
        """What one term gives to the scores of the articles at `rows`."""
        return (np.float32(idf * (self.parameters.k1 + 1)) * frequency) / (frequency + self._norm[rows])


class Bm25Scores:
    """LexicalScores over all articles, computed when first asked for."""

    def __init__(self, model: Bm25Model, terms: Mapping[tuple[str, str], int]) -> None:
        self._model = model
        self._terms = {
            (term, field): weight * bm25_idf(model.count, model.holders(term, field))
            for (term, field), weight in terms.items()
        }
        self._mass = sum(self._terms.values())
        self._every: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    @property
    def bound(self) -> float:
        """See LexicalScores."""
        return self._mass * (self._model.parameters.k1 + 1)

    def best(self, count: int, allowed: Mask | None = None) -> Rows:
        """See LexicalScores."""
        scores = self._all()[0]
        rows = np.flatnonzero(scores > 0 if allowed is None else allowed & (scores > 0))
        return best_rows(rows, scores[rows], count)

    def bm25(self, rows: Rows) -> NDArray[np.float32]:
        """See LexicalScores."""
        return self._all()[0][rows]

    def coverage(self, rows: Rows) -> NDArray[np.float32]:
        """See LexicalScores."""
        return self._all()[1][rows]

    def most_covered(self, count: int) -> Rows:
        """See LexicalScores."""
        coverage = self._all()[1]
        return best_rows(np.arange(len(coverage)), coverage, count)

    def _all(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """BM25 and coverage of every article."""
        if self._every is None:
            bm25 = np.zeros(self._model.count, np.float32)
            coverage = np.zeros(self._model.count, np.float32)
            for (term, field), idf in self._terms.items():
                rows, frequency = self._model.postings(term, field)
                bm25[rows] += self._model.part(idf, frequency, rows)
                coverage[rows] += np.float32(idf)
            if self._mass:
                coverage /= np.float32(self._mass)
            self._every = bm25, coverage
        return self._every


def best_rows(rows: Rows, scores: NDArray[np.float32], count: int) -> Rows:
    """The `count` of `rows` with the greatest scores (n,), best first, equals by row."""
    if len(rows) > count:
        least = np.partition(scores, len(rows) - count)[len(rows) - count]
        above = np.flatnonzero(scores > least)
        equal = np.flatnonzero(scores == least)
        kept = np.concatenate([above, equal[np.argsort(rows[equal])][: count - len(above)]])
        rows, scores = rows[kept], scores[kept]
    return rows[np.lexsort((rows, -scores))]


def query_terms(atoms: Sequence[Atom]) -> Counter[tuple[str, str]]:
    """(term, field) of a query and how often each is asked for; stop words only where there is nothing else."""
    terms: Counter[tuple[str, str]] = Counter()
    for keep in (False, True):
        for atom in atoms:
            terms.update((token.term, atom.field or "") for token in analyse(atom.text, keep_stop_words=keep))
        if terms:
            break
    return terms


def update_shared(update: LexicalUpdate) -> Iterator[tuple[int, Words, Words]]:
    """Write what every engine's index has; yields (store row, words of title, of text) of what is added.

    All of it is there when the iteration has come to its end.
    """
    vocabulary: Counter[str] = Counter()
    if update.previous is not None:
        vocabulary.update(json.loads((update.previous / VOCABULARY).read_text("utf-8")))
    for _, article in update.removed:
        vocabulary.subtract(surfaces(article.title) | surfaces(article.text))
    writer = FrequencyWriter(update.folder, update.name)
    for doc, article in update.added:
        title, text = index_words(article.title), index_words(article.text)
        writer.add(doc, title, text)
        vocabulary.update(title.surfaces | text.surfaces)
        yield doc, title, text
    writer.finish(update.previous, update.catalogue)
    _save_vocabulary(update.folder, vocabulary)


def join_shared(folder: Path, parts: Iterable[Path]) -> None:
    """Move what `update_shared` wrote into `parts`, indexes of other articles, to the index in `folder`."""
    vocabulary: Counter[str] = Counter(json.loads((folder / VOCABULARY).read_text("utf-8")))
    for part in parts:
        vocabulary.update(json.loads((part / VOCABULARY).read_text("utf-8")))
        move_segments(part, folder)
    _save_vocabulary(folder, vocabulary)


def _save_vocabulary(folder: Path, vocabulary: Counter[str]) -> None:
    words = {word: count for word, count in vocabulary.items() if count > 0}
    (folder / VOCABULARY).write_text(json.dumps(words, ensure_ascii=False), "utf-8")
