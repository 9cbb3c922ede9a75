"""Queries in 16 bits: the same vectors, for the models that CTranslate2 knows, and no file is believed."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from indexer.encoders import for_queries as query_encoder
from indexer.encoders.exported import SPEC_FILE, TOKENIZER_FILE
from indexer.encoders.for_queries import load_query_encoder
from indexer.encoders.int16 import INT16_FOLDER, MODEL_FILE, Int16Encoder, check_int16, runs_int16
from indexer.encoders.int16_export import in_16_bits
from indexer.encoders.int16_file import Layout, read_layout
from indexer.encoders.onnx_graph import OnnxEncoder
from indexer.encoders.original import TorchEncoder, export
from indexer.encoders.spec import DEFAULT_ENCODER
from indexer.errors import IndexDamaged
from indexer.generations.checking import check_index
from indexer.generations.commit import rebuild
from indexer.system.checksums import write_sums
from tests.archive import Archive, story
from tests.tiny_encoder import BUNDLED, export_once, save_model

pytestmark = pytest.mark.skipif(not runs_int16(), reason="CTranslate2 has no 16-bit integers on this processor")

TEXTS = [
    "Why did the prisoner exchange succeed without mediators?",
    "harbour strike",
    "Şuşa, Zürich, 北京, Ereván",
    "COP29",
    "",
    "The ferry sails again from Friday, said the company, which had cancelled all crossings since the storm. " * 9,
]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled encoder's folder."""
    return next(export_once(DEFAULT_ENCODER, tmp_path_factory.mktemp("bundled")).iterdir())


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "encoder"))


@pytest.fixture(scope="module")
def scratch(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file to write to."""
    return Path(shutil.copy(exported / INT16_FOLDER / MODEL_FILE, tmp_path_factory.mktemp("scratch")))


def least_cosine(one: Any, other: Any) -> float:
    return float((one.encode_queries(TEXTS) * other.encode_queries(TEXTS)).sum(axis=1).min())


def test_vectors_are_those_of_the_graph(exported: Path) -> None:
    graph, short = OnnxEncoder(exported), Int16Encoder(exported)
    assert least_cosine(graph, short) > 0.9999
    assert short.encode_queries([]).shape == (0, 384)
    for one, other in zip(graph.encode_tokens(TEXTS), short.encode_tokens(TEXTS), strict=True):
        assert one.tokens == other.tokens
        assert (one.vectors * other.vectors).sum(axis=1).min(initial=1) > 0.999


def test_a_text_has_the_very_same_vector_in_any_company(exported: Path) -> None:
    short = Int16Encoder(exported)
    together = short.encode_passages(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        np.testing.assert_array_equal(short.encode_passages([text])[0], vector)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork")
def test_an_encoder_goes_on_in_a_forked_process(exported: Path) -> None:
    program = f"""
import os, pathlib, numpy
from indexer.int16_encoder import Int16Encoder
encoder = Int16Encoder(pathlib.Path({str(exported)!r}), threads=1)
before = encoder.encode_queries(["the ferry"])
child = os.fork()
assert (encoder.encode_queries(["the ferry"]) == before).all()
if child:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.split() == ["0"]


def test_a_closed_encoder_gives_up(exported: Path) -> None:
    short = Int16Encoder(exported)
    short.close()
    with pytest.raises((CancelledError, RuntimeError)):
        short.encode_passages(TEXTS)


def save_transformer(folder: Path, kind: str) -> Path:
    """A small model of an architecture with random weights and the bundled encoder's tokenizer."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    torch.manual_seed(7)
    tokenizer: Any = AutoTokenizer.from_pretrained(str(BUNDLED))
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    if kind == "distilbert":
        sizes = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}
    # RoBERTa's positions begin behind the number of its padding token, which is 1.
    padding = 1 if "roberta" in kind else 0
    config = AutoConfig.for_model(
        kind, vocab_size=len(tokenizer), max_position_embeddings=514, pad_token_id=padding, **sizes
    )
    AutoModel.from_config(config).save_pretrained(folder / "raw")
    tokenizer.save_pretrained(folder / "raw")
    parts: list[Any] = [modules.Transformer(str(folder / "raw"), max_seq_length=256)]
    parts.append(modules.Pooling(32, pooling_mode="cls"))
    SentenceTransformer(modules=parts, device="cpu").save(str(folder / "model"))
    return folder / "model"


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta", "xlm-roberta"])
def test_architectures_that_have_such_weights(tmp_path: Path, kind: str) -> None:
    original = TorchEncoder(str(save_transformer(tmp_path, kind)))
    export(original, tmp_path / "encoder")
    assert (tmp_path / "encoder" / INT16_FOLDER).is_dir()
    short = load_query_encoder(tmp_path / "encoder")
    assert isinstance(short, Int16Encoder)
    assert least_cosine(original, short) > 0.9999


@pytest.mark.parametrize("how", ["max pooling", "another architecture", "weights too coarse"])
def test_other_models_stay_in_32_bits(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "another architecture":
        folder = save_transformer(tmp_path, "mpnet")
    else:
        folder = save_model(tmp_path / "model", pooling="max" if how == "max pooling" else "mean")
    if how == "weights too coarse":
        monkeypatch.setattr("indexer.int16_export._ACTIVATION_BITS", 24)
    original = TorchEncoder(str(folder))
    assert export(original, tmp_path / "encoder") > 0.9999
    assert not (tmp_path / "encoder" / INT16_FOLDER).exists()
    graph = load_query_encoder(tmp_path / "encoder")
    assert isinstance(graph, OnnxEncoder)
    assert least_cosine(original, graph) > 0.9999


def test_a_machine_without_16_bits_reads_the_graph(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(load_query_encoder(exported), Int16Encoder)
    monkeypatch.setattr(query_encoder, "runs_int16", lambda: False)
    assert isinstance(load_query_encoder(exported), OnnxEncoder)


@given(
    arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 40)), elements=st.floats(-50, 50, width=32)),
    st.booleans(),
)
def test_weights_fit_and_their_sums_do_too(weights: np.ndarray[Any, Any], summed: bool) -> None:
    short, scale = in_16_bits(weights, summed=summed)
    assert short.dtype == np.int16
    assert np.abs(short / np.float64(scale) - weights).max() <= 0.51 / scale + 1e-4 * np.abs(weights).max()
    if summed:
        assert np.abs(short.astype(np.int64)).sum(axis=1).max() * 2**10 <= np.iinfo(np.int32).max


def test_the_greatest_sum_is_what_bounds_the_scale() -> None:
    short, _ = in_16_bits(np.full((2, 4096), 0.5, np.float32), summed=True)
    assert 2**20 < np.abs(short.astype(np.int64)).sum(axis=1).max() < 2**21
    short, _ = in_16_bits(np.full((2, 4096), 0.5, np.float32), summed=False)
    assert short.max() == np.iinfo(np.int16).max


def edited(data: bytes, name: str, edit: Callable[[bytes], bytes]) -> bytes:
    """A model file with the head of one variable changed: what follows its name."""
    at = data.index(name.encode() + b"\0") + len(name) + 1
    return data[:at] + edit(data[at:])


def with_variable(data: bytes, name: str, shape: tuple[int, ...], content: bytes) -> bytes:
    """A model file with one more variable of 16-bit integers, at its end."""
    at = data.index(b"TransformerEncoderSpec\0") + 23 + 4
    (count,) = struct.unpack("<I", data[at : at + 4])
    head = (
        struct.pack("<H", len(name) + 1) + name.encode() + b"\0" + struct.pack(f"<B{len(shape)}I", len(shape), *shape)
    )
    added = head + struct.pack("<BI", 2, len(content)) + content
    return data[:at] + struct.pack("<I", count + 1) + data[at + 4 : -4] + added + data[-4:]


WORDS, HEADS = "encoder/embeddings_0/weight", "encoder/num_heads"


@pytest.mark.parametrize(
    "edit",
    [
        lambda data: data[:-3],
        lambda data: data + b"more",
        lambda data: b"\x05" + data[1:],
        lambda data: data.replace(b"TransformerEncoderSpec", b"TransformerDecoderSpec"),
        # More numbers than the file has, so that reading them would write beyond what was set aside for them.
        lambda data: edited(data, WORDS, lambda tail: b"\x02" + struct.pack("<II", 2, 384) + tail[9:]),
        lambda data: edited(data, WORDS, lambda tail: b"\x02" + struct.pack("<II", 384, 30522) + tail[9:]),
        lambda data: edited(data, HEADS, lambda tail: tail[:6] + struct.pack("<h", 7) + tail[8:]),
        lambda data: edited(data, HEADS, lambda tail: tail[:6] + struct.pack("<h", 0) + tail[8:]),
        lambda data: edited(data, "encoder/pre_norm", lambda tail: tail[:6] + b"\x01" + tail[7:]),
        lambda data: data.replace(b"encoder/layer_3/ffn/linear_1/bias", b"encoder/layer_3/ffn/linear_1/bios"),
        lambda data: data.replace(b"encoder/layer_5/", b"encoder/layer_6/"),
        lambda data: data.replace(b"encoder/num_heads", b"encoder/num_leads"),
        lambda data: edited(data, "encoder/activation", lambda tail: tail[:6] + b"\x63" + tail[7:]),
        lambda data: edited(data, "encoder/embeddings_merge", lambda tail: tail[:6] + b"\x00" + tail[7:]),
        # A name that goes on where this project's reader would stop, and one that has no end.
        lambda data: data.replace(b"encoder/pre_norm\0", b"encoder/pre\0norm\0"),
        lambda data: data.replace(b"encoder/pre_norm\0", b"encoder/pre_normx"),
        lambda data: with_variable(data, "encoder/layer_9999999999/x", (1,), b"\0\0"),
        lambda data: with_variable(
            data, "encoder/layer_0/ffn/linear_0/weight_packed", (1536, 384), bytes(2 * 1536 * 384)
        ),
        lambda data: with_variable(data, "encoder/none", (0,), b""),
        lambda data: with_variable(data, "encoder/none", (2, 2), bytes(6)),
    ],
)
def test_a_file_that_is_not_what_it_says_is_not_loaded(copied: Path, edit: Callable[[bytes], bytes]) -> None:
    path = copied / INT16_FOLDER / MODEL_FILE
    data = path.read_bytes()
    changed = edit(data)
    assert changed != data
    path.write_bytes(changed)
    write_sums(copied)
    with pytest.raises(IndexDamaged, match="cannot be loaded"):
        Int16Encoder(copied)
    with pytest.raises(IndexDamaged, match="cannot be loaded"):
        check_int16(copied)
    assert isinstance(load_query_encoder(copied), OnnxEncoder)


@given(st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), min_size=1, max_size=3))
def test_no_change_of_a_file_is_believed(scratch: Path, changes: list[tuple[int, int]]) -> None:
    """Whatever its first bytes are, a file is refused or has the layout that fits its length."""
    with scratch.open("r+b") as stream:
        head = stream.read(400)
        changed = bytearray(head)
        for place, value in changes:
            changed[place] = value
        stream.seek(0)
        stream.write(changed)
        stream.flush()
        try:
            assert read_layout(scratch) == Layout(6, 30522, 512, 384)
        except ValueError:
            assert changed != head
        finally:
            stream.seek(0)
            stream.write(head)


def test_tokens_that_the_weights_lack_are_not_looked_up(copied: Path) -> None:
    path = copied / TOKENIZER_FILE
    tokenizer = json.loads(path.read_text("utf-8"))
    tokenizer["model"]["vocab"]["ferry"] = 999_999
    path.write_text(json.dumps(tokenizer), "utf-8")
    write_sums(copied)
    with pytest.raises(IndexDamaged, match="its tokenizer knows more"):
        Int16Encoder(copied).encode_queries(["the ferry"])


@pytest.mark.parametrize("change", [{"quantization_type": 1}, {"pooling": "max"}, {"pooling": ["mean"]}])
def test_a_configuration_that_is_not_ours_is_refused(copied: Path, change: dict[str, Any]) -> None:
    path = copied / INT16_FOLDER / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **change}), "utf-8")
    write_sums(copied)
    with pytest.raises(IndexDamaged, match="cannot be loaded"):
        Int16Encoder(copied)


@pytest.mark.parametrize("window", [0, -1, 513])
def test_a_window_that_the_weights_lack_is_refused(copied: Path, window: int) -> None:
    spec = json.loads((copied / SPEC_FILE).read_text("utf-8"))
    (copied / SPEC_FILE).write_text(json.dumps({**spec, "window": window}), "utf-8")
    write_sums(copied)
    with pytest.raises(IndexDamaged, match="cannot be loaded"):
        Int16Encoder(copied)


def test_a_check_compares_both_forms_of_the_encoder(tmp_path: Path) -> None:
    archive = Archive(tmp_path, tmp_path / "index", DEFAULT_ENCODER)
    archive.write_lines("news.jsonl", [story("a", "amber"), story("b", "basalt")])
    archive.index()
    assert not check_index(archive.index_dir).problems
    (folder,) = archive.index_dir.glob("encoders/*")
    path = folder / INT16_FOLDER / MODEL_FILE
    data = bytearray(path.read_bytes())
    start = data.index(b"layer_0/ffn/linear_0/weight\0") + 60
    data[start : start + 200_000] = data[start + 200_000 : start + 400_000]
    path.write_bytes(bytes(data))
    write_sums(folder)
    (problem,) = check_index(archive.index_dir).problems
    assert (problem.part, "differ" in problem.message) == ("encoder", True)


def test_a_rebuild_writes_weights_again_that_cannot_be_loaded(tmp_path: Path) -> None:
    archive = Archive(tmp_path, tmp_path / "index", DEFAULT_ENCODER)
    archive.write_lines("news.jsonl", [story("a", "amber")])
    archive.index()
    (folder,) = archive.index_dir.glob("encoders/*")
    (folder / INT16_FOLDER / MODEL_FILE).write_bytes(b"nothing")
    write_sums(folder)
    assert archive.open().status().articles == 1
    assert archive.open().status().encoding_precision == Int16Encoder.runtime
    rebuild(archive.index_dir)
    assert isinstance(load_query_encoder(folder), Int16Encoder)


def test_a_library_that_cannot_be_loaded_is_done_without(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    runs_int16.cache_clear()
    try:
        assert not runs_int16()
        assert isinstance(load_query_encoder(exported), OnnxEncoder)
    finally:
        runs_int16.cache_clear()


def test_damage_is_found_before_anything_is_loaded(copied: Path) -> None:
    path = copied / INT16_FOLDER / MODEL_FILE
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(IndexDamaged, match="checksum differs"):
        load_query_encoder(copied)
