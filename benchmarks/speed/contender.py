"""Starts contenders, each in its own process and environment, and asks them for one round at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WORKER = Path(__file__).with_name("worker.py")
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Contender:
    """Who scores, and with what."""

    name: str
    kind: str
    """Its function in the worker."""
    dtype: str
    python: str = sys.executable
    share: bool = True

    def absent(self) -> str | None:
        """Why it cannot run, or ``None``."""
        return None if Path(self.python).is_file() else f"{self.name} is left out: there is no {self.python}"


class Process:
    """A contender at work."""

    def __init__(self, contender: Contender, checkpoint: Path, device: str, threads: int, clock: str) -> None:
        """Start it and wait until its model is loaded.

        Args:
            contender: who.
            checkpoint: the model's folder; logs are written beside it.
            device: ``cpu`` or ``cuda``.
            threads: of each matrix product.
            clock: ``wall``, or ``cpu`` for the processor's time, which other work on the machine disturbs less.

        Raises:
            RuntimeError: when it fails, with the end of what it wrote.
        """
        self.contender = contender
        self._log = checkpoint.parent / f"{contender.kind}-{contender.dtype}-{contender.share}.log"
        settings = {
            "contender": contender.kind,
            "checkpoint": str(checkpoint),
            "dtype": contender.dtype,
            "device": device,
            "threads": threads,
            "share": contender.share,
            "clock": clock,
        }
        own = {"PYTHONPATH": str(_ROOT)} if contender.python == sys.executable else {}
        environment = (
            os.environ
            | own
            | {
                "HF_HUB_OFFLINE": "1",
                "HF_HOME": str(checkpoint.parent / "home"),
                "TOKENIZERS_PARALLELISM": "true",
                "OMP_NUM_THREADS": str(threads),
                "VLLM_CPU_KVCACHE_SPACE": "1",
                "VLLM_CPU_OMP_THREADS_BIND": f"0-{threads - 1}" if threads > 1 else "0",
                "VLLM_NO_USAGE_STATS": "1",
            }
        )
        self._process = subprocess.Popen(
            [contender.python, str(_WORKER), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log.open("w"),
            env=environment,
            cwd=checkpoint.parent,
            text=True,
            bufsize=1,
        )
        self._answer()

    def score(self, request: dict[str, Any]) -> tuple[float, list[float]]:
        """Seconds and rewards of a round.

        Raises:
            RuntimeError: when it fails.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        answer = self._answer()
        return answer["seconds"], answer["rewards"]

    def close(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            raise RuntimeError(f"{self.contender.name} failed:\n{self._log.read_text()[-2000:]}")
        return dict(json.loads(line))
