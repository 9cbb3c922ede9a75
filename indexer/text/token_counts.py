"""Lengths of texts in an encoder's tokens, from the lengths of their words, which are remembered."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["CountTokens", "TokenCounter"]

CountTokens = Callable[[list[str]], list[int]]
"""Texts in, their lengths in the encoder's tokens out, special tokens left out."""

_REMEMBERED = 1 << 17
_LONGEST = 40
"""Longer words are rare, or sentences of a script without blanks: they would only fill the memory."""


class TokenCounter:
    """A CountTokens that tokenises every word once: words come again, and tokenising is the slowest step of cutting.

    Tokenizers of encoders cut at white space before anything else, so a text has the tokens of its words. A blank is
    put before each, because some of them have other tokens for a word at the beginning of a text than inside it.
    """

    def __init__(self, count: CountTokens) -> None:
        self._count = count
        self._known: dict[str, int] = {}

    def __call__(self, texts: list[str]) -> list[int]:
        words = [text.split() for text in texts]
        known = self._known
        unknown = list(set().union(*words).difference(known))
        if unknown:
            if len(known) + len(unknown) > _REMEMBERED:
                known.clear()
                unknown = list(set().union(*words))
            known.update(zip(unknown, self._count([f" {word}" for word in unknown]), strict=True))
        lengths = [sum(map(known.__getitem__, text)) for text in words]
        for word in unknown:
            if len(word) > _LONGEST:
                del known[word]
        return lengths
