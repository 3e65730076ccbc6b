"""What the formats with several gated objectives share: their names, and what to know about them."""

from __future__ import annotations

from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.families import _heads

HELPSTEER = tuple(
    f"helpsteer-{name}" for name in ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
)
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


def padding_risks(checkpoint: Checkpoint) -> tuple[str, ...]:
    """What follows from reading the reward before the first padding token, where texts hold that token."""
    pad, eos = checkpoint.config.get("pad_token_id"), checkpoint.config.get("eos_token_id")
    if pad is None or pad not in (eos if isinstance(eos, list) else [eos]):
        return ()
    return (
        f"the padding token ({pad}) is an EOS token too, and the authors' code reads the reward before the first one "
        "in the text, even if that is in the prompt",
    )
