"""Matrix products of float32 on a CPU by oneDNN, which the library would leave to MKL.

MKL takes a slower path on the CPUs of other makers: on an AMD one with AVX-512 it reached 240 billion operations a
second where oneDNN reached 530. Both round like float32. The other number types are oneDNN's already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_FEWEST = 16
"""Rows and columns below which a product is too small to gain."""


class FastProducts(TorchFunctionMode):
    """Within this context linear layers of float32 on a CPU are computed by oneDNN, where torch has it."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Compute one function of torch, a linear layer by oneDNN."""
        del types
        if func is torch.nn.functional.linear and not kwargs and _suits(*args):
            states, weight, bias = (*args, None)[:3]
            return torch.ops.mkldnn._linear_pointwise(states, weight, bias, "none", [], "")
        return func(*args, **(kwargs or {}))


def _suits(states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> bool:
    """Whether a linear layer is one of plain float32 tensors on a CPU, and large enough."""
    tensors = (states, weight) if bias is None else (states, weight, bias)
    return (
        _AVAILABLE
        and all(t.device.type == "cpu" and t.dtype == torch.float32 and t.layout == torch.strided for t in tensors)
        and all(type(t) in (torch.Tensor, torch.nn.Parameter) for t in tensors)
        and not torch.is_grad_enabled()
        and weight.dim() == 2
        and min(weight.shape) >= _FEWEST
        and states.numel() >= _FEWEST * states.shape[-1]
    )


_AVAILABLE = torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise")
