"""The default lexical index: Whoosh keeps the postings, numpy scores them.

Whoosh's own scoring walks postings one by one in Python and knows lengths only to one byte; here a term's postings are
decoded into arrays once and BM25 is computed over them exactly, so scores agree with a reference implementation.
"""

from __future__ import annotations

import json
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from whoosh import index as whoosh_index
from whoosh import query as whoosh_query
from whoosh.filedb.filestore import FileStorage

from .analysis import analyse, index_tokens, phrase_variants, surfaces
from .article import Article
from .catalogue import Catalogue, Mask, Rows
from .errors import IndexDamaged
from .files import link_or_copy
from .lexical import Atom, Bm25, LexicalScores, bm25_idf
from .whoosh_postings import decode, schema

__all__ = ["WhooshIndex", "update_whoosh"]

_LENGTHS = "lengths.npy"
_VOCABULARY = "vocabulary.json"
_CACHED_POSTINGS = 20_000_000
"""Postings kept decoded, 12 bytes each."""
_WRITER_MEGABYTES = 256

Postings = tuple[NDArray[np.int64], NDArray[np.float32]]


class WhooshIndex:
    """The lexical index of one generation, read-only and safe to share between threads."""

    def __init__(self, folder: Path, catalogue: Catalogue, bm25: Bm25 | None = None) -> None:
        self._folder = folder
        self._catalogue = catalogue
        self._bm25 = bm25 = bm25 or Bm25()
        self._lock = threading.Lock()
        self._cache: OrderedDict[tuple[str, str], Postings] = OrderedDict()
        self._cached = 0
        self._vocabulary: dict[str, int] | None = None
        try:
            self._index = FileStorage(str(folder), readonly=True).open_index()
            self._searcher = self._index.searcher()
            lengths = np.load(folder / _LENGTHS, allow_pickle=False)
            self._rows = self._document_rows()
        except Exception as error:
            raise IndexDamaged(
                f"The lexical index in '{folder}' cannot be read ({type(error).__name__}: {error}): "
                "run 'concord rebuild' to make it new."
            ) from error
        order = np.searchsorted(lengths[0], catalogue.docs)
        if len(catalogue) and (
            order.max() >= lengths.shape[1] or not np.array_equal(lengths[0][order], catalogue.docs)
        ):
            raise IndexDamaged(
                f"The lexical index in '{folder}' lacks articles of its generation: "
                "run 'concord rebuild' to make it new."
            )
        self._title_lengths = lengths[1][order]
        self._lengths = (lengths[2][order] + bm25.title_weight * self._title_lengths).astype(np.float32)
        self._mean_length = float(self._lengths.mean()) if len(catalogue) else 1.0
        self._norm = bm25.k1 * (1 - bm25.b + bm25.b * self._lengths / max(self._mean_length, 1.0))

    def score(self, atoms: Sequence[Atom]) -> LexicalScores:
        """See LexicalIndex."""
        count = len(self._catalogue)
        bm25 = np.zeros(count, np.float32)
        coverage = np.zeros(count, np.float32)
        mass = 0.0
        for (term, field), weight in _query_terms(atoms).items():
            rows, frequencies = self._postings(term, field)
            idf = weight * bm25_idf(count, len(rows))
            mass += idf
            bm25[rows] += idf * frequencies * (self._bm25.k1 + 1) / (frequencies + self._norm[rows])
            coverage[rows] += idf
        if mass:
            coverage /= mass
        return LexicalScores(bm25, coverage, bound=mass * (self._bm25.k1 + 1))

    def held_words(self, atoms: Sequence[Atom], rows: Rows) -> list[tuple[str, ...]]:
        """See LexicalIndex."""
        held: list[dict[str, None]] = [{} for _ in rows]
        keep = not any(analyse(atom.text) for atom in atoms)
        for atom in atoms:
            for token in analyse(atom.text, keep_stop_words=keep):
                holders = self._postings(token.term, atom.field or "")[0]
                for position in np.flatnonzero(np.isin(rows, holders)):
                    held[position][atom.text[token.start : token.end]] = None
        return [tuple(words) for words in held]

    def match(self, atom: Atom) -> Mask:
        """See LexicalIndex."""
        mask = np.zeros(len(self._catalogue), np.bool_)
        for field in (atom.field,) if atom.field else ("title", "text"):
            for variant in phrase_variants(atom.text, partial(self._knows, field)):
                mask[self._rows_with(field, [term for term, _ in variant])] = True
        return mask

    def idf(self, term: str) -> float:
        """See LexicalIndex."""
        return bm25_idf(len(self._catalogue), self.frequency(term))

    def frequency(self, term: str) -> int:
        """See LexicalIndex."""
        return len(self._postings(term, "")[0])

    def vocabulary(self) -> Mapping[str, int]:
        """See LexicalIndex."""
        if self._vocabulary is None:
            path = self._folder / _VOCABULARY
            try:
                self._vocabulary = json.loads(path.read_text("utf-8"))
            except ValueError as error:
                raise IndexDamaged(
                    f"The word list '{path}' cannot be read ({error}): run 'concord rebuild' to make it new."
                ) from error
        return self._vocabulary

    def _document_rows(self) -> NDArray[np.int64]:
        """Catalogue rows of Whoosh's document numbers; -1 for documents that are not in this generation."""
        reader = self._searcher.reader()
        docs = [value for leaf, _ in reader.leaf_readers() for value in leaf.column_reader("doc")]
        rows = self._catalogue.rows_of(np.array(docs, np.int64))
        for leaf, offset in reader.leaf_readers():
            for number in leaf.deleted_docs() if hasattr(leaf, "deleted_docs") else ():
                rows[offset + number] = -1
        return rows

    def _postings(self, term: str, field: str) -> Postings:
        """Catalogue rows and weighted frequencies of a term in the whole article (field '') or the title."""
        key = (term, field)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
            # Whoosh readers share one file position, so only one thread may read at a time.
            title = self._decode("title", term)
            found = title if field == "title" else _merge(self._decode("text", term), title, self._bm25.title_weight)
            self._cache[key] = found
            self._cached += len(found[0])
            while self._cached > _CACHED_POSTINGS and len(self._cache) > 1:
                _, (rows, _) = self._cache.popitem(last=False)
                self._cached -= len(rows)
        return found

    def _decode(self, field: str, term: str) -> Postings:
        parts: list[Postings] = []
        encoded = term.encode("utf-8")
        for leaf, offset in self._searcher.reader().leaf_readers():
            if (field, encoded) in leaf:
                numbers, frequencies = decode(leaf.postings(field, encoded))
                rows = self._rows[numbers + offset]
                parts.append((rows[rows >= 0], frequencies[rows >= 0]))
        if not parts:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        rows = np.concatenate([part[0] for part in parts])
        frequencies = np.concatenate([part[1] for part in parts])
        order = np.argsort(rows, kind="stable")
        return rows[order], frequencies[order]

    def _knows(self, field: str, term: str) -> bool:
        with self._lock:
            return (field, term.encode("utf-8")) in self._searcher.reader()

    def _rows_with(self, field: str, words: list[str]) -> NDArray[np.int64]:
        """The articles in whose `field` the terms follow one another."""
        query = whoosh_query.Phrase(field, words) if len(words) > 1 else whoosh_query.Term(field, words[0])
        with self._lock:
            found = np.fromiter(self._searcher.docs_for_query(query), np.int64)
        rows = self._rows[found]
        return rows[rows >= 0]


def update_whoosh(
    folder: Path,
    previous: Path | None,
    *,
    added: Iterable[tuple[int, Article]],
    removed: Iterable[tuple[int, Article]],
) -> None:
    """Write into `folder` the lexical index that `previous` is, less `removed`, plus `added` (store row, article).

    Segments are never changed once written, so those that stay are hard links. With previous None, `added` must be
    everything.
    """
    vocabulary: Counter[str] = Counter()
    lengths: list[NDArray[np.int64]] = [np.empty((3, 0), np.int64)]
    if previous is not None:
        for file in previous.iterdir():
            if file.name not in (_LENGTHS, _VOCABULARY) and file.is_file() and "LOCK" not in file.name:
                link_or_copy(file, folder / file.name)
        vocabulary.update(json.loads((previous / _VOCABULARY).read_text("utf-8")))
        lengths.append(np.load(previous / _LENGTHS, allow_pickle=False))
        handle = whoosh_index.open_dir(str(folder))
    else:
        handle = whoosh_index.create_in(str(folder), schema())
    writer = handle.writer(limitmb=_WRITER_MEGABYTES)
    try:
        gone = []
        for doc, article in removed:
            writer.delete_by_term("doc", doc)
            vocabulary.subtract(_words(article))
            gone.append(doc)
        new: list[tuple[int, int, int]] = []
        for doc, article in added:
            writer.add_document(doc=doc, title=index_tokens(article.title), text=index_tokens(article.text))
            new.append((doc, len(analyse(article.title)), len(analyse(article.text))))
            vocabulary.update(_words(article))
        writer.commit()
    except BaseException:
        writer.cancel()
        raise
    finally:
        handle.close()
    lengths.append(np.array(new, np.int64).reshape(-1, 3).T)
    table = np.concatenate(lengths, axis=1)
    table = table[:, ~np.isin(table[0], gone)]
    np.save(folder / _LENGTHS, table[:, np.argsort(table[0])])
    words = {word: count for word, count in vocabulary.items() if count > 0}
    (folder / _VOCABULARY).write_text(json.dumps(words, ensure_ascii=False), "utf-8")


def _query_terms(atoms: Sequence[Atom]) -> Counter[tuple[str, str]]:
    """(term, field) of a query and how often each is asked for; stop words only where there is nothing else."""
    terms: Counter[tuple[str, str]] = Counter()
    for keep in (False, True):
        for atom in atoms:
            terms.update((token.term, atom.field or "") for token in analyse(atom.text, keep_stop_words=keep))
        if terms:
            break
    return terms


def _words(article: Article) -> set[str]:
    return surfaces(article.title) | surfaces(article.text)


def _merge(text: Postings, title: Postings, title_weight: float) -> Postings:
    """Frequencies in the text plus `title_weight` times those in the title."""
    if not len(title[0]):
        return text
    rows, inverse = np.unique(np.concatenate([text[0], title[0]]), return_inverse=True)
    frequencies = np.zeros(len(rows), np.float32)
    np.add.at(frequencies, inverse, np.concatenate([text[1], title_weight * title[1]]))
    return rows, frequencies
