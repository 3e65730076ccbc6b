"""`internlm2`: a value head read at a token of its own, on a Llama whose attention weights are fused."""

from __future__ import annotations

import re
from typing import Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.assemble import load_decoder
from rmaudit.models.backbone import State, first_line
from rmaudit.models.checkpoint import Checkpoint, some
from rmaudit.models.families import _numbers
from rmaudit.models.family import Detection, Family, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, InputSpec, check_shapes, linear
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions

HEAD = "v_head.weight"
_FUSED, _OUT = "attention.wqkv", "attention.wo"
NAMES = {
    "model.tok_embeddings": "embed_tokens",
    "model.norm": "norm",
    _OUT: "self_attn.o_proj",
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
    _require_body(checkpoint)
    _config(checkpoint)
    return spec_reading(checkpoint, _spec(checkpoint))


def _spec(checkpoint: Checkpoint) -> HeadSpec:
    token, size = checkpoint.config.get("reward_token_id"), _numbers.count(checkpoint, "vocab_size")
    if type(token) is not int or not 0 <= token < size:
        raise LoadRefusedError(
            f"The reward of {checkpoint.root} is read at a token of its own, and reward_token_id in its config.json is "
            f"{token!r}, which is none of its {size:,} tokens. Take the config of the model that it was trained from."
        )
    return linear(HEAD, position="last", input=InputSpec(special_tokens=False, append=token))


def _heads(checkpoint: Checkpoint) -> tuple[int, int, int]:
    """Heads of queries, heads of keys and of values, and how wide each is.

    Raises:
        LoadRefusedError: when the config does not say, or contradicts itself.
    """
    queries, size = _numbers.count(checkpoint, "num_attention_heads"), _numbers.count(checkpoint, "hidden_size")
    told = checkpoint.config.get("num_key_value_heads")
    keys = queries if told is None else _numbers.count(checkpoint, "num_key_value_heads")
    if queries % keys or size % queries:
        raise LoadRefusedError(
            f"The config.json of {checkpoint.root} makes no sense: hidden_size {size}, {queries} attention heads and "
            f"num_key_value_heads {told}. Download it again."
        )
    return queries, keys, size // queries


def _biased(checkpoint: Checkpoint) -> bool:
    """Whether the layers of the attention have a bias."""
    return bool(checkpoint.config.get("bias", checkpoint.has(rf"model\.layers\.\d+\.{_FUSED}\.bias") is not None))


def _require_body(checkpoint: Checkpoint) -> None:
    """Refuse weights that the config does not fit, by the names that they have in the files."""
    layers = [f"model.layers.{i}." for i in range(_numbers.count(checkpoint, "num_hidden_layers"))]
    wanted = [f"{part}.weight" for part in NAMES if part.startswith("model.")]
    inner = [part for part in (_FUSED, *NAMES) if not part.startswith("model.")]
    wanted += [f"{layer}{part}.weight" for layer in layers for part in inner]
    wanted += [f"{layer}{part}.bias" for layer in layers for part in (_FUSED, _OUT) if _biased(checkpoint)]
    missing = [name for name in wanted if name not in checkpoint.canonical]
    if missing:
        raise LoadRefusedError(
            f"The weights of {checkpoint.root} lack {some(missing)}, so its scores would not be its own. "
            "Copy or download the checkpoint again."
        )
    queries, keys, width = _heads(checkpoint)
    for layer in layers:
        fused = checkpoint.canonical[f"{layer}{_FUSED}.weight"]
        if fused.shape[:1] != ((queries + 2 * keys) * width,):
            raise LoadRefusedError(
                f"The weights of {checkpoint.root} do not fit its config: {fused} does not hold {queries} heads of "
                f"queries, {keys} of keys and {keys} of values that are {width} wide. Download both again."
            )


def _config(checkpoint: Checkpoint) -> Any:
    """The config of the Llama that computes the same.

    Raises:
        LoadRefusedError: when positions are encoded in a way that the authors' code does not know, or a number is none.
    """
    from transformers import LlamaConfig

    told = checkpoint.config
    try:
        return LlamaConfig(
            **{key: _numbers.count(checkpoint, key) for key in SIZES},
            num_key_value_heads=_heads(checkpoint)[1],
            hidden_act=told.get("hidden_act", "silu"),
            max_position_embeddings=told.get("max_position_embeddings", 2048),
            rms_norm_eps=_numbers.positive(checkpoint, "rms_norm_eps", 1e-6),
            rope_parameters=_rope(checkpoint),
            attention_bias=_biased(checkpoint),
            **{key: told.get(key) for key in ("pad_token_id", "bos_token_id", "eos_token_id")},
        )
    except LoadRefusedError:
        raise
    except Exception as error:
        raise LoadRefusedError(
            f"The config.json of {checkpoint.root} does not describe an InternLM2 model ({first_line(error)}). "
            "Download it again."
        ) from error


def _rope(checkpoint: Checkpoint) -> dict[str, Any]:
    """How positions are encoded.

    The dynamic kind changes nothing up to `max_position_embeddings`, and longer conversations are not read.
    """
    theta = _numbers.positive(checkpoint, "rope_theta", 10000.0)
    scaling = checkpoint.config.get("rope_scaling") or {}
    told = scaling if isinstance(scaling, dict) else {"type": scaling}
    kind = told.get("type", told.get("rope_type"))
    if kind == "linear":
        factor = _numbers.above_zero(checkpoint, "the factor of rope_scaling", told.get("factor"))
        return {"rope_type": "linear", "rope_theta": theta, "factor": factor}
    if kind not in (None, "default", "dynamic"):
        raise LoadRefusedError(
            f"rope_scaling in the config.json of {checkpoint.root} is of type {kind!r}, and InternLM2 knows only "
            "dynamic and linear. Score with the model's own code through python:FILE.py:NAME."
        )
    return {"rope_type": "default", "rope_theta": theta}


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
    _, groups, width = _heads(checkpoint)
    return load_decoder(
        checkpoint,
        detection,
        source,
        options,
        _spec(checkpoint),
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
