"""NVIDIA NIM: the numbers stand in the text of a chat completion, as ``reward:-3.2`` or several names with theirs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rmaudit.models.servers.client import Client, Post
from rmaudit.models.servers.server import ONE, About, Answer, Sent, Server, Way, chosen_model, field_of, text_of

_PAIR = r"[A-Za-z][\w-]*\s*:\s*[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_ALL = re.compile(rf"\s*{_PAIR}(?:[,\s]+{_PAIR})*\s*")
_LONGEST = 2000
"""Characters of an answer that may be numbers with their names."""


class Nim(Server):
    """A NIM of a reward model."""

    name = "nim"
    form = "messages"
    ways = (Way("/v1/chat/completions"),)
    start = "docker run with the image of a reward model's NIM"
    raw_advice = "serve the model without a sigmoid of your own"
    shape_advice = "serve the NIM of a reward model, not of a chat model"
    size = 1
    risks = (
        "the server writes conversations out by itself, so which tokens it reads is not known",
        "rewards are read from text, with as many digits as the server writes",
    )

    def about(self, client: Client) -> About:
        """Id from ``/v1/models``."""
        self.model = text_of(chosen_model(client, self.model).get("id")) or self.model
        return About(model=self.model)

    def ask(self, post: Post, way: Way, batch: Sequence[Sent], fields: Mapping[str, Any]) -> list[Answer]:
        """Numbers of one conversation; text of any other form has none."""
        (one,) = batch
        body: dict[str, Any] = {"model": self.model} if self.model else {}
        answer = post(way.path, {**body, "messages": one.conversation, **fields})
        choices = field_of(answer, "choices", way.path)
        message = field_of(choices[0] if isinstance(choices, list) and choices else None, "message", way.path)
        return [read_pairs(message.get("content") if isinstance(message, dict) else None)]


def read_pairs(text: Any) -> Answer:
    """Names with numbers from a text that consists of nothing else, or why there are none."""
    if not isinstance(text, str) or len(text) > _LONGEST or not _ALL.fullmatch(text):
        shown = " ".join(str(text)[:60].split())
        return f"the server answered {shown!r}, which is not name:number"
    pairs = [pair.rpartition(":") for pair in re.findall(_PAIR, text)]
    values = {name.strip(): float(value) for name, _, value in pairs}
    if len(values) != len(pairs):
        return "the server gave one name several numbers"
    return {ONE: next(iter(values.values()))} if len(values) == 1 else values
