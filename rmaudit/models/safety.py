"""What a checkpoint folder must be before anything in it is trusted: no escapes, no code, all shards."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

from rmaudit.errors import LoadRefusedError, UsageError

CHUNK_BYTES = 1 << 20
MAX_JSON_BYTES = 100 << 20
"""Largest JSON file that is read from a checkpoint; tokenizers of large vocabularies stay well below."""

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

_PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt")
_SAFE_TORCH = (2, 10)
"""Before 2.10 a crafted file could get around ``torch.load(weights_only=True)``."""


def resolve_inside(root: Path, name: str) -> Path:
    """Path of a file named by, or found in, a checkpoint folder.

    Links are followed only as far as they stay in the folder, or in the blob store beside it when the
    folder is a snapshot of the hub's cache.

    Raises:
        LoadRefusedError: when the name is absolute, climbs with ``..`` or links out of the folder.
    """
    pure = PurePosixPath(name)
    if not name or pure.is_absolute() or ".." in pure.parts or "\\" in name or "\0" in name:
        raise LoadRefusedError(
            f"{root} names a file outside itself ({name!r}). A checkpoint keeps to its own folder; "
            "do not load this one before you know who wrote it."
        )
    path = root / pure
    target = path.resolve()
    allowed = [root.resolve()]
    if root.absolute().parent.name == "snapshots":
        allowed.append(root.absolute().parent.parent.resolve() / "blobs")
    if not any(target.is_relative_to(place) for place in allowed):
        raise LoadRefusedError(
            f"{path} is a link that leads out of the checkpoint folder, to {target}. "
            "Put the file itself into the folder if you trust it."
        )
    return path


def read_json(root: Path, name: str) -> dict[str, Any]:
    """A JSON object from a checkpoint folder.

    Raises:
        LoadRefusedError: when it cannot be read, or is no JSON object.
    """
    path = resolve_inside(root, name)
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise LoadRefusedError(f"{path} is larger than {MAX_JSON_BYTES >> 20} MiB, which no such file needs.")
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise LoadRefusedError(f"{path} is not valid JSON ({error}). Copy or download the file again.") from error
    if not isinstance(value, dict):
        raise LoadRefusedError(f"{path} holds no JSON object. Copy or download the file again.")
    return value


def weight_files(root: Path, allow_pickle: bool = False) -> tuple[str, ...]:
    """Names of the files that hold the weights, safetensors first, in a fixed order.

    Args:
        root: the checkpoint folder.
        allow_pickle: also accept ``.bin`` files, which are later read as plain tensors only.

    Raises:
        LoadRefusedError: when there are no weights, a shard is missing or lies elsewhere, or the weights
            are pickles and `allow_pickle` is off (or the installed torch cannot read them safely).
    """
    if (root / SINGLE).exists() or (root / SINGLE).is_symlink():
        return _present(root, [SINGLE])
    if (root / INDEX).exists():
        return _present(root, _shards(root, INDEX, ".safetensors"))
    pickles = sorted(path.name for path in root.iterdir() if path.suffix in _PICKLE_SUFFIXES)
    if not (root / PICKLE_SINGLE).exists() and not (root / PICKLE_INDEX).exists():
        extra = f" (it has {', '.join(pickles)}, which are not read by those names)" if pickles else ""
        raise LoadRefusedError(
            f"{root} holds no weights: there is neither {SINGLE} nor {INDEX}{extra}. "
            "Check that the path is the checkpoint's own folder and that the download finished."
        )
    if not allow_pickle:
        raise LoadRefusedError(
            f"{root} holds its weights as pickles ({', '.join(pickles) or PICKLE_INDEX}), and a pickle can "
            "run code when it is opened. Convert them to safetensors, or pass --allow-pickle to read them as "
            "plain tensors only."
        )
    require_safe_torch()
    if (root / PICKLE_SINGLE).exists():
        return _present(root, [PICKLE_SINGLE])
    return _present(root, _shards(root, PICKLE_INDEX, ".bin"))


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
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def identity_digest(files: dict[str, str]) -> str:
    """Digest over file names and their digests; the folder's own name plays no part."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def require_safe_torch() -> None:
    """Make sure that plain-tensor loading of pickles can be relied on.

    Raises:
        UsageError: when the installed torch is older than 2.10.
    """
    import torch

    found = tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2])
    if found < _SAFE_TORCH:
        raise UsageError(
            f"--allow-pickle needs torch 2.10 or newer, and {torch.__version__} is installed: before that, "
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


def _present(root: Path, names: list[str]) -> tuple[str, ...]:
    paths = {name: resolve_inside(root, name) for name in names}
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        raise LoadRefusedError(
            f"{root} lacks {len(missing)} of {len(names)} weight files: {', '.join(missing)}. "
            "Copy or download them, and start again."
        )
    return tuple(names)
