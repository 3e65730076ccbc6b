"""From scores to everything that is published of a run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from rmaudit.audit.selection import Selection
from rmaudit.errors import ScoringError
from rmaudit.policy import Policy
from rmaudit.reporting.compose import compose
from rmaudit.reporting.report import Report
from rmaudit.runs.folder import RunFolder
from rmaudit.runs.manifest import Manifest
from rmaudit.runs.scores import Scores
from rmaudit.stats.threads import one_thread
from rmaudit.suites.attributes import checked, gather
from rmaudit.suites.findings import findings
from rmaudit.suites.panel import measure_panel, rewards_by_item, scale_without_panel


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


def write_outputs(folder: RunFolder, report: Report) -> str:
    """Write `report.html`, `report.md` and `report.json`, once all three could be rendered; the digest of the last."""
    from rmaudit.reporting import html, markdown

    content = report.to_json()
    published = Report.model_validate_json(content)
    outputs = {"report.html": html.render(published), "report.md": markdown.render(published), "report.json": content}
    for name, output in outputs.items():
        folder.write(name, output)
    return hashlib.sha256(content).hexdigest()


def check_errors(scores: Scores, policy: Policy) -> None:
    """Refuse to conclude anything where too many conversations have no reward.

    Raises:
        ScoringError: in that case, with the most frequent reason.
    """
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
