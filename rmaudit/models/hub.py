"""Checkpoints of the Hugging Face hub: downloaded by name of file, nothing that could run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rmaudit.errors import LoadRefusedError
from rmaudit.models.source import HubSource

PATTERNS = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "*.codes")
"""Files that are fetched from the top of a repository; ``.bin`` only when pickles are allowed."""

_SUBFOLDERS = ("*/*",)


@dataclass(frozen=True)
class Downloaded:
    """A repository's files on this machine."""

    path: Path
    commit: str
    """Resolved commit, which pins what was audited."""


def download(source: HubSource, offline: bool = False, allow_pickle: bool = False) -> Downloaded:
    """Fetch the files of a checkpoint, or find them in the hub's cache.

    Args:
        source: repository and revision.
        offline: look only into the cache.
        allow_pickle: also fetch ``.bin`` weights.

    Raises:
        LoadRefusedError: whatever went wrong, with what to do about it.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        path = snapshot_download(
            source.repo,
            revision=source.revision,
            allow_patterns=[*PATTERNS, *(["*.bin"] if allow_pickle else [])],
            ignore_patterns=list(_SUBFOLDERS),
            local_files_only=offline,
        )
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
    finally:
        if shown:
            enable_progress_bars()
    folder = Path(path)
    return Downloaded(folder, folder.name)
