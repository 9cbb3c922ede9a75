"""A Whoosh index in a folder that may come from someone else: opened, read and written so that nothing in it runs.

Whoosh keeps segments and postings as pickles, and a pickle can name any function to be called. Concord opens indexes
through the classes here, whose unpickler knows the few names that such an index needs. Whoosh's modules stay as they
are, so another user of Whoosh in the same process sees nothing of it.
"""

from __future__ import annotations

import io
import pickle
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from whoosh.codec.whoosh3 import W3Codec, W3LeafMatcher, W3PerDocReader, W3Segment, W3TermsReader
from whoosh.filedb.filestore import FileStorage
from whoosh.filedb.structfile import StructFile
from whoosh.index import TOC, FileIndex, clean_files

__all__ = ["SafeCodec", "SafeIndex", "load", "loads"]

_NAME = "MAIN"
"""What Whoosh calls an index that is not named."""
_SEGMENT_ID = re.compile(r"[0-9a-z]{1,64}")


_AS_THEY_ARE = frozenset({("_codecs", "encode"), ("builtins", "int"), ("collections", "defaultdict")})
"""Bytes in postings, and a segment's lengths of fields."""
_STATED = frozenset({("whoosh.codec.whoosh3", "W3Codec"), ("whoosh.codec.whoosh3", "W3Segment")})
"""Objects of which only the values are read."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _AS_THEY_ARE:
            return super().find_class(module, name)
        if (module, name) in _STATED:
            # A class of its own each time: a pickle can change the attributes of one that it names.
            return type(name, (), {"__init__": lambda self, *_: None})
        raise pickle.UnpicklingError(f"an index may not name {module}.{name}")


def load(stream: IO[bytes]) -> Any:
    """Like pickle.load, for what is in segments and postings. Raises UnpicklingError where anything else is named."""
    return _Unpickler(stream).load()


def loads(data: bytes) -> Any:
    """Like pickle.loads, for what is in segments and postings. Raises UnpicklingError where anything else is named."""
    return _Unpickler(io.BytesIO(data)).load()


class SafeIndex(FileIndex):
    """The Whoosh index in a folder, with a schema that is given and never read from it.

    So names of classes in a schema as it was written do not matter.
    """

    def __init__(self, folder: Path, schema: Any, readonly: bool = False) -> None:
        """Raises anything where there is no sound index."""
        super().__init__(_Storage(str(folder), readonly=readonly), schema, _NAME)

    @classmethod
    def new(cls, folder: Path, schema: Any) -> SafeIndex:
        """Write an empty index into a folder, and open it."""
        TOC.create(_Storage(str(folder)), schema, _NAME)
        return cls(folder, schema)

    def safe_writer(self) -> Any:
        """A SegmentWriter that reads, where it looks for documents to be removed or merges segments, by `SafeCodec`."""
        # Files of their own are read in place; out of one file for all, Whoosh copies each into memory.
        return self.writer(compound=False, codec=SafeCodec())

    def take_segments(self, sources: Iterable[Path]) -> None:
        """Take over all segments of the indexes in other folders, which are none any more afterwards.

        Their names are random, and nothing in them counts from the beginning of an index.
        """
        found = self._read_toc()
        segments, generation = list(found.segments), found.generation + 1
        for source in sources:
            for segment in SafeIndex(source, self._schema)._read_toc().segments:
                segments.append(segment)
                for file in source.glob(f"{segment.segment_id()}.*"):
                    file.rename(Path(self.storage.folder) / file.name)
        TOC(self._schema, segments, generation).write(self.storage, _NAME)
        clean_files(self.storage, _NAME, generation, segments)

    def _read_toc(self) -> Any:
        found = TOC.read(self.storage, _NAME, schema=self._schema)
        found.segments = [_segment(stated) for stated in found.segments]
        return found


def _segment(stated: Any) -> W3Segment:
    """A segment with the plain values that a pickle states, and with nothing else of it."""
    segment_id, count, deleted = stated.segid, stated._doccount, stated._deleted
    if not _SEGMENT_ID.fullmatch(segment_id) or stated.compound:
        raise ValueError(f"'{segment_id[:80]}' is no segment of Concord's")
    if type(count) is not int or not {type(number) for number in deleted or ()} <= {int}:
        raise ValueError(f"segment {segment_id} does not number its articles")
    segment = W3Segment(SafeCodec(), _NAME, count, segment_id, set(deleted) if deleted else None)
    segment._fieldlengths = {}  # Concord's fields have none.
    return segment


class _Storage(FileStorage):
    def open_file(self, name: str, **options: Any) -> StructFile:
        return _File(Path(self._fpath(name)).open("rb"), name=name, **options)


class _File(StructFile):
    def read_pickle(self) -> Any:
        return load(self.file)


class SafeCodec(W3Codec):
    """Whoosh's format, read without its own unpickling."""

    def __reduce__(self) -> tuple[type, tuple[()]]:
        # What is written names no class of Concord's, which may move.
        return W3Codec, ()

    def terms_reader(self, storage: Any, segment: Any) -> W3TermsReader:
        """See W3Codec."""
        name = segment.make_filename(self.TERMS_EXT)
        postings = segment.open_file(storage, self.POSTS_EXT)
        return _TermsReader(self, storage.open_file(name), storage.file_length(name), postings)

    def postings_reader(self, dbfile: Any, terminfo: Any, format_: Any, term: Any = None, scorer: Any = None) -> Any:
        """See W3Codec."""
        return _Postings(dbfile, *terminfo.extent(), format_, term=term, scorer=scorer)

    def per_document_reader(self, storage: Any, segment: Any) -> W3PerDocReader:
        """See W3Codec."""
        return _PerDocReader(storage, segment)


class _TermsReader(W3TermsReader):
    def term_info(self, fieldname: str, tbytes: bytes) -> Any:
        found = self._tindex.get(self._keycoder(fieldname, tbytes))
        # Whoosh would unpickle them. Its writer never does it as Concord uses it.
        if found is not None and found[0]:
            raise ValueError(f"the postings of {tbytes!r} lie inside the list of terms")
        return super().term_info(fieldname, tbytes)

    def _unread(self, *_: Any) -> Any:
        raise NotImplementedError("Concord looks terms up one by one")

    cursor = items = items_from = _unread


class _Postings(W3LeafMatcher):
    def _read_data(self) -> None:
        data = self._postfile.get(self._dataoffset, self._nextoffset - self._dataoffset)
        self._data = loads(zlib.decompress(data) if self._compression else data)


class _PerDocReader(W3PerDocReader):
    def stored_fields(self, docnum: int) -> dict[str, Any]:
        return {}  # Concord stores none.

    def vector(self, docnum: int, fieldname: str, format_: Any) -> Any:
        raise NotImplementedError("Concord keeps vectors elsewhere")
