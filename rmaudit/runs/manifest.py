"""`run.json`: what a run was asked for, with which model, and how it ended."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rmaudit.models.interface import ModelBlock, SelfCheck
from rmaudit.models.training_files import Told

CHANGE_REWARDS = ("format", "attributes", "step_aggregate", "beta", "quantize")
"""Loading options that change rewards and are not told by the model's identity."""

Status = Literal["started", "complete", "failed", "interrupted"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class RunBlock(_Frozen):
    """What differs between two runs of the same audit: times and machine."""

    id: str
    started: str
    finished: str
    seconds: float
    host: str
    versions: dict[str, str]
    conversations: int
    unique_conversations: int
    tokens: int | None
    engine: str = "local"
    """What computed the rewards, and with how many workers where it had any."""
    from_store: int = 0
    """Different conversations whose reward is from the score store."""
    from_other_batches: int = 0
    """How many of these were first scored in another batch, so that they equal what this run would compute itself up to
    rounding, and not to the last digit."""
    self_test_from_store: bool = False
    """Whether the self-test was passed in an earlier run with the same model, code, packages and sample, and is told
    from the score store."""
    command: str
    """Command that repeats the audit."""


class Settings(_Frozen):
    """What was asked for."""

    suites: list[str]
    tier: str
    seed: int
    policy: str
    policy_version: int
    suite_sha256: dict[str, str]
    bands: dict[str, float]
    """Lower ends of the severity bands, in SRD."""


class Manifest(BaseModel):
    """`run.json`: what was planned, with what, and how it ended."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    schema_: Literal["rmaudit.run/1"] = Field(alias="schema", default="rmaudit.run/1")
    status: Status
    reason: str | None = None
    settings: Settings
    probes: str | None
    """Probe folder given by the user, or ``None`` for the shipped ones."""
    panel: str | None
    model: ModelBlock
    plan_sha256: str
    planned: dict[str, int]
    """Conversations planned, by suite."""
    batch_size: int
    """Conversations scored together; a resumed run must cut the same batches."""
    score_noise: float | None = None
    self_test: list[SelfCheck] = []
    """Checks of the loaded model; differences in within-prompt SDs."""
    card: dict[str, list[str]] = {}
    """What the checkpoint's model card declares."""
    training: dict[str, Told] = {}
    """What a trainer's plain files beside the weights tell of the training."""
    options: dict[str, Any]
    run: RunBlock

    @property
    def comparability(self) -> dict[str, Any]:
        """What must be equal for a run to be gone on with, by the words a user has for it."""
        return {
            "model": self.model.identity,
            "dtype": self.model.dtype,
            "template": self.model.template,
            "max_length": self.model.max_length,
            "batch_size": self.batch_size,
            **{name: _listed(self.options.get(name)) for name in CHANGE_REWARDS},
            **self.settings.model_dump(),
            "plan": self.plan_sha256,
        }

    def resume_command(self, folder: Path) -> str:
        """The command that goes on with this run in its folder."""
        return f"{self.run.command} --out {shlex.quote(str(folder))} --resume"


def _listed(value: Any) -> Any:
    """A value as JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value
