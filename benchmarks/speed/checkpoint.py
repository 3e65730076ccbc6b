"""The model that is timed: a random Llama classifier of 25 million parameters beside its embeddings."""

from __future__ import annotations

from pathlib import Path

from benchmarks.rewardbench_parity import CHAT, LLAMA, write_model, write_tokenizer

WIDTH, INNER, LAYERS, HEADS = 512, 1376, 8, 8
PRODUCTS = ((WIDTH, WIDTH),) * 4 + ((WIDTH, INNER),) * 2 + ((INNER, WIDTH),)
"""Shapes of the weights of one layer, ``(in, out)``."""


def write(root: Path) -> None:
    """Write it, in a form that old and new versions of transformers read alike."""
    size = write_tokenizer(root, CHAT)
    shape = {"hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS}
    shape |= {"num_attention_heads": HEADS, "num_key_value_heads": HEADS, "max_position_embeddings": 4096}
    tokens = {"vocab_size": size, "pad_token_id": 0, "bos_token_id": size - 4, "eos_token_id": size - 3}
    write_model(root, LLAMA, {**shape, **tokens}, 0.02)


def operations(lengths: list[int]) -> float:
    """Of linear layers and attention for whole conversations, a multiplication and an addition counted as two.

    Nothing is counted for padding, embeddings, norms or the head, and each token attends to those before it only.
    """
    linear = LAYERS * sum(a * b for a, b in PRODUCTS)
    return float(sum(2 * linear * n + LAYERS * 4 * WIDTH * n * (n + 1) / 2 for n in lengths))
