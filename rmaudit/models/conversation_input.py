"""How a conversation becomes the tokens that a sequence classifier reads."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmaudit.conversation import Conversation, as_pair
from rmaudit.errors import LoadRefusedError
from rmaudit.models.checkpoint import Checkpoint

TEMPLATE_SECONDS = 10.0
"""Longest that a chat template may take for one short conversation."""

_PROBE: Conversation = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
"""Written out once at load, to see what the chat template and the tokenizer do at the start of the text."""


@dataclass(frozen=True)
class Encoded:
    """A conversation as tokens."""

    ids: NDArray[np.int32]
    segments: NDArray[np.int32] | None = None
    """Segment of each token where the model tells segments apart."""


class ConversationInput(ABC):
    """How conversations become tokens."""

    description: str
    """Where the text around the turns comes from; printed in every report."""

    def encode(self, conversations: Sequence[Conversation]) -> list[Encoded | str]:
        """Tokens of each conversation, in order, or the reason why it has none."""
        results: list[Encoded | str] = []
        written: list[tuple[str, ...]] = []
        for conversation in conversations:
            try:
                written.append(self._write(conversation))
                results.append("")
            except _UnwritableError as error:
                results.append(str(error))
        tokens = iter(self._tokens(written))
        return [next(tokens) if result == "" else result for result in results]

    @abstractmethod
    def _write(self, conversation: Conversation) -> tuple[str, ...]:
        """The text, or the two texts, that are tokenized."""

    @abstractmethod
    def _tokens(self, texts: Sequence[tuple[str, ...]]) -> list[Encoded]:
        """Tokens of written conversations, in order."""


class _UnwritableError(Exception):
    """The conversation cannot be written out; says why."""


class TemplateInput(ConversationInput):
    """The tokenizer's own chat template, without a generation prompt, and at most one begin-of-text token.

    Templates and tokenizers both may write that token. When the text already begins with it the tokenizer
    adds nothing, otherwise it adds what it adds to any text.
    """

    def __init__(self, tokenizer: Any, checkpoint: Checkpoint) -> None:
        self._tokenizer = tokenizer
        self._bos = str(tokenizer.bos_token or tokenizer.cls_token or "")
        advice = "Put the template that it was trained with into the folder as chat_template.jinja."
        try:
            (text,) = self._within(TEMPLATE_SECONDS, _PROBE)
        except _UnwritableError as error:
            raise LoadRefusedError(
                f"The chat template of {checkpoint.root} fails on a plain question and answer: {error}. {advice}"
            ) from error
        if _PROBE[-1]["content"] not in text:
            raise LoadRefusedError(f"The chat template of {checkpoint.root} leaves the answer out. {advice}")
        (encoded,) = self._tokens([(text,)])
        bos_id = tokenizer.bos_token_id if tokenizer.bos_token else tokenizer.cls_token_id
        count = 0 if bos_id is None else int((encoded.ids == bos_id).sum())
        if count > 1 and bos_id != tokenizer.eos_token_id:
            raise LoadRefusedError(
                f"{checkpoint.root} writes {count} begin-of-text tokens ({self._bos}) before one "
                "conversation, and with a doubled one every score is off. Take it out of chat_template.jinja "
                "or of the tokenizer's post-processor."
            )
        origin = "chat_template.jinja" if "chat_template.jinja" in checkpoint.names else "tokenizer_config.json"
        begin = f"{self._bos} from the {'template' if self._begins(text) else 'tokenizer'}" if count else ""
        dated = ", and it writes today's date into the text" if "strftime_now" in str(tokenizer.chat_template) else ""
        self.description = (
            f"the tokenizer's chat template ({origin}) without generation prompt; "
            f"{begin or 'no begin-of-text token'}{dated}"
        )

    def _within(self, seconds: float, conversation: Conversation) -> tuple[str, ...]:
        """Write a conversation out, but not for ever: a template can hold a loop that does not end."""
        outcome: list[tuple[str, ...] | _UnwritableError] = []

        def write() -> None:
            try:
                outcome.append(self._write(conversation))
            except _UnwritableError as error:
                outcome.append(error)

        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        thread.join(seconds)
        result = outcome[0] if outcome else _UnwritableError(f"it takes more than {seconds:g} seconds")
        if isinstance(result, _UnwritableError):
            raise result
        return result

    def _begins(self, text: str) -> bool:
        return bool(self._bos) and text.lstrip().startswith(self._bos)

    def _write(self, conversation: Conversation) -> tuple[str, ...]:
        _require_text(conversation)
        try:
            text = self._tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=False)
        except Exception as error:  # a template is a program, and may fail in any way
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise _UnwritableError(f"the chat template refuses it: {first.rstrip('.')[:200]}") from error
        return (str(text),)

    def _tokens(self, texts: Sequence[tuple[str, ...]]) -> list[Encoded]:
        tokens: dict[int, Encoded] = {}
        for begun in (True, False):
            chosen = [i for i, (text,) in enumerate(texts) if self._begins(text) == begun]
            if chosen:
                lines = [texts[i][0] for i in chosen]
                tokens |= zip(chosen, _tokenize(self._tokenizer, lines, add_special_tokens=not begun), strict=True)
        return [tokens[i] for i in range(len(texts))]


class PairInput(ConversationInput):
    """Question and answer as the two segments of an encoder."""

    def __init__(self, tokenizer: Any, checkpoint: Checkpoint) -> None:
        self._tokenizer = tokenizer
        self.description = "none: question and answer are the two segments of the tokenizer's own pair"

    def _write(self, conversation: Conversation) -> tuple[str, ...]:
        _require_text(conversation)
        return as_pair(conversation)

    def _tokens(self, texts: Sequence[tuple[str, ...]]) -> list[Encoded]:
        if not texts:
            return []
        return _tokenize(self._tokenizer, [question for question, _ in texts], [answer for _, answer in texts])


def _require_text(conversation: Conversation) -> None:
    """Half of a surrogate pair can stand in JSON, but is no text, and tokenizers fail on it."""
    try:
        for turn in conversation:
            turn["content"].encode()
    except UnicodeEncodeError as error:
        raise _UnwritableError("it holds half a surrogate pair, which is not text") from error


def _tokenize(
    tokenizer: Any, texts: list[str], seconds: list[str] | None = None, add_special_tokens: bool = True
) -> list[Encoded]:
    written = tokenizer(
        texts, seconds, add_special_tokens=add_special_tokens, padding=False, truncation=False, verbose=False
    )
    segments = written.get("token_type_ids") or [None] * len(texts)
    return [
        Encoded(np.asarray(ids, dtype=np.int32), None if types is None else np.asarray(types, dtype=np.int32))
        for ids, types in zip(written["input_ids"], segments, strict=True)
    ]
