"""`ultrarm` and `eurus`: a linear regression head without bias, each with its own text around the turns."""

from __future__ import annotations

from rmaudit.models.assemble import load_described
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Family, Reading, spec_reading
from rmaudit.models.headspec import InputSpec, check_shapes, linear

HEAD = "regression_head.weight"

ULTRARM_TEXT = """\
{%- for message in messages -%}
{{- '\\n\\n' if not loop.first -}}
{{- 'Human: ' if message.role == 'user' else 'Assistant: ' if message.role == 'assistant' else '' -}}
{{- message.content -}}
{%- endfor -%}
{{- '\\n\\nAssistant:' if add_generation_prompt -}}
"""
EURUS_TEXT = """\
{%- for message in messages -%}
{{- ' ' if not loop.first -}}
{{- '[INST] ' + message.content + ' [/INST]' if message.role == 'user' else message.content -}}
{%- endfor -%}
"""


def _found(checkpoint: Checkpoint, mistral: bool) -> tuple[str, ...] | None:
    head = checkpoint.canonical.get(HEAD)
    declared = checkpoint.architecture == "LlamaRewardModel" and not mistral
    if (head is None and not declared) or mistral != (checkpoint.model_type == "mistral"):
        return None
    return (
        f"config.json: architecture {checkpoint.architecture}, model type {checkpoint.model_type}",
        *([f"weights: {head}"] if head else []),
    )


def _reading(checkpoint: Checkpoint, text: str, origin: str) -> Reading:
    spec = linear(HEAD, position="last", input=InputSpec(template=text, origin=origin))
    check_shapes(checkpoint, spec)
    return spec_reading(checkpoint, spec)


FAMILIES = (
    Family(
        format="ultrarm",
        examples="UltraRM-13b",
        recognised="`regression_head.weight [1, h]`, model type other than mistral",
        scalar="the regression head at the last token",
        recognise=lambda checkpoint, options: _found(checkpoint, mistral=False),
        read=lambda checkpoint, options: _reading(
            checkpoint, ULTRARM_TEXT, "UltraRM's own text (Human: …, Assistant: …)"
        ),
        load=load_described,
        heads=(r"regression_head\.weight",),
    ),
    Family(
        format="eurus",
        examples="Eurus-RM-7b",
        recognised="`regression_head.weight [1, h]`, model type mistral",
        scalar="the regression head at the last token",
        recognise=lambda checkpoint, options: _found(checkpoint, mistral=True),
        read=lambda checkpoint, options: _reading(checkpoint, EURUS_TEXT, "Eurus-RM's own text ([INST] … [/INST] …)"),
        load=load_described,
        heads=(r"regression_head\.weight",),
    ),
)
