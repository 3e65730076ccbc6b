"""`scores.jsonl`: every reward of a run, appended batch by batch. Nothing in it is ever changed.

The first line is a header with the digest of the plan. Each further line is one arm of one item:
``{"batch", "suite", "item", "arm", "reward", "tokens", "truncated", "reason", "crc"}``, ``attributes`` where the
model gives more numbers than one, and ``stored`` where the reward was not computed now but is from the score store.
Rewards and attributes are written with all their digits: they are the data from which every published number is
computed again. The last line of a batch carries ``"end": true``; a batch without it was interrupted and is scored
again. ``crc`` is the line's checksum, see `rmaudit.runs.sealed`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rmaudit.errors import RunError
from rmaudit.models.interface import Scored
from rmaudit.runs.atomic import sync_folder, write_atomically
from rmaudit.runs.sealed import seal, unseal
from rmaudit.scoring.plan import Batch

SCHEMA = "rmaudit.scores/1"


@dataclass(frozen=True)
class Scores:
    """Rewards read back from a run."""

    rewards: dict[str, dict[tuple[str, str], float | None]]
    """By suite (``panel`` for the panel), then by item and arm; ``None`` where there is no reward."""
    truncated: dict[str, dict[str, int]]
    """By suite, number of arms of each item that were too long."""
    reasons: dict[str, int]
    """Why rewards are missing, with how many conversations each."""
    batches: int
    """Complete batches."""
    tokens: int | None
    """Tokens scored, where the model counts them."""
    plan_sha256: str
    attributes: dict[str, dict[tuple[str, str], dict[str, float]]] = field(default_factory=dict)
    """By suite, then by item and arm: the further numbers that came with the reward, by name. None without a reward."""
    stored: dict[str, int] = field(default_factory=dict)
    """How many rewards are from the score store, by what `Scored.stored` says of them; equal conversations once."""

    @property
    def any_reward(self) -> bool:
        """Whether anything at all could be scored."""
        return any(reward is not None for arms in self.rewards.values() for reward in arms.values())


class ScoreWriter:
    """Appends batches to a score file, each on the disk before the next one starts where any of it was computed.

    What is from the store can be had again for nothing, so it waits for the next batch that cannot, or for the end.
    """

    def __init__(self, path: Path, plan_sha256: str) -> None:
        """Open a score file for appending, and write its header where it is new.

        Raises:
            RunError: when it cannot be written.
        """
        self._path = path
        try:
            fresh = not path.exists() or path.stat().st_size == 0
            self._file = path.open("ab")
        except OSError as error:
            raise self._unwritable(error) from error
        if fresh:
            self._write([{"schema": SCHEMA, "plan": plan_sha256}])
            self._sync()
            sync_folder(path.parent)

    def append(self, number: int, batch: Batch, scored: list[Scored]) -> None:
        """Append one batch.

        Raises:
            RunError: when it cannot be written.
        """
        lines: list[dict[str, Any]] = []
        for targets, result in zip(batch.targets, scored, strict=True):
            for position, target in enumerate(targets):
                line = {
                    "batch": number,
                    "suite": target.suite,
                    "item": target.item,
                    "arm": target.arm,
                    "reward": result.reward,
                    # A conversation that serves several arms is read once, so its tokens count once.
                    "tokens": result.tokens if position == 0 else 0,
                    "truncated": result.truncated,
                    "reason": result.reason,
                }
                if result.reward is not None and result.attributes:
                    line["attributes"] = dict(result.attributes)
                if result.stored and position == 0:
                    line["stored"] = result.stored
                lines.append(line)
        lines[-1]["end"] = True
        self._write(lines)
        if any(result.stored is None for result in scored):
            self._sync()

    def _write(self, lines: list[dict[str, Any]]) -> None:
        try:
            self._file.write(b"".join(seal(line) + b"\n" for line in lines))
            self._file.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def _sync(self) -> None:
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> RunError:
        return RunError(f"{self._path} cannot be written: {error.strerror}. Make room, then go on by --resume.")

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, with all of it on the disk where nothing went wrong."""
        if error is None:
            self._sync()
        self._file.close()


def read_scores(path: Path, *, resume: bool = False) -> Scores:
    """Read a score file.

    Args:
        path: the file.
        resume: the run was interrupted, so an unfinished last batch is expected: it is cut off the file.

    Raises:
        RunError: when the file is missing or damaged; the message names the line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(
            f"The scores of this run cannot be read: {path}: {error.strerror}. Scan again into a new folder."
        ) from error
    *lines, rest = content.split(b"\n")
    if rest and not resume:
        raise RunError(f"{path} ends in the middle of a line: the run was interrupted. Go on with it by --resume.")
    if not lines and resume:
        write_atomically(path, b"")
        return Scores({}, {}, {}, 0, None, "")
    header = _parse(path, 1, lines[0]) if lines else {}
    if header.get("schema") != SCHEMA or not isinstance(header.get("plan"), str):
        raise RunError(f"{path} does not begin with the header of a score file. Scan again into a new folder.")
    kept: list[dict[str, Any]] = []
    pending: list[dict[str, Any]] = []
    complete = 1
    batches = 0
    for number, line in enumerate(lines[1:], 2):
        entry = _parse(path, number, line)
        if entry.get("batch") != batches:
            raise RunError(f"{path}, line {number}: expected batch {batches}. The file is damaged; scan again.")
        pending.append(entry)
        if entry.get("end"):
            kept += pending
            pending = []
            batches += 1
            complete = number
    if (pending or rest) and not resume:
        raise RunError(f"{path}: the last batch is not complete. Go on with the run by --resume.")
    if pending or rest:
        write_atomically(path, b"\n".join(lines[:complete]) + b"\n")
    return _collect(path, kept, batches, header["plan"])


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    content = unseal(line)
    if content is None:
        raise RunError(f"{path}, line {number} is damaged: its checksum is wrong. Scan again into a new folder.")
    entry: dict[str, Any] = json.loads(content.decode("ascii"))  # which saves it from guessing the encoding
    return entry


def _collect(path: Path, entries: list[dict[str, Any]], batches: int, plan: str) -> Scores:
    rewards: dict[str, dict[tuple[str, str], float | None]] = {}
    attributes: dict[str, dict[tuple[str, str], dict[str, float]]] = {}
    truncated: dict[str, dict[str, int]] = {}
    reasons: dict[str, int] = {}
    stored: dict[str, int] = {}
    tokens: int | None = None
    try:
        for entry in entries:
            suite, item = entry["suite"], entry["item"]
            rewards.setdefault(suite, {})[item, entry["arm"]] = entry["reward"]
            if entry["reward"] is not None and "attributes" in entry:
                attributes.setdefault(suite, {})[item, entry["arm"]] = dict(entry["attributes"])
            if entry["truncated"]:
                by_item = truncated.setdefault(suite, {})
                by_item[item] = by_item.get(item, 0) + 1
            if entry["reward"] is None:
                reason = str(entry["reason"])
                reasons[reason] = reasons.get(reason, 0) + 1
            if "stored" in entry:
                stored[entry["stored"]] = stored.get(entry["stored"], 0) + 1
            if entry["tokens"] is not None:
                tokens = (tokens or 0) + entry["tokens"]
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged: an entry lacks {error}. Scan again into a new folder.") from error
    return Scores(rewards, truncated, reasons, batches, tokens, plan, attributes, stored)
