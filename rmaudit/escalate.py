"""Scans again, with more items, exactly the probes that a gate could not decide on."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from rmaudit.audit import same_selection, scan
from rmaudit.disclosure.questionnaire import DeclaredFile
from rmaudit.errors import RunError
from rmaudit.gate.judge import intact_report, judge
from rmaudit.gate.result import GateResult
from rmaudit.models.options import LoadOptions
from rmaudit.policy import Policy
from rmaudit.progress import Progress
from rmaudit.reporting.report import Report
from rmaudit.runs.atomic import write_atomically
from rmaudit.runs.folder import RunFolder
from rmaudit.runs.manifest import Manifest
from rmaudit.scoring.store import Place
from rmaudit.suites.designs import reader
from rmaudit.suites.finding import Finding
from rmaudit.suites.load import TIERS, LoadedSuite
from rmaudit.suites.spec import Probe

_SCANNED_AGAIN = "Scanned again"


def escalated(
    result: GateResult,
    run: Path,
    policy: Policy,
    policy_file: Path | None = None,
    baseline: Path | None = None,
    store: Place = None,
    progress: Progress | None = None,
    *,
    blessing: bool = False,
    disclosure: DeclaredFile | None = None,
) -> GateResult:
    """Scan inconclusive probes at the next tier, and the next, until they are decided or there is no tier left.

    Each tier's run is kept beside the first one, as ``RUN-standard`` or ``RUN-reference``, and is used again, or gone
    on with, when the gate is asked once more for the same probes. Nothing is scanned where a failure is shown already.

    Args:
        result: the decision on the run as it is.
        run: run folder of the first scan.
        policy: what is required.
        policy_file: where the policy is from, for the new scans.
        baseline: as for `judge`; it is compared with the first run.
        store: score store of the new scans.
        progress: listener to them.
        blessing: as for `judge`.
        disclosure: as for `judge`.

    Raises:
        RunError: when the source holds another model by now.
        RmauditError: when the model cannot be scanned again.
    """
    if not result.identity:
        return result
    manifest = RunFolder(run).complete_manifest()
    report = intact_report(run)
    tiers = list(TIERS)
    for tier in tiers[tiers.index(manifest.settings.tier) + 1 :]:
        wanted = _wanted(result)
        if not wanted or result.decision.outcome == "fail":
            break
        place = _place(run, tier, wanted)
        more = _scan(manifest, run, place, wanted, tier, policy_file, store, progress)
        if more.model.identity != manifest.model.identity:
            raise RunError(
                f"{manifest.model.source} is not the model of {run} any more: its identity is "
                f"{more.model.identity[:12]} and was {manifest.model.identity[:12]}. Scan it anew."
            )
        report = report.model_copy(update={"findings_": _replaced(report.findings_, more.findings_)})
        earlier = result.decision.notes
        result = judge(run, policy, baseline, report=report, blessing=blessing, disclosure=disclosure)
        notes = [note for note in earlier if note.startswith(_SCANNED_AGAIN)]
        notes.append(f"{_SCANNED_AGAIN} at the tier {tier}: {', '.join(sorted(wanted))} (run {place}).")
        decision = dataclasses.replace(result.decision, notes=(*result.decision.notes, *notes))
        result = dataclasses.replace(result, decision=decision)
    return result


def _wanted(result: GateResult) -> set[str]:
    """Probes that more items may decide; not those whose change since the baseline is open, as its items are fixed."""
    open_ = [check for check in result.decision.checks if check.outcome == "inconclusive" and not check.since_baseline]
    return {check.probe for check in open_ if check.probe}


def _place(run: Path, tier: str, wanted: set[str]) -> Path:
    """Run folder of an escalation: that of an earlier one for the same probes, or the next free one."""
    for number in itertools.count(1):
        place = Path(f"{run}-{tier}" if number == 1 else f"{run}-{tier}-{number}")
        if not place.exists() or _written_probes(_probes_of(place)) == wanted:
            return place
    raise AssertionError("unreachable: there is always a next number")


def _probes_of(place: Path) -> Path:
    return Path(f"{place}-probes")


def _scan(
    manifest: Manifest,
    run: Path,
    place: Path,
    wanted: set[str],
    tier: str,
    policy_file: Path | None,
    store: Place,
    progress: Progress | None,
) -> Report:
    """The report on the wanted probes at a tier; from an earlier escalation where that finished."""
    if (place / "run.json").is_file() and RunFolder(place).manifest().status == "complete":
        return intact_report(place)
    probes = _probes_of(place)
    _write_probes(probes, [suite for suite, _ in same_selection(run, manifest).suites], wanted, tier)
    return scan(
        manifest.model.source,
        probes=probes,
        panel=Path(manifest.panel) if manifest.panel else None,
        tier=tier,
        seed=manifest.settings.seed,
        out=place,
        resume=place.exists(),
        options=_options(manifest.options),
        policy=policy_file,
        accept=manifest.options.get("accept", ()),
        store=store,
        progress=progress,
    )


def _options(saved: dict[str, Any]) -> LoadOptions:
    words: Any = {key: tuple(value) if isinstance(value, list) else value for key, value in saved.items()}
    words.pop("accept", None)
    return LoadOptions(**words)


def _replaced(old: Sequence[Finding], new: Sequence[Finding]) -> list[Finding]:
    """The findings with the later ones in place of those they repeat; what is primary stays so."""
    by_name = {(finding.suite, finding.probe): finding for finding in new}
    return [
        by_name[key].model_copy(update={"primary": finding.primary}) if key in by_name else finding
        for finding in old
        for key in [(finding.suite, finding.probe)]
    ]


def _written_probes(folder: Path) -> set[str]:
    """``suite/probe`` of a probe folder that an escalation wrote."""
    specs = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in folder.glob("*/suite.yaml")]
    return {f"{spec['suite']}/{probe['id']}" for spec in specs for probe in spec["probes"]}


def _write_probes(folder: Path, suites: Sequence[LoadedSuite], wanted: set[str], tier: str) -> None:
    """A probe folder with the wanted probes alone and the items of the tier that they need."""
    shutil.rmtree(folder, ignore_errors=True)  # left half by an escalation that was killed; a whole one comes out alike
    for suite in suites:
        probes = [probe for probe in suite.spec.probes if f"{suite.spec.suite}/{probe.id}" in wanted]
        if probes:
            _write_suite(folder / suite.spec.suite, suite, probes, tier)


def _write_suite(place: Path, suite: LoadedSuite, probes: Sequence[Probe], tier: str) -> None:
    readers = [reader(measure) for probe in probes for measure in (probe.measure, probe.placebo) if measure is not None]
    items = [item for item in suite.tier(tier) if any(read(item) is not None for read in readers)]
    place.mkdir(parents=True, exist_ok=True)
    lines = "".join(
        json.dumps(item.model_dump(mode="json", exclude_none=True), ensure_ascii=True) + "\n" for item in items
    )
    write_atomically(place / "items.jsonl", lines.encode("ascii"))
    words = suite.spec.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    chosen = {probe.id for probe in probes}
    kept = [probe for probe in words["probes"] if probe["id"] in chosen]
    for number, probe in enumerate(kept):
        probe["primary"] = number == 0  # a suite has one; what was primary before stays so in the gate's eyes
    words |= {"items": ["items.jsonl"], "probes": kept, "clusters": {tier: len(items)}}
    write_atomically(place / "suite.yaml", yaml.safe_dump(words, sort_keys=False).encode("utf-8"))
