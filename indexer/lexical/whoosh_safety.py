"""Whoosh keeps its schema, segments and postings as pickles, and a pickle can name any function to be called.

An index folder may come from someone else. So wherever Whoosh unpickles, this module puts an unpickler in its place
that knows the few classes a Concord index is made of and refuses everything else, before anything of it runs.
"""

from __future__ import annotations

import io
import pickle
from types import SimpleNamespace
from typing import IO, Any

import whoosh.codec.whoosh3
import whoosh.columns
import whoosh.filedb.structfile
import whoosh.formats
import whoosh.index

__all__ = ["install", "load", "loads"]

_HARMLESS = frozenset(
    {
        ("__builtin__", "long"),
        ("_codecs", "encode"),
        ("array", "_array_reconstructor"),
        ("array", "array"),
        ("builtins", "float"),
        ("builtins", "frozenset"),
        ("builtins", "int"),
        ("builtins", "set"),
        ("collections", "defaultdict"),
        ("__builtin__", "set"),
        ("indexer.lexical.whoosh_postings", "AnalysedText"),
        ("indexer.lexical.whoosh_postings", "PackedPositions"),
        ("whoosh.analysis.tokenizers", "IDTokenizer"),
        ("whoosh.codec.whoosh3", "W3Codec"),
        ("whoosh.codec.whoosh3", "W3Segment"),
        ("whoosh.columns", "NumericColumn"),
        ("whoosh.fields", "NUMERIC"),
        ("whoosh.fields", "Schema"),
        ("whoosh.formats", "Existence"),
    }
)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"an index may not name {module}.{name}")
        return super().find_class(module, name)


def load(stream: IO[bytes]) -> Any:
    """Like pickle.load, for the classes of an index only. Raises UnpicklingError for any other."""
    return _Unpickler(stream).load()


def loads(data: bytes) -> Any:
    """Like pickle.loads, for the classes of an index only. Raises UnpicklingError for any other."""
    return _Unpickler(io.BytesIO(data)).load()


def install() -> None:
    """Let Whoosh unpickle by `load` and `loads`; a second call changes nothing."""
    whoosh.index.pickle = SimpleNamespace(loads=loads, dumps=pickle.dumps, PicklingError=pickle.PicklingError)
    whoosh.filedb.structfile.load = load
    for module in (whoosh.codec.whoosh3, whoosh.columns, whoosh.formats):
        module.loads = loads
