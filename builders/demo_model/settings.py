"""What decides the weights besides the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stage:
    """Passes over the data under one rise and fall of the learning rate."""

    epochs: int
    """Passes, each with other off-topic replies."""
    learning_rate: float
    """Peak, after the warm-up; it then falls linearly to zero."""
    off_topic_weight: float
    """Weight of a group's off-topic comparisons beside its labelled ones."""
    seed: int
    """Of everything random in the first pass; each further pass takes the next number."""
    repeats: Mapping[str, float] = field(default_factory=dict)
    """How often a pass takes each group of a source, on average; 1 for a source that is not named."""
    warmup_share: float = 0.06
    """Share of all steps in which the rate rises."""
    weight_decay: float = 0.01
    """AdamW's, on matrices only."""


_ON_EVERYTHING = Stage(epochs=2, learning_rate=1.5e-4, off_topic_weight=0.7, seed=1)
_ON_WEAK_SOURCES = Stage(
    epochs=1,
    learning_rate=6e-5,
    off_topic_weight=0.5,
    seed=11,
    repeats={
        "qa-feedback": 4,
        "pandalm": 4,
        "openassistant": 4,
        "hh-helpful": 1.5,
        "hh-harmless": 0.7,
        "llmfao": 1,
        "llmbar": 2,
        "truthfulqa": 0.6,
        "gsm8k": 0.6,
    },
)


@dataclass(frozen=True)
class Settings:
    """Every choice of the training, with the values of the model that ships."""

    layers: tuple[int, ...] = (0, 1, 2, 3)
    """Numbers of the base model's layers that stay."""
    wordpieces: int = 6200
    """Size of the vocabulary."""
    stages: tuple[Stage, ...] = (_ON_EVERYTHING, _ON_WEAK_SOURCES)
    """One after the other; the second dwells on sources of rmaudit's panel from which the first learnt little."""
    off_topic_replies: int = 1
    """Replies to other prompts added to a group."""
    max_replies: int = 6
    """A group with more replies is cut into parts of about this size."""
    max_group_tokens: int = 360
    """Of a part with long replies only so many tokens are used, but never fewer than two replies."""
    max_length: int = 160
    """Tokens of an input."""
    max_answer: int = 112
    """Tokens of an answer."""
    tokens_a_batch: int = 6144
    """Padded tokens of a batch."""
    seed: int = 1
    """Of the new head's weights."""
