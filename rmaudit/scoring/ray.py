"""Workers that are actors of a Ray cluster: one that runs already, or one that is started here for the scan.

A cluster that is started here listens on the loopback interface alone, asks for a secret that only its own processes
have, reports nothing to anybody and has no dashboard.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from rmaudit.conversation import Conversation
from rmaudit.errors import UsageError
from rmaudit.scoring.engine import Answer
from rmaudit.scoring.worker import LostError, Recipe, Worker

THREADS = 4
"""CPUs of a worker where the user names no number of workers."""
PATIENCE = 15.0
"""Seconds after which the user hears that a worker waits for its place in the cluster."""

_HERE = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""No reports to Ray's makers. In spite of its name, the second one makes Ray use the loopback interface on every
system; it counts when Ray is imported."""
_ALWAYS = {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
"""Behaviour of later versions, of which Ray would warn; and no rebuilding of the environment in each worker."""
_STORE_BYTES = 80 << 20
"""Nearly the least that Ray takes: only texts and rewards travel."""


def check(address: str | None) -> None:
    """Make sure, before anything is loaded, that Ray is there and the address makes sense.

    Raises:
        UsageError: otherwise.
    """
    if importlib.util.find_spec("ray") is None:
        raise UsageError(
            "--engine ray needs the package ray, which is not installed. Install it by: pip install 'rmaudit[ray]'"
        )
    if (address or os.environ.get("RAY_ADDRESS", "")).startswith("ray://"):
        raise UsageError(
            "ray:// is the address of a Ray Client server, which this engine does not use. Run rmaudit on a machine of "
            "the cluster and give --ray-address HOST:6379 or auto."
        )


class RaySite:
    """A Ray cluster."""

    name = "ray"

    def __init__(
        self, recipe: Recipe, workers: int | None, gpu: bool, address: str | None, tell: Callable[[str], None]
    ) -> None:
        """Say what to load where.

        Args:
            recipe: how to load the model.
            workers: how many there are to be; ``None`` is one a GPU, or one for every `THREADS` CPUs of a machine.
            gpu: whether each needs a GPU.
            address: of the cluster, see `EngineOptions`.
            tell: hears when a worker waits for its place.
        """
        self._recipe = recipe
        self._workers = workers
        self._gpu = gpu
        self._address = address or os.environ.get("RAY_ADDRESS") or "local"
        self._tell = tell
        self._ours = False
        self._cpus = 1

    def open(self) -> int:
        """Join or start the cluster, and say how many workers there are to be.

        Raises:
            UsageError: when there is no cluster at the address, or it has no place for them.
        """
        here = _HERE | {"RAY_AUTH_TOKEN": secrets.token_hex(32)} if self._address == "local" else {}
        with _environment(_ALWAYS | here), _signals_kept():
            import ray

            if not ray.is_initialized():
                self._join(ray)
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        kind = "GPU" if self._gpu else "CPU"
        have = [int(resources.get(kind, 0)) for resources in machines]
        if self._gpu:
            workers = self._workers or sum(have)
        else:
            workers = self._workers or max(1, sum(count // THREADS for count in have))
            self._cpus = cpus_each(have, workers) if self._workers else min(THREADS, max(have, default=0))
        if not 1 <= workers <= sum(have) or self._cpus < 1:
            self.close()
            raise UsageError(
                f"The Ray cluster has {sum(have)} {kind}s, and {workers} workers need at least one each. Give fewer "
                "--workers."
                if workers
                else f"The Ray cluster has no {kind}s, and each worker needs one as the model was loaded on one here."
            )
        return workers

    def hire(self, place: int) -> RayHand:
        """Start a worker, wherever the cluster has room."""
        told = {"num_gpus": 1, "num_cpus": 1} if self._gpu else {"num_cpus": self._cpus}
        device = "cuda" if self._gpu else self._recipe.options.device  # Ray shows each worker its own GPU alone
        recipe = replace(self._recipe, options=replace(self._recipe.options, device=device), threads=self._cpus)
        return RayHand(recipe, told, lambda text: self._tell(f"Worker {place + 1} {text}"))

    def close(self) -> None:
        """Leave the cluster; end it where it was started here."""
        if self._ours:
            import ray

            ray.shutdown()
            self._ours = False

    def _join(self, ray: Any) -> None:
        host, colon, port = self._address.rpartition(":")
        if colon and port.isdecimal():  # Ray itself would try for minutes
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
            except (OSError, OverflowError) as error:
                raise self._nobody(error) from error
        quiet = {"log_to_driver": False, "logging_level": "error", "configure_logging": True}
        try:
            if self._address == "local":
                ray.init("local", include_dashboard=False, object_store_memory=_STORE_BYTES, **quiet)
            else:
                ray.init(self._address, **quiet)
        except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            ray.shutdown()
            if self._address == "local":
                raise UsageError(
                    f"Ray could not be started on this machine: {_line(error)}. Try --engine local."
                ) from error
            raise self._nobody(error) from error
        self._ours = True

    def _nobody(self, error: Exception) -> UsageError:
        return UsageError(
            f"The Ray cluster at {self._address} cannot be joined: {_line(error)}. See by `ray status` whether it runs "
            "and this machine is part of it; one with a token wants RAY_AUTH_MODE=token and the token here. Or leave "
            "--ray-address out (and RAY_ADDRESS unset) to start one on this machine."
        )


def cpus_each(machines: Sequence[int], workers: int) -> int:
    """Most CPUs that each worker may have so that all find a place, 0 where they find none.

    Args:
        machines: CPUs of each machine.
        workers: how many there are to be.
    """
    for cpus in range(max(machines, default=0), 0, -1):
        if sum(have // cpus for have in machines) >= workers:
            return cpus
    return 0


class RayHand:
    """An actor with a worker in it; see `rmaudit.scoring.team.Hand`."""

    def __init__(self, recipe: Recipe, resources: dict[str, int], tell: Callable[[str], None]) -> None:
        """Ask the cluster for it."""
        import ray

        self._ray: Any = ray
        self._recipe = recipe
        self._needs = " and ".join(f"{count} {name[4:-1].upper()}" for name, count in resources.items())
        self._tell = tell
        self._actor = ray.remote(Worker).options(max_restarts=0, **resources).remote()
        self.process: int | None = None

    def load(self) -> None:
        """Wait for it to have its place, and have it load the model."""
        first = self._actor.process.remote()
        if not self._ray.wait([first], timeout=PATIENCE)[0]:
            self._tell(f"waits for the cluster to have {self._needs} free")
        self.process = self._got(first)
        self._got(self._actor.load.remote(self._recipe))

    def score(self, conversations: Sequence[Conversation]) -> Answer:
        """Have it score conversations together."""
        return cast(Answer, self._got(self._actor.score.remote(conversations)))

    def end(self) -> None:
        """Kill it."""
        with contextlib.suppress(Exception):  # it, or the cluster, may be gone already
            self._ray.kill(self._actor)

    def _got(self, reference: Any) -> Any:
        try:
            outcome = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            raise LostError(f"ended unexpectedly ({_line(error)})") from error
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@contextlib.contextmanager
def _environment(wanted: dict[str, str]) -> Iterator[None]:
    """Set what the user has not set, and take it away again."""
    new = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Around the start of Ray, which takes SIGTERM for itself."""
    if threading.current_thread() is not threading.main_thread() or sys.platform == "win32":
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _line(error: BaseException) -> str:
    """What an error says, in one line of reasonable length, without a full stop."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[0][:300].rstrip(".:")
