"""An index folder from someone else: nothing in it runs, and nothing in it reads elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from indexer.encoders.exported import GRAPH_FILE, ExportedEncoder
from indexer.encoders.spec import named_by_index
from indexer.errors import EncoderError, IndexDamaged
from indexer.system.checksums import write_sums


@pytest.fixture
def encoder(word_export: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(next(word_export.iterdir()), tmp_path / "encoder"))


def graph(*nodes: onnx.NodeProto, weights: tuple[TensorProto, ...] = ()) -> bytes:
    asked = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", 8])
    told = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", 8])
    made = helper.make_graph([helper.make_node("Cast", ["input_ids"], ["x"], to=1), *nodes], "graph", [asked], [told])
    made.initializer.extend(weights)
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("elsewhere", 1)]
    data: bytes = helper.make_model(made, opset_imports=versions, ir_version=8).SerializeToString()
    return data


def weight_in(location: str) -> TensorProto:
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[8], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "32")):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    return weight


def test_a_graph_reads_no_file_outside_its_folder(encoder: Path, tmp_path: Path) -> None:
    for place in (tmp_path, encoder):
        (place / "weights").write_bytes(np.arange(8, dtype=np.float32).tobytes())
    add = helper.make_node("Add", ["x", "w"], ["sentence_embedding"])

    def load(location: str) -> ExportedEncoder:
        (encoder / GRAPH_FILE).write_bytes(graph(add, weights=(weight_in(location),)))
        write_sums(encoder)
        return ExportedEncoder(encoder)

    assert load("weights").runtime
    for location in ("../weights", str(tmp_path / "weights")):
        with pytest.raises(IndexDamaged, match="cannot be loaded"):
            load(location)


def test_a_graph_brings_no_operators_of_its_own(encoder: Path) -> None:
    for kind, domain in (("Relu", ""), ("Own", "elsewhere")):
        node = helper.make_node(kind, ["x"], ["sentence_embedding"], domain=domain)
        (encoder / GRAPH_FILE).write_bytes(graph(node))
        write_sums(encoder)
        if not domain:
            assert ExportedEncoder(encoder).runtime
            continue
        with pytest.raises(IndexDamaged, match="cannot be loaded"):
            ExportedEncoder(encoder)


def test_an_index_does_not_bring_a_model_along(tmp_path: Path) -> None:
    (tmp_path / "index" / "model").mkdir(parents=True)
    for name in (str(tmp_path / "index" / "model"), str(tmp_path / "index" / ".." / "index" / "model")):
        with pytest.raises(EncoderError, match="a folder inside itself"):
            named_by_index(name, tmp_path / "index")
    (tmp_path / "model").mkdir()
    for name in ("all-MiniLM-L6-v2", str(tmp_path / "model")):
        assert named_by_index(name, tmp_path / "index") == name
