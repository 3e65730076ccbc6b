"""`qwen2-prm`: two layers that value the step before each `<extra_0>`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rmaudit.conversation import Conversation
from rmaudit.models.assemble import load_decoder, way_of_writing
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection, Family, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, Layer, Output, Steps, check_shapes
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions
from rmaudit.models.steps import RewrittenInput, chosen_aggregate, parted, step_risks

MARK = "<extra_0>"
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
"""The system turn of the model card."""

_SEPARATOR = "\n\n"
_LAYERS = (
    Layer(weight="score.0.weight", bias="score.0.bias", activation="relu"),
    Layer(weight="score.2.weight", bias="score.2.bias"),
)


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    del options
    names = [name for layer in _LAYERS for name in (layer.weight, layer.bias) if name in checkpoint.canonical]
    output = checkpoint.canonical.get("score.2.weight")
    two = output is not None and output.shape[0] == 2
    if not names or not (two or (output is None and "ProcessReward" in (checkpoint.architecture or ""))):
        return None
    return (
        f"config.json: architecture {checkpoint.architecture}",
        *(f"weights: {checkpoint.canonical[str(name)]}" for name in names),
    )


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    aggregate = chosen_aggregate(options, "min")
    spec = HeadSpec(
        layers=_LAYERS,
        outputs=(Output(weight=0), Output(weight=1)),
        transform="softmax",
        position="every-token",
        token=MARK,
        steps=Steps(aggregate=aggregate),
    )
    check_shapes(checkpoint, spec)
    reading = spec_reading(checkpoint, spec, step_risks("blank lines", aggregate))
    return replace(reading, pooling=f"every {MARK}, one after each step")


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    spec = detection.reading.spec
    assert spec is not None, "the head is described as data"

    def written(tokenizer: Any) -> RewrittenInput:
        chat = way_of_writing(checkpoint, tokenizer, spec.input, options, prompts=True)
        return RewrittenInput(chat, _marked, f"steps end with {MARK}; with the system turn of the model card")

    return load_decoder(checkpoint, detection, source, options, spec, conversation_input=written)


def _marked(conversation: Conversation) -> Conversation:
    """The conversation with the card's system turn, unless it has one, and a mark after each step of the answer."""
    answer = "".join(step + MARK for step in parted(conversation[-1]["content"], _SEPARATOR))
    system: Conversation = [] if conversation[0]["role"] == "system" else [{"role": "system", "content": SYSTEM}]
    return [*system, *conversation[:-1], {"role": "assistant", "content": answer}]


FAMILY = Family(
    format="qwen2-prm",
    examples="Qwen2.5-Math-PRM-7B and -72B, Qwen2.5-Math-7B-PRM800K",
    recognised="`score.0` and `score.2.weight [2, h]`",
    scalar=f"two linear layers with ReLU between, softmax, the second output at each `{MARK}`; least over the steps",
    recognise=_recognise,
    read=_read,
    load=_load,
    heads=(r"score\.[02]\.(weight|bias)",),
)
