"""Writes the files that a pipeline asked for, each whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from rmaudit.errors import UsageError
from rmaudit.gate.outputs import badge, gitlab, junit, sarif, summary
from rmaudit.gate.result import GateResult
from rmaudit.runs.atomic import check_output, write_output


@dataclass(frozen=True)
class Files:
    """Where each output goes; ``None`` for those that nobody asked for."""

    junit: Path | None = None
    sarif: Path | None = None
    gitlab: Path | None = None
    badge: Path | None = None
    summary: Path | None = None
    """Added to what is there, as several steps share one."""

    def check(self) -> None:
        """Say now, and not after a long escalation, what cannot be written.

        Raises:
            UsageError: naming the file.
        """
        for path in (self.junit, self.sarif, self.gitlab, self.badge, self.summary):
            if path is not None:
                check_output(path)

    def write(self, result: GateResult, policy: Path | None) -> None:
        """Write them.

        Args:
            result: the decision.
            policy: the policy's file, to which reports on code point, as it is what people can act on; the run's report
                where there is none.

        Raises:
            UsageError: when one cannot be written.
        """
        artifact = _below_here(policy or Path(result.run) / "report.json")
        if self.junit:
            write_output(self.junit, junit.render(result))
        if self.sarif:
            write_output(self.sarif, sarif.render(result, quote(artifact.as_posix(), safe="/:")))
        if self.gitlab:
            write_output(self.gitlab, gitlab.render(result, artifact.as_posix()))
        if self.badge:
            write_output(self.badge, badge.render(result))
        if self.summary:
            _append(self.summary, result)


def _below_here(path: Path) -> Path:
    """A path relative to the working folder, which is the repository in a pipeline, where it lies below that."""
    absolute, here = path.absolute(), Path.cwd()
    return absolute.relative_to(here) if absolute.is_relative_to(here) else path


def _append(path: Path, result: GateResult) -> None:
    used = path.stat().st_size if path.is_file() else 0
    try:
        with path.open("ab") as file:
            file.write(summary.render(result, max(0, summary.MOST_BYTES - used)))
    except OSError as error:
        raise UsageError(f"The summary cannot be added to {path}: {error.strerror}. Check --summary.") from error
