"""Answers as the steps of a solution: how they are parted and written out, for models that value each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from rmaudit.conversation import Conversation, as_pair
from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models.headspec import Aggregate
from rmaudit.models.options import LoadOptions
from rmaudit.models.text import ConversationInput, Encoded, is_text, tokenize

Write = Callable[[Conversation, str], Conversation]
"""A conversation with a sign at each step."""

_PROBE: Conversation = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
"""Written out once at load, to see which tokens the signs are."""


def chosen_aggregate(options: LoadOptions, default: Aggregate) -> Aggregate:
    """How the values of an answer's steps become one number: as the user says, else as the format's authors do.

    Raises:
        UsageError: when there is no such way.
    """
    if options.step_aggregate is None:
        return default
    ways: tuple[Aggregate, ...] = get_args(Aggregate)
    for way in ways:
        if way == options.step_aggregate:
            return way
    raise UsageError(f"--step-aggregate {options.step_aggregate} is not one of {', '.join(ways)}.")


def step_risks(parted_at: str, aggregate: Aggregate) -> tuple[str, ...]:
    """What a reader should know of every process reward model."""
    return (
        f"a process reward model: the reward is the {aggregate} over an answer's steps, which are parted at "
        f"{parted_at}, so the layout of an answer counts too",
    )


def require_own_text(options: LoadOptions, format: str) -> None:
    """Refuse a template for a format whose text is no template.

    Raises:
        UsageError: when the user gave one.
    """
    if options.template is not None:
        raise UsageError(
            f"--template {options.template} cannot be used with {format}, which writes question and steps out in a "
            "way of its own. Leave it out."
        )


def parted(answer: str, *separators: str) -> list[str]:
    """The steps of an answer, without white space around them.

    The first separator that occurs parts them. Blank steps are left out; an answer without text is one empty step.
    """
    separator = next((separator for separator in separators if separator in answer), None)
    steps = [answer] if separator is None else answer.split(separator)
    return [step.strip() for step in steps if step.strip()] or [""]


class RewrittenInput(ConversationInput):
    """Conversations that are changed before they are written out."""

    def __init__(self, inner: ConversationInput, rewrite: Callable[[Conversation], Conversation], note: str) -> None:
        """Take a way of writing.

        Args:
            inner: writes what comes out.
            rewrite: changes a conversation.
            note: says how, for people.
        """
        self._inner = inner
        self._rewrite = rewrite
        self.steady = inner.steady
        self.description = f"{inner.description}; {note}"

    def encode(self, conversations: Sequence[Conversation]) -> list[Encoded | str]:
        """Tokens of each conversation, in order, or the reason why it has none."""
        return self._inner.encode([self._rewrite(conversation) for conversation in conversations])


class PieceInput(ConversationInput):
    """Question and steps made into tokens one by one, a token after each step, which is where it is valued."""

    def __init__(
        self,
        tokenizer: Any,
        opening: Callable[[str], str],
        steps: Callable[[str], list[str]],
        end: str,
        description: str,
    ) -> None:
        """Take a way of writing.

        Args:
            tokenizer: of the transformers library; what it adds to texts is left out.
            opening: from the question to the text before the steps.
            steps: from the answer to the texts of its steps.
            end: text whose last token ends each step.
            description: says all this, for people.
        """
        self._tokenizer = tokenizer
        self._opening = opening
        self._steps = steps
        self._end = self._ids([end])[0][-1:]
        self.description = description

    def encode(self, conversations: Sequence[Conversation]) -> list[Encoded | str]:
        """Tokens of each conversation, in order, or the reason why it has none."""
        return [
            self._one(conversation) if is_text(conversation) else "it holds half a surrogate pair, which is not text"
            for conversation in conversations
        ]

    def _one(self, conversation: Conversation) -> Encoded:
        question, answer = as_pair(conversation)
        opening, *steps = self._ids([self._opening(question), *self._steps(answer)])
        ended = [part for step in steps for part in (step, self._end)]
        marks = len(opening) + np.cumsum([len(step) + len(self._end) for step in steps]) - 1
        return Encoded(np.concatenate([opening, *ended]), prompt=len(opening), marks=tuple(map(int, marks)))

    def _ids(self, texts: list[str]) -> list[np.ndarray]:
        return [encoded.ids for encoded in tokenize(self._tokenizer, texts, add_special_tokens=False)]


@dataclass(frozen=True)
class Signs:
    """The texts that stand at a step."""

    mark: str
    """What the model reads there."""
    good: str = "+"
    bad: str = "-"

    @property
    def other(self) -> str:
        """A sign that is not the mark."""
        return self.bad if self.mark == self.good else self.good


class SignInput(ConversationInput):
    """Conversations with a sign at each step, whose places are those that change when another sign is written.

    Nothing is searched for in the text, where a step may well hold the same sign.
    """

    def __init__(
        self, inner: ConversationInput, write: Write, signs: Signs, before: bool, note: str, where: object
    ) -> None:
        """Take a way of writing and see which tokens the signs are.

        Args:
            inner: writes conversations with signs.
            write: puts a sign at each step.
            signs: which.
            before: whether a step is valued at the token before the sign, else at the sign.
            note: says how the steps are written, for people.
            where: the checkpoint, for messages.

        Raises:
            LoadRefusedError: when a sign is not one token.
        """
        self._inner = inner
        self._write = write
        self._signs = signs
        self._shift = 1 if before else 0
        self.description = f"{inner.description}; {note}"
        told = dict.fromkeys((signs.mark, signs.good, signs.bad))
        written = {sign: inner.encode([write(_PROBE, sign)])[0] for sign in told}
        places = _differing(written[signs.mark], written[signs.other])
        found = {sign: entry.ids for sign, entry in written.items() if isinstance(entry, Encoded)}
        if len(places) != 1 or len(found) < len(told) or len({len(ids) for ids in found.values()}) != 1:
            raise LoadRefusedError(
                f"The tokenizer of {where} does not write {', '.join(map(repr, told))} as one token each after a step, "
                "so the model is none of this format. Check --as FORMAT and the tokenizer."
            )
        self.labels = (int(found[signs.good][places[0]]), int(found[signs.bad][places[0]]))
        """Ids of the good and the bad sign."""

    def encode(self, conversations: Sequence[Conversation]) -> list[Encoded | str]:
        """Tokens of each conversation, in order, or the reason why it has none."""
        marked, changed = (
            self._inner.encode([self._write(conversation, sign) for conversation in conversations])
            for sign in (self._signs.mark, self._signs.other)
        )
        return [self._placed(one, other) for one, other in zip(marked, changed, strict=True)]

    def _placed(self, one: Encoded | str, other: Encoded | str) -> Encoded | str:
        if isinstance(one, str):
            return one
        places = _differing(one, other)
        if not places:
            return "the tokenizer joins its text with the signs of its steps, so their places are not known"
        return replace(one, marks=tuple(place - self._shift for place in places))


def _differing(one: Encoded | str, other: Encoded | str) -> list[int]:
    """Where two sequences of one length have different tokens; nothing when they cannot be compared."""
    if isinstance(one, str) or isinstance(other, str) or len(one.ids) != len(other.ids):
        return []
    return [int(place) for place in np.flatnonzero(one.ids != other.ids)]
