"""Weights in torch files: their index read without running the pickle, then the tensors, and nothing else.

A pickle is a program for a small stack machine, and two of its instructions fetch and call any function. The machine
here has no such instructions: it knows the few names that torch writes for tensors, builds records where torch would
build objects, and refuses the file at the first other name. So nothing in the file decides what runs.
"""

from __future__ import annotations

import math
import pickletools
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmaudit.errors import LoadRefusedError
from rmaudit.models import pickle_names, safety, torch_zip
from rmaudit.models.checkpoint import ITEM_BITS, MAX_DIMENSIONS, Tensor

if TYPE_CHECKING:
    import torch

MAX_PICKLE_BYTES = 32 << 20
"""Largest pickle in a torch file. The tensors' data lies beside it, so that even 10,000 tensors take 2 MB."""
MAX_STEPS = 1_000_000
"""Most instructions of a pickle; a tensor takes some 35."""
MAX_NAME = 512
"""Longest name of a tensor, in characters."""
WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
"""Keys under which training code puts the mapping from names to tensors, beside its own state."""

_STORAGES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
    "ComplexFloatStorage": "C64",
}
_DTYPES = {
    **{"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "complex64": "C64"},
    **{"int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "bool": "BOOL"},
    **{"uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8"},
    **{"float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e8m0fnu": "F8_E8M0"},
}
_DICT = "collections.OrderedDict"
_TENSOR_V2 = "torch._utils._rebuild_tensor_v2"
_TENSOR_V3 = "torch._utils._rebuild_tensor_v3"
_PARAMETER = "torch._utils._rebuild_parameter"
_UNTYPED = "torch.storage.UntypedStorage"
_BYTES = "_codecs.encode"
_HARMLESS = frozenset(("torch.Size", "torch.device"))
"""Calls beside the tensors whose result nobody reads here, and that torch makes in its own safe mode."""

_ALLOWED = (
    frozenset((_DICT, _TENSOR_V2, _TENSOR_V3, _PARAMETER, _UNTYPED, _BYTES))
    | _HARMLESS
    | {f"torch.{name}" for name in (*_STORAGES, *_DTYPES)}
)

_ADVICE = "Convert the checkpoint to safetensors in a place where you trust it."


@dataclass(frozen=True)
class PickleIndex:
    """What a torch file holds, read without opening its pickle."""

    tensors: dict[str, Tensor]
    globals: tuple[str, ...]
    """Every name of code that the pickle asks for, sorted; all are known to be harmless."""
    wrapper: str | None
    """Key under which the mapping from names to tensors is, or ``None`` when it is the whole pickle."""


def read_index(path: Path) -> PickleIndex:
    """Names, shapes and dtypes of the tensors in a torch file (``.bin``, ``.pt``, ``.pth``, ``.ckpt``).

    Needs no torch. The time is bounded by `MAX_STEPS`, the memory by a small multiple of `MAX_PICKLE_BYTES`. Dtypes
    are spelled as in safetensors, such as ``F32``.

    Raises:
        LoadRefusedError: when the file is not the zip container that torch writes, when its pickle asks for code
            (naming it) or holds something else than tensors, or when a tensor does not fit the bytes it claims.
    """
    if not torch_zip.is_zip(path):
        raise LoadRefusedError(_not_a_container(path))
    records = torch_zip.read_records(path)
    if "constants.pkl" in records or any(name.startswith("code/") for name in records):
        raise LoadRefusedError(
            f"{path} is a TorchScript program, not a plain file of tensors, so it was not opened. {_ADVICE}"
        )
    record = records.get("data.pkl")
    if record is None:
        raise LoadRefusedError(f"{path} is a zip file, but not one of torch: it has no data.pkl. {_ADVICE}")
    if record.size > MAX_PICKLE_BYTES:
        raise LoadRefusedError(
            f"{path} has a pickle of {record.size:,} bytes, where names and shapes take a few million at most, so it "
            f"was not opened. {_ADVICE}"
        )
    machine = _Machine(records)
    try:
        value = machine.run(torch_zip.read_record(path, record))
        tensors, wrapper = _unwrapped(value)
    except _PickleError as error:
        raise LoadRefusedError(
            f"{path} is not a plain file of tensors ({error}), so it was not opened. {_ADVICE}"
        ) from error
    return PickleIndex(tensors, tuple(sorted(machine.globals)), wrapper)


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a torch file by name, on the CPU, mapped from the file rather than read.

    Raises:
        LoadRefusedError: as `read_index`, or when torch reads something else than the index says.
        UsageError: when the installed torch cannot be relied on for this.
    """
    index = read_index(path)
    safety.require_safe_torch()
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        if index.wrapper is not None:
            state = state[index.wrapper]
        found = {name: state[name].detach() for name in index.tensors}
    except Exception as error:  # whatever it is, the file is not what it should be
        told = (str(error).strip().splitlines() or [""])[0]
        raise LoadRefusedError(
            f"{path} could not be read as plain tensors ({type(error).__name__}: {told[:200]}). {_ADVICE}"
        ) from error
    different = [name for name, tensor in found.items() if tuple(tensor.shape) != index.tensors[name].shape]
    if different:
        raise LoadRefusedError(f"{path} changed while it was read (see {different[0]}). Start again.")
    return found


def scanned(root: Path, names: Iterable[str]) -> list[str]:
    """What a scanner for dangerous pickles says of each pickle among weight files, where one is installed."""
    told = [(name, scan_evidence(root / name)) for name in names if safety.is_pickle(name)]
    return [f"{name}: {verdict}" for name, verdict in told if verdict]


def scan_evidence(path: Path) -> str | None:
    """What picklescan says of a file, in one line, or ``None`` when it is not installed.

    It looks for names that are known to be dangerous, so it is evidence for a reader and never a permission. Call it
    only for a file that `read_index` accepted, because it has no limits of its own.
    """
    try:
        from importlib.metadata import version

        from picklescan.scanner import SafetyLevel, scan_file_path  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return None
    tool = f"picklescan {version('picklescan')}"
    try:
        result = scan_file_path(str(path))
    except Exception as error:  # it reads files by strangers too
        return f"{tool}: could not scan ({type(error).__name__})"
    if result.scan_err:
        return f"{tool}: could not scan"
    found = sorted(f"{entry.module}.{entry.name}" for entry in result.globals if entry.safety == SafetyLevel.Dangerous)
    return f"{tool}: {'dangerous globals ' + ', '.join(found) if found else 'no dangerous globals'}"


class _PickleError(Exception):
    """The pickle holds something else than tensors; says what."""


@dataclass(frozen=True)
class _Global:
    """A name of code that a pickle asks for; it stays a name."""

    name: str


@dataclass(frozen=True)
class _Storage:
    """The bytes that a tensor is a view of."""

    dtype: str | None
    """``None``: bytes, and the tensor says what they are."""
    size: int
    """In numbers; in bytes where there is no dtype."""


class _Other:
    """Something harmless that nobody reads."""


class _Machine:
    """Runs a pickle's instructions on records instead of objects."""

    def __init__(self, records: dict[str, torch_zip.Record]) -> None:
        self.globals: set[str] = set()
        self._records = records
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._newer = False

    def run(self, raw: bytes) -> Any:
        """The value that the pickle leaves."""
        try:
            for step, (instruction, argument, _) in enumerate(pickletools.genops(raw)):
                if step >= MAX_STEPS:
                    raise _PickleError(f"it takes more than {MAX_STEPS:,} steps")
                name = instruction.name
                if name == "STOP":
                    if len(self._stack) != 1 or self._marked:
                        raise _PickleError("it ends in the middle")
                    if self._newer:  # read this far only to name other code that it asks for
                        raise _PickleError("it is of a newer pickle protocol than torch reads in its safe mode")
                    return self._stack[0]
                if name in _CONSTANTS:
                    self._stack.append(argument)
                elif name in _STEPS:
                    _STEPS[name](self, argument)
                else:
                    raise _PickleError(f"it uses the instruction {name}")
        except (IndexError, KeyError, ValueError, TypeError) as error:
            raise _PickleError("its pickle is damaged") from error
        raise _PickleError("its pickle is cut short")

    def _global(self, argument: str) -> None:
        name = argument.replace(" ", ".")
        if name not in _ALLOWED:
            raise _PickleError(f"it asks for {name[:200]}")
        self.globals.add(name)
        self._stack.append(_Global(name))

    def _stack_global(self, _: None) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if not isinstance(module, str) or not isinstance(name, str):
            raise _PickleError("it asks for code whose name is no text")
        self._global(f"{module} {name}")
        self._newer = True

    def _call(self, _: None) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if not isinstance(function, _Global) or not isinstance(arguments, tuple):
            raise _PickleError("it calls something that is no function")
        self._stack.append(self._called(function.name, arguments))

    def _called(self, name: str, arguments: tuple[Any, ...]) -> Any:
        if name == _DICT and not arguments:
            return {}
        if name in (_TENSOR_V2, _TENSOR_V3):
            storage, offset, size, stride = arguments[:4]
            return _tensor(storage, offset, size, stride, arguments[6] if name == _TENSOR_V3 else None)
        if name == _PARAMETER and isinstance(arguments[0], Tensor):
            return arguments[0]
        if name in _HARMLESS or (name == _BYTES and len(arguments) == 2 and arguments[1] == "latin1"):
            return _Other()
        raise _PickleError(f"it calls {name} in an unusual way")

    def _storage(self, _: None) -> None:
        kind, storage, key, _, size = self._stack.pop()
        if kind != "storage" or not isinstance(storage, _Global) or not isinstance(key, str) or not _counts(size):
            raise _PickleError("it refers to data in an unusual way")
        dtype = _STORAGES.get(storage.name.removeprefix("torch."))
        if dtype is None and storage.name != _UNTYPED:
            raise _PickleError(f"it stores numbers as {storage.name}")
        record = self._records.get(f"data/{key}")
        if record is None or record.size * 8 != size * (ITEM_BITS[dtype] if dtype else 8):
            raise _PickleError(f"the data {key[:50]!r} is missing or not of the size that it claims")
        self._stack.append(_Storage(dtype, size))

    def _build(self, _: None) -> None:
        self._stack.pop()  # what a mapping carries beside its entries: versions of the modules
        if not isinstance(self._stack[-1], dict):
            raise _PickleError("it sets the state of something that is no mapping")

    def _set(self, pairs: list[Any]) -> None:
        mapping = self._stack[-1]
        if not isinstance(mapping, dict) or len(pairs) % 2:
            raise _PickleError("it fills something that is no mapping")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            # Only keys whose hashes cannot be made to collide: a crafted mapping would take hours to fill.
            if not isinstance(key, str) and not (isinstance(key, int) and abs(key) < 1 << 31):
                raise _PickleError("a mapping in it has a key that is neither a text nor a small number")
            mapping[key] = value

    def _set_one(self, _: None) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set([key, value])

    def _append(self, items: list[Any]) -> None:
        if not isinstance(self._stack[-1], list):
            raise _PickleError("it extends something that is no list")
        self._stack[-1].extend(items)

    def _append_one(self, _: None) -> None:
        item = self._stack.pop()
        self._append([item])

    def _mark(self, _: None) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marked.pop()
        return items

    def _tuple(self, size: int) -> None:
        if len(self._stack) < size:
            raise _PickleError("its pickle is damaged")
        self._stack[-size:] = [tuple(self._stack[-size:])]

    def _remember(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    def _push(self, value: Any) -> None:
        self._stack.append(value)


_CONSTANTS = frozenset(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"))
"""Instructions that put their own argument on the stack."""

_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda machine, argument: None,
    "FRAME": lambda machine, argument: None,
    "NONE": lambda machine, argument: machine._push(None),
    "NEWTRUE": lambda machine, argument: machine._push(True),
    "NEWFALSE": lambda machine, argument: machine._push(False),
    "EMPTY_TUPLE": lambda machine, argument: machine._push(()),
    "EMPTY_LIST": lambda machine, argument: machine._push([]),
    "EMPTY_DICT": lambda machine, argument: machine._push({}),
    "MARK": _Machine._mark,
    "TUPLE": lambda machine, argument: machine._push(tuple(machine._since_mark())),
    "TUPLE1": lambda machine, argument: machine._tuple(1),
    "TUPLE2": lambda machine, argument: machine._tuple(2),
    "TUPLE3": lambda machine, argument: machine._tuple(3),
    "APPEND": _Machine._append_one,
    "APPENDS": lambda machine, argument: machine._append(machine._since_mark()),
    "SETITEM": _Machine._set_one,
    "SETITEMS": lambda machine, argument: machine._set(machine._since_mark()),
    "BINGET": lambda machine, argument: machine._push(machine._memo[argument]),
    "LONG_BINGET": lambda machine, argument: machine._push(machine._memo[argument]),
    "BINPUT": _Machine._remember,
    "LONG_BINPUT": _Machine._remember,
    "MEMOIZE": lambda machine, argument: machine._remember(len(machine._memo)),
    "GLOBAL": _Machine._global,
    "INST": _Machine._global,
    "STACK_GLOBAL": _Machine._stack_global,
    "REDUCE": _Machine._call,
    "BUILD": _Machine._build,
    "BINPERSID": _Machine._storage,
}
"""The other instructions that torch reads in its safe mode, and those that are needed to name what is asked for."""


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, dtype: Any) -> Tensor:
    """A tensor as a view of stored numbers, without a name yet.

    It may not hold more numbers than are stored: a small file could otherwise fill the memory.
    """
    if not isinstance(storage, _Storage) or not isinstance(size, tuple) or not isinstance(stride, tuple):
        raise _PickleError("it describes a tensor in an unusual way")
    if len(size) != len(stride) or len(size) > MAX_DIMENSIONS or not _counts(offset, *size, *stride):
        raise _PickleError("a tensor in it has an impossible shape")
    name = storage.dtype or (_DTYPES.get(dtype.name.removeprefix("torch.")) if isinstance(dtype, _Global) else None)
    if name is None:
        raise _PickleError("a tensor in it has no dtype")
    stored = storage.size if storage.dtype else storage.size * 8 // ITEM_BITS[name]
    count = math.prod(size)
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True)) if count else 0
    if count > stored or last >= max(stored, 1):
        raise _PickleError("a tensor in it claims more numbers than are stored")
    return Tensor("", size, name)


def _counts(*values: Any) -> bool:
    return all(type(value) is int and 0 <= value < 1 << 62 for value in values)


def _unwrapped(value: Any) -> tuple[dict[str, Tensor], str | None]:
    """The mapping from names to tensors, and the key that it is under."""
    if not isinstance(value, dict):
        raise _PickleError("it is not a mapping from names to tensors")
    wrappers = [key for key in WRAPPERS if _holds_tensors(value.get(key))]
    if len(wrappers) > 1:
        raise _PickleError(f"it holds tensors under {' and under '.join(wrappers)}")
    mapping = value[wrappers[0]] if wrappers else value
    if not _holds_tensors(mapping):
        raise _PickleError("it holds no mapping from names to tensors")
    tensors: dict[str, Tensor] = {}
    for name, entry in mapping.items():
        if isinstance(entry, Tensor):
            if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= MAX_NAME:
                raise _PickleError("a tensor in it has no proper name")
            tensors[name] = Tensor(name, entry.shape, entry.dtype)
        elif isinstance(entry, dict | list | tuple) and entry:
            raise _PickleError(f"its entry {str(name)[:100]!r} is no tensor")
    return tensors, wrappers[0] if wrappers else None


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(entry, Tensor) for entry in value.values())


def _not_a_container(path: Path) -> str:
    """Why a file that is no zip container is refused, and the code it asks for when it is a raw pickle."""
    foreign = [name for name in pickle_names.asked_names(path) if name not in _ALLOWED]
    asks = f", and it asks for {', '.join(foreign[:3])}" if foreign else ""
    return (
        f"{path} is not a plain file of tensors: it is not the zip container that torch has written since 1.6{asks}, "
        "so it was not opened. If it is an old torch file that you trust, load and save it again with a current "
        "torch, or convert it to safetensors."
    )
