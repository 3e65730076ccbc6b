"""Sequence classifiers of the transformers library whose head is more than a linear layer: encoders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rmaudit.models.native import Network
from rmaudit.models.readout import Combination, Row, Values

if TYPE_CHECKING:
    import torch


class ClassifierNetwork(Network):
    """A library classifier, whose own forward pass ends in the outputs."""

    left = False

    def __init__(self, model: Any, combination: Combination) -> None:
        self.model = model
        self.combination = combination
        _head_in_float32(model)
        self._alone = bool(model.config.is_encoder_decoder)
        """Encoder-decoders refuse batches in which the EOS token is not equally often in each text."""

    def __call__(self, inputs: dict[str, torch.Tensor], rows: Sequence[Row]) -> list[Values]:
        """Numbers of each conversation, in order; see `Network`."""
        import torch

        if self._alone:
            parts = [
                {name: value[i : i + 1, : len(row.encoded.ids)] for name, value in inputs.items()}
                for i, row in enumerate(rows)
            ]
            logits = torch.cat([self.model(**part).logits for part in parts])
        else:
            logits = self.model(**inputs).logits
        return [self.combination.values(row[None]) for row in logits.float().cpu().double().numpy()]

    def library(self, inputs: dict[str, torch.Tensor], row: Row) -> float | None:
        """The reward by the library's own forward pass of one conversation."""
        return self(inputs, [row])[0].reward


def _head_in_float32(model: Any) -> None:
    """Let what follows the encoder compute in float32, whatever the encoder's own number type."""
    import torch

    def widened(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        def wide(value: Any) -> Any:
            return value.float() if isinstance(value, torch.Tensor) and value.is_floating_point() else value

        return tuple(map(wide, args)), {name: wide(value) for name, value in kwargs.items()}

    if model.dtype == torch.float32:
        return
    for child in model.children():
        if child is not model.base_model and any(p.is_floating_point() for p in child.parameters()):
            child.float().register_forward_pre_hook(widened, with_kwargs=True)
