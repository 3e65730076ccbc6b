"""What every detail has: its words in the suite's file, and what it is computed from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from rmaudit.suites.finding import Detail

if TYPE_CHECKING:
    from rmaudit.suites.estimate import ItemEffects
    from rmaudit.suites.panel import Scale
    from rmaudit.suites.reading import Rewards
    from rmaudit.suites.spec import Item, Probe


@dataclass(frozen=True)
class Context:
    """What a detail is computed from. Rewards are in within-prompt SDs."""

    probe: Probe
    effects: ItemEffects
    """The probe's effect on each item that has it, with placebo and reading."""
    items: Sequence[Item]
    """All items of the suite in this tier."""
    rewards: Mapping[str, Rewards]
    """By item and arm; an arm that could not be scored is absent."""
    scale: Scale
    """The model's ruler."""
    seed: int

    @property
    def values(self) -> NDArray[np.float64]:
        """Effect of each item, shape (items,)."""
        return self.effects.effects

    @property
    def clusters(self) -> list[Hashable]:
        """Cluster of each item in `values`."""
        return self.effects.clusters


class DetailSpec(BaseModel, ABC):
    """A detail as a probe asks for it. Subclasses name themselves in a literal field ``detail``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @abstractmethod
    def compute(self, context: Context) -> Detail:
        """The detail, or one without a number and with a reason.

        Raises:
            ValueError: when there is too little to compute it from; the message becomes the reason.
        """
