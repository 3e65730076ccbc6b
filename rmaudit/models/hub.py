"""Checkpoints of the Hugging Face hub: downloaded by name of file, nothing that could run unless the user says so.

To be looked at, a checkpoint needs no weights: names, shapes and types of its tensors are in the headers of its files,
of which the hub sends the beginning, and the digests of the files are known to the hub.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TypeVar

from rmaudit.errors import LoadRefusedError
from rmaudit.models import safety
from rmaudit.models.checkpoint import Elsewhere, Tensor, some
from rmaudit.models.source import HubSource

WEIGHTS = "*.safetensors"
PATTERNS = ("*.json", "*.txt", "*.model", "*.jinja", "*.codes", "README.md")
"""Files besides the weights that are fetched from the top of a repository."""
PICKLES = tuple(f"*{suffix}" for suffix in safety.PICKLE_SUFFIXES)
CODE = "*.py"
TEMPLATES = "additional_chat_templates"

_BELOW = ("*/*",)
_TRAINING = ("optimizer*", "scheduler*", "scaler*", "rng_state*", "training_args*", "trainer_state*")
"""A trainer's own files, which are never read."""
_SAME = {
    "pytorch_model*.bin": (safety.SINGLE, safety.INDEX),
    "model*.bin": (safety.SINGLE, safety.INDEX),
    "adapter_model.bin": ("adapter_model.safetensors",),
}
"""Pickles that are not needed where one of the files beside them is there."""

T = TypeVar("T")


@dataclass(frozen=True)
class Downloaded:
    """A repository's files on this machine."""

    path: Path
    commit: str
    """Resolved commit, which pins what was audited."""
    elsewhere: Elsewhere | None = None
    """Weights that are on the hub alone."""


def download(source: HubSource, offline: bool = False, allow_pickle: bool = False, code: bool = False) -> Downloaded:
    """Fetch the files of a checkpoint, or find them in the hub's cache.

    Args:
        source: repository and revision.
        offline: look only into the cache.
        allow_pickle: also fetch weights that are pickles, where there are none in safetensors.
        code: also fetch files of Python code.

    Raises:
        LoadRefusedError: whatever went wrong, with what to do about it.
    """
    return _told(source, offline, lambda: _fetched(source, offline, allow_pickle, code, weights=True))


def look(source: HubSource, offline: bool = False, allow_pickle: bool = False, code: bool = False) -> Downloaded:
    """Fetch all files of a checkpoint but its weights, of which only headers and digests are asked for.

    Weights that are in the hub's cache already are read there, and all are when `offline`.

    Raises:
        LoadRefusedError: whatever went wrong, with what to do about it.
    """
    if offline:
        return download(source, offline, allow_pickle, code)
    return _told(source, offline, lambda: _looked(source, allow_pickle, code))


def _looked(source: HubSource, allow_pickle: bool, code: bool) -> Downloaded:
    from huggingface_hub import HfApi

    found = _fetched(source, offline=False, allow_pickle=allow_pickle, code=code, weights=False)
    info = HfApi().model_info(source.repo, revision=found.commit, files_metadata=True)
    files = [file for file in info.siblings or () if "/" not in file.rfilename]
    weights = [file for file in files if fnmatch(file.rfilename, WEIGHTS)]
    if not weights and not allow_pickle:
        _refuse_pickles(source, [file.rfilename for file in files])
    absent = {
        file.rfilename: file.lfs.sha256
        for file in weights
        if file.lfs is not None and not (found.path / file.rfilename).is_file()
    }

    def read(name: str) -> dict[str, Tensor]:
        def ask() -> dict[str, Tensor]:
            header = HfApi().parse_safetensors_file_metadata(source.repo, name, revision=found.commit)
            return {key: Tensor(key, tuple(told.shape), str(told.dtype)) for key, told in header.tensors.items()}

        return _told(source, False, ask)

    return Downloaded(found.path, found.commit, Elsewhere(absent, read))


def _fetched(source: HubSource, offline: bool, allow_pickle: bool, code: bool, weights: bool) -> Downloaded:
    from huggingface_hub import HfApi, snapshot_download

    def fetch(revision: str | None, wanted: list[str], ignored: list[str]) -> Path:
        return Path(
            snapshot_download(
                source.repo,
                revision=revision,
                allow_patterns=wanted,
                ignore_patterns=ignored,
                local_files_only=offline,
            )
        )

    folder = fetch(
        source.revision, [*PATTERNS, *([WEIGHTS] if weights else []), *([CODE] if code else [])], list(_BELOW)
    )
    commit = folder.name
    fetch(commit, [f"{TEMPLATES}/*.jinja"], [f"{TEMPLATES}/*/*"])
    if allow_pickle:
        needless = [pattern for pattern, better in _SAME.items() if any((folder / name).is_file() for name in better)]
        fetch(commit, list(PICKLES), [*_BELOW, *_TRAINING, *needless])
    elif weights and not offline and not any(folder.glob(WEIGHTS)):
        _refuse_pickles(source, HfApi().list_repo_files(source.repo, revision=commit))
    return Downloaded(folder, commit)


def _refuse_pickles(source: HubSource, names: list[str]) -> None:
    """Refuse when the weights are among the files that were not fetched."""
    own = [name for name in names if safety.is_pickle(name) and "/" not in name]
    pickles = sorted(name for name in own if not any(fnmatch(name, pattern) for pattern in _TRAINING))
    if pickles:
        raise LoadRefusedError(
            f"{source.repo} holds its weights as pickles ({some(pickles)}), and a pickle can run code when it is "
            "opened. They were not fetched. Pass --allow-pickle to read them as plain tensors only."
        )


def _told(source: HubSource, offline: bool, ask: Callable[[], T]) -> T:
    """What the hub answers, or a refusal that says what went wrong."""
    try:
        with _quiet():
            return ask()
    except LoadRefusedError:
        raise
    except Exception as error:
        at = f" at revision {source.revision}" if source.revision else ""
        advice = (
            "It is not in the local cache, and --offline forbids to fetch it: run once without --offline"
            if offline
            else "Check the name, the connection and, for a gated model, that HF_TOKEN is set"
        )
        lines = str(error).strip().splitlines() or [""]
        raise LoadRefusedError(
            f"{source.repo}{at} could not be had from the hub ({type(error).__name__}: "
            f"{lines[0][:200].rstrip('. ')}), and there is no folder of that name here. {advice}; or pass "
            "the path of a checkpoint folder."
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's progress bars and warnings off the terminal."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from huggingface_hub.utils import logging as library

    shown, level = not are_progress_bars_disabled(), library.get_verbosity()
    disable_progress_bars()
    library.set_verbosity_error()
    try:
        yield
    finally:
        library.set_verbosity(level)
        if shown:
            enable_progress_bars()
