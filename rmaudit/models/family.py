"""What a module offers that loads one format, and what detection tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rmaudit.models.checkpoint import Checkpoint, Tensor
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions


@dataclass(frozen=True)
class Detection:
    """What a checkpoint is and why we think so."""

    format: str
    evidence: tuple[str, ...]
    head: tuple[Tensor, ...]
    """The head's tensors; the last one gives the scalar."""
    architecture: str | None
    model_type: str | None
    parameters: int
    family: Family

    @property
    def labels(self) -> int:
        """Outputs of the head."""
        return self.head[-1].shape[0]


class Family(Protocol):
    """What a module offers that loads one format."""

    FORMAT: str
    """Name of the format."""

    def recognise(self, checkpoint: Checkpoint) -> tuple[str, ...] | None:
        """Why the files are of this format, or ``None`` when they are not. Raises nothing."""

    def head(self, checkpoint: Checkpoint) -> tuple[Tensor, ...]:
        """The head's tensors, the one giving the scalar last.

        Raises:
            LoadRefusedError: when they are not all there, or not of a shape that gives one scalar.
        """

    def load(self, checkpoint: Checkpoint, detection: Detection, source: str, options: LoadOptions) -> RewardModel:
        """Load the weights."""
