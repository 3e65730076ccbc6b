"""How conversations are sent to a server, in each `Form`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from rmaudit.conversation import Conversation
from rmaudit.models.servers.server import Sent
from rmaudit.models.text import ConversationInput, PairInput, TemplateInput, is_text, tokenize

_HALF = "it holds half a surrogate pair, which is not text"


class Writing(ABC):
    """Makes of a conversation what is sent of it."""

    description: str
    """Where the text around the turns comes from; printed in every report."""
    counts: bool = True
    """Whether it knows the number of tokens."""

    @abstractmethod
    def sent(self, conversations: Sequence[Conversation]) -> list[Sent | str]:
        """What is sent of each conversation, in order, or the reason why it cannot be."""


class MessagesWriting(Writing):
    """Messages as they are: the server writes them out."""

    description = "the server's own: messages are sent, and it writes them out"
    counts = False

    def sent(self, conversations: Sequence[Conversation]) -> list[Sent | str]:
        """What is sent of each conversation, in order, or the reason why it cannot be."""
        return [Sent(conversation) if is_text(conversation) else _HALF for conversation in conversations]


class PairWriting(Writing):
    """Question and answer: the server's tokenizer joins them. A tokenizer here only counts tokens."""

    def __init__(self, tokenizer: Any | None) -> None:
        """Take the tokenizer, where there is one."""
        self.description = "none: question and answer are sent as a pair, and the server's tokenizer joins them"
        self.counts = tokenizer is not None
        self._pairs = PairInput(tokenizer) if tokenizer is not None else None

    def sent(self, conversations: Sequence[Conversation]) -> list[Sent | str]:
        """What is sent of each conversation, in order, or the reason why it cannot be."""
        if self._pairs is None:
            return [Sent(conversation) if is_text(conversation) else _HALF for conversation in conversations]
        encoded = self._pairs.encode(conversations)
        return [
            entry if isinstance(entry, str) else Sent(conversation, tuple(entry.ids.tolist()))
            for conversation, entry in zip(conversations, encoded, strict=True)
        ]


class TokensWriting(Writing):
    """Token ids, so that nothing is left to the server's tokenizer."""

    def __init__(self, written: ConversationInput) -> None:
        """Take the way of writing."""
        self.description = f"{written.description}; token ids are sent"
        self._written = written

    def sent(self, conversations: Sequence[Conversation]) -> list[Sent | str]:
        """What is sent of each conversation, in order, or the reason why it cannot be."""
        return [
            entry if isinstance(entry, str) else Sent(conversation, tuple(entry.ids.tolist()))
            for conversation, entry in zip(conversations, self._written.encode(conversations), strict=True)
        ]


class TextWriting(Writing):
    """Text that a tokenizer which adds no special tokens turns into the tokens that are meant."""

    def __init__(self, written: TemplateInput, tokenizer: Any) -> None:
        """Take the way of writing, and the tokenizer of which the server should have the same."""
        self.description = f"{written.description}; text is sent, to which the server adds no special tokens"
        self._written = written
        self._tokenizer = tokenizer

    def sent(self, conversations: Sequence[Conversation]) -> list[Sent | str]:
        """What is sent of each conversation, in order, or the reason why it cannot be."""
        encoded = self._written.encode(conversations)
        good = [i for i, entry in enumerate(encoded) if not isinstance(entry, str)]
        texts = dict(zip(good, self._written.texts([conversations[i] for i in good]), strict=True))
        return [
            entry if isinstance(entry, str) else self._text(conversations[i], str(texts[i]), entry.ids.tolist())
            for i, entry in enumerate(encoded)
        ]

    def _text(self, conversation: Conversation, text: str, ids: list[int]) -> Sent | str:
        for candidate in (text, self._tokenizer.decode(ids, clean_up_tokenization_spaces=False)):
            if tokenize(self._tokenizer, [candidate], add_special_tokens=False)[0].ids.tolist() == ids:
                return Sent(conversation, tuple(ids), candidate)
        return "no text gives its tokens on a server that adds no special tokens"
