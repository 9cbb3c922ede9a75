"""The encoders of a snapshot's queries, loaded once for all generations that share them."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

from indexer.encoders.carried import encoder_folder
from indexer.encoders.exported import ExportedEncoder
from indexer.encoders.for_queries import load_query_encoder
from indexer.encoders.spec import Encoder, named_by_index
from indexer.errors import ConcordError, IndexDamaged, IndexMismatch, UsageError
from indexer.generations.manifest import Manifest

__all__ = ["QueryEncoders"]


class QueryEncoders:
    """Hands out the encoder of a generation's queries: the one that its index carries, or the original.

    `threads` bounds the cores that encoding one query may use. Safe to use from many threads.
    """

    def __init__(self, index_dir: Path, *, threads: int) -> None:
        self._index_dir = index_dir
        self._threads = threads
        self._lock = threading.Lock()
        self._encoder: tuple[str, Encoder] | None = None

    def of(self, manifest: Manifest) -> Encoder:
        """The encoder of a generation's queries, loaded once.

        Raises IndexDamaged, EncoderError, or IndexMismatch when this machine's is not the one of the index.
        """
        with self._lock:
            if self._encoder is None or self._encoder[0] != manifest.encoder.fingerprint:
                load = self._carried if manifest.query_encoder == "onnx" else self._original
                self._encoder = (manifest.encoder.fingerprint, load(manifest))
            return self._encoder[1]

    def of_tokens(self, manifest: Manifest) -> ExportedEncoder:
        """The encoder of a generation's queries, for vectors of single tokens. Raises UsageError when the index carries
        none."""
        encoder = QueryEncoders.of(self, manifest)  # itself, not what a subclass wraps it in
        if not isinstance(encoder, ExportedEncoder):
            raise UsageError(
                "The reranker 'maxsim' needs the encoder that an index carries, and this index has none, because "
                f"'{manifest.encoder.name}' could not be exported: leave 'rerank' out, or use a cross-encoder."
            )
        return encoder

    def load_ahead(self, manifest: Manifest) -> None:
        """Load a generation's encoder in a thread of its own, while the caller does something else."""

        def load() -> None:
            # Whoever needs the encoder gets the error: it tries again.
            with contextlib.suppress(ConcordError):
                self.of(manifest)

        # No daemon: a process must not end in the middle of a runtime's start.
        threading.Thread(target=load, name="concord-encoder").start()

    def _carried(self, manifest: Manifest) -> Encoder:
        folder = encoder_folder(self._index_dir, manifest.encoder)
        encoder = load_query_encoder(folder, threads=self._threads)
        if not encoder.spec.same_vectors(manifest.encoder):
            raise IndexDamaged(
                f"The query encoder in '{folder}' is not the one that the index was made with: "
                "run 'concord rebuild' to write it again."
            )
        return encoder

    def _original(self, manifest: Manifest) -> Encoder:
        from indexer.encoders.original import TorchEncoder

        spec = manifest.encoder
        encoder = TorchEncoder(named_by_index(spec.name, self._index_dir))
        if not encoder.spec.same_vectors(spec):
            raise IndexMismatch(
                f"The encoder '{spec.name}' on this machine is not the one that the index was made with "
                f"({encoder.spec.fingerprint[:12]} instead of {spec.fingerprint[:12]}): put that one back, "
                "or index the articles into a new folder."
            )
        return encoder
