"""`internlm2`: a value head at a token of its own at the end, on a model that is a Llama with fused attention weights."""

from __future__ import annotations

import re
from typing import Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.assemble import load_decoder
from rmaudit.models.backbone import State
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection, Family, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, InputSpec, check_shapes, linear
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions

HEAD = "v_head.weight"
NAMES = {
    "model.tok_embeddings": "embed_tokens",
    "model.norm": "norm",
    "attention.wo": "self_attn.o_proj",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w2": "mlp.down_proj",
    "feed_forward.w3": "mlp.up_proj",
    "attention_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
"""What a Llama calls the parts that are the same in both."""
SIZES = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")

_LAYER = re.compile(r"model\.(layers\.\d+\.)(.+)\.(weight|bias)")
_PART = re.compile(r"(model\..+)\.(weight|bias)")
_FUSED = "attention.wqkv"


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    fused = checkpoint.has(r"model\.layers\.\d+\.attention\.wqkv\.weight")
    head = checkpoint.canonical.get(HEAD)
    declared = checkpoint.architecture == "InternLM2ForRewardModel"
    own = checkpoint.model_type == "internlm2" or fused is not None
    if checkpoint.adapter is not None or not own or not (declared or head):
        return None
    return (
        f"config.json: model type {checkpoint.model_type}, architecture {checkpoint.architecture}",
        *(f"weights: {tensor}" for tensor in (fused, head) if tensor),
    )


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    spec = linear(HEAD, position="last")
    check_shapes(checkpoint, spec)
    _sizes(checkpoint)
    spec = _spec(_reward_token(checkpoint))
    return spec_reading(checkpoint, spec)


def _spec(token: int) -> HeadSpec:
    return linear(HEAD, position="last", input=InputSpec(special_tokens=False, append=token))


def _reward_token(checkpoint: Checkpoint) -> int:
    token, size = checkpoint.config.get("reward_token_id"), checkpoint.config["vocab_size"]
    if not isinstance(token, int) or isinstance(token, bool) or not 0 <= token < size:
        raise LoadRefusedError(
            f"The reward of {checkpoint.root} is read at a token of its own, and reward_token_id in its config.json is "
            f"{token!r}, which is none of its {size:,} tokens. Take the config of the model that it was trained from."
        )
    return token


def _sizes(checkpoint: Checkpoint) -> tuple[int, int, int]:
    """Attention heads, heads of keys and values, and the width of a head.

    Raises:
        LoadRefusedError: when the config does not say, or the fused weights are of another size.
    """
    config, root = checkpoint.config, checkpoint.root
    wrong = [key for key in SIZES if not isinstance(config.get(key), int) or isinstance(config[key], bool)]
    if wrong or min(config[key] for key in SIZES) < 1:
        raise LoadRefusedError(
            f"The config.json of {root} does not say how large the model is: {', '.join(wrong or SIZES)} must be whole "
            "numbers above 0. Download it again."
        )
    heads = config["num_attention_heads"]
    told = config.get("num_key_value_heads")
    groups = heads if told is None else told
    width = config["hidden_size"] // heads
    fits = isinstance(groups, int) and groups > 0 and heads % groups == 0 and width * heads == config["hidden_size"]
    if not fits:
        raise LoadRefusedError(
            f"The config.json of {root} makes no sense: hidden_size {config['hidden_size']}, {heads} attention heads "
            f"and num_key_value_heads {told}. Download it again."
        )
    for name, tensor in checkpoint.canonical.items():
        if f".{_FUSED}." in name and tensor.shape[:1] != ((heads + 2 * groups) * width,):
            raise LoadRefusedError(
                f"The weights of {root} do not fit its config: {tensor} is not of {heads} heads for queries and "
                f"{groups} each for keys and values, {width} wide."
            )
    return heads, groups, width


def _config(checkpoint: Checkpoint) -> Any:
    """The config of the Llama that computes the same.

    Raises:
        LoadRefusedError: when positions are encoded in a way that the authors' code does not know.
    """
    from transformers import LlamaConfig

    told = checkpoint.config
    scaling = told.get("rope_scaling")
    kind = scaling.get("type", scaling.get("rope_type")) if isinstance(scaling, dict) else scaling
    if kind not in (None, "default", "dynamic", "linear"):
        raise LoadRefusedError(
            f"rope_scaling in the config.json of {checkpoint.root} is of type {kind!r}, and only dynamic and linear are "
            "known for InternLM2. Score with the model's own code through python:FILE.py:NAME."
        )
    rope: dict[str, Any] = {"rope_type": "default", "rope_theta": float(told.get("rope_theta", 10000.0))}
    if kind == "linear":
        rope |= {"rope_type": "linear", "factor": float(scaling["factor"])}
    # The dynamic kind changes nothing up to max_position_embeddings, and longer conversations are not read.
    fused_bias = any(name.endswith(f"{_FUSED}.bias") for name in checkpoint.canonical)
    return LlamaConfig(
        **{key: told[key] for key in SIZES},
        num_key_value_heads=_sizes(checkpoint)[1],
        hidden_act=told.get("hidden_act", "silu"),
        max_position_embeddings=told.get("max_position_embeddings", 2048),
        rms_norm_eps=told.get("rms_norm_eps", 1e-6),
        rope_parameters=rope,
        attention_bias=bool(told.get("bias", fused_bias)),
        pad_token_id=told.get("pad_token_id"),
        bos_token_id=told.get("bos_token_id"),
        eos_token_id=told.get("eos_token_id"),
    )


def _as_llama(state: State, groups: int, width: int) -> State:
    """The same weights under a Llama's names, with queries, keys and values apart."""
    made: State = {}
    for name, tensor in state.items():
        layer = _LAYER.fullmatch(name)
        part = _PART.fullmatch(name)
        if layer and layer[2] == _FUSED:
            made |= {
                f"{layer[1]}self_attn.{letter}_proj.{layer[3]}": rows
                for letter, rows in _apart(tensor, groups, width).items()
            }
        elif layer:
            made[f"{layer[1]}{NAMES.get(layer[2], layer[2])}.{layer[3]}"] = tensor
        elif part:
            made[f"{NAMES.get(part[1], part[1])}.{part[2]}"] = tensor
        elif name != "output.weight":  # the language model's output, which the reward has no use for
            made[name] = tensor
    return made


def _apart(fused: Any, groups: int, width: int) -> dict[str, Any]:
    """For each group of heads its queries, then one key and one value lie one after the other."""
    blocks = fused.unflatten(0, (groups, -1, width))
    return {
        "q": blocks[:, :-2].flatten(0, 2),
        "k": blocks[:, -2].flatten(0, 1),
        "v": blocks[:, -1].flatten(0, 1),
    }


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    _, groups, width = _sizes(checkpoint)
    return load_decoder(
        checkpoint,
        detection,
        source,
        options,
        _spec(_reward_token(checkpoint)),
        rename=lambda state: _as_llama(state, groups, width),
        config=_config(checkpoint),
    )


FAMILY = Family(
    format="internlm2",
    examples="internlm2-1_8b-reward, internlm2-7b-reward, internlm2-20b-reward",
    recognised="model type `internlm2` (or `attention.wqkv`) with `v_head.weight [1, h]` or architecture "
    "`InternLM2ForRewardModel`",
    scalar="the value head at `reward_token_id`, which is added to the end of the text where it is not there",
    recognise=_recognise,
    read=_read,
    load=_load,
    heads=(r"v_head\.weight",),
)
