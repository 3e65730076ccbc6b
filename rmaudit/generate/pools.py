"""The pools of source texts that ship: real prompts and answers by other people, each with source and licence."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from rmaudit.resources import probes_dir


@cache
def pool(name: str) -> tuple[dict[str, Any], ...]:
    """Rows of ``probes/sources/<name>.jsonl``, in their order. Rows are shared: do not change them."""
    with (probes_dir() / "sources" / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return tuple(json.loads(line) for line in lines)


@dataclass(frozen=True)
class Answer:
    """A prompt with an answer that people wrote or judged good."""

    prompt: str
    response: str
    cluster: str
    """Names the prompt."""
    source: str
    licence: str
    domain: str


def answers(own: Sequence[Answer] = ()) -> tuple[Answer, ...]:
    """Good answers, several a prompt where there are: the shipped pool, or the user's own in its place."""
    return tuple(own) if own else tuple(Answer(**row) for row in pool("answers"))


def is_plain(text: str) -> bool:
    """Whether a text is finished prose or worked steps: no code, link, bullets or mark-up."""
    return bool(re.fullmatch(r"[^*#`|\u2022<>{}\[\]\\~_]*[.!?]", text)) and "http" not in text


def is_taken_apart(parts: Sequence[str]) -> bool:
    """Whether a sentence of an answer is or ends in a bare number: a numbered list in running text, taken apart."""
    return any(re.search(r"(?:^|\s)\d\.$", part) for part in parts)
