"""`python:FILE.py:NAME`: a function of the user's that scores a list of conversations."""

from __future__ import annotations

import ast
import contextlib
import difflib
import importlib.util
import math
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rmaudit.conversation import Conversation
from rmaudit.errors import ScoringError, UsageError
from rmaudit.models import safety
from rmaudit.models.interface import (
    Identity,
    ModelFacts,
    RewardModel,
    Scored,
)
from rmaudit.models.memory import ran_out
from rmaudit.models.options import LoadOptions
from rmaudit.models.source import CallableSource

FORMAT = "callable"
BATCH_SIZE = 256

_CONTRACT = "A scorer takes a list of n conversations and returns n numbers"


class CallableModel(RewardModel):
    """A user's function as a reward model.

    When a batch raises, its conversations are tried one by one, so that one text that the function cannot
    take does not cost the others their reward. A function that fails on all of them is broken, and said so.
    """

    def __init__(self, function: Callable[[Any], Any], file: Path, facts: ModelFacts, batch_size: int | None) -> None:
        self.facts = facts
        self._function = function
        self._file = file
        self._batch_size = batch_size or BATCH_SIZE
        self._answered = False
        """Whether any call has returned yet."""
        self._failed = False
        """Whether any batch has raised yet."""

    @property
    def batch_size(self) -> int:
        """How many conversations are scored together."""
        return self._batch_size

    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        """Score conversations together, one result each, in order; see `RewardModel.score_batch`.

        Raises:
            ScoringError: when the answers are not one number a conversation, or nothing could be scored.
        """
        try:
            scored = self._call(conversations)
        except ScoringError:
            raise
        except Exception as error:
            if len(conversations) > 1 and ran_out(error):
                raise ScoringError(
                    f"{self.facts.identity.source} ran out of memory on {len(conversations)} conversations: "
                    f"{_short(error)}. Try a smaller --batch-size."
                ) from error
            return self._one_by_one(conversations, error)
        self._answered = True
        return scored

    def _one_by_one(self, conversations: Sequence[Conversation], error: Exception) -> list[Scored]:
        first_failure, self._failed = not self._failed, True
        results: list[Scored] = []
        raised = 1 if len(conversations) == 1 else 0
        if raised:
            results = [Scored(None, reason=_short(error))]
        else:
            for conversation in conversations:
                try:
                    results += self._call([conversation])
                    self._answered = True
                except ScoringError:
                    raise
                except Exception as own:
                    raised += 1
                    results.append(Scored(None, reason=_short(own)))
        broken = not self._answered or (first_failure and len(conversations) > 1)
        if raised == len(conversations) and broken:
            raise ScoringError(
                f"{self.facts.identity.source} raised {_short(error)}{_place(error, self._file)}, and so it "
                f"did for each of the {raised} conversations it was called with. {_CONTRACT}; correct it and "
                "start again."
            ) from error
        return results

    def _call(self, conversations: Sequence[Conversation]) -> list[Scored]:
        # Copies: a function that edits its input must not edit what is scored next or shown in the report.
        copies = [[dict(turn) for turn in conversation] for conversation in conversations]
        with _as_main_program(self._file):
            try:
                answers = self._function(copies)
            except SystemExit as error:  # must not pass for the end of our own program
                raise RuntimeError(f"it called exit({error.code!r})") from error
        return [self._scored(i, answer) for i, answer in enumerate(self._flat(answers, len(conversations)))]

    def _flat(self, answers: Any, expected: int) -> list[Any]:
        """Answers as a list, from a list, tuple, array or tensor of shape ``(n,)`` or ``(n, 1)``."""
        if hasattr(answers, "detach"):
            answers = answers.detach().cpu().tolist()
        elif hasattr(answers, "tolist"):
            answers = answers.tolist()
        if isinstance(answers, str | bytes | dict | set) or not hasattr(answers, "__iter__"):
            raise self._wrong(f"{expected} numbers", f"{type(answers).__name__}")
        values = list(answers)
        if len(values) != expected:
            raise self._wrong(f"{expected} numbers", str(len(values)))
        return [value[0] if isinstance(value, list | tuple) and len(value) == 1 else value for value in values]

    def _scored(self, position: int, answer: Any) -> Scored:
        if answer is None:
            return Scored(None, reason="the callable returned None")
        if isinstance(answer, str | bytes):
            raise self._wrong("numbers", f"{type(answer).__name__} {answer[:40]!r} at position {position}")
        try:
            reward = float(answer)
        except OverflowError:
            reward = math.inf
        except (TypeError, ValueError) as error:
            raise self._wrong("numbers", f"{type(answer).__name__} at position {position}") from error
        if not math.isfinite(reward):
            return Scored(None, reason=f"the callable returned {reward}")
        return Scored(reward)

    def _wrong(self, expected: str, got: str) -> ScoringError:
        return ScoringError(
            f"{self.facts.identity.source} returned no rewards: expected {expected}, got {got}. {_CONTRACT}, in order."
        )


def load_callable(source: CallableSource, text: str, options: LoadOptions) -> CallableModel:
    """Import the user's file and take the function from it.

    Args:
        source: file and name.
        text: the SOURCE as typed.
        options: only `batch_size` plays a part.

    Raises:
        UsageError: when the file cannot be imported, or has no such function.
    """
    file = source.file.resolve()
    module = _import(file)
    function = getattr(module, source.name, None)
    if not callable(function):
        raise UsageError(_no_function(file, source.name, exists=hasattr(module, source.name)))
    digest = safety.sha256_of(file)
    identity = Identity(safety.identity_digest({source.name: digest}), text, files={file.name: digest})
    facts = ModelFacts(
        identity=identity,
        format=FORMAT,
        evidence=(f"function {source.name} in {file.name}",),
        head=None,
        pooling=None,
        dtype=None,
        device=None,
        template=None,
        max_length=None,
    )
    return CallableModel(function, file, facts, options.batch_size)


def _import(file: Path) -> Any:
    # A name of its own, so that a user's file called, say, json.py hides nothing.
    name = f"_rmaudit_scorer_{safety.sha256_of(file)[:12]}_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise UsageError(f"{file} is not a Python file. The form is python:FILE.py:NAME.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _as_main_program(file):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        where = _place(error, file)
        raise UsageError(
            f"{file} could not be imported: {_short(error)}{where}. Correct it and start again."
        ) from error
    return module


def _no_function(file: Path, name: str, exists: bool) -> str:
    if exists:
        return f"{name} in {file} is not a function. {_CONTRACT}."
    tree = ast.parse(file.read_bytes())
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    match = difflib.get_close_matches(name, names, n=1)
    if match:
        return f"{file} has no function {name}. Did you mean {match[0]}?"
    found = f"It has {', '.join(names)}." if names else f"It has no function at all. {_CONTRACT}."
    return f"{file} has no function {name}. {found}"


@contextlib.contextmanager
def _as_main_program(file: Path) -> Iterator[None]:
    """Let the file import its neighbours, as it could when run itself, and keep its prints off stdout."""
    folder = str(file.parent)
    sys.path.insert(0, folder)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


def _short(error: BaseException) -> str:
    """Type and message in one line."""
    return " ".join("".join(traceback.format_exception_only(error)).split())[-300:]


def _place(error: BaseException, file: Path) -> str:
    """' (FILE, line N)': the last place in the user's own file that the error came through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file]
    if isinstance(error, SyntaxError) and error.filename == str(file):
        lines = [error.lineno]
    return f" ({file}, line {lines[-1]})" if lines else ""
