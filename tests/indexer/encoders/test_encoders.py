"""Encoders: the exported one is the original, any saved model works, and no two are ever mixed."""

from __future__ import annotations

import json
import locale
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from indexer.build import BuildOptions, build_index
from indexer.encoders import exported, runtimes
from indexer.encoders import for_passages as encoding
from indexer.encoders.batching import BatchEncoder, by_length
from indexer.encoders.carried import encoder_folder
from indexer.encoders.compiled import CACHE_VARIABLE, compiled_folder
from indexer.encoders.export_process import export_apart
from indexer.encoders.exported import BFLOAT16, FLOAT32, ExportedEncoder
from indexer.encoders.for_passages import PassageEncoder, prepare_encoder
from indexer.encoders.original import TorchEncoder
from indexer.encoders.spec import DEFAULT_ENCODER, Vectors, fingerprint, model_folder
from indexer.errors import EncoderError, IndexMismatch
from indexer.generations.commit import rebuild
from search_app.snapshot import encoders
from tests.archive import Archive, counts, ranked, story
from tests.tiny_encoder import export_once, save_model

pytestmark = pytest.mark.slow
TEXTS = [
    "The ferry sails again from Friday.",
    "A chest of 1720 with brass locks is the new heart of the shipwreck museum. Divers raised it from the basin.",
    "Şuşa, Zürich, 北京, Ereván",
    "COP29",
    "",
    "word " * 700,
]


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> tuple[TorchEncoder, ExportedEncoder]:
    """The bundled encoder under torch, and exported."""
    original = TorchEncoder(DEFAULT_ENCODER)
    folder = export_once(DEFAULT_ENCODER, tmp_path_factory.mktemp("bundled"))
    return original, ExportedEncoder(next(folder.iterdir()), precision=FLOAT32)


def test_the_export_agrees_with_the_original(bundled: tuple[TorchEncoder, ExportedEncoder]) -> None:
    original, exported = bundled
    assert exported.spec == original.spec
    assert (exported.spec.dimension, exported.spec.window, exported.spec.special_tokens) == (384, 256, 2)
    for name in ("encode_passages", "encode_queries"):
        one, other = getattr(original, name)(TEXTS), getattr(exported, name)(TEXTS)
        assert one.dtype == other.dtype == np.float32
        assert (one * other).sum(axis=1).min() >= 0.9999
        np.testing.assert_allclose(np.linalg.norm(other, axis=1), 1, atol=1e-5)
    assert exported.count_tokens(TEXTS) == original.count_tokens(TEXTS)


def test_a_text_has_the_same_vector_in_any_company(bundled: tuple[TorchEncoder, ExportedEncoder]) -> None:
    exported = bundled[1]
    together = exported.encode_passages(TEXTS * 12)
    backwards = exported.encode_passages(TEXTS[::-1])[::-1]
    alone = np.concatenate([exported.encode_passages([text]) for text in TEXTS])
    np.testing.assert_allclose(together[-len(TEXTS) :], alone, atol=2e-6)
    np.testing.assert_allclose(backwards, alone, atol=2e-6)
    assert exported.encode_passages([]).shape == (0, 384)


def test_what_is_beyond_the_window_is_dropped(bundled: tuple[TorchEncoder, ExportedEncoder]) -> None:
    window = "word " * 254
    for encoder in bundled:
        one, longer, shorter = encoder.encode_passages([window, window + "harbour " * 50, window[:-5]])
        assert one @ longer > 0.99999
        assert np.abs(one - shorter).max() > 1e-5


def test_meaning_brings_texts_together(bundled: tuple[TorchEncoder, ExportedEncoder]) -> None:
    query = bundled[1].encode_queries(["captives are swapped without a go-between"])[0]
    near, far = bundled[1].encode_passages(
        ["Prisoners exchanged directly, with no mediator", "Oyster farmers fear heat"]
    )
    assert query @ near > 0.4 > query @ far + 0.2


@pytest.mark.parametrize("size", [1, 3, 100])
def test_batches_hold_every_text_once_by_length(size: int) -> None:
    lengths = [5, 1, 9, 1, 7]
    batches = by_length(lengths, size)
    flat = [position for batch in batches for position in batch]
    assert sorted(flat) == list(range(5))
    assert [lengths[position] for position in flat] == sorted(lengths)
    assert max(map(len, batches)) <= size


@pytest.mark.parametrize(("pooling", "normalise"), [("mean", True), ("mean", False), ("cls", True), ("max", False)])
def test_any_saved_model_makes_an_index(tmp_path: Path, pooling: str, normalise: bool) -> None:
    folder = save_model(tmp_path / "model", pooling=pooling, normalise=normalise, window=40)
    archive = Archive(tmp_path, tmp_path / "index", folder)
    text = " ".join(f"Delegation {n} left the table after {n} hours of talks." for n in range(20))
    archive.write_lines("news.jsonl", [story("a", "amber"), {"id": "long", "title": "Talks", "text": text}])
    archive.index()
    with closing(archive.open()) as engine:
        status = engine.status()
        assert (status.dimension, status.encoder) == (32, str(folder))
        assert status.query_encoder in {"openvino bfloat16", "openvino float32"}
        original = TorchEncoder(str(folder))
        snapshot = engine._source.current()
        stored = snapshot.vectors.article_vectors(0)[0]
        (expected,) = original.encode_passages(
            ["What amber means. It is said that amber came up on Monday. More about amber will be known by Friday."]
        )
        assert stored @ expected >= 0.999
        exported = engine._source.encoders.of(snapshot.manifest)
        for one, other in zip(exported.encode_queries(TEXTS), original.encode_queries(TEXTS), strict=True):
            assert one @ other >= (0.9999 if status.query_encoder == "openvino float32" else runtimes.MIN_COSINE)
        assert status.passages > 5
        assert set(ranked(engine, "amber talks", "hybrid")) == {"a", "long"}
    assert counts(archive.index()) == {"unchanged": 2}


def test_another_encoder_is_refused_with_the_way_out(archive: Archive, tmp_path: Path) -> None:
    archive.write_lines("news.jsonl", [story("a", "amber")])
    archive.index()
    other = save_model(tmp_path / "other")
    for name in (str(other), DEFAULT_ENCODER, "some-hub/model"):
        with pytest.raises(IndexMismatch, match=rf"--index-dir NEW --encoder {name}.*--encoder {archive.encoder}'"):
            archive.index(encoder=name)
    assert archive.ids("amber", "hybrid") == ["a"]
    build_index([archive.sources], archive.index_dir, BuildOptions())


def test_changed_weights_under_the_same_path_are_refused(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model", seed=1)
    archive = Archive(tmp_path, tmp_path / "index", folder)
    archive.write_lines("news.jsonl", [story("a", "amber")])
    archive.index()
    shutil.rmtree(folder)
    save_model(folder, seed=2)
    with pytest.raises(IndexMismatch, match="do not fit"):
        archive.index()
    assert archive.ids("amber") == ["a"]


def test_the_same_model_elsewhere_is_the_same_encoder(archive: Archive, word_encoder: Path, tmp_path: Path) -> None:
    archive.write_lines("news.jsonl", [story("a", "amber")])
    archive.index()
    moved = tmp_path / "moved"
    shutil.copytree(word_encoder, moved)
    archive.write_lines("more.jsonl", [story("b", "basalt")])
    assert counts(archive.index(encoder=str(moved))) == {"added": 1, "unchanged": 1, "encoded": 1}


@pytest.mark.parametrize(
    ("name", "prompts", "expected"),
    [
        ("e5-tiny", None, ("query: ", "passage: ")),
        ("multilingual-e5-tiny", None, ("query: ", "passage: ")),
        ("bge-tiny", None, ("Represent this sentence for searching relevant passages: ", "")),
        ("case5-tiny", None, ("", "")),
        ("plain", None, ("", "")),
        ("plain", {"query": "ask: ", "document": "tell: "}, ("ask: ", "tell: ")),
        ("e5-tiny", {"query": "ask: "}, ("ask: ", "")),
    ],
)
def test_prefixes_come_from_the_model_or_its_family(
    tmp_path: Path, name: str, prompts: dict[str, str] | None, expected: tuple[str, str]
) -> None:
    spec = TorchEncoder(str(save_model(tmp_path / name, layers=0, prompts=prompts))).spec
    assert (spec.query_prefix, spec.passage_prefix) == expected


def test_prefixes_are_recorded_and_put_before_texts(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "e5-tiny", window=30)
    archive = Archive(tmp_path, tmp_path / "index", folder)
    archive.write_lines("news.jsonl", [story("a", "amber " * 60)])
    archive.index()
    (spec_file,) = archive.index_dir.glob("encoders/*/encoder.json")
    assert json.loads(spec_file.read_text())["passage_prefix"] == "passage: "
    exported = ExportedEncoder(spec_file.parent)
    plain = exported._encode(["query: amber", "passage: amber"])
    np.testing.assert_allclose(exported.encode_queries(["amber"])[0], plain[0], atol=1e-6)
    np.testing.assert_allclose(exported.encode_passages(["amber"])[0], plain[1], atol=1e-6)


def test_passages_leave_room_for_the_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_model(tmp_path / "e5-tiny", window=30)
    archive = Archive(tmp_path, tmp_path / "index", folder)
    archive.write_lines("news.jsonl", [story("a", " ".join(f"amber {n}" for n in range(60)))])
    inputs: list[str] = []
    original = PassageEncoder.encode_passages

    def noting(self: PassageEncoder, texts: list[str]) -> Vectors:
        inputs.extend(texts)
        return original(self, texts)

    monkeypatch.setattr(PassageEncoder, "encode_passages", noting)
    archive.index()
    lengths = TorchEncoder(str(folder)).count_tokens([f"passage: {text}" for text in inputs])
    assert len(inputs) > 5
    assert max(lengths) + 2 <= 30


def test_a_model_that_cannot_be_exported_answers_through_torch(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (archive.index_dir / "encoders").unlink()
    archive.write_lines("news.jsonl", [story("a", "amber"), story("b", "basalt")])
    with monkeypatch.context() as patch:
        patch.setattr("torch.onnx.export", _refuse)
        archive.index()
    assert "cannot be exported to ONNX" in caplog.text
    assert archive.open().status().query_encoder == "torch float32"
    assert archive.ids("What amber means", "semantic")[0] == "a"
    assert not list(archive.index_dir.glob("encoders/*/*"))

    archive.write_lines("more.jsonl", [story("c", "copper")])
    assert counts(archive.index()) == {"added": 1, "unchanged": 2, "encoded": 1}
    assert archive.open().status().query_encoder == "torch float32"

    assert rebuild(archive.index_dir).query_encoder == "torch"


def test_a_query_encoder_under_torch_must_be_the_one_of_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_model(tmp_path / "model", seed=1)
    archive = Archive(tmp_path, tmp_path / "index", folder)
    archive.write_lines("news.jsonl", [story("a", "amber")])
    with monkeypatch.context() as patch:
        patch.setattr("torch.onnx.export", _refuse)
        archive.index()
    shutil.rmtree(folder)
    save_model(folder, seed=2)
    with pytest.raises(IndexMismatch, match="is not the one that the index was made with"):
        archive.ids("amber", "hybrid")


def test_exporting_apart_gives_what_exporting_here_does(tmp_path: Path, word_encoder: Path, word_export: Path) -> None:
    spec, failure = export_apart(str(word_encoder), tmp_path)
    assert (spec, failure) == (TorchEncoder(str(word_encoder)).spec, "")
    apart, here = ExportedEncoder(encoder_folder(tmp_path, spec)), ExportedEncoder(next(word_export.iterdir()))
    np.testing.assert_allclose(apart.encode_passages(TEXTS), here.encode_passages(TEXTS), atol=1e-6)


def test_exporting_apart_says_that_there_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        export_apart(str(tmp_path), tmp_path / "index")


def test_an_export_that_strays_is_not_used(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    (archive.index_dir / "encoders").unlink()
    archive.write_lines("news.jsonl", [story("a", "amber")])
    monkeypatch.setattr("indexer.encoders.original.MIN_EXPORT_COSINE", 1.1)
    archive.index()
    monkeypatch.undo()
    archive.write_lines("more.jsonl", [story("b", "basalt")])
    archive.index()
    assert archive.open().status().query_encoder == "torch float32"
    assert not list(archive.index_dir.glob("encoders/*/*"))


class Paced(BatchEncoder):
    """An encoder that takes a set time for a call, and whose vectors stray a set angle from those of another one."""

    def __init__(self, original: ExportedEncoder, seconds: float, angle: float = 0.0) -> None:
        self.spec = original.spec
        self.closed = False
        self._original, self._seconds, self._angle = original, seconds, angle

    @property
    def runtime(self) -> str:
        return "paced"

    def count_tokens(self, texts: list[str]) -> list[int]:
        return self._original.count_tokens(texts)

    def _blocks(self, texts: list[str]) -> Iterator[tuple[list[int], Vectors]]:
        time.sleep(self._seconds)
        vectors = self._original.encode_passages(texts)
        vectors[:, 0] += self._angle
        yield list(range(len(texts))), vectors

    def close(self) -> None:
        self.closed = True


def test_the_fastest_faithful_runtime_is_chosen_and_the_others_are_closed(word_export: Path) -> None:
    exported = ExportedEncoder(next(word_export.iterdir()))
    current = runtimes.Runtime("current", Paced(exported, 0.3))

    def candidate(name: str, seconds: float, angle: float = 0.0) -> Paced:
        paced[name] = Paced(exported, seconds, angle)
        return paced[name]

    def choose(*offers: tuple[str, float, float]) -> str:
        loads = [partial(lambda offer: runtimes.Runtime(offer[0], candidate(*offer)), offer) for offer in offers]
        return runtimes.fastest(current, loads, ["amber", "basalt"]).name

    paced: dict[str, Paced] = {}
    assert choose(("slower", 0.6, 0.0), ("fast", 0.1, 0.0), ("faster", 0.0, 0.0), ("astray", 0.0, 0.5)) == "faster"
    assert {name: encoder.closed for name, encoder in paced.items()} == {
        "slower": True,
        "fast": True,
        "faster": False,
        "astray": True,
    }
    assert choose(("hardly faster", 0.29, 0.0)) == "current"


def test_a_runtime_that_cannot_be_loaded_is_no_choice(word_export: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> runtimes.Runtime:
        raise EncoderError("it is not there")

    current = runtimes.Runtime("current", ExportedEncoder(next(word_export.iterdir())))
    assert runtimes.fastest(current, [fail], ["amber"]) is current
    assert "Encoding goes on with current: it is not there" in caplog.text


def test_only_a_long_run_measures(word_encoder: Path, word_export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "LONG_RUN", 4)
    monkeypatch.setattr(runtimes, "MIN_GAIN", 0.0001)
    exported = ExportedEncoder(next(word_export.iterdir()), precision=FLOAT32)
    offered = runtimes.Runtime("other", Paced(exported, 0.0))
    monkeypatch.setattr(encoding, "candidates", lambda *_: [lambda: offered])
    encoder = PassageEncoder(str(word_encoder), ExportedEncoder(exported.folder, precision=FLOAT32))
    texts = [f"amber {n}" for n in range(4)]
    for count, name in ((3, "openvino float32"), (4, "other"), (3, "other")):
        vectors = encoder.encode_passages(texts[:count])
        assert encoder.precision == name
        assert (vectors * exported.encode_passages(texts[:count])).sum(axis=1).min() >= runtimes.MIN_COSINE
    assert encoder.count_tokens(texts) == exported.count_tokens(texts)
    encoder.close()


def test_without_an_exported_graph_torch_is_tried_in_bfloat16(
    word_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtimes, "_may_have_gpu", lambda: False)
    (load,) = runtimes.candidates(str(word_encoder), TorchEncoder(str(word_encoder)))
    runtime = load()
    assert runtime.name == "torch bfloat16"
    runtime.encoder.close()


def test_a_graph_that_is_not_trusted_with_bfloat16_is_measured_in_it(
    word_encoder: Path, word_export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtimes, "_may_have_gpu", lambda: False)
    folder = next(word_export.iterdir())
    for able, precision, names in (
        (True, FLOAT32, ["openvino bfloat16"]),
        (False, FLOAT32, []),
        (True, BFLOAT16, []),
    ):
        monkeypatch.setattr(runtimes, "has_bfloat16", lambda able=able: able)
        loads = runtimes.candidates(str(word_encoder), ExportedEncoder(folder, precision=precision))
        assert [load().name for load in loads] == names


def test_bfloat16_is_trusted_where_the_export_has_shown_it_and_the_processor_has_it(
    word_export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(next(word_export.iterdir()), tmp_path / "encoder"))
    spec = exported.read_spec(folder)
    for shown, able, expected in ((True, True, BFLOAT16), (True, False, FLOAT32), (False, True, FLOAT32)):
        exported.write_spec(folder, spec, bfloat16=shown)
        monkeypatch.setattr(exported, "has_bfloat16", lambda able=able: able)
        assert exported.trusted_precision(folder) == expected
        assert exported.read_spec(folder) == spec
    # As an export of before wrote it.
    (folder / "encoder.json").write_text(json.dumps(asdict(spec)))
    assert exported.trusted_precision(folder) == FLOAT32
    assert exported.read_spec(folder) == spec


@pytest.mark.parametrize("precision", [FLOAT32, BFLOAT16])
def test_threads_share_an_encoder(bundled: tuple[TorchEncoder, ExportedEncoder], precision: str) -> None:
    encoder = ExportedEncoder(bundled[1].folder, precision=precision)
    texts = TEXTS * 9
    with ThreadPoolExecutor(3) as pool:
        several = list(pool.map(encoder.encode_passages, [texts, texts[::-1], texts]))
    expected = bundled[0].encode_passages(texts)
    for vectors in (several[0], several[1][::-1], several[2]):
        assert (vectors * expected).sum(axis=1).min() >= (0.9999 if precision == FLOAT32 else runtimes.MIN_COSINE)
    encoder.close()
    with pytest.raises((CancelledError, RuntimeError)):
        encoder.encode_passages(texts)


def test_threads_that_load_at_the_same_time_leave_the_locale_alone(word_export: Path) -> None:
    folder = next(word_export.iterdir())
    before = locale.setlocale(locale.LC_CTYPE)
    for _ in range(5):
        with ThreadPoolExecutor(4) as pool:
            for encoder in pool.map(lambda _: ExportedEncoder(folder), range(4)):
                encoder.close()
        assert locale.setlocale(locale.LC_CTYPE) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="other systems do not fork")
def test_an_encoder_goes_on_in_a_forked_process(word_export: Path) -> None:
    program = f"""
import os, pathlib
from indexer.encoders.exported import BFLOAT16, FLOAT32, ExportedEncoder
encoder = ExportedEncoder(pathlib.Path({str(next(word_export.iterdir()))!r}))
texts = ["the ferry"] * 40
before = encoder.encode_queries(texts)
child = os.fork()
assert (encoder.encode_queries(texts) == before).all()
if child:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.split() == ["0"]


def test_threads_that_encode_first_at_the_same_time_do_not_wait_for_each_other(word_export: Path) -> None:
    """On one core OpenVINO's binding once stood still there for good, in one process of some dozens."""
    program = f"""
import os, pathlib, threading
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
from indexer.encoders.exported import BFLOAT16, FLOAT32, ExportedEncoder
folder = pathlib.Path({str(next(word_export.iterdir()))!r})
gate = threading.Barrier(4)
def encode():
    gate.wait()
    ExportedEncoder(folder).encode_passages(["amber", "basalt " * 30, "copper " * 90] * 5)
threads = [threading.Thread(target=encode) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
    command = [sys.executable, "-c", program]
    for _ in range(12):
        running = [subprocess.Popen(command) for _ in range(2)]
        assert [process.wait(timeout=60) for process in running] == [0, 0]


def test_what_was_compiled_is_kept_for_this_user_and_not_in_the_index(
    word_export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(next(word_export.iterdir()), tmp_path / "encoder"))
    before = sorted(folder.iterdir())
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    first = ExportedEncoder(folder).encode_queries(TEXTS)
    (blob,) = (tmp_path / "cache").rglob("*.blob")
    written = blob.stat().st_mtime_ns
    np.testing.assert_array_equal(ExportedEncoder(folder).encode_queries(TEXTS), first)
    assert blob.stat().st_mtime_ns == written
    assert sorted(folder.iterdir()) == before
    blob.chmod(0o600)
    blob.write_bytes(blob.read_bytes()[:1000])
    np.testing.assert_array_equal(ExportedEncoder(folder).encode_queries(TEXTS), first)


def test_the_cache_keeps_the_last_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    folder = compiled_folder()
    assert folder is not None
    for number in range(7):
        (folder / f"{number}.blob").write_bytes(b"")
        os.utime(folder / f"{number}.blob", (number, number))
    compiled_folder()
    assert sorted(path.name for path in folder.iterdir()) == ["3.blob", "4.blob", "5.blob", "6.blob"]
    folder.chmod(0o777)  # what anybody may write into is not believed
    assert compiled_folder() is None
    monkeypatch.setenv(CACHE_VARIABLE, "")
    assert compiled_folder() is None


def test_without_openvino_the_original_reads_queries(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.write_lines("news.jsonl", [story("a", "amber"), story("b", "basalt")])
    archive.index()
    for module in (encoding, encoders):
        monkeypatch.setattr(module, "is_runnable", lambda: False)
    assert archive.open().status().query_encoder == "torch float32"
    assert archive.ids("What amber means", "semantic")[0] == "a"
    archive.write_lines("more.jsonl", [story("c", "copper")])
    assert counts(archive.index()) == {"added": 1, "unchanged": 2, "encoded": 1}


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all"])
def test_an_encoder_folder_that_is_not_there(name: str) -> None:
    with pytest.raises(EncoderError, match=f"no encoder folder '{name}'"):
        model_folder(name)


def test_a_folder_without_a_model_is_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="holds no encoder"):
        fingerprint(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        prepare_encoder(tmp_path / "index", None, str(tmp_path))


def test_an_unknown_name_says_what_to_name_instead(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="Name a folder saved by sentence-transformers"):
        prepare_encoder(tmp_path, None, "nobody/has-this-model")


def test_an_exported_encoder_needs_no_model_folder_to_go_on(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model")
    archive = Archive(tmp_path, tmp_path / "index", folder)
    archive.write_lines("news.jsonl", [story("a", "amber")])
    archive.index()
    spec = archive.open()._source.current().manifest.encoder
    assert encoder_folder(archive.index_dir, spec).is_dir()
    shutil.rmtree(folder)
    assert archive.ids("amber", "hybrid") == ["a"]


def _refuse(*_: object, **__: object) -> None:
    raise RuntimeError("an operator is not known")
