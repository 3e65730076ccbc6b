"""What a format is: how it is recognised, what its scalar is, and how it is loaded. One file a format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rmaudit.models.checkpoint import Checkpoint, Tensor
from rmaudit.models.headspec import HeadSpec
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions


@dataclass(frozen=True)
class Reading:
    """How a checkpoint's scalar is computed: what `inspect` prints and what loading follows."""

    head: tuple[Tensor, ...]
    """The head's tensors; the last one gives the scalar."""
    pooling: str
    """Which position is read."""
    spec: HeadSpec | None = None
    """The head as data, where that is enough to compute it."""
    sign: int = 1
    normalisation: str | None = None
    template: str | None = None
    """Where the text around the turns comes from, where the format fixes it."""
    attributes: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Detection:
    """What a checkpoint is and why we think so."""

    family: Family
    evidence: tuple[str, ...]
    reading: Reading
    aside: tuple[str, ...] = ()
    """Tensors of another format's head that the user's choice leaves aside."""

    @property
    def format(self) -> str:
        """Name of the format."""
        return self.family.format


@dataclass(frozen=True)
class Family:
    """One format of checkpoints. A third party's goes into the entry point group ``rmaudit.families``."""

    format: str
    """Name, as ``--as`` takes it."""
    examples: str
    """Models of this format, for the documentation."""
    recognised: str
    """What in the files tells it from the others, for the documentation."""
    scalar: str
    """How the scalar is computed, for the documentation."""
    recognise: Callable[[Checkpoint, LoadOptions], tuple[str, ...] | None]
    """Evidence that the files are of this format, or ``None`` when they are not. Raises nothing."""
    read: Callable[[Checkpoint, LoadOptions], Reading]
    """How the scalar is computed. Raises `LoadRefusedError` when a tensor of the head is missing (naming it), or
    the files do not say how, and `UsageError` when an option that the format needs is not given."""
    load: Callable[[Checkpoint, Detection, str, LoadOptions], RewardModel]
    """Load the weights: checkpoint, what was detected, the SOURCE as typed, options."""
    heads: tuple[str, ...] = ()
    """Regular expressions on canonical tensor names that announce this format's head. A checkpoint in which the
    heads of two formats are found is refused."""
    needs: str = ""
    """Options that it cannot be loaded without, for the documentation."""
    last_resort: bool = False
    """Whether it counts only where no other format was recognised."""


def spec_reading(checkpoint: Checkpoint, spec: HeadSpec, risks: tuple[str, ...] = ()) -> Reading:
    """The reading of a head that is described as data."""
    from rmaudit.models.headspec import require_head

    return Reading(
        head=require_head(checkpoint, spec.names),
        pooling=spec.pooling,
        spec=spec,
        sign=spec.sign,
        normalisation=str(spec.normalisation) if spec.normalisation else None,
        template=spec.input.origin,
        attributes=tuple(output.name for output in spec.outputs if output.name),
        risks=risks,
    )
