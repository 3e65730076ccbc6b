"""What can be read off a checkpoint folder without loading it: config, tokenizer files, tensor names."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models import safety

if TYPE_CHECKING:
    from rmaudit.models.template import FoundTemplate

MAX_HEADER_BYTES = 100_000_000
"""The safetensors format's own limit on its header."""
MAX_DIMENSIONS = 64

_WRAPPER = re.compile(r"^(module|base_model\.model|pretrained_model|_orig_mod)\.(?=.)")

ITEM_BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}


_TOKENIZERS = frozenset(
    ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "spiece.model", "vocab.txt", "vocab.json")
)
"""Files that a tokenizer begins with."""


@dataclass(frozen=True)
class Tensor:
    """A tensor as a header announces it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """As the container spells it, such as ``F32``."""
    file: str = ""
    """Name of the file that holds it."""

    def __str__(self) -> str:
        return f"{self.name} {list(self.shape)}"


@dataclass(frozen=True)
class Elsewhere:
    """Weight files that are not in the folder, and what is known of them."""

    digests: Mapping[str, str]
    """File name to sha256."""
    read: Callable[[str], dict[str, Tensor]]
    """Tensors of a file, by name. Raises `LoadRefusedError`."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder whose files were found, checked and read, but whose weights were not loaded."""

    root: Path
    config: dict[str, Any]
    tokenizer_config: dict[str, Any]
    template: FoundTemplate | None
    """The chat template that the tokenizer brings."""
    tensors: dict[str, Tensor]
    weights: tuple[str, ...]
    """Files that hold the tensors."""
    files: tuple[str, ...]
    """All files that take part in a score, sorted."""
    revision: str | None = None
    """Resolved commit of a hub checkpoint."""
    names: frozenset[str] = field(default_factory=frozenset)
    """Every name in the folder."""
    adapter: dict[str, Any] | None = None
    """The adapter's config, where the folder holds a PEFT adapter and `base` its base model."""
    base: Checkpoint | None = None
    """Where config or tokenizer come from when they are not in the folder: an adapter's base model, or the
    checkpoint whose config belongs to a bare weight file."""
    given: dict[str, str] = field(default_factory=dict)
    """Digests of the user's own files that take part in a score, by option."""
    code: tuple[str, ...] = ()
    """Files of Python code, where the user allows to run them."""
    elsewhere: Elsewhere | None = None
    """Weight files that are not in the folder; such a checkpoint can be looked at, and not loaded."""

    @cached_property
    def canonical(self) -> dict[str, Tensor]:
        """Tensors by the name without the wrapper that training put before it, such as ``module.``.

        Raises:
            LoadRefusedError: when two tensors are told apart by their wrapper alone.
        """
        found: dict[str, Tensor] = {}
        for name, tensor in self.tensors.items():
            short = _WRAPPER.sub("", name)
            if short in found:
                raise LoadRefusedError(
                    f"{self.root} holds both {found[short].name} and {name}, and which of them is the model's "
                    "is not for us to guess. Save the checkpoint again with one of them."
                )
            found[short] = tensor
        return found

    @property
    def whole(self) -> Checkpoint:
        """The checkpoint that holds the whole model: an adapter's base, else itself."""
        return self.base if self.adapter is not None and self.base is not None else self

    @property
    def chat_template(self) -> bool:
        """Whether the tokenizer brings a chat template."""
        return self.template is not None

    @property
    def tokenizer_root(self) -> Path:
        """Folder that the tokenizer is in: this one, or the base's when there is none here."""
        return self.root if self.names & _TOKENIZERS or self.base is None else self.base.tokenizer_root

    @property
    def tokenizes(self) -> bool:
        """Whether there is a tokenizer."""
        return bool(self.names & _TOKENIZERS) or (self.base is not None and self.base.tokenizes)

    def has(self, pattern: str) -> Tensor | None:
        """The first tensor whose canonical name matches a regular expression as a whole, or ``None``."""
        return next((tensor for name, tensor in self.canonical.items() if re.fullmatch(pattern, name)), None)

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
    def pickles(self) -> tuple[str, ...]:
        """Weight files that are pickles, those of a base among them."""
        own = tuple(name for name in self.weights if not name.endswith(".safetensors"))
        return own + (self.base.pickles if self.base is not None and self.adapter is not None else ())

    @property
    def parameters(self) -> int:
        """Numbers in all tensors."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors.values())

    def digests(self) -> dict[str, str]:
        """File name to sha256, for every file that takes part; those of a base below ``base/``."""
        return dict(self._digests)

    @cached_property
    def _digests(self) -> dict[str, str]:
        known = self.elsewhere.digests if self.elsewhere is not None else {}
        own = {name: known.get(name) or safety.sha256_of(self.root / name) for name in self.files}
        base = self.base.digests() if self.base is not None else {}
        return own | {f"base/{name}": digest for name, digest in base.items()} | self.given


def read_safetensors_header(path: Path) -> dict[str, Tensor]:
    """Names, shapes and dtypes of the tensors in a safetensors file, from its header alone.

    The file begins with the header's length (8 bytes, little endian) and the header as JSON; the data
    must fill the rest of the file, without a gap or an overlap.

    Raises:
        LoadRefusedError: when the file is empty, cut short or not a safetensors file.
    """
    damaged = f"{path} is damaged ({{}}). Copy or download the file again."
    with safety.open_file(path) as stream:
        size = stream.seek(0, 2)
        stream.seek(0)
        if size < 8:
            raise LoadRefusedError(damaged.format(f"it has only {size} bytes"))
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > min(MAX_HEADER_BYTES, size - 8):
            raise LoadRefusedError(damaged.format("its header is longer than the file, or it is not safetensors"))
        raw = stream.read(length)
    try:
        header = safety.parse_json(raw)
        header.pop("__metadata__", None)
        found = [(*_span(entry), Tensor(name, *_form(entry))) for name, entry in header.items()]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        told = (str(error).splitlines() or [""])[0][:200]
        raise LoadRefusedError(damaged.format(f"its header cannot be read: {told}")) from error
    position = 0
    for start, end, tensor in sorted(found, key=lambda entry: entry[:2]):
        bits = ITEM_BITS.get(tensor.dtype)
        if bits is None:
            raise LoadRefusedError(damaged.format(f"{tensor.name} is of the unknown type {tensor.dtype[:20]}"))
        if start != position or (end - start) * 8 != math.prod(tensor.shape) * bits:
            raise LoadRefusedError(damaged.format(f"the place it gives for {tensor.name} does not fit its shape"))
        position = end
    if position != size - 8 - length:
        raise LoadRefusedError(
            damaged.format(f"its header announces {position:,} bytes of data and there are {size - 8 - length:,}")
        )
    return {tensor.name: tensor for _, _, tensor in found}


def _span(entry: dict[str, Any]) -> tuple[int, int]:
    """Where a header says that a tensor's bytes begin and end."""
    start, end = entry["data_offsets"]
    if not _natural(start) or not _natural(end):
        raise ValueError("an offset is no natural number")
    return start, end


def _form(entry: dict[str, Any]) -> tuple[tuple[int, ...], str]:
    """Shape and dtype that a header gives for a tensor."""
    shape, dtype = tuple(entry["shape"]), entry["dtype"]
    if len(shape) > MAX_DIMENSIONS or not all(map(_natural, shape)) or not isinstance(dtype, str):
        raise ValueError("a shape or a type is not one")
    return shape, dtype


def _natural(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


MODULE_FILES = ("regression_layer.pt", "gating_layer.pt")
"""Files that hold one module each, under names that begin inside it; here they begin with the module's own name."""


def module_prefix(file: str) -> str:
    """What comes before the names that a file gives its tensors."""
    return f"{file.removesuffix('.pt')}." if file in MODULE_FILES else ""


def read_tensors(root: Path, weights: tuple[str, ...], elsewhere: Elsewhere | None = None) -> dict[str, Tensor]:
    """Names, shapes and dtypes of the tensors in weight files, from their headers or pickle indices alone.

    Raises:
        LoadRefusedError: when a file is damaged or not what it should be, or two files hold the same tensor.
    """
    found: dict[str, Tensor] = {}
    for name in weights:
        if elsewhere is not None and name in elsewhere.digests:
            read = elsewhere.read(name)
        else:
            read = read_safetensors_header(root / name) if name.endswith(".safetensors") else _read_pickled(root / name)
        tensors = {module_prefix(name) + key: tensor for key, tensor in read.items()}
        twice = sorted(set(tensors) & set(found))
        if twice:
            raise LoadRefusedError(
                f"{root} holds {some(twice)} in two files, {found[twice[0]].file} and {name}, and which is the "
                "model's is not for us to guess. Take the wrong file out of the folder."
            )
        found |= {key: replace(tensor, name=key, file=name) for key, tensor in tensors.items()}
    if not found:
        raise LoadRefusedError(f"{root} holds no tensors at all: {', '.join(weights)} is empty.")
    return found


def _read_pickled(path: Path) -> dict[str, Tensor]:
    """Names and shapes from a ``.bin`` file, whose pickle is not opened."""
    from rmaudit.models.pickles import read_index

    return read_index(path).tensors


def some(names: list[str], limit: int = 6) -> str:
    """The first few of a list of names, and how many more there are."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
