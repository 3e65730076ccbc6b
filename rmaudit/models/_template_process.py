"""The process that renders a chat template, seen from this side: started, asked, watched and ended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

import jinja2
import markupsafe

from rmaudit.conversation import Conversation
from rmaudit.errors import ScoringError
from rmaudit.models import _template_worker as worker

START_SECONDS = 60.0
"""Longest that the process may take to start, which says nothing about the template."""

_TICK = 0.1
_KEPT_ENVIRONMENT = ("TZ", "TZDIR", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""What Python needs to start, and the time zone, for templates that write the date."""


class LostError(Exception):
    """The process is gone while an answer was due; says what the template did, as part of a sentence."""


class Patience:
    """Seconds that a list of conversations may still take in all."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds


class TemplateProcess:
    """One process with one template compiled in it.

    Attributes:
        broken: why the template cannot render anything, or ``None`` when it was compiled.
    """

    def __init__(self, source: str, variables: Mapping[str, str], seconds: float, characters: int) -> None:
        """Start it and have it compile the template.

        Args:
            source: the Jinja text.
            variables: texts that the template sees by name.
            seconds: longest that it may take to compile, or to render one conversation.
            characters: longest text of one conversation.

        Raises:
            LostError: when compiling took too much time or memory.
            ScoringError: when no process could be started.
        """
        self.owner = os.getpid()
        """Process id of the program that started it; a fork of that program needs one of its own."""
        self._seconds = seconds
        self._longest_frame = 6 * characters + 4096  # JSON may write a character in six bytes
        self._process = _start()
        self._finalizer = weakref.finalize(self, _end, self._process)
        setup = {"source": source, "variables": dict(variables), "seconds": seconds, "characters": characters}
        try:
            with _Watch(self._process, START_SECONDS, Patience(START_SECONDS)) as watch:
                self._receive(watch)
        except LostError as error:
            raise ScoringError(
                f"The process that renders chat templates could not be started: {sys.executable} ended with "
                f"exit code {self._process.returncode}. Check that this Python can start programs and has Jinja."
            ) from error
        with _Watch(self._process, seconds, Patience(seconds)) as watch:
            self._send(setup, watch)
            answer = self._receive(watch)
        self.broken: str | None = answer.get("error")

    def render(
        self, conversations: Sequence[Conversation], add_generation_prompt: bool, patience: Patience
    ) -> Iterator[dict[str, str]]:
        """Answers in order, ``{"text": …}`` or ``{"error": why}``; what they take is drawn from `patience`.

        Raises:
            LostError: in place of the answer that did not come; there are no more after it.
        """
        with _Watch(self._process, self._seconds, patience) as watch:
            self._send({"count": len(conversations), "add_generation_prompt": add_generation_prompt}, watch)
            for conversation in conversations:
                self._send(conversation, watch)
            for _ in conversations:
                watch.sign_of_life()
                yield self._receive(watch)

    def end(self) -> None:
        """End the process and wait for it to be gone; a second time does nothing."""
        self._finalizer()

    def _send(self, value: Any, watch: _Watch) -> None:
        try:
            worker.write_frame(cast(BinaryIO, self._process.stdin), value)
        except OSError as error:
            raise self._lost(watch) from error

    def _receive(self, watch: _Watch) -> dict[str, str]:
        try:
            answer = worker.read_frame(cast(BinaryIO, self._process.stdout), self._longest_frame)
        except (EOFError, OSError, ValueError, RecursionError) as error:
            raise self._lost(watch) from error
        if not isinstance(answer, dict):
            raise self._lost(watch)
        return answer

    def _lost(self, watch: _Watch) -> LostError:
        with suppress(subprocess.TimeoutExpired):  # one that ended by itself has an exit code of its own
            self._process.wait(_TICK)
        code = self._process.poll()
        self.end()
        if watch.fired:
            return LostError(f"the chat template takes more than {self._seconds:g} seconds")
        if code == worker.OUT_OF_MEMORY:
            return LostError(f"the chat template needs more memory than {worker.MEMORY_BYTES >> 30} GiB")
        return LostError(f"the chat template broke the process that it was rendered in (exit code {code})")


class _Watch:
    """Kills a process that gives no sign of life for some seconds.

    Time is added up in short steps, so that a program that was itself suspended blames no template for it.
    """

    def __init__(self, process: subprocess.Popen[bytes], seconds: float, patience: Patience) -> None:
        self.fired = False
        self._process = process
        self._seconds = seconds
        self._patience = patience
        self._quiet = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chat template watch", daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def sign_of_life(self) -> None:
        """Begin to count anew."""
        self._quiet = 0.0

    def _run(self) -> None:
        before = time.monotonic()
        while not self._done.wait(_TICK):
            now = time.monotonic()
            step = min(now - before, 5 * _TICK)
            before = now
            self._quiet += step
            self._patience.left -= step
            if self._quiet >= self._seconds:
                self.fired = True
                self._process.kill()
                return


def _start() -> subprocess.Popen[bytes]:
    """The worker: no site, no user's paths, no environment; in a session of its own, so that Ctrl-C spares it."""
    folders = dict.fromkeys(str(Path(module.__file__ or "").resolve().parents[1]) for module in (jinja2, markupsafe))
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(worker.__file__).resolve()), *folders],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ},
            start_new_session=True,
        )
    except OSError as error:
        raise ScoringError(
            f"The process that renders chat templates could not be started: {error}. "
            f"Check that {sys.executable or 'Python'} can start programs."
        ) from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill, close, wait. In a fork of the program, whose child it is not, only the fork's pipes are closed."""
    process.kill()
    for stream in (process.stdin, process.stdout):
        with suppress(OSError):
            if stream is not None:
                stream.close()
    process.wait()
