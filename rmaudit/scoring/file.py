"""Scores a file of conversations, for ``rmaudit score``."""

from __future__ import annotations

import io
import json
import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rmaudit.conversation import Conversation, conversation_key, conversation_problem
from rmaudit.errors import ScoringError, UsageError
from rmaudit.models.interface import RewardModel, Scored
from rmaudit.models.options import LoadOptions
from rmaudit.progress import Part, Progress, counted
from rmaudit.runs.atomic import Output, check_output
from rmaudit.scoring.local import compare_checked, score_stored, tell_memory
from rmaudit.scoring.store import Place, ScoreStore, open_store

WINDOW_LINES = 32_768
WINDOW_CHARACTERS = 32_000_000
"""Most lines, and about most characters, that are held in memory at a time."""


@dataclass(frozen=True)
class FileResult:
    """What was written."""

    lines: int
    unscored: int
    """Lines with a null reward."""
    from_store: int = 0
    """Rewards that were not computed now."""


_Asked = tuple[Conversation, ...]
"""A conversation to be scored, or two to be compared."""


@dataclass(frozen=True)
class _Line:
    """One input line: what to score under which name, or why it cannot be."""

    id: Any
    parts: tuple[tuple[str, Conversation], ...]
    """Output field and conversation."""
    fields: tuple[str, ...]
    problem: str | None = None

    def asked(self, pairwise: bool) -> list[_Asked]:
        """What the model is asked for each part; a pairwise one, how much it prefers each of two to the other."""
        conversations = [conversation for _, conversation in self.parts]
        if not pairwise or len(conversations) != 2:
            return [(conversation,) for conversation in conversations]
        return [(conversations[0], conversations[1]), (conversations[1], conversations[0])]


def score_file(
    source: str, path: Path, out: Path, options: LoadOptions, progress: Progress, store: Place = None
) -> FileResult:
    """Score every line of a JSON Lines file and write one line each, in order, whole or not at all.

    The file is read twice, and never held in memory as a whole: what is wrong with it is said before the model is
    loaded.

    Args:
        source: the SOURCE.
        path: the file.
        out: where the rewards go.
        options: how to load the source.
        progress: listener.
        store: where rewards are kept for later; see `rmaudit.scoring.store`.

    Raises:
        UsageError: when the input cannot be read or is empty, or the output cannot be written.
        ScoringError: when not a single line could be scored.
    """
    if out.resolve() == path.resolve():
        raise UsageError(f"{out} is the input itself, and would be lost. Give --out another place.")
    with _opened(path) as stream:
        lines = asked_for = characters = 0
        for line in _read(stream, path):
            lines += 1
            asked_for += len(line.parts)
            characters += sum(_characters(conversation) for _, conversation in line.parts)
        if not lines:
            raise UsageError(f"{path} holds no lines to score. Give one JSON object a line, with messages.")
        check_output(out)
        from rmaudit.models.load import load

        progress.stage(f"Loading {source}")
        model = load(source, options)

        def moved(amount: int) -> None:
            tell_memory(model, progress)
            progress.advance(amount, path.name)

        written = unscored = known = 0
        first: str | None = None
        with (
            # Characters tell the time left about as well as tokens do, and are known beforehand.
            counted(progress, "characters", {path.name: Part(characters, f"{asked_for:,} conversations")}),
            Output(out) as output,
            open_store(store, model, options, progress.stage) or nullcontext() as rewards,
        ):
            for window in _windows(_read(stream, path)):
                asked = [asked for line in window for asked in line.asked(model.pairwise)]
                scored = _score_all(model, asked, moved, rewards)
                known += sum(result.stored is not None for result in scored)
                results = iter(scored)
                for line in window:
                    answer = _answer(line, {name: next(results) for name, _ in line.parts})
                    first = first or answer.get("reason")
                    unscored += "reason" in answer
                    written += 1
                    text = json.dumps(answer, ensure_ascii=True, allow_nan=False)
                    output.write(text.encode("ascii") + b"\n")
            if unscored == written:
                raise ScoringError(
                    f"None of the {written:,} lines of {path} could be scored: {first}. Nothing was written."
                )
    return FileResult(written, unscored, known)


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """The lines of a file that can be read twice; of what cannot, such as a pipe, a copy."""
    with ExitStack() as files:
        try:
            file = files.enter_context(path.open("rb"))
            if not file.seekable():
                copy = files.enter_context(tempfile.TemporaryFile())
                shutil.copyfileobj(file, copy)
            stream = io.TextIOWrapper(file if file.seekable() else copy, encoding="utf-8-sig", newline="\n")
        except OSError as error:
            raise _unreadable(path, error) from error
        yield stream


def _unreadable(path: Path, error: Exception) -> UsageError:
    return UsageError(f"{path} cannot be read: {error}. Give a UTF-8 file with one JSON object a line.")


def _read(stream: TextIO, path: Path) -> Iterator[_Line]:
    """What each line asks for, from the beginning of the file."""
    try:
        stream.seek(0)
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield _understood(_object(line, f"{path}, line {number}"))
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        data = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not JSON: {error}.") from error
    if not isinstance(data, dict):
        raise UsageError(f"{where} is not an object with messages, or prompt, chosen and rejected.")
    return data


def _windows(lines: Iterator[_Line]) -> Iterator[list[_Line]]:
    """Lines in parts that fit into memory, so that a file may be as long as it likes."""
    window: list[_Line] = []
    size = 0
    for line in lines:
        window.append(line)
        size += sum(_characters(conversation) for _, conversation in line.parts)
        if len(window) >= WINDOW_LINES or size >= WINDOW_CHARACTERS:
            yield window
            window, size = [], 0
    if window:
        yield window


def _characters(conversation: Conversation) -> int:
    return sum(len(turn["content"]) for turn in conversation)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _understood(data: dict[str, Any]) -> _Line:
    if "messages" in data:
        problem = conversation_problem(data["messages"])
        parts = () if problem else (("reward", _plain(data["messages"])),)
        return _Line(data.get("id"), parts, ("reward",), problem)
    fields = ("reward_chosen", "reward_rejected")
    missing = [name for name in ("chosen", "rejected") if name not in data]
    if missing:
        wanted = "messages" if len(missing) == 2 else " and ".join(missing)
        return _Line(data.get("id"), (), fields if len(missing) == 1 else ("reward",), f"the line has no {wanted}")
    pair: list[tuple[str, Conversation]] = []
    for field, name in zip(fields, ("chosen", "rejected"), strict=True):
        conversation = _joined(data.get("prompt"), data[name])
        problem = conversation_problem(conversation)
        if data.get("prompt") is None and isinstance(data[name], str):
            problem = "it is a text, and the line has no prompt before it"
        if problem:
            return _Line(data.get("id"), (), fields, f"{name}: {problem}")
        pair.append((field, _plain(conversation)))
    return _Line(data.get("id"), tuple(pair), fields)


def _joined(prompt: Any, answer: Any) -> Any:
    """Prompt and answer as one conversation; each is a string or a list of messages."""
    before = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else (prompt or [])
    after = [{"role": "assistant", "content": answer}] if isinstance(answer, str) else answer
    if not isinstance(before, list) or not isinstance(after, list):
        return None
    # Some sets repeat the prompt at the head of each answer's messages.
    return after if before and after[: len(before)] == before else [*before, *after]


def _plain(messages: Sequence[dict[str, Any]]) -> Conversation:
    return [{"role": turn["role"], "content": turn["content"]} for turn in messages]


def _score_all(
    model: RewardModel, asked: Sequence[_Asked], moved: Callable[[int], None], store: ScoreStore | None
) -> list[Scored]:
    """Score or compare conversations, equal ones once and in the model's batches; results in the order asked."""
    keys = [tuple(map(conversation_key, conversations)) for conversations in asked]
    unique, times = dict(zip(keys, asked, strict=True)), Counter(keys)
    firsts = [conversations[0] for conversations in unique.values()]
    model.prepare(firsts)
    results: dict[tuple[str, ...], Scored] = {}
    for size in sorted({len(key) for key in unique}):
        like = [key for key in unique if len(key) == size]
        for batch in model.arrange([unique[key][0] for key in like]).batches:
            chunk = [like[place] for place in batch]
            results |= zip(chunk, _ask(model, [unique[key] for key in chunk], store), strict=True)
            # Of a pair, each is asked for first once.
            moved(sum(_characters(unique[key][0]) * times[key] for key in chunk))
    return [results[key] for key in keys]


def _ask(model: RewardModel, asked: Sequence[_Asked], store: ScoreStore | None) -> list[Scored]:
    if len(asked[0]) == 1:
        return score_stored(model, [conversation for (conversation,) in asked], store)
    return compare_checked(model, [(first, second) for first, second in asked])


def _answer(line: _Line, parts: dict[str, Scored]) -> dict[str, Any]:
    answer: dict[str, Any] = {"id": line.id} if line.id is not None else {}
    answer |= {field: parts[field].reward if field in parts else None for field in line.fields}
    for field, result in parts.items():
        if result.reward is not None:
            answer |= _more(field, result)
    reasons = [result.reason for result in parts.values() if result.reward is None]
    reason = line.problem or "; ".join(dict.fromkeys(str(reason) for reason in reasons))
    return answer | ({"reason": reason} if reason else {})


def _more(field: str, result: Scored) -> dict[str, Any]:
    """What came with a reward, by the fields beside its own: ``attributes_chosen`` beside ``reward_chosen``."""
    more: dict[str, Any] = {}
    if result.attributes:
        more[field.replace("reward", "attributes", 1)] = dict(result.attributes)
    if result.steps:
        # Which step a value belongs to is its place, so one that is no number keeps it.
        more[field.replace("reward", "steps", 1)] = [step if math.isfinite(step) else None for step in result.steps]
    return more
