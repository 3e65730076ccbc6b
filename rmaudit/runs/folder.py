"""The run folder and its manifest `run.json`.

A folder is created once and never overwritten. Its status is ``started`` until every output is written, then
``complete``; ``failed`` and ``interrupted`` say why it is not.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from rmaudit.errors import RunError, RunExistsError, UsageError
from rmaudit.runs.atomic import is_temporary, write_atomically
from rmaudit.runs.manifest import Manifest


class RunFolder:
    """Paths and states of one run."""

    def __init__(self, path: Path) -> None:
        """Name a run folder; nothing is read or written yet."""
        self.path = path
        self.scores = path / "scores.jsonl"

    def create(self, *, resume: bool) -> bool:
        """Create the folder, or enter an unfinished one when `resume` is set.

        Returns:
            Whether an unfinished run is there to go on with.

        Raises:
            RunExistsError: when the folder holds a run (or anything else) and `resume` is not set.
            UsageError: when it cannot be created.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"{self.path} is a file; give --out a folder.")
        if self.path.exists() and any(not is_temporary(path) for path in self.path.iterdir()):
            if not (self.path / "run.json").is_file():
                raise RunExistsError(f"{self.path} is not empty and holds no run. Give --out a new folder.")
            if not resume:
                raise RunExistsError(
                    f"There is a run in {self.path} already, and evidence is never overwritten. "
                    f"Give --out a new folder, or go on with an interrupted run by adding --resume."
                )
            return True
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"The run folder {self.path} cannot be created: {error.strerror}. Give --out another place."
            ) from error
        return False

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep the folder to this process for a while, where the system can lock folders.

        Raises:
            RunExistsError: when another scan holds it.
        """
        try:
            import fcntl
        except ImportError:  # Windows has no such lock
            yield
            return
        handle = os.open(self.path, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # file systems without locks
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise RunExistsError(
                        f"Another scan is writing to {self.path} now. Wait for it, or give --out a new folder."
                    ) from None
            for path in self.path.iterdir():
                if is_temporary(path):
                    path.unlink()
            yield
        finally:
            os.close(handle)

    def write_manifest(self, manifest: Manifest) -> None:
        """Write `run.json`."""
        text = json.dumps(
            manifest.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False, allow_nan=False
        )
        self.write("run.json", text.encode() + b"\n")

    def manifest(self) -> Manifest:
        """Read `run.json`.

        Raises:
            RunError: when there is none or it is damaged.
        """
        path = self.path / "run.json"
        try:
            return Manifest.model_validate_json(path.read_bytes())
        except OSError:
            raise RunError(
                f"{self.path} is no run folder: it has no run.json. Make one with: rmaudit scan SOURCE"
            ) from None
        except ValidationError as error:
            raise RunError(f"{path} is damaged: {error.errors()[0]['msg']}. Scan again into a new folder.") from error

    def complete_manifest(self) -> Manifest:
        """The manifest of a finished run.

        Raises:
            RunError: when the run did not finish.
        """
        manifest = self.manifest()
        if manifest.status != "complete":
            why = f" ({manifest.reason})" if manifest.reason else ""
            raise RunError(
                f"The run in {self.path} is {manifest.status}, not complete{why}: it is no result. "
                f"Go on with it by: {manifest.resume_command(self.path)}"
            )
        return manifest

    def write(self, name: str, content: bytes) -> Path:
        """Write an output file, whole or not at all.

        Raises:
            RunError: when it cannot be written.
        """
        path = self.path / name
        try:
            write_atomically(path, content)
        except OSError as error:
            raise RunError(f"{path} cannot be written: {error.strerror}. Make room, then go on by --resume.") from error
        return path
