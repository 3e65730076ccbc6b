"""Numbers of a config that a reward depends on."""

from __future__ import annotations

from rmaudit.errors import LoadRefusedError
from rmaudit.models.checkpoint import Checkpoint


def positive(checkpoint: Checkpoint, key: str, default: float) -> float:
    """A number of the config that must be above 0.

    Raises:
        LoadRefusedError: when it is not.
    """
    return above_zero(checkpoint, key, checkpoint.config.get(key, default))


def above_zero(checkpoint: Checkpoint, key: str, told: object) -> float:
    """What a config says under a key, which must be a number above 0.

    Raises:
        LoadRefusedError: when it is not.
    """
    if isinstance(told, bool) or not isinstance(told, int | float) or not 0 < told < float("inf"):
        raise LoadRefusedError(
            f"{key} in the config.json of {checkpoint.root} is {told!r}, and must be a number above 0. "
            "Download the file again."
        )
    return float(told)


def count(checkpoint: Checkpoint, key: str, default: int | None = None) -> int:
    """A whole number of the config that counts something in the weights.

    Raises:
        LoadRefusedError: when the config does not say, or there are neither so many tensors nor a side so long.
    """
    told = checkpoint.config.get(key, default)
    longest = max((side for tensor in checkpoint.tensors.values() for side in tensor.shape), default=0)
    if type(told) is not int or not 0 < told <= max(longest, len(checkpoint.tensors)):
        raise LoadRefusedError(
            f"{key} in the config.json of {checkpoint.root} is {told!r}, which does not fit its weights. "
            "Download the file again."
        )
    return told
