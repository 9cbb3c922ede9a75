"""Writing an encoder with weights in 16-bit integers, for CTranslate2; torch is there while it is written."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from indexer.encoders.int16 import MODEL_FILE, POOLING, POOLINGS
from indexer.encoders.int16_file import read_layout
from indexer.errors import EncoderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["in_16_bits", "write_int16"]

_ACTIVATION_BITS = 10
"""CTranslate2 scales what goes into a layer to this many bits."""


def write_int16(model: SentenceTransformer, folder: Path) -> None:
    """Write a sentence-transformers model into `folder`, which is made.

    Raises EncoderError when CTranslate2 is not installed or does not know the model's architecture, or when vectors
    of texts are made in another way than from the first token or the mean of all.
    """
    try:
        from ctranslate2.converters.transformers import BertLoader, DistilBertLoader, RobertaLoader, XLMRobertaLoader
        from ctranslate2.specs.common_spec import EmbeddingsSpec, LinearSpec
        from ctranslate2.specs.model_spec import visit_spec
    except ImportError as error:
        raise EncoderError("CTranslate2 is not installed.") from error
    loaders = {
        "bert": BertLoader,
        "distilbert": DistilBertLoader,
        "roberta": RobertaLoader,
        "xlm-roberta": XLMRobertaLoader,
    }
    transformer, pooling = _parts(model)
    kind = str(transformer.config.model_type)
    if kind not in loaders:
        raise EncoderError(f"CTranslate2 knows no encoder of the type '{kind}'.")

    def shorten(owner: Any, _: str, value: Any) -> None:
        if isinstance(owner, EmbeddingsSpec | LinearSpec) and value is owner.weight:
            weights = value.detach().numpy()
            owner.weight, owner.weight_scale = in_16_bits(weights, summed=isinstance(owner, LinearSpec))

    # CTranslate2 asks for a setting that transformers has left out since it has no other value any more.
    vars(transformer.config).setdefault("position_embedding_type", "absolute")
    # This one loader expects the model inside another.
    given = SimpleNamespace(config=transformer.config, roberta=transformer) if kind == "xlm-roberta" else transformer
    try:
        spec = loaders[kind]()(given, model.tokenizer)
        # It serves another purpose than the vector of a text.
        for part in ("pooler_dense", "pooler_activation"):
            vars(spec).pop(part, None)
        visit_spec(spec, shorten)
        spec.validate()
        spec.config.add_attribute(POOLING, pooling)
        folder.mkdir()
        spec.save(str(folder))
        read_layout(folder / MODEL_FILE)
    except (AssertionError, AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise EncoderError(f"CTranslate2 cannot take it over ({type(error).__name__}: {error}).") from error


def in_16_bits(weights: NDArray[np.float32], *, summed: bool) -> tuple[NDArray[np.int16], np.float32]:
    """Weights (n, d) times a scale, as whole numbers, and that scale.

    It is the greatest that fits. Where products with the weights are `summed`, as in a linear layer, it is the greatest
    with which no row can leave the 32 bits that CTranslate2 sums in: its own converter spends 10 bits on every weight
    to be sure of that, which leaves a cosine of 0.9995 to the original, where this leaves 0.99999.
    """
    limit = np.iinfo(np.int16).max / max(float(np.abs(weights).max(initial=0)), 1e-30)
    if summed:
        columns = weights.shape[1]
        room = np.iinfo(np.int32).max / 2**_ACTIVATION_BITS - columns  # rounding may add one half to each weight
        limit = min(limit, room / max(float(np.abs(weights).sum(axis=1, dtype=np.float64).max(initial=0)), 1e-30))
    scale = np.float32(limit)
    return np.rint(weights * scale).astype(np.int16), scale


def _parts(model: SentenceTransformer) -> tuple[Any, str]:
    """The transformer of a model, and how it pools: 'mean' or 'cls'."""
    names = [type(module).__name__ for module in model]
    if names[:2] != ["Transformer", "Pooling"] or names[2:] not in ([], ["Normalize"]):
        raise EncoderError(f"Its modules are {', '.join(names)}, and not Transformer, Pooling and Normalize.")
    transformer: Any = model[0]
    settings = model[1].get_config_dict()
    if settings["pooling_mode"] not in POOLINGS or not settings["include_prompt"]:
        raise EncoderError(f"It pools in a way of its own: {settings}.")
    return transformer.auto_model, settings["pooling_mode"]
