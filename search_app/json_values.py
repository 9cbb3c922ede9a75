"""Answers as plain JSON values: the one place that decides how results, articles and a status look outside Python.

`Results.to_dict()`, the command line's `--json` and the HTTP API all come here, so all have the same fields. Dates are
ISO 8601 strings, what is absent is null, tuples are lists.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["dumps", "to_json"]


def to_json(value: object) -> dict[str, Any]:
    """A dataclass as JSON values, with its fields in their order."""
    kind: Any = type(value)
    dumped: dict[str, Any] = _adapter(kind).dump_python(value, mode="json")
    return dumped


def dumps(payload: dict[str, Any], *, indent: int | None = None) -> str:
    """JSON text that every parser reads: ASCII only, so that a lone surrogate in an article cannot break a stream.

    Raises ValueError for infinities and NaN, which JSON does not have.
    """
    return json.dumps(payload, allow_nan=False, indent=indent)


@cache
def _adapter(kind: type[object]) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter  # a tenth of a second that a search printed as a table need not pay

    return TypeAdapter(kind)
