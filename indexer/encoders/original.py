"""Any sentence-transformers model, by bundled name, hub name or folder; and its export for torch-free encoding."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

from indexer.encoders.batching import BatchEncoder, by_length
from indexer.encoders.exported import (
    BFLOAT16,
    FLOAT32,
    GRAPH_FILE,
    MIN_EXPORT_COSINE,
    TOKENIZER_FILE,
    ExportedEncoder,
    has_bfloat16,
    write_spec,
)
from indexer.encoders.spec import EncoderSpec, Vectors, background_cosine, fingerprint, model_folder
from indexer.errors import EncoderError
from indexer.system.checksums import write_sums
from indexer.system.files import drafted

__all__ = ["TorchEncoder", "export", "has_gpu", "quieten"]

_BATCH = 32
_GPU_BATCH = 256
_CHECK_TEXTS = [
    "Ministers met on Thursday.",
    "The two governments agreed to release 34 detainees, and said that no third country had taken part in the talks "
    "that led to the agreement, which observers called the first of its kind since independence.",
    "COP29",
    "Şuşa, Zürich, São Paulo: mayors sign a charter",
    "a " * 400,
]
# The model cards of these families ask for prefixes that their configuration does not carry.
_PREFIXES = (
    ("e5-", ("query: ", "passage: ")),
    ("bge-", ("Represent this sentence for searching relevant passages: ", "")),
    ("arctic-embed", ("Represent this sentence for searching relevant passages: ", "")),
)


class TorchEncoder(BatchEncoder):
    """A sentence-transformers model under torch, on a GPU when there is one; safe to share between threads.

    `precision` is 'float32', 'float16' or 'bfloat16'. Raises EncoderError when the model cannot be loaded or is no text
    encoder.

    On a processor every core encodes batches by itself. Dividing every small operation between the cores instead, as
    torch does, was a fifth slower on an idle machine and four times slower beside other work, because each operation
    then waits for the slowest core.
    """

    def __init__(self, name: str, *, precision: str = "float32") -> None:
        folder = model_folder(name)
        self.name = name
        self._precision = precision
        if folder is not None:
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        quieten()
        import torch
        from sentence_transformers import SentenceTransformer

        kwargs: dict[str, Any] = (
            {"model_kwargs": {"dtype": getattr(torch, precision)}} if precision != "float32" else {}
        )
        try:
            self._model = SentenceTransformer(str(folder) if folder else name, **kwargs)
        except Exception as error:
            raise EncoderError(
                f"The encoder '{name}' cannot be loaded ({type(error).__name__}: {_first_line(error)}). Name a folder "
                "saved by sentence-transformers, or a model that this machine can download or has in its cache."
            ) from error
        self._model.eval()
        on_cpu = self._model.device.type == "cpu"
        self._batch = _BATCH if on_cpu else _GPU_BATCH
        self._tokenizing = Lock()
        self._pool = ThreadPoolExecutor(1, "encode")
        if on_cpu:
            self._pool = ThreadPoolExecutor(torch.get_num_threads(), "encode", torch.set_num_threads, (1,))
        self.spec = self._read_spec(folder)
        self.spec = replace(self.spec, background=background_cosine(self))

    @property
    def runtime(self) -> str:
        """See BatchEncoder."""
        return f"torch {self._precision}"

    def _read_spec(self, folder: Path | None) -> EncoderSpec:
        model = self._model
        tokenizer = model.tokenizer
        window = int(model.max_seq_length or getattr(tokenizer, "model_max_length", 512))
        dimension = model.get_embedding_dimension()
        if not dimension:
            raise EncoderError(f"The encoder '{self.name}' does not say how long its vectors are.")
        query_prefix, passage_prefix = _prefixes(self.name, dict(model.prompts or {}))
        return EncoderSpec(
            name=self.name,
            fingerprint=fingerprint(folder) if folder else _weights_fingerprint(model),
            dimension=int(dimension),
            window=min(window, 8192),
            special_tokens=int(tokenizer.num_special_tokens_to_add()),
            query_prefix=query_prefix,
            passage_prefix=passage_prefix,
        )

    def count_tokens(self, texts: list[str]) -> list[int]:
        """See Encoder."""
        with self._tokenizing:
            encoded = self._model.tokenizer(texts, add_special_tokens=False, truncation=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def close(self) -> None:
        """See BatchEncoder."""
        super().close()
        self._pool.shutdown(cancel_futures=True)

    def _blocks(self, texts: list[str]) -> Iterator[tuple[list[int], Vectors]]:
        # Tokenised here, because a tokenizer must not be shared between threads; longest first, so that no thread is
        # left with the longest batch at the end.
        batches = by_length([len(text) for text in texts], self._batch)[::-1]
        with self._tokenizing:
            features = [self._model.preprocess([texts[i] for i in batch]) for batch in batches]
        yield from zip(batches, self._pool.map(self._forward, features), strict=True)

    def _forward(self, features: dict[str, Any]) -> Vectors:
        import torch

        device = self._model.device
        with torch.inference_mode():
            on_device = {name: value.to(device) if hasattr(value, "to") else value for name, value in features.items()}
            encoded: Vectors = self._model(on_device)["sentence_embedding"].float().cpu().numpy()
        return encoded


def export(encoder: TorchEncoder, folder: Path) -> float:
    """Write the encoder's graph, tokenizer and spec, check them against the original, and then let them be `folder`.

    Where this processor has bfloat16, the spec notes whether the graph keeps its vectors in it. Returns the lowest
    cosine of the graph in float32 over the check texts. Raises EncoderError when the model has no fast tokenizer,
    cannot be exported, or when the exported graph strays further than MIN_EXPORT_COSINE; `folder` is as it was then.
    """
    backend = getattr(encoder._model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise EncoderError(f"The encoder '{encoder.name}' has no fast tokenizer to put into the index.")
    with drafted(folder) as draft:
        _write_graph(encoder, draft / GRAPH_FILE)
        (draft / TOKENIZER_FILE).write_text(backend.to_str(), "utf-8")
        write_spec(draft, encoder.spec)
        write_sums(draft)
        expected = encoder.encode_passages(_CHECK_TEXTS)
        cosine = _least_cosine(draft, FLOAT32, expected)
        if not cosine >= MIN_EXPORT_COSINE:
            raise EncoderError(
                f"The exported encoder '{encoder.name}' strays from the original: cosine {cosine:.5f}, "
                f"at least {MIN_EXPORT_COSINE} is needed."
            )
        if has_bfloat16() and _least_cosine(draft, BFLOAT16, expected) >= MIN_EXPORT_COSINE:
            write_spec(draft, encoder.spec, bfloat16=True)
            write_sums(draft)
    return cosine


def _least_cosine(folder: Path, precision: str, expected: Vectors) -> float:
    """The lowest cosine of the exported encoder to the original over the check texts."""
    exported = ExportedEncoder(folder, precision=precision)
    try:
        return float((exported.encode_passages(_CHECK_TEXTS) * expected).sum(axis=1).min())
    finally:
        exported.close()


def _write_graph(encoder: TorchEncoder, path: Path) -> None:
    import torch

    model = encoder._model
    names = [name for name in model.tokenizer.model_input_names if name in _GRAPH_INPUTS]

    class Graph(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            out = self.model(dict(zip(names, tensors, strict=True)))
            return out["sentence_embedding"], out["token_embeddings"]

    sample = model.tokenizer(["a first text", "another, longer text"], padding=True, return_tensors="pt")
    axes = {name: {0: "batch", 1: "length"} for name in [*names, "token_embeddings"]}
    model.cpu()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                Graph().eval(),
                tuple(sample[name] for name in names),
                str(path),
                input_names=names,
                output_names=["sentence_embedding", "token_embeddings"],
                dynamic_axes={**axes, "sentence_embedding": {0: "batch"}},
                opset_version=17,
                # The TorchScript exporter needs nothing but onnx; the newer one needs onnxscript as well.
                dynamo=False,
            )
    except Exception as error:
        raise EncoderError(
            f"The encoder '{encoder.name}' cannot be exported to ONNX ({type(error).__name__}: {_first_line(error)})."
        ) from error


_GRAPH_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def has_gpu() -> bool:
    """Whether torch sees a GPU, which sentence-transformers would then use by itself."""
    import torch

    return bool(torch.cuda.is_available() or torch.backends.mps.is_available())


def _prefixes(name: str, prompts: dict[str, str]) -> tuple[str, str]:
    """Query and passage prefix: from the model's own configuration, else from what its family's card asks for."""
    query = prompts.get("query", "")
    passage = prompts.get("passage") or prompts.get("document") or ""
    if query or passage:
        return query, passage
    lowered = Path(name).name.lower()
    for family, pair in _PREFIXES:
        if re.search(rf"(?<![a-z0-9]){family}", lowered):
            return pair
    return "", ""


def _weights_fingerprint(model: Any) -> str:
    """Fingerprint of a model that came from a hub cache: SHA-256 over its parameters."""
    import hashlib

    import torch

    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def quieten() -> None:
    """Keep the libraries' own progress bars and load reports out of ours."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    for library in ("sentence_transformers", "transformers"):
        logging.getLogger(library).setLevel(logging.ERROR)
    try:
        from transformers.utils import logging as transformers_logging
    except ImportError:
        return
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else "no reason given"
