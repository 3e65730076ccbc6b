"""`oasst-pythia`: Open Assistant's reward model on Pythia, with its own text and a head with bias."""

from __future__ import annotations

from typing import Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.assemble import load_decoder
from rmaudit.models.backbone import first_line
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection, Family, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, InputSpec, Position, check_shapes, linear
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions

TEXT = """\
{%- for message in messages -%}
{{- {'user': '<|prompter|>', 'assistant': '<|assistant|>'}.get(message.role, '<|system|>') -}}
{{- message.content + '<|endoftext|>' -}}
{%- endfor -%}
{{- '<|assistant|>' if add_generation_prompt -}}
"""
ORIGIN = "Open Assistant's own text (<|prompter|>…<|endoftext|><|assistant|>…<|endoftext|>)"
POOLINGS: dict[str, Position] = {"last": "last", "mean": "mean"}


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    head = checkpoint.canonical.get("out_proj.weight")
    declared = checkpoint.model_type == "gpt_neox_reward_model" or checkpoint.architecture == "GPTNeoXRewardModel"
    named = head is not None and checkpoint.has(r"gpt_neox\..*") is not None
    if checkpoint.adapter is not None or not (declared or named):
        return None
    return (
        f"config.json: model type {checkpoint.model_type}, architecture {checkpoint.architecture}",
        *([f"weights: {head}"] if head else []),
    )


def _spec(checkpoint: Checkpoint) -> HeadSpec:
    told = checkpoint.config.get("pooling") or "last"
    if told not in POOLINGS:
        raise LoadRefusedError(
            f"pooling in the config.json of {checkpoint.root} is {told!r}, and must be last or mean. Download it again."
        )
    return linear(
        "out_proj.weight",
        "out_proj.bias",
        position=POOLINGS[told],
        input=InputSpec(template=TEXT, origin=ORIGIN),
    )


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    spec = _spec(checkpoint)
    check_shapes(checkpoint, spec)
    return spec_reading(checkpoint, spec)


def _config(checkpoint: Checkpoint) -> Any:
    """The library's config of the bare model, whose own model type it does not know."""
    from transformers import GPTNeoXConfig

    own = ("model_type", "architectures", "auto_map", "pooling")
    try:
        return GPTNeoXConfig(**{key: value for key, value in checkpoint.config.items() if key not in own})
    except Exception as error:
        raise LoadRefusedError(
            f"The config.json of {checkpoint.root} does not describe a GPT-NeoX model ({first_line(error)}). "
            "Download it again."
        ) from error


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    return load_decoder(checkpoint, detection, source, options, _spec(checkpoint), config=_config(checkpoint))


FAMILY = Family(
    format="oasst-pythia",
    examples="OpenAssistant oasst-rm-2-pythia-6.9b-epoch-1, oasst-rm-2.1-pythia-1.4b-epoch-2.5",
    recognised="model type `gpt_neox_reward_model`, architecture `GPTNeoXRewardModel`, or `out_proj.weight` beside "
    "`gpt_neox.*`",
    scalar="`out_proj` with bias at the last token, or of the mean over all tokens, as `pooling` in the config says",
    recognise=_recognise,
    read=_read,
    load=_load,
    heads=(r"out_proj\.(weight|bias)",),
)
