"""How a conversation becomes the tokens that a sequence classifier reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmaudit.conversation import Conversation, as_pair
from rmaudit.errors import LoadRefusedError
from rmaudit.models.checkpoint import Checkpoint

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

    @abstractmethod
    def encode(self, conversations: Sequence[Conversation]) -> list[Encoded | str]:
        """Tokens of each conversation, in order, or the reason why it has none."""


class TemplateInput(ConversationInput):
    """The tokenizer's own chat template, without a generation prompt, and at most one begin-of-text token.

    Templates and tokenizers both may write that token. When the text already begins with it the tokenizer
    adds nothing, otherwise it adds what it adds to any text.
    """

    def __init__(self, tokenizer: Any, checkpoint: Checkpoint) -> None:
        self._tokenizer = tokenizer
        self._bos = tokenizer.bos_token or tokenizer.cls_token
        text = self._text(_PROBE)
        encoded = self.encode([_PROBE])[0]
        if text is None or isinstance(encoded, str):
            raise LoadRefusedError(
                f"The chat template of {checkpoint.root} fails on a plain question and answer ({encoded}). "
                "Put the template that it was trained with into the folder as chat_template.jinja."
            )
        bos_id = tokenizer.bos_token_id if tokenizer.bos_token else tokenizer.cls_token_id
        count = 0 if bos_id is None else int((encoded.ids == bos_id).sum())
        if count > 1 and bos_id != tokenizer.eos_token_id:
            raise LoadRefusedError(
                f"{checkpoint.root} writes {count} begin-of-text tokens ({self._bos}) before one "
                "conversation, and with a doubled one every score is off. Take it out of chat_template.jinja "
                "or of the tokenizer's post-processor."
            )
        origin = "chat_template.jinja" if "chat_template.jinja" in checkpoint.names else "tokenizer_config.json"
        begin = "no begin-of-text token"
        if count and self._bos:
            begin = f"{self._bos} from the {'template' if text.startswith(self._bos) else 'tokenizer'}"
        dated = ", and it writes today's date into the text" if "strftime_now" in str(tokenizer.chat_template) else ""
        self.description = f"the tokenizer's chat template ({origin}) without generation prompt; {begin}{dated}"

    def encode(self, conversations: Sequence[Conversation]) -> list[Encoded | str]:
        """Tokens of each conversation, in order, or the reason why it has none."""
        texts = [self._text(conversation) for conversation in conversations]
        results: list[Encoded | str] = ["the chat template refuses it"] * len(texts)
        for bare in (True, False):
            chosen = [i for i, text in enumerate(texts) if text is not None and self._begins(text) == bare]
            if chosen:
                written = [texts[i] for i in chosen]
                encoded = _tokenize(self._tokenizer, written, add_special_tokens=not bare)
                for i, entry in zip(chosen, encoded, strict=True):
                    results[i] = entry
        return results

    def _begins(self, text: str) -> bool:
        return bool(self._bos) and text.lstrip().startswith(self._bos)

    def _text(self, conversation: Conversation) -> str | None:
        from jinja2 import TemplateError

        try:
            text = self._tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=False)
        except (TemplateError, TypeError, ValueError, KeyError):
            return None
        return str(text)


class PairInput(ConversationInput):
    """Question and answer as the two segments of an encoder."""

    def __init__(self, tokenizer: Any, checkpoint: Checkpoint) -> None:
        self._tokenizer = tokenizer
        self.description = "none: question and answer are the two segments of the tokenizer's own pair"

    def encode(self, conversations: Sequence[Conversation]) -> list[Encoded | str]:
        """Tokens of each conversation, in order."""
        pairs = [as_pair(conversation) for conversation in conversations]
        return _tokenize(self._tokenizer, [question for question, _ in pairs], [answer for _, answer in pairs])


def _tokenize(
    tokenizer: Any, texts: list[Any], seconds: list[str] | None = None, add_special_tokens: bool = True
) -> list[Encoded | str]:
    written = tokenizer(
        texts, seconds, add_special_tokens=add_special_tokens, padding=False, truncation=False, verbose=False
    )
    segments = written.get("token_type_ids") or [None] * len(texts)
    return [
        Encoded(np.asarray(ids, dtype=np.int32), None if types is None else np.asarray(types, dtype=np.int32))
        for ids, types in zip(written["input_ids"], segments, strict=True)
    ]
