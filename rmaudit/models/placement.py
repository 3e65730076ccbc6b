"""Where a model's weights go and in which number type."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.options import LoadOptions

if TYPE_CHECKING:
    import torch

_DTYPES = ("float32", "bfloat16", "float16")
_STORED = {"BF16": "bfloat16", "bfloat16": "bfloat16", "F16": "float16", "float16": "float16"}
_BITS = {"8bit": 8, "4bit": 4}


@dataclass(frozen=True)
class Placement:
    """Device, number type and rounding of a model's weights."""

    device: torch.device
    dtype: torch.dtype
    spread: bool = False
    """Whether the layers are spread over all GPUs, and over memory where these do not suffice."""
    quantize: str | None = None

    def arguments(self) -> dict[str, Any]:
        """What the library's loading function is told."""
        told: dict[str, Any] = {"dtype": self.dtype}
        if self.spread:
            told["device_map"] = "auto"
        if self.quantize:
            from transformers import BitsAndBytesConfig

            told["device_map"] = "auto" if self.spread else {"": self.device}
            told["quantization_config"] = BitsAndBytesConfig(**{f"load_in_{self.quantize}": True})
        return told


def placement(checkpoint: Checkpoint, options: LoadOptions) -> Placement:
    """Where the weights of a checkpoint go.

    Raises:
        UsageError: when an option does not fit the machine.
        LoadRefusedError: when the weights cannot fit into its memory.
    """
    spread = options.device == "auto"
    device = _device(None if spread else options.device)
    if spread and device.type != "cuda":
        raise UsageError("--device auto spreads a model over GPUs, and torch sees none. Use --device cpu.")
    dtype = _dtype(options.dtype, device, checkpoint)
    if options.quantize is not None:
        _check_quantize(options.quantize, device)
    elif not spread:
        _refuse_too_large(checkpoint, device, dtype)
    return Placement(device, dtype, spread, options.quantize)


def _device(asked: str | None) -> torch.device:
    import torch

    if asked is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(asked)
    except RuntimeError as error:
        raise UsageError(f"There is no device {asked}. Use cpu, cuda, cuda:N, mps or auto.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"There is no device {asked}: torch sees {torch.cuda.device_count()} GPUs. Use --device cpu.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError("There is no device mps: this is no Mac with a GPU that torch can use. Use --device cpu.")
    if device.type not in ("cpu", "cuda", "mps"):
        raise UsageError(f"There is no device {asked}. Use cpu, cuda, cuda:N, mps or auto.")
    return device


def _dtype(asked: str | None, device: torch.device, checkpoint: Checkpoint) -> torch.dtype:
    import torch

    if asked is None:
        stored = Counter(_STORED.get(tensor.dtype, "float32") for tensor in checkpoint.whole.tensors.values())
        asked = "float32" if device.type == "cpu" else stored.most_common(1)[0][0]
    if asked not in _DTYPES:
        raise UsageError(f"There is no dtype {asked}. Use one of {', '.join(_DTYPES)}.")
    dtype = getattr(torch, asked)
    assert isinstance(dtype, torch.dtype)
    return dtype


def _check_quantize(asked: str, device: torch.device) -> None:
    if asked not in _BITS:
        raise UsageError(f"There is no rounding {asked}. Use --quantize 8bit or 4bit.")
    if device.type != "cuda":
        raise UsageError(f"--quantize {asked} needs a CUDA GPU. Without one, use --dtype bfloat16.")
    try:
        import bitsandbytes  # type: ignore[import-not-found,unused-ignore] # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"--quantize {asked} needs the package bitsandbytes, which is not installed. Install rmaudit[quantize]."
        ) from error


def _refuse_too_large(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> None:
    """Refuse, before anything is read, what cannot fit into the memory at all."""
    import torch

    need = checkpoint.whole.parameters * dtype.itemsize
    if device.type == "cuda":
        have, place = torch.cuda.get_device_properties(device).total_memory, f"the GPU {device}"
    elif hasattr(os, "sysconf"):
        have, place = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "this machine"
    else:
        return
    if need > have:
        raise LoadRefusedError(
            f"{checkpoint.root} needs {need / 1e9:.0f} GB for its weights alone, and {place} has "
            f"{have / 1e9:.0f} GB of memory. Use --dtype bfloat16, spread it over GPUs (--device auto), round it "
            "(--quantize 8bit) or take a larger machine."
        )
