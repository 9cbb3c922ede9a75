"""A look at a CTranslate2 model file before it is loaded: CTranslate2 believes the sizes that a file tells it.

The format is that of `ctranslate2.specs.ModelSpec`, binary version 6.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
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
_WORDS, _TYPES = "encoder/embeddings_0/weight", "encoder/embeddings_1/weight"
_MERGE, _HEADS = "encoder/embeddings_merge", "encoder/num_heads"
_RANGES = {"encoder/activation": range(7), _MERGE: range(2), _HEADS: range(1, 1025)}
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
        (vocabulary, dimension), _ = found[_WORDS]
        (positions, _), _ = found["encoder/position_encodings/encodings"]
        inner = found["encoder/layer_0/ffn/linear_0/weight"][0][0]
        types = found[_TYPES][0][0] if _TYPES in found else 0
        layers = 1 + max(int(number) for name in found for number in re.findall(r"^encoder/layer_(\d+)/", name))
    except (KeyError, ValueError, IndexError) as error:
        raise ValueError(f"it is no query encoder ({error})") from error
    _check_settings(settings, dimension, merged=types > 0)
    if layers > len(found):
        raise ValueError(f"it names {layers:,} layers and has {len(found):,} parts")
    expected = _expected(vocabulary, types, positions, dimension, inner, layers)
    if found != expected:
        wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise ValueError(f"{len(wrong)} of its parts have not the size that the others ask for, such as '{wrong[0]}'")
    return Layout(layers, vocabulary, positions, dimension)


def _check_settings(settings: Mapping[str, int], dimension: int, *, merged: bool) -> None:
    fixed = dict(_FIXED_SETTINGS)
    if merged:
        fixed[_MERGE] = 1
    for name, value in settings.items():
        if name not in {*fixed, *_RANGES} or (name in fixed and value != fixed[name]):
            raise ValueError(f"no query encoder has '{name[:80]}' of {value}")
        if name in _RANGES and value not in _RANGES[name]:
            raise ValueError(f"its '{name}' is {value}, and may be from {_RANGES[name][0]} to {_RANGES[name][-1]}")
    if missing := sorted({*fixed, *_RANGES} - {_MERGE} - settings.keys()):
        raise ValueError(f"it has no '{missing[0]}'")
    if dimension % (heads := settings[_HEADS]):
        raise ValueError(f"its {heads} attention heads do not divide its {dimension} dimensions")


def _expected(
    vocabulary: int, types: int, positions: int, dimension: int, inner: int, layers: int
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

    weights(_WORDS, vocabulary, dimension)
    if types:
        weights(_TYPES, types, dimension)
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
        if name in variables or not length or length != math.prod(shape) * _ITEM_SIZES.get(kind, 0):
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
    # CTranslate2 reads on until a zero, wherever that is.
    if data.find(b"\0") != len(data) - 1:
        raise ValueError(f"a name in it does not end where it should: {data[:80]!r}")
    return data[:-1].decode("ascii", "replace")
