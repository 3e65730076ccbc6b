"""Python code that a checkpoint brings: run only as the user saw it, from copies whose digests were compared.

The library's own way would import what the config names, from wherever the config says, at whatever state it is in.
Here the files must lie in the checkpoint, their content must be what the user pinned, and what is imported is the very
bytes that were compared.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import re
import sys
import tempfile
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models import safety
from rmaudit.models import source as sources
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.options import LoadOptions

_COMMIT = re.compile(r"[0-9a-f]{40}")
_IDENTITY = re.compile(r"[0-9a-f]{12,64}")
_REFERENCE = re.compile(r"(?P<module>\w+)\.(?P<name>\w+)")
_MAX_BYTES = 4 << 20

_PLACES: list[tempfile.TemporaryDirectory[str]] = []
"""Folders of the copies, kept as long as this process: tracebacks and compilers read the source again."""


def named_class(config: dict[str, Any], *autos: str) -> str | None:
    """The class that a config's ``auto_map`` gives for the first of some automatic classes, as ``module.Class``."""
    told = config.get("auto_map")
    found = [told.get(auto) for auto in autos] if isinstance(told, dict) else []
    found = [next((part for part in one if part), None) if isinstance(one, list) else one for one in found]
    return next((one for one in found if isinstance(one, str)), None)


def code_digests(checkpoint: Checkpoint) -> dict[str, str]:
    """The checkpoint's files of Python code, by name, and their sha256."""
    return {name: safety.sha256_of(checkpoint.root / name) for name in checkpoint.code}


def require_pin(checkpoint: Checkpoint, source: str, options: LoadOptions) -> dict[str, str]:
    """Make sure that the user pinned what is about to run.

    A hub's checkpoint is pinned by its whole commit hash, a folder by the identity over its files.

    Returns:
        File name to sha256, as it was compared.

    Raises:
        UsageError: when it is not pinned.
        LoadRefusedError: when it is pinned to something else.
    """
    where, revision, digests = checkpoint.root, options.revision, checkpoint.digests()
    parsed = sources.parse_source(source, revision, by_content=True)
    if isinstance(parsed, sources.HubSource):
        if not _COMMIT.fullmatch(parsed.revision or ""):
            raise UsageError(
                f"{source} is to run Python code of its own, which may change under a name or a branch. Read the code "
                f"({', '.join(checkpoint.code)}), then pin it with --revision {checkpoint.revision or 'COMMIT'}."
            )
        if checkpoint.revision != parsed.revision:
            raise LoadRefusedError(
                f"{source} was pinned to {parsed.revision}, and what is here is {checkpoint.revision}. Fetch it again."
            )
        return digests
    identity = safety.identity_digest(digests)
    if revision is None or not _IDENTITY.fullmatch(revision):
        raise UsageError(
            f"{where} is to run Python code of its own, and is not pinned. Read the code "
            f"({', '.join(checkpoint.code)}), then pin it, and all other files, with --revision {identity[:16]}, which "
            "is the beginning of the checkpoint's identity."
        )
    if not identity.startswith(revision):
        raise LoadRefusedError(
            f"{where} was pinned to {revision}, and the identity of its files is {identity}: something in them "
            "changed. Look at what it was before you pin it anew."
        )
    return digests


@dataclass(frozen=True)
class Code:
    """Python code of a checkpoint that the user allowed and pinned."""

    checkpoint: Checkpoint
    digests: Mapping[str, str]
    """File name to sha256, as it was pinned."""

    def load_class(self, reference: str) -> Any:
        """A class of the code, by ``module.Class`` as configs name it.

        Raises:
            LoadRefusedError: when it is not in the checkpoint, changed since it was compared, or fails.
        """
        root, found = self.checkpoint.root, _REFERENCE.fullmatch(reference)
        if found is None or f"{found['module']}.py" not in self.checkpoint.code:
            raise LoadRefusedError(
                f"{root} names {reference[:200]!r} as its class, which is not in a Python file of its own, and code "
                "from elsewhere is not run. Copy the file into the checkpoint, and name it as module.Class in auto_map."
            )
        with running(root):
            module = importlib.import_module(f"{self._package()}.{found['module']}")
            return getattr(module, found["name"])

    def _package(self) -> str:
        """Name of the package that the code is, which exists afterwards."""
        digests = {name: self.digests[name] for name in self.checkpoint.code}
        name = f"_rmaudit_code_{safety.identity_digest(digests)}"
        if name in sys.modules:
            return name
        _PLACES.append(tempfile.TemporaryDirectory(prefix="rmaudit-code-"))
        place = Path(_PLACES[-1].name)
        for file, digest in digests.items():
            raw = safety.read_bytes(self.checkpoint.root / file, _MAX_BYTES)
            if hashlib.sha256(raw).hexdigest() != digest:
                raise LoadRefusedError(f"{self.checkpoint.root / file} changed since it was compared. Start again.")
            (place / file).write_bytes(raw)
        package = types.ModuleType(name)
        package.__path__ = [str(place)]
        sys.modules[name] = package
        return name


@contextlib.contextmanager
def running(root: Path) -> Iterator[None]:
    """Keep what a checkpoint's code prints off the standard output, and make its failures refusals.

    Raises:
        LoadRefusedError: whatever the code raises.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except LoadRefusedError:
        raise
    except (Exception, SystemExit) as error:
        told = (str(error).strip().splitlines() or [""])[0][:300]
        raise LoadRefusedError(
            f"The Python code of {root} failed ({type(error).__name__}: {told}). It may need another "
            "version of transformers, or a package that is not installed. Score with it in an environment of its own "
            "and pass its rewards as scores:FILE.jsonl."
        ) from error
