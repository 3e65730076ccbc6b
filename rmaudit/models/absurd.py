"""Configs that announce a model far larger than the weights beside them, told before a library builds it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rmaudit.models.checkpoint import Tensor

LARGEST_INTEGER = 1 << 40
LAYER_COUNTS = (
    *("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers"),
    *("num_decoder_layers", "num_encoder_layers", "depth"),
)
SIDE_COUNTS = (
    *("num_experts", "num_local_experts", "n_routed_experts", "n_shared_experts", "moe_num_experts"),
    *("num_attention_heads", "num_key_value_heads", "n_head", "n_heads", "num_heads"),
)
HIDDEN = ("hidden_size", "n_embd", "d_model")
INNER = ("intermediate_size", "n_inner", "d_ff", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim")
WIDTHS = (
    *(*HIDDEN, *INNER, "vocab_size", "head_dim", "embedding_size", "word_embed_proj_dim", "type_vocab_size"),
    *("moe_intermediate_size", "relative_attention_num_buckets", "position_buckets", "max_relative_positions"),
)
POSITIONS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
MAX_POSITIONS = 1 << 24
SQUARED_POSITIONS = ("gpt2", "gpt_neo", "gptj", "codegen", "gpt_bigcode", "imagegpt", "decision_transformer", "bark")
"""Model types that keep a mask of as many rows and columns as there are positions."""
MAX_SQUARED_POSITIONS = 1 << 14
MIN_LAYERS = 128
"""Counts up to this one cost nothing."""
SLACK = 8
"""How many times over a config may exceed what is there: eight small numbers may be packed into one."""


def absurd_config(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str | None:
    """Why a model of this config could not be filled by these tensors, or ``None`` when nothing says so.

    A library builds the model first and compares it with the weights afterwards, so a config of a few bytes can keep
    it busy for hours or fill the memory. What a config announces may therefore be only a few times what is there:
    layers may not outnumber the tensors, nor experts and sizes the longest side of a tensor, nor may a matrix that
    every such model has be many times as large as all tensors together. That is far from exact, so that quantised,
    shared and padded weights pass; whether names and shapes fit is decided when the weights are loaded.

    Args:
        config: a checkpoint's ``config.json``; the configs of its parts (``text_config``) are looked at too.
        tensors: all its tensors, those of an adapter's base included.
    """
    longest = max((side for tensor in tensors.values() for side in tensor.shape), default=0)
    numbers = sum(math.prod(tensor.shape) for tensor in tensors.values())
    for key, value in _integers(config):
        if abs(value) > LARGEST_INTEGER:
            return f"{key} is {value:,}"
    for place, part in _parts(config):
        limits = (
            (LAYER_COUNTS, max(len(tensors), MIN_LAYERS), f"there are {len(tensors):,} tensors"),
            (SIDE_COUNTS, max(longest, MIN_LAYERS), f"no tensor has a side longer than {longest:,}"),
            (WIDTHS, SLACK * longest, f"no tensor has a side longer than {longest:,}"),
        )
        for keys, limit, there in limits:
            for key in keys:
                if (found := _count(part, (key,))) > limit:
                    return f"{place}{key} is {found:,}, and {there}"
        positions = _count(part, POSITIONS)
        squared = part.get("model_type") in SQUARED_POSITIONS
        if positions > (MAX_SQUARED_POSITIONS if squared else MAX_POSITIONS):
            return f"{place}{next(key for key in POSITIONS if key in part)} is {positions:,}"
        width, layers = _count(part, HIDDEN), _count(part, LAYER_COUNTS)
        largest = max(_count(part, ("vocab_size",)), layers * max(width, _count(part, INNER)))
        if width * largest > SLACK * numbers:
            return (
                f"{place.rstrip('.') or 'it'} describes {width * largest:,} numbers or more, and there are {numbers:,}"
            )
    return None


def _integers(config: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Every integer at any depth of a config, with the key nearest to it."""
    waiting: list[tuple[str, Any]] = [("it", config)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(name, entry) for entry in value]
        elif isinstance(value, int):
            yield name[:60], value


def _parts(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """A config and the configs of its parts, with a prefix that tells which."""
    waiting = [("", config)]
    while waiting:
        place, part = waiting.pop()
        yield place, part
        waiting += [(f"{key[:60]}.", entry) for key, entry in part.items() if isinstance(entry, dict)]


def _count(part: Mapping[str, Any], keys: Iterable[str]) -> int:
    """The largest whole number under any of the keys; 0 when there is none."""
    return max(
        (int(part[key]) for key in keys if isinstance(part.get(key), int | float) and part[key] < 1e30), default=0
    )
