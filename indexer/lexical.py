"""What every BM25 backend does, and what a query looks like to it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Atom"]


@dataclass(frozen=True, slots=True)
class Atom:
    """A word or an exact phrase of a query, looked up in the whole article (title and text) or in one field.

    `text` is as typed, without quotes and operators; the index analyses it. `field` is None or 'title'.
    """

    text: str
    phrase: bool = False
    field: str | None = None
