"""Workers that are processes of this machine: one for each GPU, or several on its CPUs.

    program ──pickled conversations──▶ stdin of a worker
            ◀──pickled answers──────── stdout of a worker

Each is in a session of its own, so that Ctrl-C spares it, and ends by itself when its stdin does.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from rmaudit.conversation import Conversation
from rmaudit.errors import ScoringError
from rmaudit.scoring.engine import Answer
from rmaudit.scoring.worker import LostError, Recipe, Worker


class ProcessSite:
    """This machine."""

    name = "local"

    def __init__(self, recipe: Recipe, workers: int, gpus: int = 0) -> None:
        """Say what to load how often.

        Args:
            recipe: how to load the model.
            workers: how many there are to be.
            gpus: over which they are spread; 0 is none.
        """
        self._recipe = recipe
        self._workers = workers
        self._gpus = gpus

    def open(self) -> int:
        """How many workers there are to be."""
        return self._workers

    def hire(self, place: int) -> ProcessHand:
        """Start a worker in a place, counted from 0."""
        return ProcessHand(replace(self._recipe, options=replace(self._recipe.options, device=self.device(place))))

    def device(self, place: int) -> str | None:
        """The device of a worker. The first GPU, which has the program's own copy of the model, comes last."""
        return f"cuda:{(place + 1) % self._gpus}" if self._gpus else self._recipe.options.device

    def close(self) -> None:
        """Nothing is left behind."""


class ProcessHand:
    """A process with a worker in it; see `rmaudit.scoring.team.Hand`."""

    def __init__(self, recipe: Recipe) -> None:
        """Start it.

        Raises:
            ScoringError: when no process can be started.
        """
        self._recipe = recipe
        # The same modules as here, and no others: -P keeps the folder in which the program runs out of it.
        paths = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": paths},
                start_new_session=True,
            )
        except OSError as error:
            raise ScoringError(f"No worker could be started: {error}. Try fewer --workers, or leave it out.") from error
        self.process: int | None = self._process.pid

    def load(self) -> None:
        """Have it load the model."""
        self._call(self._recipe)

    def score(self, conversations: Sequence[Conversation]) -> Answer:
        """Have it score conversations together."""
        return cast(Answer, self._call(conversations))

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()

    def _call(self, asked: Any) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            pickle.dump(asked, stdin)
            stdin.flush()
            outcome = pickle.load(stdout)
        except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:  # ValueError: closed by `end`
            raise LostError(f"ended unexpectedly (process {self.process}, {self._how()})") from error
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _how(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        code = self._process.poll()
        if code is None:
            return "not in words that can be read"
        return f"by signal {-code}" if code < 0 else f"exit code {code}"


def serve() -> None:
    """Be a worker: load what is told first, then score what is asked, until nothing more is."""
    asked = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library or a user's function prints must not get among the answers
    worker = Worker()
    with contextlib.suppress(EOFError, BrokenPipeError):  # the program is gone
        recipe = pickle.load(asked)
        _put(worker.load(recipe), answers)
        while True:
            _put(worker.score(pickle.load(asked)), answers)


def _put(outcome: Any, stream: Any) -> None:
    pickle.dump(outcome, stream)
    stream.flush()


if __name__ == "__main__":
    serve()
