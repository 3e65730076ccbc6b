"""`beaver-reward` and `beaver-cost`: safe-rlhf's score models; a cost counts against the answer."""

from __future__ import annotations

import math
from typing import Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models.assemble import load_decoder
from rmaudit.models.backbone import read_state
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection, Family, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, InputSpec, check_shapes, linear, normalisation
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions

HEAD = "score_head.weight"
BIAS = "score_head.bias"
BUFFERS = ("normalizer.mean", "normalizer.var", "normalizer.count")
EPSILON = 1e-8
"""What the authors add to the standard deviation."""

TEXT = """\
{{- 'BEGINNING OF CONVERSATION: ' -}}
{%- for message in messages -%}
{%- if message.role == 'assistant' -%}
{{- 'ASSISTANT:' + message.content + ('' if loop.last else eos_token) -}}
{%- elif message.role == 'user' -%}
{{- 'USER: ' + message.content + ' ' -}}
{%- else -%}
{{- message.content + ' ' -}}
{%- endif -%}
{%- endfor -%}
{{- 'ASSISTANT:' if add_generation_prompt -}}
"""


def _found(checkpoint: Checkpoint, kind: str) -> tuple[str, ...] | None:
    head = checkpoint.canonical.get(HEAD)
    declared = (checkpoint.architecture or "").endswith("ForScore")
    told = checkpoint.config.get("score_type")
    if (head is None and not declared) or told not in (kind, None):
        return None
    return (
        f"config.json: architecture {checkpoint.architecture}, score_type {told}",
        *([f"weights: {head}"] if head else []),
    )


def _spec(checkpoint: Checkpoint, kind: str) -> HeadSpec:
    bias = BIAS if BIAS in checkpoint.canonical or checkpoint.config.get("bias") is True else None
    spec = linear(
        HEAD,
        bias,
        position="last",
        sign=-1 if kind == "cost" else 1,
        input=InputSpec(template=TEXT, origin="safe-rlhf's own text (BEGINNING OF CONVERSATION: USER: … ASSISTANT:…)"),
    )
    check_shapes(checkpoint, spec)
    return spec


def _read(checkpoint: Checkpoint, kind: str) -> Reading:
    reading = spec_reading(checkpoint, _spec(checkpoint, kind))
    if not checkpoint.config.get("do_normalize"):
        return reading
    formula = "x / (std + 1e-8)" if kind == "cost" else "(x - mean) / (std + 1e-8)"
    where = "normalizer.mean and normalizer.var" if BUFFERS[1] in checkpoint.canonical else "config.json"
    return Reading(
        reading.head,
        reading.pooling,
        reading.spec,
        reading.sign,
        f"{formula}, by the numbers in {where}",
        reading.template,
    )


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    spec = detection.reading.spec
    assert spec is not None, "every reading of this format has one"
    if checkpoint.config.get("do_normalize"):
        mean, variance = _statistics(checkpoint)
        if not (math.isfinite(variance) and variance >= 0):
            raise LoadRefusedError(f"The variance in {checkpoint.root}, by which it normalises, is {variance}.")
        mean = 0.0 if spec.sign < 0 else mean
        spec = spec.model_copy(update={"normalisation": normalisation(checkpoint, mean, variance**0.5, EPSILON)})
    return load_decoder(checkpoint, detection, source, options, spec, head_names=(*spec.names, *_buffers(checkpoint)))


def _buffers(checkpoint: Checkpoint) -> list[str]:
    return [name for name in BUFFERS if name in checkpoint.canonical]


def _statistics(checkpoint: Checkpoint) -> tuple[float, float]:
    """Mean and variance: the buffers of the checkpoint, or what its config says."""
    if BUFFERS[1] in checkpoint.canonical and BUFFERS[0] in checkpoint.canonical:
        state = read_state(checkpoint, BUFFERS[:2])
        return float(state[BUFFERS[0]].flatten()[0]), float(state[BUFFERS[1]].flatten()[0])
    return _number(checkpoint, "mean"), _number(checkpoint, "var")


def _number(checkpoint: Checkpoint, key: str) -> float:
    told: Any = checkpoint.config.get(key)
    while isinstance(told, list) and len(told) == 1:
        told = told[0]
    if not isinstance(told, int | float):
        raise LoadRefusedError(
            f"{checkpoint.root} normalises its score (do_normalize), and neither normalizer.{key} nor {key} in its "
            "config.json says by what. Save the checkpoint again with its normalizer."
        )
    return float(told)


FAMILIES = (
    Family(
        format="beaver-reward",
        examples="PKU-Alignment beaver-7b-v1.0-reward to v3.0",
        recognised="`score_head.weight [1, h]` and `score_type: reward`",
        scalar="the score head at the last token; `(s − mean) / (std + 1e-8)` where `do_normalize` says so",
        recognise=lambda checkpoint, options: _found(checkpoint, "reward"),
        read=lambda checkpoint, options: _read(checkpoint, "reward"),
        load=_load,
        heads=(r"score_head\.(weight|bias)",),
    ),
    Family(
        format="beaver-cost",
        examples="PKU-Alignment beaver-7b-v1.0-cost to v3.0",
        recognised="`score_head.weight [1, h]` and `score_type: cost`",
        scalar="minus the score head at the last token; `s / (std + 1e-8)` where `do_normalize` says so",
        recognise=lambda checkpoint, options: _found(checkpoint, "cost"),
        read=lambda checkpoint, options: _read(checkpoint, "cost"),
        load=_load,
        heads=(r"score_head\.(weight|bias)",),
    ),
)
