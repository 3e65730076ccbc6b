"""Chat templates: which one belongs to a checkpoint, and what it makes of conversations.

A template from a checkpoint is a program by a stranger. It runs in a process of its own, in Jinja's sandbox,
with a limit on memory, on time and on what it writes, and without files, sockets or the environment of the
user. Whatever it does, the answer is a text or a reason.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from rmaudit.conversation import Conversation
from rmaudit.errors import LoadRefusedError, ScoringError
from rmaudit.models import safety
from rmaudit.models._template_process import LostError, Patience, TemplateProcess

MAX_SOURCE_BYTES = 1 << 20
"""Largest chat template; the long ones in use have some tens of kilobytes."""

SECONDS = 3.0
"""Longest that a template may take to be compiled, or for one conversation."""

MAX_KILLS = 3
"""How often a template may have to be stopped before it is given up."""

MAX_CHARACTERS = 16 << 20
"""Longest text of one conversation."""

_SLOW_SECONDS = 0.1
"""Average time that a conversation of a long list may take; an honest one takes a thousandth of it."""
_GROWTH = 16
"""How many times longer than the conversations their texts may be."""
_FIXED_CHARACTERS = 64 << 10
"""How much of a template's own text may be in each of them, if the template is that long."""
_BATCH = 256
_BATCH_CHARACTERS = 4 << 20
_FOLDER = "additional_chat_templates"

T = TypeVar("T")

_ADVICE = (
    "Look at the template before you trust this checkpoint, or put the one that the model was trained with "
    "into the folder as chat_template.jinja."
)


@dataclass(frozen=True)
class FoundTemplate:
    """A checkpoint's chat template."""

    source: str
    """The Jinja text."""
    origin: str
    """The file that it was read from, and which of several it is."""


def find_template(root: Path, tokenizer_config: Mapping[str, Any], names: Iterable[str]) -> FoundTemplate | None:
    """The chat template that a checkpoint's tokenizer would use, read from its files alone.

    As in transformers, ``chat_template.jinja`` and ``additional_chat_templates/*.jinja`` replace what
    ``tokenizer_config.json`` says. ``chat_template.json``, which only processors of images and sound read,
    counts when neither is there. Of several templates it is the one named ``default``.

    Args:
        root: the checkpoint folder.
        tokenizer_config: content of ``tokenizer_config.json``, empty when there is none.
        names: names of the files in the folder.

    Returns:
        The template, or ``None`` when the checkpoint has none.

    Raises:
        LoadRefusedError: when there are several and none is the default, or a file is not what it should be.
    """
    present = frozenset(names)
    files: dict[str, str] = {}
    if "chat_template.jinja" in present:
        files["default"] = "chat_template.jinja"
    if _FOLDER in present:
        more = sorted(path.name for path in safety.resolve_inside(root, _FOLDER).glob("*.jinja"))
        files |= {name.removesuffix(".jinja"): f"{_FOLDER}/{name}" for name in more}
    if files:
        return _read(root, _default(root, files))
    if tokenizer_config.get("chat_template") is not None:
        return _entry(root, "tokenizer_config.json", tokenizer_config["chat_template"])
    if "chat_template.json" in present:
        return _entry(root, "chat_template.json", safety.read_json(root, "chat_template.json").get("chat_template"))
    return None


def _read(root: Path, name: str) -> FoundTemplate:
    path = safety.resolve_inside(root, name)
    try:
        text = safety.read_bytes(path, MAX_SOURCE_BYTES).decode()
    except UnicodeDecodeError as error:
        raise LoadRefusedError(f"{path} is not text in UTF-8 ({error}). Copy or download the file again.") from error
    return _checked(root, text.replace("\r\n", "\n").replace("\r", "\n"), name)


def _checked(root: Path, source: object, origin: str) -> FoundTemplate:
    if not isinstance(source, str):
        raise LoadRefusedError(
            f"The chat template of {root} ({origin}) is no text but {type(source).__name__}. "
            "Download the file again, or put the template into the folder as chat_template.jinja."
        )
    if _too_large(source):
        raise LoadRefusedError(
            f"The chat template of {root} ({origin}) is longer than {MAX_SOURCE_BYTES >> 20} MiB, which none has "
            f"a need of. {_ADVICE}"
        )
    return FoundTemplate(source, origin)


def _too_large(source: str) -> bool:
    return len(source.encode("utf-8", "surrogatepass")) > MAX_SOURCE_BYTES


def _entry(root: Path, origin: str, value: object) -> FoundTemplate:
    """The template of a file's ``chat_template``: a text, or the default of several with names."""
    if isinstance(value, list):
        pairs = [(e.get("name"), e.get("template")) if isinstance(e, dict) else (None, None) for e in value]
    elif isinstance(value, dict):
        pairs = list(value.items())
    else:
        return _checked(root, value, origin)
    if not pairs or not all(isinstance(name, str) for name, _ in pairs):
        raise LoadRefusedError(
            f"The chat templates of {root} ({origin}) are no list of names and templates. "
            "Download the file again, or put the template into the folder as chat_template.jinja."
        )
    return _checked(root, _default(root, {str(name): source for name, source in pairs}), f"{origin}, default")


def _default(root: Path, found: Mapping[str, T]) -> T:
    if "default" in found:
        return found["default"]
    raise LoadRefusedError(
        f"{root} has chat templates for {_some(sorted(found))}, and none of them is the default. "
        "Put the one that the model was trained with into the folder as chat_template.jinja."
    )


def _some(names: Sequence[str], limit: int = 8) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


@dataclass(frozen=True)
class Unrendered:
    """A conversation that the chat template did not write out."""

    reason: str
    """Why, as part of a sentence: no capital, no full stop."""


class ChatTemplate:
    """A chat template, rendered as transformers' ``apply_chat_template(tokenize=False)`` would render it.

    The process behind it is started with the first conversation and serves all others. It ends with
    `close`, with the object or with the program. A conversation for which the template takes too much
    time or memory costs that process, and goes without a text; the others are done by the next one.
    """

    def __init__(self, source: str, special_tokens: Mapping[str, str], *, seconds: float = SECONDS) -> None:
        """Take a template; nothing runs yet.

        Args:
            source: the Jinja text.
            special_tokens: variables such as ``bos_token``; values that are no text are left out.
            seconds: longest that compiling it, or one conversation, may take.
        """
        self._source = source
        self._variables = {name: token for name, token in special_tokens.items() if isinstance(token, str)}
        self._seconds = seconds
        self._process: TemplateProcess | None = None
        self._kills = 0
        self._broken: str | None = None
        """Why the template can write out no conversation at all."""
        if _too_large(source):
            self._broken = f"the chat template is longer than {MAX_SOURCE_BYTES >> 20} MiB"

    def __enter__(self) -> ChatTemplate:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process, if there is one; the next conversation would start another."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def render(
        self, conversations: Sequence[Conversation], add_generation_prompt: bool = False
    ) -> list[str | Unrendered]:
        """Write conversations out.

        Args:
            conversations: lists of messages, of any number and length.
            add_generation_prompt: what the template gets under this name.

        Returns:
            The text of each conversation, in order, or the reason why it has none.

        Raises:
            ScoringError: when the template had to be stopped for the third time, is slow throughout or
                floods us with text, or no process can be started.
        """
        patience = Patience(self._seconds + _SLOW_SECONDS * len(conversations))
        fixed = min(len(self._source), _FIXED_CHARACTERS) * len(conversations)
        room = MAX_CHARACTERS + _GROWTH * sum(map(_characters, conversations)) + fixed
        results: list[str | Unrendered] = []
        try:
            while len(results) < len(conversations):
                process = self._started()
                if process is None:
                    results += [Unrendered(self._broken or "")] * (len(conversations) - len(results))
                    break
                try:
                    for answer in process.render(_batch(conversations, len(results)), add_generation_prompt, patience):
                        text = str(answer.get("text", ""))
                        results.append(text if "text" in answer else Unrendered(str(answer.get("error"))))
                        room -= len(text)
                        if room < 0:
                            raise _given_up(f"it writes far more than there is in {len(conversations)} conversations")
                        if patience.left < 0:
                            raise _given_up(f"it is too slow, even for {len(conversations)} conversations")
                except LostError as lost:
                    results.append(Unrendered(str(lost)))
                    self._count(lost)
                    patience.left += self._seconds
        except BaseException:  # answers may be on their way that belong to no later question
            self.close()
            raise
        return results

    def _started(self) -> TemplateProcess | None:
        """The process, started when there is none (or only that of the program this is a fork of)."""
        if self._kills >= MAX_KILLS:
            raise _given_up(f"it had to be stopped {self._kills} times")
        if self._process is not None and self._process.owner != os.getpid():
            self._process = None
        if self._process is None and self._broken is None:
            try:
                self._process = TemplateProcess(self._source, self._variables, self._seconds, MAX_CHARACTERS)
                self._broken = self._process.broken
            except LostError as lost:
                self._broken = str(lost)
        if self._broken is not None:
            self.close()
        return self._process

    def _count(self, lost: LostError) -> None:
        self._process = None
        self._kills += 1
        if self._kills >= MAX_KILLS:
            raise _given_up(f"it had to be stopped {self._kills} times, and the last time {lost}") from lost


def _given_up(why: str) -> ScoringError:
    return ScoringError(f"The chat template was given up: {why}. {_ADVICE}")


def _characters(conversation: Conversation) -> int:
    return sum(len(turn["content"]) for turn in conversation)


def _batch(conversations: Sequence[Conversation], start: int) -> Sequence[Conversation]:
    """The next conversations that are asked for together: at least one, and not too much text."""
    end, size = start, 0
    while end < len(conversations) and end - start < _BATCH:
        size += _characters(conversations[end])
        if size > _BATCH_CHARACTERS and end > start:
            break
        end += 1
    return conversations[start:end]
