"""A finished run, computed again from its stored scores."""

from __future__ import annotations

from pathlib import Path

from rmaudit.audit.conclude import build_report
from rmaudit.audit.selection import same_selection
from rmaudit.errors import RunError, UsageError
from rmaudit.policy import load_policy
from rmaudit.reporting.report import Report, differences
from rmaudit.runs.folder import RunFolder
from rmaudit.runs.scores import read_scores


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
