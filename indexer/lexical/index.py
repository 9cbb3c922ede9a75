"""The lexical index as it is read: exact BM25 over stored frequencies, words, and exact phrases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from indexer.catalogue import Catalogue, Mask, Rows
from indexer.errors import IndexDamaged
from indexer.lexical.bm25 import Atom, Bm25, Bm25Model, Bm25Scores, bm25_idf, query_terms
from indexer.lexical.frequencies import Frequencies
from indexer.text.analysis import analyse, phrase_variants

__all__ = ["VOCABULARY", "LexicalIndex"]

VOCABULARY = "vocabulary.json"
"""The file of folded surface forms, with the number of articles each occurs in."""


class LexicalIndex:
    """BM25 over whole articles, and exact matching: of one generation, read-only and safe to share between threads."""

    def __init__(self, folder: Path, catalogue: Catalogue, bm25: Bm25 | None = None) -> None:
        """Raises IndexDamaged."""
        # Importing Whoosh takes time, which who only names this class need not wait for.
        from indexer.lexical.phrases import Phrases

        self._folder = folder
        self._catalogue = catalogue
        self._vocabulary: dict[str, int] | None = None
        try:
            frequencies = Frequencies(folder, catalogue)
            self._phrases = Phrases(folder, catalogue)
        except Exception as error:
            raise IndexDamaged(
                f"The lexical index in '{folder}' cannot be read ({type(error).__name__}: {error}): "
                "run 'concord rebuild' to make it new."
            ) from error
        self._model = Bm25Model(frequencies, bm25 or Bm25())

    def score(self, atoms: Sequence[Atom]) -> Bm25Scores:
        """BM25 of every article (Robertson and Zaragoza 2009, with Lucene's never negative idf).

        tf and length are those of the text plus TITLE_WEIGHT times those of the title.
        """
        return Bm25Scores(self._model, query_terms(atoms))

    def held_words(self, atoms: Sequence[Atom], rows: Rows) -> list[tuple[str, ...]]:
        """For each article at `rows`, the words of the query, as typed, that it holds in any form."""
        held: list[dict[str, None]] = [{} for _ in rows]
        keep = not any(analyse(atom.text) for atom in atoms)
        for atom in atoms:
            for token in analyse(atom.text, keep_stop_words=keep):
                for position in np.flatnonzero(self._model.frequency(token.term, atom.field or "", rows)):
                    held[position][atom.text[token.start : token.end]] = None
        return [tuple(words) for words in held]

    def match(self, atom: Atom) -> Mask:
        """The articles that hold a word (any of its forms) or an exact phrase."""
        mask = np.zeros(len(self._catalogue), np.bool_)
        for field in (atom.field,) if atom.field else ("title", "text"):
            for variant in phrase_variants(atom.text, self._model.frequencies.knows):
                words = [term for term, _ in variant]
                if len(words) > 1:
                    mask[self._phrases.rows(field, words)] = True
                else:
                    found = self._model.frequencies.postings(words[0])
                    mask[found.rows[(found.in_title if field == "title" else found.in_text) > 0]] = True
        return mask

    def idf(self, term: str) -> float:
        """The idf of an analysed term."""
        return bm25_idf(len(self._catalogue), self.frequency(term))

    def frequency(self, term: str) -> int:
        """The number of articles that hold an analysed term."""
        return self._model.frequencies.count(term)

    def vocabulary(self) -> Mapping[str, int]:
        """Folded surface forms of words, with the number of articles each occurs in."""
        if self._vocabulary is None:
            path = self._folder / VOCABULARY
            try:
                self._vocabulary = json.loads(path.read_text("utf-8"))
            except ValueError as error:
                raise IndexDamaged(
                    f"The word list '{path}' cannot be read ({error}): run 'concord rebuild' to make it new."
                ) from error
        return self._vocabulary
