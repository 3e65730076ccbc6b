"""`math-shepherd`: a language model that says "+" or "-" where each step ends with the sign "ки"."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from rmaudit.conversation import Conversation, as_pair
from rmaudit.models.assemble import way_of_writing
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection, Family, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, InputSpec, Output, Steps, check_shapes
from rmaudit.models.interface import RewardModel
from rmaudit.models.language import UNTOLD, load_language, output_layer
from rmaudit.models.options import LoadOptions
from rmaudit.models.steps import SignInput, Signs, chosen_aggregate, parted, step_risks

_MARK = "ки"
_MARKED = re.compile(rf"(?<!\S){_MARK}(?!\S)")
"""The mark as a word of its own; it also ends words of several languages."""
_INPUT = InputSpec(
    template="{% for m in messages %}{{ m['content'] }}{% if not loop.last %} {% endif %}{% endfor %}",
    origin=f"Math-Shepherd's own text: the question, a space, the steps with {_MARK} after each",
)


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    aggregate = chosen_aggregate(options, "min")
    spec = HeadSpec(
        layers=(output_layer(checkpoint, rows=("+", "-")),),
        outputs=(Output(weight=1), Output(weight=0)),
        transform="softmax",
        position="every-token",
        token=_MARK,
        steps=Steps(aggregate=aggregate),
        input=_INPUT,
    )
    whole = checkpoint.whole
    check_shapes(whole, spec)
    risks = (UNTOLD, *step_risks(f"the sign {_MARK}, else at line breaks", aggregate))
    return replace(spec_reading(whole, spec, risks), pooling=f"the {_MARK} after each step")


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    def prepare(tokenizer: Any) -> tuple[SignInput, tuple[int, ...]]:
        text = way_of_writing(checkpoint, tokenizer, _INPUT, options)
        written = SignInput(text, _marked, Signs(mark=_MARK), False, f"{_MARK} after each step", checkpoint.root)
        return written, written.labels

    return load_language(checkpoint, detection, source, options, prepare)


def _marked(conversation: Conversation, sign: str) -> Conversation:
    """The question, and the answer one step a line with a sign behind each."""
    question, answer = as_pair(conversation)
    steps = parted(_MARKED.sub("\0", answer), "\0", "\n")
    written = "\n".join(f"{step} {sign}" for step in steps)
    return [{"role": "user", "content": question}, {"role": "assistant", "content": written}]


FAMILY = Family(
    format="math-shepherd",
    examples="math-shepherd-mistral-7b-prm",
    recognised="`--as math-shepherd` only: a plain language model",
    scalar=f'softmax over the logits of "+" and "-" at the `{_MARK}` after each step; least over the steps',
    recognise=lambda checkpoint, options: None,
    read=_read,
    load=_load,
    needs="--as math-shepherd",
)
