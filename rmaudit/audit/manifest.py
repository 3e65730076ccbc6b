"""`run.json` of a run: how it begins, and when an unfinished one may be gone on with."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import platform
from dataclasses import asdict

from rmaudit.audit.request import Request
from rmaudit.audit.selection import Selection
from rmaudit.errors import RunExistsError
from rmaudit.models.interface import RewardModel
from rmaudit.policy import Policy
from rmaudit.reporting.report import ModelBlock, RunBlock, Settings
from rmaudit.runs.folder import RunFolder
from rmaudit.runs.manifest import Manifest
from rmaudit.scoring.plan import Plan


def new_manifest(
    request: Request, model: RewardModel, plan: Plan, selection: Selection, rules: Policy, folder: RunFolder
) -> Manifest:
    """The manifest of a run that begins now."""
    facts = model.facts
    asked = {**asdict(request.options), "accept": list(request.accept)}
    names = [suite.spec.suite for suite, _ in selection.suites]
    return Manifest(
        status="started",
        settings=Settings(
            suites=names,
            tier=request.tier,
            seed=request.seed,
            policy=rules.name,
            policy_version=rules.version,
            suite_sha256=selection.digests,
            bands=rules.measurement.bands.model_dump(),
        ),
        probes=str(request.probes.resolve()) if request.probes else None,
        panel=str(request.panel.resolve()) if request.panel else None,
        model=ModelBlock(
            source=request.source,
            identity=facts.identity.sha256,
            revision=facts.identity.revision,
            format=facts.format,
            evidence=list(facts.evidence),
            architecture=facts.architecture,
            parameters=facts.parameters,
            head=facts.head,
            pooling=facts.pooling,
            sign=facts.sign,
            normalisation=facts.normalisation,
            dtype=facts.dtype,
            attention=facts.attention,
            quantization=facts.quantization,
            template=facts.template,
            max_length=facts.max_length,
            attributes=list(facts.attributes),
            additive=facts.additive,
            risks=list(facts.risks),
            self_test=[],
        ),
        plan_sha256=plan.sha256,
        planned={name: sum(len(item.arms) for item in items) for name, items in selection.named},
        batch_size=model.batch_size,
        card=facts.card,
        training=facts.training,
        options={key: value for key, value in asked.items() if value},
        run=RunBlock(
            id=folder.path.name,
            started=now(),
            finished=now(),
            seconds=0.0,
            host=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, device {facts.device}",
            versions=_versions(),
            conversations=plan.conversations,
            unique_conversations=plan.unique,
            tokens=None,
            command=request.command(names),
        ),
    )


def continued(folder: RunFolder, manifest: Manifest) -> Manifest:
    """The manifest for going on with the run in a folder, which must be the same run.

    Raises:
        RunExistsError: when it is complete, or differs from what is asked for.
    """
    earlier = folder.manifest()
    if earlier.status == "complete":
        raise RunExistsError(f"The run in {folder.path} is complete. Give --out a new folder for another one.")
    changed = [key for key, value in manifest.comparability.items() if earlier.comparability[key] != value]
    if changed:
        raise RunExistsError(
            f"The run in {folder.path} cannot be gone on with: it differs from what is asked for now in "
            f"{', '.join(changed)}. Scan into a new folder, or repeat the earlier run: "
            f"{earlier.resume_command(folder.path)}"
        )
    return manifest.model_copy(update={"run": manifest.run.model_copy(update={"started": earlier.run.started})})


def now() -> str:
    """This moment, to the second."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    versions = {}
    for package in ("rmaudit", "torch", "transformers", "numpy", "scipy", "statsmodels"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
