"""What the formats with several gated objectives share: names, numbers of the config, what to know about them."""

from __future__ import annotations

from rmaudit.errors import LoadRefusedError
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families import _heads

HELPSTEER = tuple(f"helpsteer-{name}" for name in ("helpfulness", "correctness", "coherence", "complexity", "verbosity"))
ARMO = (
    *HELPSTEER,
    "ultrafeedback-overall_score",
    "ultrafeedback-instruction_following",
    "ultrafeedback-truthfulness",
    "ultrafeedback-honesty",
    "ultrafeedback-helpfulness",
    "beavertails-is_safe",
    "prometheus-score",
    "argilla-overall_quality",
    "argilla-judge_lm",
    "code-complexity",
    "code-style",
    "code-explanation",
    "code-instruction-following",
    "code-readability",
)
"""The objectives of ArmoRM in the order of its model card, which QRM has taken over: all 19, or the first five."""


def named(checkpoint: Checkpoint, count: int, *published: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the objectives: those of the config, else of a model card that names as many, else numbers."""
    told = _heads.labels(checkpoint)
    if told is not None and len(told) == count == len(set(told)):
        return tuple(told)
    numbers = tuple(f"objective {i + 1}" for i in range(count))
    return next((names for names in published if len(names) == count), numbers)


def positive(checkpoint: Checkpoint, key: str, default: float) -> float:
    """A number of the config that must be above 0.

    Raises:
        LoadRefusedError: when it is not.
    """
    told = checkpoint.config.get(key, default)
    if isinstance(told, bool) or not isinstance(told, int | float) or not 0 < told < float("inf"):
        raise LoadRefusedError(
            f"{key} in the config.json of {checkpoint.root} is {told!r}, and must be a number above 0. "
            "Download the file again."
        )
    return float(told)


def count(checkpoint: Checkpoint, key: str, default: int) -> int:
    """A whole number of the config that must be above 0.

    Raises:
        LoadRefusedError: when it is not, or counts more than there are tensors and sides of tensors.
    """
    told = positive(checkpoint, key, default)
    most = max((side for tensor in checkpoint.tensors.values() for side in tensor.shape), default=0)
    if told != int(told) or told > max(most, len(checkpoint.tensors)):
        raise LoadRefusedError(
            f"{key} in the config.json of {checkpoint.root} is {told:g}, which does not fit its weights. "
            "Download the file again."
        )
    return int(told)


def padding_risks(checkpoint: Checkpoint) -> tuple[str, ...]:
    """What follows from reading the reward before the first padding token, where texts hold that token."""
    pad, eos = checkpoint.config.get("pad_token_id"), checkpoint.config.get("eos_token_id")
    if pad is None or pad not in (eos if isinstance(eos, list) else [eos]):
        return ()
    return (
        f"the padding token ({pad}) is an EOS token too, and the authors' code reads the reward before the first one "
        "in the text, even if that is in the prompt",
    )
