"""What runs in a worker: the model, loaded once more and shown to be the same, and asked batch after batch."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rmaudit.conversation import Conversation
from rmaudit.errors import LoadRefusedError, RmauditError
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions
from rmaudit.scoring.engine import Answer


class LostError(Exception):
    """A worker is gone while an answer was due; says how, as part of a sentence."""


@dataclass(frozen=True)
class Recipe:
    """All that a worker needs to load the model."""

    source: str
    options: LoadOptions
    folder: str
    """Where the program runs, so that a relative path means the same."""
    described: dict[str, Any]
    """What makes the rewards of the model that the program itself has loaded; see `rmaudit.scoring.store`."""
    threads: int
    """Of a worker on CPUs."""


class Worker:
    """One copy of the model. Its methods raise nothing: an error is an outcome, so that it can travel."""

    def process(self) -> int:
        """Number of the process that it is."""
        return os.getpid()

    def load(self, recipe: Recipe) -> Exception | None:
        """Load the model, and make sure that it is the one that the program itself has loaded."""
        try:
            self._model = _loaded(recipe)
        except Exception as error:
            return _portable(error)
        return None

    def score(self, conversations: Sequence[Conversation]) -> Answer | Exception:
        """Score conversations together."""
        from rmaudit.scoring.local import answer

        try:
            return answer(self._model, conversations)
        except Exception as error:
            return _portable(error)


def _loaded(recipe: Recipe) -> RewardModel:
    from rmaudit.models.load import load
    from rmaudit.scoring.store import described

    with contextlib.suppress(OSError):  # where there is no such folder, an absolute path may still do
        os.chdir(recipe.folder)
    # Heard by torch, which is not imported yet, and by whatever else a function of the user's computes with.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(recipe.threads)))
    try:
        model = load(recipe.source, recipe.options)
    except RmauditError as error:
        raise LoadRefusedError(
            f"A worker on {platform.node()} could not load {recipe.source}, which could be loaded where the scan runs: "
            f"{error} Every machine needs the model under the same path, and the packages that read it."
        ) from error
    own = described(model, recipe.options)
    other = [name for name in recipe.described if own.get(name) != recipe.described[name]]
    if other:
        raise LoadRefusedError(
            f"What a worker on {platform.node()} loaded from {recipe.source} is not what was loaded where the scan "
            f"runs: they differ in {', '.join(other)}. Every machine needs the same files under the same path, the "
            "same version of rmaudit and of the packages that compute, and the same kind of device."
        )
    return model


def _portable(error: Exception) -> Exception:
    """An error that every process can read."""
    if isinstance(error, RmauditError):
        return type(error)(str(error))
    if os.environ.get("RMAUDIT_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
    return RuntimeError(f"{type(error).__name__} in a worker: {error}")
