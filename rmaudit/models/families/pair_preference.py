"""`pair-preference`: a language model that names the better of two responses by the letter A or B."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rmaudit.conversation import Conversation
from rmaudit.errors import LoadRefusedError
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.family import Detection, Family, Reading, spec_reading
from rmaudit.models.headspec import HeadSpec, InputSpec, Output, check_shapes
from rmaudit.models.interface import RewardModel
from rmaudit.models.language import UNTOLD, load_language, output_layer
from rmaudit.models.options import LoadOptions
from rmaudit.models.pairwise import ORDERS, Comparison, ComparisonInput, PairwiseModel, pairwise_risks, single_token
from rmaudit.models.template import ChatTemplate, FoundTemplate, Unrendered
from rmaudit.models.text import ConversationInput, Encoded, chosen_template, tokenize

LETTERS = ("A", "B")
"""Words by which it names the better response."""

_PROBE = Comparison([{"role": "user", "content": "Hi"}], "Hello", "Good day")


class LettersInput(ComparisonInput):
    """Prompt and responses in one message of the user, written out by the chat template."""

    def __init__(self, tokenizer: Any, found: FoundTemplate, where: object) -> None:
        """Take a chat template and see what it makes of a plain pair.

        Raises:
            LoadRefusedError: when the template fails or leaves a response out.
        """
        self._tokenizer = tokenizer
        self._template = ChatTemplate(found.source, tokenizer.special_tokens_map)
        self._bos = str(tokenizer.bos_token or "")
        (text,) = self._texts([_PROBE])
        if isinstance(text, Unrendered) or not (_PROBE.first in text and _PROBE.second in text):
            told = f"fails: {text.reason}" if isinstance(text, Unrendered) else "leaves a response out"
            raise LoadRefusedError(
                f"The chat template of {where} cannot write out a pair of responses; it {told}. Put the template that "
                "it was trained with into the folder as chat_template.jinja."
            )
        self.description = (
            f"[CONTEXT] … [RESPONSE A] … [RESPONSE B] … as RLHFlow published it, in one user message by "
            f"{found.origin}; begin-of-text tokens are taken out"
        )

    def encode_pairs(self, pairs: Sequence[Comparison]) -> list[Encoded | str]:
        """Tokens of each pair, in order, or the reason why it has none."""
        texts = self._texts(pairs)
        written = [text for text in texts if isinstance(text, str)]
        tokens = iter(tokenize(self._tokenizer, written, add_special_tokens=False))
        return [next(tokens) if isinstance(text, str) else text.reason for text in texts]

    def _texts(self, pairs: Sequence[Comparison]) -> list[str | Unrendered]:
        asked: list[Conversation] = [[{"role": "user", "content": question(pair)}] for pair in pairs]
        rendered = self._template.render(asked, add_generation_prompt=False) if asked else []
        return [t.replace(self._bos, "") if isinstance(t, str) and self._bos else t for t in rendered]


def question(pair: Comparison) -> str:
    """What the model is asked, as it was trained: the turns so far, then both responses.

    A system turn, for which the published text has no place, counts as one of the user.
    """
    turns = "".join(
        f"\n<turn> {'assistant' if turn['role'] == 'assistant' else 'user'}\n {turn['content']}"
        for turn in pair.context
    )
    return f"[CONTEXT] \n{turns}\n [RESPONSE A] {pair.first} [RESPONSE B] {pair.second} \n"


def _recognise(checkpoint: Checkpoint, options: LoadOptions) -> tuple[str, ...] | None:
    """Never by itself: the files are those of any language model."""
    del checkpoint, options
    return None


def _read(checkpoint: Checkpoint, options: LoadOptions) -> Reading:
    del options
    spec = HeadSpec(
        layers=(output_layer(checkpoint, rows=LETTERS),), outputs=(Output(weight=1), Output(weight=-1)), position="last"
    )
    whole = checkpoint.whole
    check_shapes(whole, spec)
    reading = spec_reading(whole, spec, (UNTOLD, *pairwise_risks("probability")))
    template = "RLHFlow's published text within the tokenizer's chat template"
    return replace(reading, template=template, attributes=ORDERS)


def _load(checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
    def prepare(tokenizer: Any) -> tuple[ConversationInput, tuple[int, ...]]:
        ids = tuple(single_token(tokenizer, letter, checkpoint.root) for letter in LETTERS)
        found, _ = chosen_template(checkpoint, tokenizer, InputSpec(), options.template)
        return LettersInput(tokenizer, found, checkpoint.root), ids

    return PairwiseModel(load_language(checkpoint, detection, source, options, prepare), "probability")


FAMILY = Family(
    format="pair-preference",
    examples="RLHFlow/pair-preference-model-LLaMA3-8B",
    recognised="`--as pair-preference` only: a plain language model",
    scalar="probability of the word `A` against `B` at the last token, averaged over both orders; rewards "
    "are the log-odds",
    recognise=_recognise,
    read=_read,
    load=_load,
    needs="--as pair-preference",
)
