"""`rlhflow-prm`: a language model that answers each step with "+" or "-"."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rmaudit.conversation import Conversation, as_pair
from rmaudit.models.assemble import way_of_writing
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection, Family, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, Output, Steps, check_shapes
from rmaudit.models.interface import RewardModel
from rmaudit.models.language import UNTOLD, load_language, output_layer
from rmaudit.models.options import LoadOptions
from rmaudit.models.steps import SignInput, Signs, chosen_aggregate, parted, step_risks

_SEPARATORS = ("ки\n", "\n\n")
"""Between the steps of the authors' two sets of training data."""


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    aggregate = chosen_aggregate(options, "mean")
    spec = HeadSpec(
        layers=(output_layer(checkpoint, rows=("+", "-")),),
        outputs=(Output(weight=1), Output(weight=0)),
        transform="softmax",
        position="before-every-token",
        token="+",
        steps=Steps(aggregate=aggregate),
    )
    whole = checkpoint.whole
    check_shapes(whole, spec)
    risks = (UNTOLD, *step_risks('"ки" and a line break, else at blank lines', aggregate))
    return replace(spec_reading(whole, spec, risks), pooling='the token before each assistant turn "+"')


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    spec = detection.reading.spec
    assert spec is not None, "what is read of the output layer is described as data"

    def prepare(tokenizer: Any) -> tuple[SignInput, tuple[int, ...]]:
        chat = way_of_writing(checkpoint, tokenizer, spec.input, options)
        written = SignInput(
            chat, _turns, Signs(mark="+"), True, 'each step is a user turn answered with "+"', checkpoint.root
        )
        return written, written.labels

    return load_language(checkpoint, detection, source, options, prepare)


def _turns(conversation: Conversation, sign: str) -> Conversation:
    """Each step as a user turn, the first with the question before it, answered with a sign."""
    system = conversation[:1] if conversation[0]["role"] == "system" and len(conversation) > 1 else []
    question, answer = as_pair(conversation[len(system) :])
    first, *rest = parted(answer, *_SEPARATORS)
    turns: Conversation = list(system)
    for step in (f"{question} {first}", *rest):
        turns += [{"role": "user", "content": step}, {"role": "assistant", "content": sign}]
    return turns


FAMILY = Family(
    format="rlhflow-prm",
    examples="RLHFlow Llama3.1-8B-PRM-Mistral-Data, -PRM-Deepseek-Data; the ORMs, whose answers are one step",
    recognised="`--as rlhflow-prm` only: a plain language model",
    scalar='softmax over the logits of "+" and "-" before each assistant turn "+"; mean over the steps',
    recognise=lambda checkpoint, options: None,
    read=_read,
    load=_load,
    needs="--as rlhflow-prm",
)
