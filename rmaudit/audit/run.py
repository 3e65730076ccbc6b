"""A run in work."""

from __future__ import annotations

from dataclasses import dataclass

from rmaudit.audit.selection import Selection
from rmaudit.models.interface import RewardModel
from rmaudit.policy import Policy
from rmaudit.progress import Progress
from rmaudit.runs.folder import RunFolder
from rmaudit.scoring.engine import Engine
from rmaudit.scoring.plan import Plan
from rmaudit.scoring.store import ScoreStore


@dataclass(frozen=True)
class Run:
    """What is measured with what, and where the results go."""

    model: RewardModel
    plan: Plan
    selection: Selection
    folder: RunFolder
    rules: Policy
    progress: Progress
    store: ScoreStore | None
    engine: Engine
