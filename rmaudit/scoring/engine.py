"""What an engine is: something that computes the rewards of conversations which belong together, somewhere.

Whoever runs it decides what goes together, and alone writes what comes back. The planned batch is the unit: an engine
never splits one over two places, so the arithmetic is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

from rmaudit.conversation import Conversation
from rmaudit.models.interface import Scored

Name = Literal["local", "ray"]


@dataclass(frozen=True)
class Answer:
    """What came of conversations that were scored together."""

    scored: list[Scored]
    """One result each, in order."""
    together: bool = True
    """Whether they went through the model together; memory may have run out."""
    note: str | None = None
    """What the user should hear of it."""


class Engine(Protocol):
    """Scores batches, one or several at a time. It is closed when it is left as a context manager."""

    ahead: int
    """Batches to ask for before the answer to the first is taken, so that no worker is idle."""

    @property
    def told(self) -> str:
        """What it is, in words, for the report."""

    def ask(self, conversations: Sequence[Conversation]) -> Future[Answer]:
        """Score conversations together, with the checks of `rmaudit.scoring.local.score_checked`.

        The future holds an `RmauditError` where nothing can be said about the model.
        """

    def __enter__(self) -> Self:
        """Use as a context manager."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop at once; what is still asked for is not answered."""


@dataclass(frozen=True)
class EngineOptions:
    """Where the rewards of a scan are computed. The defaults are right for one machine."""

    engine: Name = "local"
    """``local`` is this machine, ``ray`` a cluster."""
    workers: int | None = None
    """Processes with a copy of the model each; ``None`` is one a GPU, and what suits on CPUs."""
    ray_address: str | None = None
    """``HOST:PORT`` of a Ray cluster, ``auto`` for the one that runs on this machine, ``local`` for one that is started
    for this scan; ``None`` takes the environment variable ``RAY_ADDRESS``, else ``local``."""

    def words(self) -> list[str]:
        """The options that were given, as words of a command line."""
        words = [] if self.engine == "local" else ["--engine", self.engine]
        words += [] if self.workers is None else ["--workers", str(self.workers)]
        return words + ([] if self.ray_address is None else ["--ray-address", self.ray_address])
