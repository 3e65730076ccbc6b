"""What an audit is asked for."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from rmaudit.models import selftest
from rmaudit.models.options import LoadOptions
from rmaudit.scoring.engine import EngineOptions
from rmaudit.scoring.store import Place


@dataclass(frozen=True)
class Request:
    """Everything that a user says about an audit but where its run goes."""

    source: str
    """`demo`, a checkpoint folder, a hub id, ``python:FILE.py:NAME``, ``scores:FILE.jsonl`` or a server's address."""
    suites: tuple[str, ...] = ()
    """Names of suites; none means all."""
    probes: Path | None = None
    """Folder of the user's own suites in place of the shipped ones."""
    panel: Path | None = None
    """Folder of a panel in place of the shipped one."""
    tier: str = "standard"
    """``smoke``, ``standard`` or ``reference``."""
    seed: int = 0
    """Of permutations, bootstraps and the choice of random examples."""
    options: LoadOptions = field(default_factory=LoadOptions)
    """How to load the source."""
    policy: Path | None = None
    """Policy file in place of the shipped one."""
    accept: tuple[str, ...] = ()
    """Checks of the self-test that may fail without ending the scan, by their full names."""
    store: Place = None
    """Where rewards are kept for later scans of the same model."""
    engine: EngineOptions = field(default_factory=EngineOptions)
    """Where rewards are computed."""

    def command(self, suites: list[str]) -> str:
        """The command that asks for the same audit, with the suites that were run."""
        words = ["rmaudit", "scan", self.source]
        for name in suites:
            words += ["--suite", name]
        words += ["--tier", self.tier, "--seed", str(self.seed)]
        for name, path in {"probes": self.probes, "panel": self.panel, "policy": self.policy}.items():
            words += [f"--{name}", str(path)] if path else []
        if self.store != "default":
            words += ["--no-store"] if self.store is None else ["--store", str(self.store)]
        words += [word for name in self.accept for word in ("--accept", selftest.as_option(name))]
        words += self.engine.words() + self.options.words()
        return shlex.join(words)
