"""Which engine scores a run: what the user asked for, held against what the source and the machine allow."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from rmaudit.errors import UsageError
from rmaudit.models.interface import RewardModel
from rmaudit.models.options import LoadOptions
from rmaudit.models.source import HubSource, ScoresSource, ServerSource, parse_source
from rmaudit.scoring.engine import Engine, EngineOptions
from rmaudit.scoring.local import LocalEngine
from rmaudit.scoring.store import described
from rmaudit.scoring.worker import Recipe


def check_engine(asked: EngineOptions, source: str, options: LoadOptions) -> None:
    """Make sure, before anything is loaded, that an engine can be had for a source.

    Raises:
        UsageError: when it cannot, with what to do.
    """
    if asked.engine not in ("local", "ray"):
        raise UsageError(f"There is no engine {asked.engine!r}. Use local or ray.")
    if asked.workers is not None and asked.workers < 1:
        raise UsageError(f"--workers must be at least 1. Got {asked.workers}.")
    if asked.ray_address is not None and asked.engine != "ray":
        raise UsageError("--ray-address is for --engine ray. Add that, or leave the address out.")
    if asked.engine == "local" and asked.workers in (None, 1):
        return
    parsed = parse_source(source, options.revision, by_content=options.trust_remote_code)
    if isinstance(parsed, ScoresSource):
        raise UsageError(
            f"{source} holds rewards, so workers have nothing to compute. Leave --engine and --workers out."
        )
    if isinstance(parsed, ServerSource):
        raise UsageError(
            f"{source} is computed by its server, not by workers of ours. Leave --engine and --workers out; "
            "--concurrency says how many requests it gets at a time."
        )
    if options.device == "auto":
        raise UsageError(
            "--device auto spreads one copy of the model over all GPUs, and workers need one copy each. Leave one out."
        )
    if asked.engine == "ray":
        from rmaudit.scoring import ray

        ray.check(asked.ray_address)


def open_engine(
    asked: EngineOptions, source: str, options: LoadOptions, model: RewardModel, tell: Callable[[str], None]
) -> Engine:
    """The engine for a model that is loaded here already. Workers load it again when they are first needed.

    Args:
        asked: the engine, checked by `check_engine`.
        source: the SOURCE.
        options: how it was loaded.
        model: the loaded model.
        tell: hears of workers.
    """
    gpu = (model.facts.device or "").startswith("cuda")
    if asked.engine == "ray":
        from rmaudit.scoring.ray import RaySite
        from rmaudit.scoring.team import Team

        recipe = _recipe(source, options, model, threads=1)
        return Team(RaySite(recipe, asked.workers, gpu, asked.ray_address, tell), tell)
    gpus = _gpus(options) if gpu else 0
    workers = asked.workers or max(1, gpus)
    if workers == 1:
        return LocalEngine(model)
    import torch

    from rmaudit.scoring.processes import ProcessSite
    from rmaudit.scoring.team import Team

    recipe = _recipe(source, options, model, threads=max(1, torch.get_num_threads() // workers))
    return Team(ProcessSite(recipe, workers, gpus), tell)


def _gpus(options: LoadOptions) -> int:
    """GPUs of this machine that a run may use: all, where none was named."""
    import torch

    return torch.cuda.device_count() if options.device in (None, "cuda") else 0


def _recipe(source: str, options: LoadOptions, model: RewardModel, threads: int) -> Recipe:
    if isinstance(parse_source(source, options.revision, by_content=options.trust_remote_code), HubSource):
        options = replace(options, revision=model.identity.revision)  # what a branch is now may change meanwhile
        source = source.partition("@")[0]
    if options.device is None and model.facts.device is not None:
        options = replace(options, device=model.facts.device)
    return Recipe(source, options, os.getcwd(), described(model, options), threads)
