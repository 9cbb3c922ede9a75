"""A look at a CTranslate2 model file before it is loaded: CTranslate2 believes the sizes that a file tells it.

The format is that of `ctranslate2.specs.ModelSpec`, binary version 6.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["Layout", "read_layout"]

_FLOAT32, _INT8, _INT16 = 0, 1, 2
_ITEM_SIZES = {_FLOAT32: 4, _INT8: 1, _INT16: 2}
_INTEGERS = {_INT8: "<b", _INT16: "<h"}
_MOST_VARIABLES = 10_000
_VERSION = 6
_SPEC = "TransformerEncoderSpec"
_FREE_SETTINGS = {"encoder/activation", "encoder/embeddings_merge", "encoder/num_heads"}
_FIXED_SETTINGS = {"encoder/multi_query_attention": 0, "encoder/pre_norm": 0, "encoder/scale_embeddings": 0}


@dataclass(frozen=True, slots=True)
class Layout:
    """What a model file holds: layers, the size of the vocabulary, the tokens that a text may have, the numbers of a
    token's vector."""

    layers: int
    vocabulary: int
    positions: int
    dimension: int


@dataclass(frozen=True, slots=True)
class _Variable:
    shape: tuple[int, ...]
    kind: int
    value: int | None
    """Of a setting: a whole number without a shape."""


def read_layout(path: Path) -> Layout:
    """The layout of an encoder of BERT's family with weights in 16 bits. Raises OSError, or ValueError when the file is
    anything else, or some part of it has not the size that the others ask for."""
    with path.open("rb") as stream:
        variables = _variables(stream, path.stat().st_size)
    settings = {name: item.value for name, item in variables.items() if item.value is not None}
    found = {name: (item.shape, item.kind) for name, item in variables.items() if name not in settings}
    try:
        words = "encoder/embeddings_0/weight" if "encoder/embeddings_0/weight" in found else "encoder/embeddings/weight"
        (vocabulary, dimension), _ = found[words]
        (positions, _), _ = found["encoder/position_encodings/encodings"]
        heads = settings["encoder/num_heads"]
        layers = 1 + max(int(number) for name in found for number in re.findall(r"^encoder/layer_(\d+)/", name))
        inner = found["encoder/layer_0/ffn/linear_0/weight"][0][0]
        types = found.get("encoder/embeddings_1/weight", ((0, 0), _INT16))[0][0]
    except (KeyError, ValueError, IndexError) as error:
        raise ValueError(f"it is no query encoder ({error})") from error
    if {name: settings[name] for name in settings.keys() - _FREE_SETTINGS} != _FIXED_SETTINGS:
        raise ValueError("its settings are not those of a query encoder")
    if heads < 1 or dimension % heads:
        raise ValueError(f"its {heads} attention heads do not divide its {dimension} dimensions")
    expected = _expected(words, vocabulary, types, positions, dimension, inner, layers)
    if found != expected:
        wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise ValueError(f"{len(wrong)} of its parts have not the size that the others ask for, such as '{wrong[0]}'")
    return Layout(layers, vocabulary, positions, dimension)


def _expected(
    words: str, vocabulary: int, types: int, positions: int, dimension: int, inner: int, layers: int
) -> dict[str, tuple[tuple[int, ...], int]]:
    """Shape and kind of every variable but the settings."""
    expected: dict[str, tuple[tuple[int, ...], int]] = {}

    def weights(name: str, rows: int, columns: int) -> None:
        expected[name] = ((rows, columns), _INT16)
        expected[f"{name}_scale"] = ((), _FLOAT32)

    def linear(name: str, rows: int, columns: int) -> None:
        weights(f"{name}/weight", rows, columns)
        expected[f"{name}/bias"] = ((rows,), _FLOAT32)

    def norm(name: str) -> None:
        for part in ("beta", "gamma"):
            expected[f"{name}/{part}"] = ((dimension,), _FLOAT32)

    weights(words, vocabulary, dimension)
    if types:
        weights("encoder/embeddings_1/weight", types, dimension)
    expected["encoder/position_encodings/encodings"] = ((positions, dimension), _FLOAT32)
    norm("encoder/layernorm_embedding")
    for n in range(layers):
        layer = f"encoder/layer_{n}"
        linear(f"{layer}/self_attention/linear_0", 3 * dimension, dimension)
        linear(f"{layer}/self_attention/linear_1", dimension, dimension)
        norm(f"{layer}/self_attention/layer_norm")
        linear(f"{layer}/ffn/linear_0", inner, dimension)
        linear(f"{layer}/ffn/linear_1", dimension, inner)
        norm(f"{layer}/ffn/layer_norm")
    return expected


def _variables(stream: BinaryIO, size: int) -> dict[str, _Variable]:
    version = _number(stream, "<I")
    spec = _name(stream)
    revision, count = _number(stream, "<I"), _number(stream, "<I")
    if (version, spec, revision) != (_VERSION, _SPEC, 1) or count > _MOST_VARIABLES:
        raise ValueError(f"it is a '{spec[:40]}' of format {version}.{revision} with {count:,} variables")
    variables: dict[str, _Variable] = {}
    for _ in range(count):
        name = _name(stream)
        shape = tuple(_number(stream, "<I") for _ in range(_number(stream, "<B")))
        kind, length = _number(stream, "<B"), _number(stream, "<I")
        if name in variables or length != math.prod(shape) * _ITEM_SIZES.get(kind, 0):
            raise ValueError(f"its '{name[:80]}' has {length:,} bytes, which do not fit its shape {shape}")
        value = None
        if kind in _INTEGERS and not shape:
            value = _number(stream, _INTEGERS[kind])
        else:
            stream.seek(length, 1)
        variables[name] = _Variable(shape, kind, value)
    if _number(stream, "<I") or stream.tell() != size:
        raise ValueError(f"it has {size:,} bytes, and {stream.tell():,} of them belong to its {count:,} variables")
    return variables


def _number(stream: BinaryIO, form: str) -> int:
    data = stream.read(struct.calcsize(form))
    if len(data) != struct.calcsize(form):
        raise ValueError("it ends too early")
    number: int = struct.unpack(form, data)[0]
    return number


def _name(stream: BinaryIO) -> str:
    data = stream.read(_number(stream, "<H"))
    return data.rstrip(b"\0").decode("ascii", "replace")
