"""What a checkpoint folder must be before anything in it is trusted: no escapes, no code, no bombs, all shards."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Collection, Iterable
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import yaml

from rmaudit.errors import LoadRefusedError, UsageError

CHUNK_BYTES = 1 << 20
MAX_ENTRIES = 20_000
"""Most files and folders at the top of a checkpoint."""
MAX_JSON_BYTES = 64 << 20
"""Largest JSON file that is read from a checkpoint; the index of a thousand shards is far smaller."""
MAX_JSON_ITEMS = 2_000_000
"""Most objects, lists and entries of a JSON file. Each takes dozens of bytes in memory and may take two in the file."""
MAX_DIGITS = 40
"""Longest integer in a JSON file; tokenizers write 10^30 for a length without limit."""
MAX_YAML_BYTES = 128 << 10
"""Largest YAML text; its parser takes seconds for a megabyte."""
MAX_YAML_DEPTH = 32

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLE_SINGLE = "pytorch_model.bin"
PICKLE_INDEX = "pytorch_model.bin.index.json"

TEXT_FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "bpe.codes",
    "chat_template.jinja",
    "chat_template.json",
)
"""Files besides the weights that can change a score."""

_MIB = 1 << 20
SIZE_LIMITS = {
    "config.json": 16 * _MIB,
    "generation_config.json": 16 * _MIB,
    "adapter_config.json": 16 * _MIB,
    "tokenizer_config.json": 16 * _MIB,
    "special_tokens_map.json": 16 * _MIB,
    "added_tokens.json": 16 * _MIB,
    "chat_template.jinja": 1 * _MIB,
    "chat_template.json": 1 * _MIB,
    "tokenizer.json": 128 * _MIB,
    "vocab.json": 64 * _MIB,
    "vocab.txt": 64 * _MIB,
    "merges.txt": 64 * _MIB,
    "bpe.codes": 64 * _MIB,
}
"""Largest size in bytes of each file that is read whole, several times that of the largest known one."""

PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt")
_SAFE_TORCH = (2, 10)
"""Before 2.10 a crafted file could get around ``torch.load(weights_only=True)``."""


def resolve_inside(root: Path, name: str) -> Path:
    """Path of a file named by, or found in, a checkpoint folder.

    Links are followed only as far as they stay in the folder, or in the blob store beside it when the
    folder is a snapshot of the hub's cache. Whether anything is there is left to the caller.

    Raises:
        LoadRefusedError: when the name is absolute, climbs with ``..`` or links out of the folder, or when what
            is there is neither a file nor a folder: a pipe would make its reader wait for ever.
    """
    pure = PurePosixPath(name)
    if not name or pure.is_absolute() or ".." in pure.parts or "\\" in name or "\0" in name:
        raise LoadRefusedError(
            f"{root} names a file outside itself ({name!r}). A checkpoint keeps to its own folder; "
            "do not load this one before you know who wrote it."
        )
    path = root / pure
    _require_inside(root, path)
    return path


def _require_inside(root: Path, path: Path) -> None:
    try:
        target = path.resolve()
        mode = target.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    except (OSError, RuntimeError) as error:  # a link to itself is one or the other, depending on the Python version
        raise LoadRefusedError(f"{path} cannot be followed ({_reason(error)}). Put the file itself there.") from error
    allowed = [root.resolve()]
    if root.absolute().parent.name == "snapshots":
        allowed.append(root.absolute().parent.parent.resolve() / "blobs")
    if not any(target.is_relative_to(place) for place in allowed):
        raise LoadRefusedError(
            f"{path} is a link that leads out of the checkpoint folder, to {target}. "
            "Put the file itself into the folder if you trust it."
        )
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise LoadRefusedError(f"{path} is {_kind(mode)}, not a file. Put the file itself there, or take it out.")


def folder_names(root: Path) -> frozenset[str]:
    """Every name at the top of a checkpoint folder, none of which can do harm when a library opens it.

    Libraries look for more files than we do. So each entry, whatever its name, must be a file or a folder that
    lies inside, and what is read whole must be of a sane size. No file is opened.

    Raises:
        LoadRefusedError: when an entry is a pipe, a device or a link that leads out, a file is too large, or there
            are too many entries.
        OSError: when the folder cannot be read.
    """
    names: set[str] = set()
    with os.scandir(root) as entries:
        for entry in entries:
            names.add(entry.name)
            if len(names) > MAX_ENTRIES:
                raise LoadRefusedError(
                    f"{root} holds more than {MAX_ENTRIES:,} files, which no checkpoint does. "
                    "Pass the folder that the model was saved to."
                )
            if not entry.is_file(follow_symlinks=False) and not entry.is_dir(follow_symlinks=False):
                _require_inside(root, Path(entry.path))
            limit = SIZE_LIMITS.get(entry.name)
            if limit is not None and entry.is_file() and entry.stat().st_size > limit:
                raise LoadRefusedError(f"{entry.path} is larger than {_size(limit)}, which no such file needs.")
    return frozenset(names)


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading, in binary, if it is a regular file; anything else could keep its reader waiting.

    Raises:
        LoadRefusedError: when it is missing, cannot be read or is something else.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise LoadRefusedError(
            f"{path} cannot be read ({_reason(error)}). Check that it is there, and its rights."
        ) from error
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        raise LoadRefusedError(f"{path} is {_kind(mode)}, not a file. Put the file itself there, or take it out.")
    return os.fdopen(handle, "rb")


def read_bytes(path: Path, limit: int) -> bytes:
    """A whole file, of at most `limit` bytes.

    Raises:
        LoadRefusedError: when it is larger, cannot be read or is no regular file.
    """
    with open_file(path) as stream:
        raw = stream.read(limit + 1)
    if len(raw) > limit:
        raise LoadRefusedError(f"{path} is larger than {_size(limit)}, which no such file needs.")
    return raw


def read_json(root: Path, name: str) -> dict[str, Any]:
    """A JSON object from a checkpoint folder.

    ``Infinity`` is a number here, because configs hold it; ``NaN`` and an integer of more than `MAX_DIGITS` digits
    are not.

    Raises:
        LoadRefusedError: when it cannot be read, is too large, is no JSON object, or has a key twice.
    """
    path = resolve_inside(root, name)
    raw = read_bytes(path, SIZE_LIMITS.get(name, MAX_JSON_BYTES))
    try:
        value = parse_json(raw)
    except (ValueError, RecursionError) as error:
        raise LoadRefusedError(
            f"{path} is not valid JSON ({_reason(error)}). Copy or download the file again."
        ) from error
    if not isinstance(value, dict):
        raise LoadRefusedError(f"{path} holds no JSON object. Copy or download the file again.")
    return value


def parse_json(raw: bytes) -> Any:
    """Parse JSON by a stranger: bounded work, no key twice, no NaN, no endless integer.

    Raises:
        ValueError: when it is no JSON, or holds one of these.
        RecursionError: when it is nested too deeply.
    """
    items = sum(raw.count(sign) for sign in (b"{", b"[", b","))  # counted before anything is allocated
    if items > MAX_JSON_ITEMS:
        raise ValueError(f"it has more than {MAX_JSON_ITEMS:,} entries")
    return json.loads(raw, object_pairs_hook=_unique, parse_int=_integer, parse_constant=_constant)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        count = Counter(name for name, _ in pairs)
        raise ValueError(f"it has the key {count.most_common(1)[0][0][:100]!r} twice")
    return found


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"it has a number of {len(text):,} digits")
    return int(text)


def _constant(name: str) -> float:
    if name == "NaN":
        raise ValueError("it has NaN in place of a number")
    return float(name)


def read_yaml(path: Path, limit: int = MAX_YAML_BYTES) -> Any:
    """A YAML document of plain values, from a file of at most `limit` bytes; see `parse_yaml`.

    Raises:
        LoadRefusedError: when it is larger, no regular file, nested too deeply or uses anchors.
        UsageError: when it is not valid YAML.
    """
    return parse_yaml(read_bytes(path, limit), str(path), limit)


def parse_yaml(raw: bytes | str, where: str, limit: int = MAX_YAML_BYTES) -> Any:
    """Parse YAML by a stranger: plain values only, no anchors and aliases, which can multiply a small file.

    Raises:
        LoadRefusedError: when it is longer than `limit`, nested too deeply or uses anchors.
        UsageError: when it is not valid YAML.
    """
    if len(raw) > limit:
        raise LoadRefusedError(f"{where} is larger than {_size(limit)}, which no such file needs.")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same in C, where the installation has it
    depth = 0
    try:
        for event in yaml.parse(raw, Loader=loader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                raise LoadRefusedError(
                    f"{where} uses an anchor or an alias (& or *), which can make "
                    "a small file fill the memory. Write the value out at each place."
                )
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_YAML_DEPTH:
                raise LoadRefusedError(f"{where} is nested more than {MAX_YAML_DEPTH} deep. Write it flatter.")
        return yaml.load(raw, Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not valid YAML: {_reason(error)}.") from error


def is_pickle(name: str) -> bool:
    """Whether a weight file of that name is a pickle; what it really is, its reader checks."""
    return name.endswith(PICKLE_SUFFIXES)


def require_pickle_permission(root: Path, pickles: Iterable[str], allow_pickle: bool) -> None:
    """Make sure that weights may be read from pickles, if any of them are.

    Args:
        root: the checkpoint folder, for the message.
        pickles: names of the weight files that are pickles; none is always fine.
        allow_pickle: whether the user allowed it.

    Raises:
        LoadRefusedError: when there are pickles and `allow_pickle` is off.
        UsageError: when there are pickles and the installed torch cannot read them safely.
    """
    names = list(pickles)
    if not names:
        return
    if not allow_pickle:
        raise LoadRefusedError(
            f"{root} holds its weights as pickles ({_some(names)}), and a pickle can run code when it is opened. "
            "Convert them to safetensors, or pass --allow-pickle to read them as plain tensors only."
        )
    require_safe_torch()


def find_weights(root: Path, elsewhere: Collection[str] = ()) -> tuple[str, ...]:
    """Names of the files that hold the weights, safetensors first, in a fixed order. None is opened.

    Args:
        root: the checkpoint folder.
        elsewhere: names of files that count as there, because another place has them.

    Raises:
        LoadRefusedError: when there are none, or a shard is missing or lies elsewhere.
    """
    if SINGLE in elsewhere or (root / SINGLE).exists() or (root / SINGLE).is_symlink():
        return _present(root, [SINGLE], elsewhere)
    if (root / INDEX).exists():
        return _present(root, _shards(root, INDEX, ".safetensors"), elsewhere)
    if (root / PICKLE_SINGLE).exists() or (root / PICKLE_SINGLE).is_symlink():
        return _present(root, [PICKLE_SINGLE])
    if (root / PICKLE_INDEX).exists():
        return _present(root, _shards(root, PICKLE_INDEX, ".bin"))
    others = sorted(path.name for path in root.iterdir() if is_pickle(path.name))
    extra = f" (it has {_some(others)}, which are not read by those names)" if others else ""
    raise LoadRefusedError(
        f"{root} holds no weights: there is neither {SINGLE} nor {INDEX}{extra}. "
        "Check that the path is the checkpoint's own folder and that the download finished."
    )


def participating_files(root: Path, weights: tuple[str, ...]) -> tuple[str, ...]:
    """Names of all files that take part in a score, sorted: weights, index, config and tokenizer.

    Raises:
        LoadRefusedError: when one of them links out of the folder.
    """
    names = set(weights)
    names |= {name for name in TEXT_FILES if (root / name).exists() or (root / name).is_symlink()}
    names |= {name for name in (INDEX, PICKLE_INDEX) if (root / name).exists() and len(weights) > 1}
    for name in names:
        resolve_inside(root, name)
    return tuple(sorted(names))


def sha256_of(path: Path) -> str:
    """Digest of a file, read in pieces so that its size does not matter."""
    digest = hashlib.sha256()
    with open_file(path) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def identity_digest(files: dict[str, str]) -> str:
    """Digest over file names and their digests; the folder's own name plays no part."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def require_safe_torch() -> None:
    """Make sure that plain-tensor loading of pickles can be relied on. Does not import torch.

    Raises:
        UsageError: when the installed torch is older than 2.10.
    """
    installed = version("torch")
    found = tuple(int(part) for part in re.findall(r"\d+", installed)[:2])
    if found < _SAFE_TORCH:
        raise UsageError(
            f"--allow-pickle needs torch 2.10 or newer, and {installed} is installed: before that, "
            "reading only tensors from a pickle could be circumvented. Upgrade torch, or convert to "
            "safetensors."
        )


def _shards(root: Path, index: str, suffix: str) -> list[str]:
    """Shard names of an index file, each checked by name before any of them is opened."""
    weight_map = read_json(root, index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise LoadRefusedError(f"{root / index} has no weight_map from tensors to files. Download it again.")
    names = sorted(set(weight_map.values()))
    if not names:
        raise LoadRefusedError(f"{root / index} lists no tensors. Download it again.")
    for name in names:
        resolve_inside(root, name)
        if not name.endswith(suffix):
            raise LoadRefusedError(
                f"{root / index} sends tensors to {name!r}, which is not a {suffix} file. "
                "Convert the checkpoint to safetensors."
            )
    return names


def _present(root: Path, names: list[str], elsewhere: Collection[str] = ()) -> tuple[str, ...]:
    paths = {name: resolve_inside(root, name) for name in names}
    missing = [name for name, path in paths.items() if name not in elsewhere and not path.is_file()]
    if missing:
        raise LoadRefusedError(
            f"{root} lacks {len(missing)} of {len(names)} weight files: {_some(missing)}. "
            "Copy or download them, and start again."
        )
    return tuple(names)


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISDIR, "a folder"))
    return next((words for is_kind, words in kinds if is_kind(mode)), "a device")


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= _MIB else f"{count >> 10} KiB"


def _reason(error: BaseException) -> str:
    """An error in one line; the parser's are long, and may quote the file."""
    told = getattr(error, "strerror", None) or getattr(error, "problem", None) or str(error) or type(error).__name__
    return str(told).strip().splitlines()[0].rstrip(".")[:200]


def _some(names: list[str], limit: int = 8) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
