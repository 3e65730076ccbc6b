"""What decides the weights besides the data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Every choice of the training, with the values of the model that ships."""

    layers: tuple[int, ...] = (0, 1, 2, 3)
    """Numbers of the base model's layers that stay."""
    wordpieces: int = 6200
    """Size of the vocabulary."""
    epochs: int = 2
    """Passes over the data, each with other off-topic replies."""
    learning_rate: float = 1.5e-4
    """Peak, after the warm-up; it then falls linearly to zero."""
    warmup_share: float = 0.06
    """Share of all steps in which the rate rises."""
    weight_decay: float = 0.01
    """AdamW's, on matrices only."""
    off_topic_weight: float = 0.7
    """Weight of a group's off-topic comparisons beside its labelled ones."""
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
    """Of everything random."""
