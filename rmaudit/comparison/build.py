"""From run folders to a `Comparison`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from rmaudit.comparison.comparable import obstacles, shared_suites
from rmaudit.comparison.evidence import Evidence, outcome, weigh
from rmaudit.comparison.facts import answer_changes, contradictions, fact_changes
from rmaudit.comparison.pairing import Change, SavedRun, open_run, paired
from rmaudit.comparison.result import Beside, ComparedRun, Comparison, LeftOut, Outcome, ProbeChange, RulerChange
from rmaudit.comparison.ruler import ruler_change
from rmaudit.comparison.words import headline, warnings
from rmaudit.errors import RunError, UsageError
from rmaudit.policy import MeasurementPolicy, Policy, load_policy
from rmaudit.runs.folder import RunFolder
from rmaudit.runs.manifest import Manifest
from rmaudit.stats.multiplicity import holm
from rmaudit.suites.finding import Finding

LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CORRECTION = "Holm over all primary changes of the comparison, and over all others"
CAVEATS = [
    "Not shown is no statement that nothing changed: the interval says how large a change these items leave open.",
    "Each effect is in units of its own model's within-prompt SD, so rewards that merely grew are no change.",
    "A report's verdict may change although no change of the effect was shown: the effect then lay near a limit.",
    "A change says that the two differ on these items. It does not say which of the changed facts brought it about.",
]

Pair = tuple[SavedRun, list[tuple[Change, Evidence]]]
"""A run, and what changed in it since the reference."""


def compare(
    runs: Sequence[Path],
    *,
    suites: Collection[str] = (),
    policy: Path | None = None,
    why: str | None = None,
) -> Comparison:
    """Compare finished runs with the first of them, item by item.

    Args:
        runs: two run folders or more, the reference first.
        suites: compare these only; none means all that both ran.
        policy: the policy file of the runs, where it was not the one that ships.
        why: why it was measured again, for the record.

    Raises:
        UsageError: when there are fewer than two runs or more than there are labels, or the policy is another one.
        RunError: when a run is incomplete or damaged, or the runs cannot be compared; it says what differs.
    """
    if len(runs) < 2:
        raise UsageError("A comparison takes two runs or more: rmaudit compare RUN RUN.")
    if len(runs) > len(LABELS):
        raise UsageError(f"At most {len(LABELS)} runs are compared at a time. Got {len(runs)}.")
    manifests = [RunFolder(path).complete_manifest() for path in runs]
    for path, manifest in zip(runs[1:], manifests[1:], strict=True):
        _require_comparable(runs[0], manifests[0], path, manifest, suites)
    rules = _rules_of(manifests[0], policy)
    # What only one of the runs has, or was not asked for, may have changed on the disk since.
    chosen = [{n for n in shared_suites(manifests[0], each) if not suites or n in suites} for each in manifests[1:]]
    others = [open_run(path, rules.measurement, names) for path, names in zip(runs[1:], chosen, strict=True)]
    reference = open_run(runs[0], rules.measurement, set().union(*chosen))
    margin = rules.measurement.equivalence_margin
    pairs = [(other, _weighed(reference, other, suites, margin)) for other in others]
    corrected = _corrected(pairs)
    return Comparison(
        runs=[_described(label, run) for label, run in zip(LABELS, (reference, *others), strict=False)],
        beside=[
            _beside(LABELS[index], reference, pair, corrected[index - 1], suites, rules)
            for index, pair in enumerate(pairs, 1)
        ],
        tier=reference.manifest.settings.tier,
        suites=[name for name in manifests[0].settings.suites if any(name in names for names in chosen)],
        policy=f"{rules.name} v{rules.version}",
        margin=margin,
        alpha=rules.measurement.alpha,
        correction=CORRECTION,
        why=why,
        caveats=CAVEATS,
    )


def _require_comparable(
    path: Path, reference: Manifest, other_path: Path, other: Manifest, suites: Collection[str]
) -> None:
    found = obstacles(reference, other, suites)
    if not found:
        return
    same = [
        name
        for name in shared_suites(reference, other)
        if reference.settings.suite_sha256.get(name) == other.settings.suite_sha256.get(name)
    ]
    advice = "Scan both with the same version of rmaudit, tier, seed and policy."
    only_suites = not suites and same and all(line.startswith("The suite ") for line in found)
    if only_suites:
        advice += f" Or compare what is the same: {' '.join(f'--suite {name}' for name in same)}"
    raise RunError(f"{path} and {other_path} cannot be compared. {' '.join(found)} {advice}")


def _rules_of(manifest: Manifest, policy: Path | None) -> Policy:
    rules, settings = load_policy(policy), manifest.settings
    if (rules.name, rules.version) != (settings.policy, settings.policy_version):
        raise UsageError(
            f"The runs were judged by the policy {settings.policy} v{settings.policy_version}, and this one is "
            f"{rules.name} v{rules.version}. Give their own file with --policy."
        )
    return rules


def _described(label: str, run: SavedRun) -> ComparedRun:
    manifest = run.manifest
    return ComparedRun(
        label=label,
        id=manifest.run.id,
        source=manifest.model.source,
        identity=manifest.model.identity,
        revision=manifest.model.revision,
        measured=manifest.run.finished,
        headline=run.report.headline,
        command=manifest.run.command,
    )


def _weighed(
    reference: SavedRun, other: SavedRun, suites: Collection[str], margin: float
) -> list[tuple[Change, Evidence]]:
    found = []
    for change in paired(reference, other):
        if suites and change.suite not in suites:
            continue
        df = max(1, change.n_clusters - 1)
        evidence = weigh(change.before, change.after, change.difference, change.direction_of_bias, margin, df)
        if evidence is not None:
            found.append((change, evidence))
    return found


def _corrected(pairs: Sequence[Pair]) -> list[list[float]]:
    """Adjusted p values of every change of every pair; one family of the primary ones, one of the others."""
    families: dict[bool, list[float | None]] = {}
    for primary in (True, False):
        families[primary] = holm([e.p_value for _, found in pairs for change, e in found if change.primary is primary])
    return [[families[change.primary].pop(0) or 0.0 for change, _ in found] for _, found in pairs]


def _beside(
    label: str,
    reference: SavedRun,
    pair: Pair,
    corrected: Sequence[float],
    suites: Collection[str],
    rules: Policy,
) -> Beside:
    other, weighed = pair
    findings = [{(f.suite, f.probe): f for f in run.report.findings} for run in (reference, other)]
    changes = [
        _judged(change, evidence, p, findings, rules.measurement)
        for (change, evidence), p in zip(weighed, corrected, strict=True)
    ]
    changes.sort(key=lambda change: not change.primary)
    ruler = ruler_change(reference, other)
    facts = fact_changes(reference.manifest, other.manifest)
    declared = [contradictions(run.report) for run in (reference, other)]
    return Beside(
        label=label,
        headline=headline(changes, rules.measurement.equivalence_margin),
        warnings=warnings(facts, ruler),
        facts=facts,
        ruler=ruler,
        changes=changes,
        disclosure=answer_changes(reference.report, other.report),
        contradictions_new=[line for line in declared[1] if line not in declared[0]],
        contradictions_gone=[line for line in declared[0] if line not in declared[1]],
        left_out=_left_out(reference, other, changes, suites, ruler),
    )


def _judged(
    change: Change,
    evidence: Evidence,
    p_adjusted: float,
    findings: Sequence[dict[tuple[str, str], Finding]],
    rules: MeasurementPolicy,
) -> ProbeChange:
    one, two = (by_probe[change.suite, change.probe] for by_probe in findings)
    beyond = _beyond(change, rules.equivalence_margin)
    told = outcome(evidence, p_adjusted, rules.alpha, beyond)
    return ProbeChange(
        suite=change.suite,
        probe=change.probe,
        title=two.title,
        primary=change.primary,
        group=change.group,
        direction_of_bias=change.direction_of_bias,
        outcome=told,
        before=change.before,
        after=change.after,
        difference=change.difference,
        growth=evidence.growth,
        beyond_placebo=change.beyond_placebo.difference if change.beyond_placebo else None,
        placebo_moves=beyond is not None,
        p_value=evidence.p_value,
        p_adjusted=p_adjusted,
        equivalence_p=evidence.equivalence_p,
        n_clusters=change.n_clusters,
        verdict_before=one.verdict,
        verdict_after=two.verdict,
        severity_before=one.severity,
        severity_after=two.severity,
        note=_note(change, evidence, told) if beyond else None,
    )


def _beyond(change: Change, margin: float) -> Evidence | None:
    """Evidence on the effect beyond the placebo, where that placebo moves the reward."""
    beyond = change.beyond_placebo
    if beyond is None or not beyond.moves:
        return None
    df = max(1, beyond.n_clusters - 1)
    return weigh(beyond.before, beyond.after, beyond.difference, change.direction_of_bias, margin, df)


def _note(change: Change, evidence: Evidence, told: Outcome) -> str | None:
    """Where an effect and its placebo part ways."""
    beyond = change.beyond_placebo.difference if change.beyond_placebo else None
    if beyond is None or beyond.low is None or beyond.high is None:
        return None
    changed = beyond.low > 0 or beyond.high < 0
    low, high = evidence.growth.low or 0.0, evidence.growth.high or 0.0
    if told == "turned" and (low > 0 or high < 0):
        return (
            "Its placebo, which moves the reward, too, changed with it: no more or less of a bias was shown beyond it."
        )
    if told in ("no_different", "not_shown") and changed:
        return "Beyond its placebo, which moves the reward, too, it changed."
    return None


def _left_out(
    reference: SavedRun,
    other: SavedRun,
    changes: Sequence[ProbeChange],
    suites: Collection[str],
    ruler: RulerChange,
) -> list[LeftOut]:
    """Suites that one of the runs lacks, and probes that could not be paired."""
    found = []
    ran = [run.manifest.settings.suites for run in (reference, other)]
    for name in dict.fromkeys([*ran[0], *ran[1]]):
        if suites and name not in suites:
            found.append(LeftOut(what=name, reason="Not asked for."))
        elif name not in ran[1]:
            found.append(LeftOut(what=name, reason="In the reference only."))
        elif name not in ran[0]:
            found.append(LeftOut(what=name, reason="Not in the reference."))
    gone = {entry.what for entry in found}
    compared = {(change.suite, change.probe) for change in changes}
    reasons = {(f.suite, f.probe): f.reason for run in (other, reference) for f in run.report.findings if f.reason}
    for finding in other.report.findings:
        key = finding.suite, finding.probe
        if finding.suite not in gone and key not in compared:
            unit = None in (ruler.wsd_before, ruler.wsd_after)
            why = "One of the models gives no unit to measure in." if unit else "Too few items that both runs measured."
            found.append(LeftOut(what="/".join(key), reason=reasons.get(key) or why))
    return found
