"""What can be read off a checkpoint folder without loading it: config, tokenizer files, tensor names."""

from __future__ import annotations

import json
import math
import struct
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models import safety

MAX_HEADER_BYTES = 100_000_000
"""The safetensors format's own limit on its header."""

_ITEM_BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}


@dataclass(frozen=True)
class Tensor:
    """A tensor as a header announces it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """As the container spells it, such as ``F32``."""

    def __str__(self) -> str:
        return f"{self.name} {list(self.shape)}"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder whose files were found, checked and read, but whose weights were not loaded."""

    root: Path
    config: dict[str, Any]
    tokenizer_config: dict[str, Any]
    chat_template: bool
    """Whether the tokenizer brings a chat template."""
    tensors: dict[str, Tensor]
    weights: tuple[str, ...]
    """Files that hold the tensors."""
    files: tuple[str, ...]
    """All files that take part in a score, sorted."""
    revision: str | None = None
    """Resolved commit of a hub checkpoint."""
    names: frozenset[str] = field(default_factory=frozenset)
    """Every name in the folder."""

    @property
    def architecture(self) -> str | None:
        """First entry of the config's ``architectures``."""
        found = self.config.get("architectures")
        return str(found[0]) if isinstance(found, list) and found else None

    @property
    def model_type(self) -> str | None:
        """The config's ``model_type``."""
        found = self.config.get("model_type")
        return str(found) if found is not None else None

    @property
    def pickled(self) -> bool:
        """Whether the weights are pickles."""
        return not self.weights[0].endswith(".safetensors")

    @property
    def parameters(self) -> int:
        """Numbers in all tensors."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors.values())

    def digests(self) -> dict[str, str]:
        """File name to sha256, for every file that takes part."""
        return {name: safety.sha256_of(self.root / name) for name in self.files}


def read_checkpoint(root: Path, allow_pickle: bool = False, revision: str | None = None) -> Checkpoint:
    """Read everything but the weights of a checkpoint folder.

    Args:
        root: the folder.
        allow_pickle: accept ``.bin`` weights; their names and shapes are then read as plain tensors.
        revision: commit that the folder was downloaded from.

    Raises:
        LoadRefusedError: when the folder holds no model, or a file in it is damaged, missing or outside.
    """
    names = frozenset(path.name for path in root.iterdir())
    if "adapter_config.json" in names:
        raise LoadRefusedError(_adapter_message(root))
    if "config.json" not in names:
        listing = ", ".join(sorted(names)[:8]) or "nothing"
        raise LoadRefusedError(
            f"{root} is not a model checkpoint: it has no config.json (found: {listing}). "
            "Pass the folder that the model was saved to."
        )
    config = safety.read_json(root, "config.json")
    weights = safety.weight_files(root, allow_pickle)
    files = safety.participating_files(root, weights)
    tokenizer_config = safety.read_json(root, "tokenizer_config.json") if "tokenizer_config.json" in names else {}
    return Checkpoint(
        root=root,
        config=config,
        tokenizer_config=tokenizer_config,
        chat_template=bool(tokenizer_config.get("chat_template"))
        or bool(names & {"chat_template.jinja", "chat_template.json"}),
        tensors=_tensors(root, weights),
        weights=weights,
        files=files,
        revision=revision,
        names=names,
    )


def read_safetensors_header(path: Path) -> dict[str, Tensor]:
    """Names, shapes and dtypes of the tensors in a safetensors file, from its header alone.

    The file begins with the header's length (8 bytes, little endian) and the header as JSON; the data
    must fill the rest of the file, without a gap or an overlap.

    Raises:
        LoadRefusedError: when the file is empty, cut short or not a safetensors file.
    """
    size = path.stat().st_size
    damaged = f"{path} is damaged ({{}}). Copy or download the file again."
    if size < 8:
        raise LoadRefusedError(damaged.format(f"it has only {size} bytes"))
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > min(MAX_HEADER_BYTES, size - 8):
            raise LoadRefusedError(damaged.format("its header is longer than the file, or it is not safetensors"))
        raw = stream.read(length)
    try:
        header = json.loads(raw)
        header.pop("__metadata__", None)
        entries = {name: (entry["dtype"], entry["shape"], *entry["data_offsets"]) for name, entry in header.items()}
        tensors = {
            str(name): Tensor(str(name), tuple(int(n) for n in shape), str(dtype))
            for name, (dtype, shape, _, _) in entries.items()
        }
        spans = sorted((int(start), int(end), name) for name, (_, _, start, end) in entries.items())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise LoadRefusedError(damaged.format(f"its header cannot be read: {error}")) from error
    position = 0
    for start, end, name in spans:
        bits = _ITEM_BITS.get(tensors[name].dtype)
        if start != position or (bits is not None and (end - start) * 8 != math.prod(tensors[name].shape) * bits):
            raise LoadRefusedError(damaged.format(f"the place it gives for {name} does not fit its shape"))
        position = end
    if position != size - 8 - length:
        raise LoadRefusedError(
            damaged.format(f"its header announces {position:,} bytes of data and there are {size - 8 - length:,}")
        )
    return tensors


def _tensors(root: Path, weights: tuple[str, ...]) -> dict[str, Tensor]:
    read = read_safetensors_header if weights[0].endswith(".safetensors") else _read_pickled
    found: dict[str, Tensor] = {}
    for name in weights:
        found |= read(root / name)
    if len(weights) > 1:
        index = safety.INDEX if weights[0].endswith(".safetensors") else safety.PICKLE_INDEX
        absent = sorted(set(safety.read_json(root, index)["weight_map"]) - set(found))
        if absent:
            raise LoadRefusedError(
                f"{root / index} promises tensors that are in no file: {_some(absent)}. "
                "Copy or download the checkpoint again."
            )
    if not found:
        raise LoadRefusedError(f"{root} holds no tensors at all: {', '.join(weights)} is empty.")
    return found


def _read_pickled(path: Path) -> dict[str, Tensor]:
    """Names and shapes from a ``.bin`` file; anything in it but tensors is refused by torch."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = torch.load(path, map_location="meta", weights_only=True)
    except Exception as error:
        raise LoadRefusedError(
            f"{path} is not a plain file of tensors, so it was not opened ({type(error).__name__}). "
            "Convert the checkpoint to safetensors in a place where you trust it."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise LoadRefusedError(f"{path} is not a mapping from names to tensors. Convert it to safetensors.")
    return {
        str(name): Tensor(str(name), tuple(value.shape), str(value.dtype).removeprefix("torch."))
        for name, value in state.items()
    }


def _adapter_message(root: Path) -> str:
    base = safety.read_json(root, "adapter_config.json").get("base_model_name_or_path")
    return (
        f"{root} is a PEFT adapter (adapter_config.json) for {base or 'an unnamed base model'}, not a whole "
        "checkpoint, and adapters are not supported yet. Merge it into its base with peft's "
        "merge_and_unload(), save the result with its tokenizer, and pass that folder."
    )


def _some(names: list[str], limit: int = 6) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
