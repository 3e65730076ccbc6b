"""The audit, end to end: a source and suites become a run folder with a report.

checkpoint ──▶ model ─┐
                      ├─▶ plan ─▶ scores ─▶ ruler, findings ─▶ report
probes ──▶ items ─────┘
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.metadata
import math
import platform
import re
import shlex
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rmaudit.conversation import Conversation
from rmaudit.errors import InterruptedRunError, RunError, RunExistsError, ScoringError, SelfTestError, UsageError
from rmaudit.garbage import building, sparing
from rmaudit.models import selftest
from rmaudit.models.interface import RewardModel, Scored, SelfCheck
from rmaudit.models.options import LoadOptions
from rmaudit.policy import Policy, load_policy
from rmaudit.progress import Part, Progress, Silent, counted
from rmaudit.reporting.compose import compose
from rmaudit.reporting.report import ModelBlock, Report, RunBlock, Settings, differences
from rmaudit.resources import probes_dir
from rmaudit.runs.folder import RunFolder
from rmaudit.runs.manifest import Manifest
from rmaudit.runs.scores import Scores, ScoreWriter, read_scores
from rmaudit.scoring.choice import check_engine, open_engine
from rmaudit.scoring.engine import Engine, EngineOptions
from rmaudit.scoring.local import score_batches, score_checked, tell_memory
from rmaudit.scoring.plan import PANEL, Batch, Plan, make_plan
from rmaudit.scoring.stopping import CleanStop
from rmaudit.scoring.store import Place, ScoreStore, batch_digest, keys_of, open_store
from rmaudit.stats.threads import one_thread
from rmaudit.suites.attributes import checked, gather
from rmaudit.suites.findings import findings
from rmaudit.suites.load import TIERS, LoadedSuite, load_suites
from rmaudit.suites.panel import Panel, load_panel, measure_panel, rewards_by_item, scale_without_panel
from rmaudit.suites.spec import Item

SELF_TEST_SIZE = 12
"""Panel conversations on which the loaded model must show that batching changes nothing."""
SPOT_CHECK_SIZE = 8
"""Rewards from the store that are computed again before it is used."""


@dataclass(frozen=True)
class Selection:
    """What a run measures with: the panel, and each suite with the items of its tier."""

    panel: Panel
    suites: tuple[tuple[LoadedSuite, tuple[Item, ...]], ...]

    @property
    def named(self) -> list[tuple[str, Sequence[Item]]]:
        """Suite names with their items."""
        return [(suite.spec.suite, items) for suite, items in self.suites]


def select(probes: Path | None, panel: Path | None, names: Sequence[str], tier: str) -> Selection:
    """Read the panel and the suites that a run uses.

    Raises:
        SuiteError: when one is missing or broken.
        UsageError: when there is no such tier.
    """
    if tier not in TIERS:
        raise UsageError(f"There is no tier {tier!r}. Use one of: {', '.join(TIERS)}.")
    loaded = load_suites(probes or probes_dir(), names)
    return Selection(load_panel(panel or probes_dir() / "panel"), tuple((suite, suite.tier(tier)) for suite in loaded))


def run_folder(source: str, out: Path | None, *, resume: bool = False) -> Path:
    """The run folder for a scan: the one asked for, or a new name with date and time below ``runs/``.

    Raises:
        UsageError: when a run is to be gone on with and `out` does not say which.
    """
    if out is not None:
        return out
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
    out: Path | None = None,
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
    with sparing():
        return _scan(
            source,
            suites,
            probes,
            panel,
            tier,
            seed,
            out,
            resume,
            options or LoadOptions(),
            policy,
            accept,
            store,
            engine or EngineOptions(),
            progress or Silent(),
        )


def _scan(
    source: str,
    suites: Sequence[str],
    probes: Path | None,
    panel: Path | None,
    tier: str,
    seed: int,
    out: Path | None,
    resume: bool,
    options: LoadOptions,
    policy: Path | None,
    accept: Sequence[str],
    store: Place,
    engine: EngineOptions,
    progress: Progress,
) -> Report:
    from rmaudit.models.load import load

    check_engine(engine, source, options)
    accepted = selftest.known_checks(accept)
    rules = load_policy(policy)
    with building():
        selection = select(probes, panel, suites, tier)
    folder = RunFolder(run_folder(source, out, resume=resume))
    if folder.path.exists() and not resume:
        RunFolder(folder.path).create(resume=False)  # says now, and not after loading, that the place is taken
    progress.stage(f"Loading {source}")
    model = load(source, options)
    with open_store(store, model, options, progress.stage) or contextlib.nullcontext() as rewards:
        with building():
            plan = make_plan(selection.panel.items, selection.named, model, rewards)
        progress.stage(f"Planned {plan.summary}")
        manifest = _new_manifest(
            source,
            model,
            plan,
            selection,
            tier,
            seed,
            rules,
            options,
            probes,
            panel,
            policy,
            folder.path,
            accepted,
            store,
            engine,
        )
        unfinished = folder.create(resume=resume)
        with folder.held():
            if unfinished:
                manifest = _continued(folder, manifest)
            folder.write_manifest(manifest)
            with open_engine(engine, source, options, model, progress.stage) as scorer:
                return _measure(model, plan, selection, folder, manifest, rules, progress, rewards, scorer)


def _measure(
    model: RewardModel,
    plan: Plan,
    selection: Selection,
    folder: RunFolder,
    manifest: Manifest,
    rules: Policy,
    progress: Progress,
    store: ScoreStore | None,
    engine: Engine,
) -> Report:
    """Score, estimate and write; whatever happens, the manifest says how it ended."""
    try:
        with CleanStop(progress.stage) as stop:
            return _measured(model, plan, selection, folder, manifest, rules, progress, store, engine, stop)
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


def _measured(
    model: RewardModel,
    plan: Plan,
    selection: Selection,
    folder: RunFolder,
    manifest: Manifest,
    rules: Policy,
    progress: Progress,
    store: ScoreStore | None,
    engine: Engine,
    stop: CleanStop,
) -> Report:
    started = time.monotonic()
    manifest = _score(model, plan, selection, folder, manifest, rules, progress, store, engine, stop)
    progress.stage("Estimating effects")
    with building():
        return _concluded(selection, folder, manifest, rules, engine, started)


def _concluded(
    selection: Selection, folder: RunFolder, manifest: Manifest, rules: Policy, engine: Engine, started: float
) -> Report:
    """Compute and write everything that follows from the scores."""
    scores = read_scores(folder.scores)
    _check_errors(scores, rules)
    finished = manifest.run.model_copy(
        update={
            "finished": _now(),
            "seconds": time.monotonic() - started,
            "tokens": scores.tokens,
            "from_store": sum(scores.stored.values()),
            "engine": engine.told,
            "from_other_batches": scores.stored.get("other-batch", 0),
        }
    )
    manifest = manifest.model_copy(update={"run": finished})
    report = build_report(manifest, selection, scores, rules)
    write_outputs(folder, report)
    folder.write_manifest(manifest.model_copy(update={"status": "complete", "reason": None}))
    return report


def build_report(manifest: Manifest, selection: Selection, scores: Scores, policy: Policy) -> Report:
    """Compute every published number from the stored scores; a run and its verification share this path."""
    with one_thread():
        return _report(manifest, selection, scores, policy)


def _report(manifest: Manifest, selection: Selection, scores: Scores, policy: Policy) -> Report:
    panel = rewards_by_item(selection.panel.items, scores.rewards.get("panel", {}))
    ruler, scale = measure_panel(selection.panel, panel, manifest.score_noise, policy.measurement)
    rewards: dict[str, Mapping[str, Mapping[str, float]]] = {}
    for name, items in selection.named:
        rewards[name] = rewards_by_item(items, scores.rewards.get(name, {}))
    if scale is None:
        ruler, scale = scale_without_panel(ruler, rewards.values(), policy.measurement)
    named = gather(manifest.model.attributes, scores.attributes, selection.panel, selection.named, policy.measurement)
    attributes = checked(
        named,
        rewards,
        scale.wsd if scale else None,
        policy.tolerance(manifest.model.dtype),
        additive=manifest.model.additive,
    )
    ruler = ruler.model_copy(update={"attributes": [attribute.ruler for attribute in named]})
    found = findings(
        selection.suites,
        rewards,
        scores.truncated,
        scale,
        ruler.reason,
        policy,
        manifest.settings.seed,
        attributes,
    )
    return compose(manifest, ruler, found, scores.reasons, attributes.problem)


def write_outputs(folder: RunFolder, report: Report) -> None:
    """Write `report.html`, `report.md` and `report.json`, once all three could be rendered."""
    from rmaudit.reporting import html, markdown

    content = report.to_json()
    published = Report.model_validate_json(content)
    outputs = {"report.html": html.render(published), "report.md": markdown.render(published), "report.json": content}
    for name, output in outputs.items():
        folder.write(name, output)


def verify(run: Path, policy: Path | None = None) -> list[str]:
    """Compute a finished run's report again from its stored scores and list every difference.

    Returns:
        Paths of the values that differ; empty when everything is confirmed.

    Raises:
        RunError: when the run is incomplete or damaged, or its suites are no longer the ones it used.
    """
    folder = RunFolder(run)
    manifest = folder.complete_manifest()
    settings = manifest.settings
    rules = load_policy(policy)
    if (rules.name, rules.version) != (settings.policy, settings.policy_version):
        raise UsageError(
            f"The run in {run} was judged by the policy {settings.policy} v{settings.policy_version}, and this one is "
            f"{rules.name} v{rules.version}. Give its own file with --policy."
        )
    selection = same_selection(run, manifest)
    scores = read_scores(folder.scores)
    if scores.plan_sha256 != manifest.plan_sha256:
        raise RunError(f"The scores in {run} belong to another plan than its run.json. The run is damaged; scan again.")
    again = Report.model_validate_json(build_report(manifest, selection, scores, rules).to_json())
    return differences(again, Report.load(run))


def same_selection(run: Path, manifest: Manifest) -> Selection:
    """The panel and suites that a finished run used, as long as they are still the same."""
    settings = manifest.settings
    advice = "Verify it with the version of rmaudit (or the probe folder) that made it."
    try:
        selection = select(
            Path(manifest.probes) if manifest.probes else None,
            Path(manifest.panel) if manifest.panel else None,
            settings.suites,
            settings.tier,
        )
    except UsageError as error:
        raise RunError(f"The suites or the panel of the run in {run} cannot be read: {error} {advice}") from error
    changed = [name for name, digest in _digests(selection).items() if settings.suite_sha256.get(name) != digest]
    if changed or len(selection.suites) + 1 != len(settings.suite_sha256):
        raise RunError(
            f"What the run in {run} measured with has changed since ({', '.join(changed)}), so its numbers cannot be "
            f"computed again. {advice}"
        )
    return selection


def _score(
    model: RewardModel,
    plan: Plan,
    selection: Selection,
    folder: RunFolder,
    manifest: Manifest,
    policy: Policy,
    progress: Progress,
    store: ScoreStore | None,
    engine: Engine,
    stop: CleanStop,
) -> Manifest:
    """Score what is not scored yet: first the panel, then the self-test, then the suites."""
    earlier = read_scores(folder.scores, resume=True) if folder.scores.exists() else None
    if earlier and earlier.batches and earlier.plan_sha256 != plan.sha256:
        raise RunError(f"{folder.scores} holds the scores of another plan. Scan again into a new folder.")
    done = earlier.batches if earlier else 0
    scored = sum(len(batch.conversations) for batch in plan.batches[:done])
    if done:
        progress.stage(f"Going on: {scored:,} of {plan.unique:,} conversations are scored already")
    numbered = list(enumerate(plan.batches))
    store, missing = _trusted(store, model, plan.batches[done:], policy, progress)
    counting = counted(progress, plan.unit, _parts(plan.batches[done:], missing, selection))
    with counting, ScoreWriter(folder.scores, plan.sha256) as writer:
        save = _Saver(writer, plan.unique, hopeful=earlier is not None and earlier.any_reward)
        score_batches(model, numbered[done : plan.panel_batches], save, progress, store, stop, engine)
        confirmed = sum(missing) < plan.unique - scored
        manifest = _self_test(model, selection, folder, manifest, policy, plan, store, confirmed=confirmed)
        tell_memory(model, progress)
        folder.write_manifest(manifest)
        _stop_if_in_doubt(manifest, folder)
        score_batches(model, numbered[max(done, plan.panel_batches) :], save, progress, store, stop, engine)
    return manifest


def _parts(batches: Sequence[Batch], missing: Sequence[int], selection: Selection) -> dict[str, Part]:
    """What is to be computed of the panel and of each suite, given how much of each batch is not in the store."""
    items = {PANEL: len(selection.panel.items)} | {name: len(items) for name, items in selection.named}
    parts = {}
    for label in dict.fromkeys(batch.label for batch in batches):
        own = [(batch, left) for batch, left in zip(batches, missing, strict=True) if batch.label == label]
        total = sum(len(batch.conversations) for batch, _ in own)
        known = 1 - sum(left for _, left in own) / total
        share = f", {'all' if known == 1 else f'{known:.0%}'} from the store" if known else ""
        work = sum(batch.cost(left) for batch, left in own)
        parts[label] = Part(work, f"{items[label]:,} items, {total:,} conversations{share}")
    return parts


def _trusted(
    store: ScoreStore | None, model: RewardModel, batches: Sequence[Batch], policy: Policy, progress: Progress
) -> tuple[ScoreStore | None, list[int]]:
    """The store with the number of conversations of each batch that it lacks; none where the model contradicts it.

    A few of its rewards are computed again and held against the self-test's tolerance.
    """
    known: list[tuple[Conversation, float]] = []
    missing: list[int] = []
    for batch in batches:
        keys = batch.keys or ()
        found = store.recall(keys, batch_digest(keys)) if store is not None else [None] * len(batch.conversations)
        known += [(c, s.reward) for c, s in zip(batch.conversations, found, strict=True) if s and s.reward is not None]
        missing.append(sum(scored is None for scored in found))
    if not known:
        return store, missing
    sample = known[:: max(1, len(known) // SPOT_CHECK_SIZE)][:SPOT_CHECK_SIZE]
    fresh = score_checked(model, [conversation for conversation, _ in sample])
    pairs = [(now.reward, was) for now, (_, was) in zip(fresh, sample, strict=True)]
    worst = max(math.inf if now is None else abs(now - was) for now, was in pairs)
    unit = statistics.pstdev(reward for _, reward in known) or 1.0
    total = sum(len(batch.conversations) for batch in batches)
    if worst > policy.tolerance(model.facts.dtype) * unit:
        progress.stage(
            f"The score store is not used: of {len(sample)} of its rewards, computed again, one differs by {worst:.2g} "
            f"(the SD of all is {unit:.2g}), more than rounding explains"
        )
        return None, [len(batch.conversations) for batch in batches]
    progress.stage(f"{len(known):,} of {total:,} rewards ({len(known) / total:.0%}) are from the store")
    return store, missing


class _Saver:
    """Saves batches, and stops a run in which nothing at all can be scored before it has gone far."""

    def __init__(self, writer: ScoreWriter, total: int, *, hopeful: bool) -> None:
        self._writer = writer
        self._hopeful = hopeful
        """Whether anything could be scored so far."""
        self._seen = 0
        self._patience = min(total, 512)

    def __call__(self, number: int, batch: Batch, scored: list[Scored]) -> None:
        self._writer.append(number, batch, scored)
        self._seen += len(scored)
        self._hopeful |= any(result.reward is not None for result in scored)
        if not self._hopeful and self._seen >= self._patience:
            raise ScoringError(
                f"None of the first {self._seen} conversations could be scored: {scored[0].reason}. "
                "Nothing can be said about this model; mend what the reason names and scan again."
            )


def _self_test(
    model: RewardModel,
    selection: Selection,
    folder: RunFolder,
    manifest: Manifest,
    policy: Policy,
    plan: Plan,
    store: ScoreStore | None,
    *,
    confirmed: bool,
) -> Manifest:
    """Test the model on a sample of the panel, or tell from the store how that ended before.

    What is stored depends on the sample, its unit, the limits and all that the store itself stands for: the model by
    content, our code and the packages. It counts only where rewards of the store were just confirmed by the model. A
    failure that stops a scan is not stored.
    """
    partial = read_scores(folder.scores)
    rewards = rewards_by_item(selection.panel.items, partial.rewards.get("panel", {}))
    _, scale = measure_panel(selection.panel, rewards, None, policy.measurement)
    sample = [conversation for batch in plan.batches[: plan.panel_batches] for conversation in batch.conversations]
    few, wsd, limits = _few(sample), scale.wsd if scale else None, _limits(policy, model)
    about = {"self-test": [keys_of(model, few), wsd, asdict(limits)]}
    note = store.recall_note(about) if store is not None and confirmed else None
    if note is not None:
        checks, noise = [SelfCheck.model_validate(check) for check in note["checks"]], note["noise"]
    else:
        checks, noise = selftest.self_test(model, few, wsd, limits)
        if store is not None and not selftest.stopping(checks):
            store.keep_note(about, {"checks": [check.model_dump(mode="json") for check in checks], "noise": noise})
    checks = selftest.accept(checks, manifest.options.get("accept", ()))
    run = manifest.run.model_copy(update={"self_test_from_store": note is not None})
    return manifest.model_copy(update={"self_test": checks, "score_noise": noise, "run": run})


def self_test_alone(model: RewardModel, policy: Policy | None = None) -> list[SelfCheck]:
    """The self-test without a scan, on a sample of the panel that ships; differences are told in reward units.

    Raises:
        ScoringError: when the model fails as a whole, or holds no rewards of such conversations.
    """
    panel = load_panel(probes_dir() / "panel")
    sample = [item.conversation(arm) for item in panel.items for arm in item.arms]
    return selftest.self_test(model, _few(sample), None, _limits(policy or load_policy(), model))[0]


def _few(conversations: Sequence[Conversation]) -> Sequence[Conversation]:
    """Conversations for the self-test, evenly from all; where these are sorted by length, none of the longest."""
    step = max(1, len(conversations) // SELF_TEST_SIZE)
    return conversations[step // 2 :: step][:SELF_TEST_SIZE]


def _limits(policy: Policy, model: RewardModel) -> selftest.Limits:
    rules = policy.measurement
    return selftest.Limits(
        rounding=policy.tolerance(model.facts.dtype),
        float32=rules.batch_tolerance_16_bit,
        errors=rules.max_error_share,
        reversed_share=rules.reversed_win_share,
    )


def _stop_if_in_doubt(manifest: Manifest, folder: RunFolder) -> None:
    """End a scan whose model failed a check that every number depends on.

    Raises:
        SelfTestError: naming the checks, what was seen, and how to go on.
    """
    failed = selftest.stopping(manifest.self_test)
    if not failed:
        return
    flags = " ".join(f"--accept {selftest.as_option(check.name)}" for check in failed)
    raise SelfTestError(
        f"The loaded model failed its self-test, so nothing was concluded. {selftest.told(failed)} All that was seen "
        f"is in {folder.path / 'run.json'}; look closer, with the same loading options, by: rmaudit inspect "
        f"{shlex.quote(manifest.model.source)} --self-test. Go on at your own risk by: "
        f"{manifest.resume_command(folder.path)} {flags}"
    )


def _check_errors(scores: Scores, policy: Policy) -> None:
    total = sum(len(arms) for arms in scores.rewards.values())
    failed = scores.reasons
    too_long = sum(sum(items.values()) for items in scores.truncated.values())
    share = (sum(failed.values()) - too_long) / total if total else 1.0
    if share > policy.measurement.max_error_share:
        worst = max(failed, key=lambda reason: failed[reason])
        raise ScoringError(
            f"{sum(failed.values()) - too_long:,} of {total:,} conversations have no reward, more than the "
            f"{policy.measurement.max_error_share:.0%} that the policy allows; most often because: {worst}. "
            "An error is not a number, so nothing was concluded. Mend the model or its callable and scan again."
        )


def _continued(folder: RunFolder, manifest: Manifest) -> Manifest:
    """The manifest for going on with the run in a folder, which must be the same run."""
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


def _new_manifest(
    source: str,
    model: RewardModel,
    plan: Plan,
    selection: Selection,
    tier: str,
    seed: int,
    policy: Policy,
    options: LoadOptions,
    probes: Path | None,
    panel: Path | None,
    policy_file: Path | None,
    folder: Path,
    accept: Sequence[str],
    store: Place,
    engine: EngineOptions,
) -> Manifest:
    facts = model.facts
    names = [suite.spec.suite for suite, _ in selection.suites]
    return Manifest(
        status="started",
        settings=Settings(
            suites=names,
            tier=tier,
            seed=seed,
            policy=policy.name,
            policy_version=policy.version,
            suite_sha256=_digests(selection),
            bands=policy.measurement.bands.model_dump(),
        ),
        probes=str(probes.resolve()) if probes else None,
        panel=str(panel.resolve()) if panel else None,
        model=ModelBlock(
            source=source,
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
        options={key: value for key, value in {**asdict(options), "accept": list(accept)}.items() if value},
        run=RunBlock(
            id=folder.name,
            started=_now(),
            finished=_now(),
            seconds=0.0,
            host=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, device {facts.device}",
            versions=_versions(),
            conversations=plan.conversations,
            unique_conversations=plan.unique,
            tokens=None,
            command=_command(source, names, tier, seed, options, probes, panel, policy_file, accept, store, engine),
        ),
    )


def _command(
    source: str,
    suites: Sequence[str],
    tier: str,
    seed: int,
    options: LoadOptions,
    probes: Path | None,
    panel: Path | None,
    policy: Path | None,
    accept: Sequence[str],
    store: Place,
    engine: EngineOptions,
) -> str:
    """The command that asks for the same audit."""
    words = ["rmaudit", "scan", source]
    for name in suites:
        words += ["--suite", name]
    words += ["--tier", tier, "--seed", str(seed)]
    for name, path in {"probes": probes, "panel": panel, "policy": policy}.items():
        words += [f"--{name}", str(path)] if path else []
    if store != "default":
        words += ["--no-store"] if store is None else ["--store", str(store)]
    words += [word for name in accept for word in ("--accept", selftest.as_option(name))]
    words += engine.words() + options.words()
    return shlex.join(words)


def _digests(selection: Selection) -> dict[str, str]:
    return {"panel": selection.panel.sha256} | {suite.spec.suite: suite.sha256 for suite, _ in selection.suites}


def _versions() -> dict[str, str]:
    versions = {}
    for package in ("rmaudit", "torch", "transformers", "numpy", "scipy", "statsmodels"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
