"""`scores:FILE.jsonl`: rewards that were computed elsewhere, looked up by the exact conversation."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmaudit.conversation import Conversation, conversation_problem
from rmaudit.errors import ScoringError, UsageError
from rmaudit.models import safety
from rmaudit.models.interface import Identity, ModelFacts, RewardModel, Scored
from rmaudit.models.source import ScoresSource

FORMAT = "scores"

_Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Entry:
    scored: Scored
    line: int


class ScoresFile(RewardModel):
    """Rewards from a file. A conversation that is not in it is an error, never a guess."""

    storable = "never"

    def __init__(self, entries: dict[_Key, _Entry], path: Path, facts: ModelFacts) -> None:
        self.facts = facts
        self._entries = entries
        self._path = path

    def missing(self, conversations: Sequence[Conversation]) -> int:
        """How many of the conversations, each counted once, are not in the file."""
        return len({_key(conversation) for conversation in conversations} - set(self._entries))

    def prepare(self, conversations: Sequence[Conversation]) -> None:
        """Make sure that every conversation of a run is in the file, before any is looked up.

        Raises:
            ScoringError: counting all that are missing.
        """
        wanted = {_key(conversation): conversation for conversation in conversations}
        absent = [conversation for key, conversation in wanted.items() if key not in self._entries]
        if absent:
            verb = "has" if len(absent) == 1 else "have"
            raise ScoringError(
                f"{len(absent):,} of {len(wanted):,} conversations {verb} no reward in {self._path}. First "
                "missing: "
                f"{_glimpse(absent[0])}. Write all that a scan asks for with: rmaudit probes export FILE.jsonl; score "
                'them with your model, as lines {"messages": [...], "reward": x}, and start again.'
            )

    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        """Rewards of conversations, in order.

        Raises:
            ScoringError: when any is missing from the file.
        """
        self.prepare(conversations)
        return [self._entries[_key(conversation)].scored for conversation in conversations]

    @property
    def batch_size(self) -> int:
        """How many conversations are looked up together."""
        return 1024


def load_scores(source: ScoresSource, text: str) -> ScoresFile:
    """Read a file of rewards.

    Args:
        source: the file.
        text: the SOURCE as typed.

    Raises:
        UsageError: when a line is not a conversation with its reward, or contradicts another line.
        ScoringError: when the file holds no rewards.
    """
    entries: dict[_Key, _Entry] = {}
    try:
        with source.file.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    _add(entries, line, source.file, number)
    except UnicodeDecodeError as error:
        raise UsageError(f"{source.file} is not UTF-8 text ({error.reason} at byte {error.start}).") from error
    if not entries:
        raise ScoringError(f"{source.file} is empty: it holds no rewards. Write one line a conversation: "
                           '{"messages": [...], "reward": x}.')  # fmt: skip
    digest = safety.sha256_of(source.file)
    facts = ModelFacts(
        identity=Identity(digest, text, files={source.file.name: digest}),
        format=FORMAT,
        evidence=(f"{len(entries):,} conversations with rewards in {source.file.name}",),
        head=None,
        pooling=None,
        dtype=None,
        device=None,
        template=None,
        max_length=None,
    )
    return ScoresFile(entries, source.file, facts)


def _add(entries: dict[_Key, _Entry], line: str, file: Path, number: int) -> None:
    where = f"{file}, line {number}"
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not valid JSON: {error}.") from error
    if not isinstance(row, dict) or "messages" not in row or "reward" not in row:
        raise UsageError(f'{where} is not {{"messages": [...], "reward": x}}.')
    problem = conversation_problem(row["messages"])
    if problem:
        raise UsageError(f"{where}: {problem}.")
    key = _key(row["messages"])
    scored = _scored(row, where)
    known = entries.get(key)
    if known is not None and known.scored.reward != scored.reward:
        raise UsageError(
            f"{where} gives {scored.reward} to a conversation that line {known.line} gives "
            f"{known.scored.reward}. Keep one of them."
        )
    entries.setdefault(key, _Entry(scored, number))


def _scored(row: dict[str, Any], where: str) -> Scored:
    reward = row["reward"]
    if reward is None:
        return Scored(None, reason=str(row.get("reason") or "the scores file gives no reward"))
    try:
        number = float(reward) if isinstance(reward, int | float) and not isinstance(reward, bool) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise UsageError(f"{where}: the reward must be a finite number or null. Got {str(reward)[:40]!r}.")
    return Scored(number)


def _key(conversation: Conversation) -> _Key:
    return tuple((turn["role"], turn["content"]) for turn in conversation)


def _glimpse(conversation: Conversation, limit: int = 60) -> str:
    """The start of the first and of the last turn."""
    first, last = conversation[0]["content"], conversation[-1]["content"]
    return " … ".join(repr(text if len(text) <= limit else text[:limit] + "…") for text in (first, last))
