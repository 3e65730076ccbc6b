"""Conversations: what every reward model scores.

A conversation is a list of ``{"role", "content"}`` messages whose last one is from the assistant.
"""

from __future__ import annotations

from collections.abc import Sequence
from json.encoder import encode_basestring as _quoted
from typing import Literal

from typing_extensions import TypedDict  # pydantic reads this one on every Python we support

Role = Literal["system", "user", "assistant"]


class Message(TypedDict):
    """One turn of a conversation."""

    role: Role
    content: str


Conversation = list[Message]

_ROLES = ("system", "user", "assistant")
_LABELS = {"system": "System", "user": "User", "assistant": "Assistant"}


def conversation_problem(messages: object) -> str | None:
    """Say what is wrong with a would-be conversation, or ``None`` when it can be scored."""
    if not isinstance(messages, list) or not messages:
        return "a conversation must be a non-empty list of messages"
    for position, message in enumerate(messages):
        if not isinstance(message, dict):
            return f"message {position} is not an object with role and content"
        if message.get("role") not in _ROLES:
            return f"message {position} has role {message.get('role')!r}; use system, user or assistant"
        if not isinstance(message.get("content"), str):
            return f"message {position} has no text content"
    if messages[-1]["role"] != "assistant":
        return f"the last message is from {messages[-1]['role']}; it must be the assistant's"
    return None


def conversation_key(conversation: Sequence[Message]) -> str:
    """Key of a conversation: equal for equal messages and only for them."""
    return "[" + ", ".join([f"[{_quoted(turn['role'])}, {_quoted(turn['content'])}]" for turn in conversation]) + "]"


def as_pair(conversation: Sequence[Message]) -> tuple[str, str]:
    """Split a conversation into the (question, answer) texts of an encoder that takes two segments.

    One user turn stands as it is. Earlier turns, where there are any, are joined with their role before
    them, so that nothing of the context is lost.
    """
    *context, answer = conversation
    if len(context) == 1 and context[0]["role"] == "user":
        return context[0]["content"], answer["content"]
    question = "\n\n".join(f"{_LABELS[turn['role']]}: {turn['content']}" for turn in context)
    return question, answer["content"]
