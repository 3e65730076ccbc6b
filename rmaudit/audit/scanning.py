"""A scan from its first check to its last file."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import time
from collections.abc import Sequence
from pathlib import Path

from rmaudit.audit.conclude import build_report, check_errors, write_outputs
from rmaudit.audit.manifest import continued, new_manifest, now
from rmaudit.audit.request import Request
from rmaudit.audit.run import Run
from rmaudit.audit.scoring import score
from rmaudit.audit.selection import select
from rmaudit.errors import InterruptedRunError, RunError, UsageError
from rmaudit.garbage import building, sparing
from rmaudit.models import selftest
from rmaudit.models.options import LoadOptions
from rmaudit.policy import load_policy
from rmaudit.progress import Progress, Silent
from rmaudit.reporting.report import Report
from rmaudit.runs.folder import RunFolder
from rmaudit.runs.manifest import Manifest
from rmaudit.runs.scores import read_scores
from rmaudit.scoring.choice import check_engine, open_engine
from rmaudit.scoring.engine import EngineOptions
from rmaudit.scoring.plan import make_plan
from rmaudit.scoring.stopping import CleanStop
from rmaudit.scoring.store import Place, open_store


def run_folder(source: str, out: str | Path | None, *, resume: bool = False) -> Path:
    """The run folder for a scan: the one asked for, or a new name with date and time below ``runs/``.

    Raises:
        UsageError: when a run is to be gone on with and `out` does not say which.
    """
    if out is not None:
        return Path(out)
    if resume:
        raise UsageError("--resume goes on with an interrupted run. Say which one with --out.")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", source.replace("/", "--")).strip("-.")[-48:] or "model"
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
    path = Path("runs") / f"{name}-{stamp}"
    number = 1
    while path.exists():
        number += 1
        path = path.with_name(f"{name}-{stamp}-{number}")
    return path


def scan(
    source: str,
    *,
    suites: Sequence[str] = (),
    probes: Path | None = None,
    panel: Path | None = None,
    tier: str = "standard",
    seed: int = 0,
    out: str | Path | None = None,
    resume: bool = False,
    options: LoadOptions | None = None,
    policy: Path | None = None,
    accept: Sequence[str] = (),
    store: Place = None,
    engine: EngineOptions | None = None,
    progress: Progress | None = None,
) -> Report:
    """Audit a reward model and write a run folder.

    Args:
        source: `demo`, a checkpoint folder, a hub id, ``python:FILE.py:NAME``, ``scores:FILE.jsonl`` or the
            address of a served model.
        suites: names of suites; none means all.
        probes: folder of a user's own suites in place of the shipped ones.
        panel: folder of a panel in place of the shipped one.
        tier: ``smoke``, ``standard`` or ``reference``.
        seed: of permutations, bootstraps and the choice of random examples.
        out: run folder, created; a name with date and time below ``runs/`` when not given.
        resume: go on with an interrupted run in `out`.
        options: how to load the source.
        policy: policy file in place of the shipped one.
        accept: checks of the self-test that may fail without ending the scan, by name.
        store: folder in which rewards are kept for later scans of the same model, ``"default"`` for the command line's
            own, or none.
        engine: where rewards are computed; this process when not given.
        progress: listener to stages and batches.

    Raises:
        RmauditError: the subclass tells wrong usage from a model that cannot be measured.
    """
    request = Request(
        source=source,
        suites=tuple(suites),
        probes=probes,
        panel=panel,
        tier=tier,
        seed=seed,
        options=options or LoadOptions(),
        policy=policy,
        accept=tuple(selftest.known_checks(accept)),
        store=store,
        engine=engine or EngineOptions(),
    )
    with sparing():
        return _scan(request, RunFolder(run_folder(source, out, resume=resume)), progress or Silent(), resume=resume)


def _scan(request: Request, folder: RunFolder, progress: Progress, *, resume: bool) -> Report:
    from rmaudit.models.load import load

    check_engine(request.engine, request.source, request.options)
    rules = load_policy(request.policy)
    with building():
        selection = select(request.probes, request.panel, request.suites, request.tier)
    if folder.path.exists() and not resume:
        folder.create(resume=False)  # says now, and not after loading, that the place is taken
    progress.stage(f"Loading {request.source}")
    model = load(request.source, request.options)
    with open_store(request.store, model, request.options, progress.stage) or contextlib.nullcontext() as store:
        with building():
            plan = make_plan(selection.panel.items, selection.named, model, store)
        progress.stage(f"Planned {plan.summary}")
        manifest = new_manifest(request, model, plan, selection, rules, folder)
        unfinished = folder.create(resume=resume)
        with folder.held():
            if unfinished:
                manifest = continued(folder, manifest)
            folder.write_manifest(manifest)
            with open_engine(request.engine, request.source, request.options, model, progress.stage) as engine:
                return _measure(Run(model, plan, selection, folder, rules, progress, store, engine), manifest)


def _measure(run: Run, manifest: Manifest) -> Report:
    """Score, estimate and write; whatever happens, the manifest says how it ended."""
    folder = run.folder
    started = time.monotonic()
    try:
        with CleanStop(run.progress.stage) as stop:
            manifest = score(run, manifest, stop)
            run.progress.stage("Estimating effects")
            with building():
                return _conclude(run, manifest, started)
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        reason = "interrupted" if interrupted else str(error) or type(error).__name__
        status = "interrupted" if interrupted else "failed"
        with contextlib.suppress(RunError):  # the disk may be full; the manifest then still says "started"
            # As last written: with the self-test, where it was that which failed.
            folder.write_manifest(folder.manifest().model_copy(update={"status": status, "reason": reason}))
        if interrupted:
            raise InterruptedRunError(
                f"Stopped. What was scored is kept; go on with: {manifest.resume_command(folder.path)}"
            ) from None
        raise


def _conclude(run: Run, manifest: Manifest, started: float) -> Report:
    """Compute and write everything that follows from the scores."""
    scores = read_scores(run.folder.scores)
    check_errors(scores, run.rules)
    finished = manifest.run.model_copy(
        update={
            "finished": now(),
            "seconds": time.monotonic() - started,
            "tokens": scores.tokens,
            "from_store": sum(scores.stored.values()),
            "engine": run.engine.told,
            "from_other_batches": scores.stored.get("other-batch", 0),
        }
    )
    manifest = manifest.model_copy(update={"run": finished})
    report = build_report(manifest, run.selection, scores, run.rules)
    digest = write_outputs(run.folder, report)
    done = {"status": "complete", "reason": None, "report_sha256": digest}
    run.folder.write_manifest(manifest.model_copy(update=done))
    return report
