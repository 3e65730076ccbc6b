"""`yes-no`: a language model that is asked whether the answer is good."""

from __future__ import annotations

from typing import Any

from rmaudit.conversation import Conversation
from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models.assemble import way_of_writing
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection, Family, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, InputSpec, Output, check_shapes
from rmaudit.models.interface import RewardModel
from rmaudit.models.language import UNTOLD, load_language, output_layer
from rmaudit.models.options import LoadOptions
from rmaudit.models.text import ConversationInput, Encoded

ANSWERS = ("Yes", "No")
EXAMPLE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}Is the last answer good? Answer Yes or No:"
"""A template that asks, for messages."""

_INPUT = InputSpec(generation=True)
_PROBE: Conversation = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    if options.template in (None, "plain"):
        raise UsageError(
            "yes-no needs --template FILE: Jinja over messages that asks about the answer and ends where Yes or No is "
            f"to come, such as {EXAMPLE!r}. If the checkpoint's chat template asks by itself, pass --template chat."
        )
    spec = HeadSpec(
        layers=(output_layer(checkpoint, rows=ANSWERS),),
        outputs=(Output(weight=1), Output(weight=-1)),
        position="last",
        input=_INPUT,
    )
    whole = checkpoint.whole
    check_shapes(whole, spec)
    return spec_reading(whole, spec, (UNTOLD, "the reward depends on how the user's template asks"))


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    def prepare(tokenizer: Any) -> tuple[ConversationInput, tuple[int, ...]]:
        written = way_of_writing(checkpoint, tokenizer, _INPUT, options)
        ids = _answers(written, tokenizer, checkpoint)
        told = " and ".join(repr(token) for token in tokenizer.convert_ids_to_tokens(list(ids)))
        written.description = f"{written.description}; the answers are the tokens {told}"
        return written, ids

    return load_language(checkpoint, detection, source, options, prepare)


def _answers(written: ConversationInput, tokenizer: Any, checkpoint: Checkpoint) -> tuple[int, ...]:
    """Ids of Yes and No as the tokenizer writes them after the question: with a space before them or without."""
    (entry,) = written.encode([_PROBE])
    if not isinstance(entry, Encoded):
        raise LoadRefusedError(f"The template fails on a plain question and answer: {entry}. Mend it.")
    last = int(entry.ids[-1])
    end = tokenizer.decode([last], clean_up_tokenization_spaces=False)
    apart = last in tokenizer.all_special_ids or end[-1:].isspace()
    for space in ("", " ") if apart else (" ", ""):
        ids = [_next_token(tokenizer, end, space + answer) for answer in ANSWERS]
        if None not in ids:
            return tuple(int(i) for i in ids if i is not None)
    raise LoadRefusedError(
        f"The tokenizer of {checkpoint.root} writes {' and '.join(ANSWERS)} after {end!r} as more than one token each, "
        "so there is no logit of the answer. Describe the tokens that the model answers with in a file for --head-spec "
        "(layers: [{weight: lm_head.weight, rows: [GOOD, BAD]}])."
    )


def _next_token(tokenizer: Any, before: str, text: str) -> int | None:
    """The one token that a text adds to the text before it, or ``None``."""
    first, both = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in (before, before + text))
    return int(both[-1]) if both[:-1] == first else None


FAMILY = Family(
    format="yes-no",
    examples="generative verifiers (GenRM) and other models asked for Yes or No",
    recognised="`--as yes-no` only: a plain language model",
    scalar="log P(Yes) - log P(No) where the answer is to come",
    recognise=lambda checkpoint, options: None,
    read=_read,
    load=_load,
    needs="--as yes-no, --template FILE",
)
