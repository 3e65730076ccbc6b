"""What in a checkpoint's files a reader should know before trusting its numbers; told from files alone."""

from __future__ import annotations

from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.safety import PICKLE_SUFFIXES


def risks_of(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Sentences without capital and full stop, none when there is nothing to say."""
    found: list[str] = []
    if "auto_map" in checkpoint.config or "auto_map" in checkpoint.tokenizer_config:
        ran = "the user allows to run it" if checkpoint.code else "it is not run"
        found.append(f"the config names Python code of the checkpoint's own (auto_map); {ran}")
    if checkpoint.pickles:
        found.append(f"weights are read from pickles as plain tensors ({', '.join(checkpoint.pickles[:4])})")
    unread = sorted(
        name
        for name in checkpoint.names
        if name.endswith((*PICKLE_SUFFIXES, ".pkl", ".pickle", ".joblib")) and name not in checkpoint.weights
    )
    if unread:
        found.append(f"pickles that were not opened lie beside the weights ({', '.join(unread[:4])})")
    if checkpoint.base is not None and checkpoint.adapter is not None:
        found.append(f"an adapter: the reward also depends on its base model ({checkpoint.base.root})")
    if "quantization_config" in checkpoint.config:
        found.append("the weights were stored rounded (quantization_config)")
    return tuple(found)
