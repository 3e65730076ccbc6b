"""Scans again, with more items, exactly the probes that a gate could not decide on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from rmaudit.audit import same_selection, scan
from rmaudit.disclosure.merge import run_report
from rmaudit.disclosure.questionnaire import DeclaredFile
from rmaudit.gate.judge import judge
from rmaudit.gate.result import GateResult
from rmaudit.models.options import LoadOptions
from rmaudit.policy import Policy
from rmaudit.progress import Progress
from rmaudit.reporting.report import Report
from rmaudit.runs.atomic import write_atomically
from rmaudit.runs.folder import RunFolder
from rmaudit.scoring.store import Place
from rmaudit.suites.designs import reader
from rmaudit.suites.finding import Finding
from rmaudit.suites.load import TIERS, LoadedSuite
from rmaudit.suites.spec import Probe


def escalated(
    result: GateResult,
    run: Path,
    policy: Policy,
    policy_file: Path | None = None,
    baseline: Path | None = None,
    store: Place = None,
    progress: Progress | None = None,
    disclosure: DeclaredFile | None = None,
) -> GateResult:
    """Scan inconclusive probes at the next tier, and the next, until they are decided or there is no tier left.

    Each tier's run is kept beside the first one, as ``RUN-standard`` or ``RUN-reference``, and is used again when the
    gate is asked once more.

    Args:
        result: the decision on the run as it is.
        run: run folder of the first scan.
        policy: what is required.
        policy_file: where the policy is from, for the new scans.
        baseline: as for `judge`; it is compared with the first run.
        store: score store of the new scans.
        progress: listener to them.
        disclosure: as for `judge`.

    Raises:
        RmauditError: when the model cannot be scanned again.
    """
    if not result.identity:
        return result
    manifest = RunFolder(run).complete_manifest()
    report = run_report(run)
    tiers = list(TIERS)
    for tier in tiers[tiers.index(manifest.settings.tier) + 1 :]:
        wanted = {check.probe for check in result.decision.checks if check.outcome == "inconclusive" and check.probe}
        if not wanted:
            break
        suites = [suite for suite, _ in same_selection(run, manifest).suites]
        place = Path(f"{run}-{tier}")
        probes = _write_probes(Path(f"{run}-{tier}-probes"), suites, wanted, tier)
        more = _scanned(place) or scan(
            manifest.model.source,
            probes=probes,
            panel=Path(manifest.panel) if manifest.panel else None,
            tier=tier,
            seed=manifest.settings.seed,
            out=place,
            options=_options(manifest.options),
            policy=policy_file,
            accept=manifest.options.get("accept", ()),
            store=store,
            progress=progress,
        )
        report = report.model_copy(update={"findings_": _replaced(report.findings_, more.findings_)})
        result = judge(run, policy, baseline, report=report, disclosure=disclosure)
    return result


def _scanned(place: Path) -> Report | None:
    """An earlier escalation's report."""
    return Report.load(place) if (place / "report.json").is_file() else None


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


def _write_probes(folder: Path, suites: Sequence[LoadedSuite], wanted: set[str], tier: str) -> Path:
    """A probe folder with the wanted probes alone and the items of the tier that they need."""
    for suite in suites:
        probes = [probe for probe in suite.spec.probes if f"{suite.spec.suite}/{probe.id}" in wanted]
        if probes:
            _write_suite(folder / suite.spec.suite, suite, probes, tier)
    return folder


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
