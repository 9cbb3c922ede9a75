"""The exported encoder as an ONNX graph, run by ONNX Runtime without torch."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from indexer.encoders.exported import GRAPH_FILE, ExportedEncoder, read_spec, read_tokenizer
from indexer.encoders.spec import Vectors
from indexer.errors import IndexDamaged
from indexer.system.checksums import check_folder

__all__ = ["OnnxEncoder"]

_BATCH = 8
"""Texts of a batch: what the layers make of 32 texts takes 0.7 GB more, and reading and writing that takes longer."""


class OnnxEncoder(ExportedEncoder):
    """Encodes with the graph in `folder`. Safe to share between threads: a session's `run` is.

    `threads` bounds the cores that one call uses; 0 leaves the choice to the runtime.
    Raises IndexDamaged if a file is missing or is not what it should be.
    """

    runtime = "onnxruntime float32"

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        import onnxruntime

        checking = ThreadPoolExecutor(1)
        # Beside loading: comparing the checksum of a graph of 90 MB would otherwise be a tenth of a short search.
        checked = checking.submit(check_folder, folder)
        self.folder = folder
        try:
            self.spec = read_spec(folder)
            self._tokenizer = read_tokenizer(folder)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
            options.log_severity_level = 3
            # Idle workers must not spin: a server's other threads need the cores between two queries.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            self._session = onnxruntime.InferenceSession(
                str(folder / GRAPH_FILE), options, providers=["CPUExecutionProvider"]
            )
            checked.result()
        except IndexDamaged:
            raise
        except Exception as error:
            raise IndexDamaged(
                f"The query encoder in '{folder}' cannot be loaded ({type(error).__name__}): "
                "run 'concord rebuild' to write it again."
            ) from error
        finally:
            checking.shutdown()
        self._inputs = [node.name for node in self._session.get_inputs()]

    def _blocks(self, texts: list[str]) -> Iterator[tuple[list[int], Vectors]]:
        for positions, feed in self._feeds(texts, _BATCH):
            yield positions, self._session.run(["sentence_embedding"], feed)[0]

    def _hidden(self, texts: list[str]) -> Iterator[tuple[int, list[int], Vectors]]:
        if all(node.name != "token_embeddings" for node in self._session.get_outputs()):
            raise IndexDamaged(
                f"The query encoder in '{self.folder}' gives no vectors of tokens: run 'concord rebuild' to write it "
                "again."
            )
        for positions, feed in self._feeds(texts, _BATCH):
            block = self._session.run(["token_embeddings"], feed)[0]
            for position, ids, mask, vectors in zip(
                positions, feed["input_ids"], feed["attention_mask"] > 0, block, strict=True
            ):
                yield position, ids[mask].tolist(), vectors[mask]
