"""A model's repository on the Hugging Face Hub: section and ``model-index`` of its card, and ``.eval_results``.

What stands in a card already stays as it is, byte by byte: our section stands between two comments, and our results
are those whose dataset is called ``rmaudit/…``. Writing again replaces both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from rmaudit.errors import UsageError
from rmaudit.reporting import front_matter, outline, text
from rmaudit.reporting.markdown import fence, inline
from rmaudit.reporting.report import Report
from rmaudit.suites.finding import Estimate, Finding

BEGIN: Final = "<!-- rmaudit: begin. Written by rmaudit report; what stands up to the end mark is replaced. -->"
END: Final = "<!-- rmaudit: end -->"
_SECTION: Final = re.compile(r"<!-- rmaudit: begin\b.*?<!-- rmaudit: end -->", re.DOTALL)
_MARK: Final = re.compile(r"<!-- rmaudit: (?:begin\b|end -->)")

TASK: Final = {"type": "text-classification", "name": "Reward modeling"}
"""The Hub's task for models that give a text a number."""

NAMESPACE: Final = "rmaudit"
BENCHMARK: Final = "rmaudit/suites"
"""Dataset on the Hub under which ``.eval_results`` stand. The Hub shows them where it is a registered benchmark."""


def files(report: Report, out: Path) -> Mapping[Path, bytes]:
    """The files of a model's repository, with the audit in them.

    Args:
        report: what was found.
        out: folder of the repository, or the card in it. A card that is there is added to.

    Returns:
        The card and ``.eval_results/rmaudit.yaml``.

    Raises:
        UsageError: when the card that is there cannot be read or added to.
    """
    card = out if out.suffix.lower() == ".md" else out / "README.md"
    try:
        before = card.read_bytes().decode("utf-8") if card.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The model card {card} cannot be read: {error}.") from error
    return {
        card: with_audit(report, before).encode("utf-8"),
        card.parent / ".eval_results" / "rmaudit.yaml": eval_results(report),
    }


def with_audit(report: Report, card: str | None = None) -> str:
    """A model card with the audit in it.

    Args:
        report: what was found.
        card: the card as it is, or ``None`` to begin one.

    Returns:
        The card. What it held before is there as it was, but for an earlier audit's section and results, in whose
        place the new ones stand.

    Raises:
        UsageError: when the card's marks or its front matter are damaged.
    """
    name = _model_name(report)
    if card is None:
        card = f"# {inline(name)}\n"
    card = _with_section(card, section(report))
    card = front_matter.with_results(card, name, results(report), _is_ours)
    check(card, report)
    return card


def check(card: str, report: Report) -> None:
    """Read a card back with the Hub's own library and compare every number.

    Raises:
        UsageError: when the library does not read the card, or misses a number.
    """
    from huggingface_hub import ModelCard

    try:
        found = ModelCard(card).data.eval_results or []
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"huggingface_hub cannot read this model card: {error}. Correct what stands in its model-index first."
        ) from error
    read = [
        (entry.dataset_type, entry.dataset_config, entry.metric_type, entry.metric_value)
        for entry in found
        if entry.dataset_type.startswith(f"{NAMESPACE}/")
    ]
    written = [
        (result["dataset"]["type"], result["dataset"]["config"], metric["type"], metric["value"])
        for result in results(report)
        for metric in result["metrics"]
    ]
    if read != written:
        raise UsageError("huggingface_hub does not find every number in this model card. Correct its front matter.")


def results(report: Report) -> list[dict[str, Any]]:
    """Entries of ``model-index[0].results``: the panel, then a finding each.

    Primary findings have every unit; the others their effect in SRD. What is null is left out. Each metric has its
    interval, its numbers of items and clusters, and the verdict in ``args``.
    """
    return [*_panel(report), *(entry for finding in report.findings_ for entry in _finding(report, finding))]


def _panel(report: Report) -> Iterator[dict[str, Any]]:
    ruler = report.ruler
    metric = _metric("accuracy", "Panel accuracy", ruler.accuracy, {"prompts": ruler.n, "pairs": ruler.n_pairs})
    if metric:
        dataset = _dataset("panel", "accuracy", "rmaudit panel: answers of known quality", ruler.panel_sha256)
        yield {"task": dict(TASK), "dataset": dataset, "metrics": [metric]}


def _finding(report: Report, finding: Finding) -> Iterator[dict[str, Any]]:
    units = [*text.UNITS, *text.CONTROLS] if finding.primary else text.UNITS[:1]
    about = {
        "verdict": finding.verdict,
        "severity": finding.severity,
        "items": finding.n_items,
        "clusters": finding.n_clusters,
        "margin": text.rounded(finding.margin),
    }
    metrics = [_metric(unit.field, unit.label, getattr(finding, unit.field), about) for unit in units]
    if any(metrics):
        digest = report.settings.suite_sha256.get(finding.suite, "")
        name = f"rmaudit {finding.suite}: {finding.title}"
        yield {
            "task": dict(TASK),
            "dataset": _dataset(finding.suite, finding.probe, name, digest),
            "metrics": [metric for metric in metrics if metric],
        }


def _dataset(suite: str, probe: str, name: str, digest: str) -> dict[str, Any]:
    return {
        "type": f"{NAMESPACE}/{_words(suite)}",
        "name": _words(name) or "-",
        "config": _words(probe) or "-",
        "revision": _words(digest) or "-",
    }


def _metric(kind: str, name: str, estimate: Estimate, about: Mapping[str, Any]) -> dict[str, Any] | None:
    if estimate.estimate is None:
        return None
    bounds = {"low": estimate.low, "high": estimate.high}
    return {
        "type": kind,
        "name": name,
        "value": text.rounded(estimate.estimate),
        "args": {side: text.rounded(bound) for side, bound in bounds.items() if bound is not None} | dict(about),
    }


def _is_ours(result: Mapping[str, Any]) -> bool:
    dataset = result.get("dataset")
    return isinstance(dataset, dict) and str(dataset.get("type", "")).startswith(f"{NAMESPACE}/")


def eval_results(report: Report) -> bytes:
    """The effects as the Hub's ``.eval_results`` ask for them: a scalar each, and in words what it is worth."""
    entries = [
        {
            "dataset": {"id": BENCHMARK, "task_id": f"{_words(finding.suite)}_{_words(finding.probe)}"},
            "value": text.rounded(finding.srd.estimate),
            "date": _words(report.run.finished[:10]),
            "notes": _notes(report, finding),
        }
        for finding in report.findings_
        if finding.srd.estimate is not None
    ]
    comment = (
        "# Effects on reward in SRD, 0 is ideal. Written by rmaudit report --format hf.\n"
        f"# The Hub shows these where {BENCHMARK} is a dataset registered as a benchmark.\n"
    )
    dumped = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=10**9)
    return (comment + dumped).encode("utf-8")


def _notes(report: Report, finding: Finding) -> str:
    srd = finding.srd
    interval = (
        "no interval" if srd.low is None or srd.high is None else f"95% {text.exact(srd.low)} to {text.exact(srd.high)}"
    )
    version = report.run.versions.get("rmaudit", "")
    facts = [
        f"SRD, {interval}",
        f"{finding.n_items} items in {finding.n_clusters} clusters",
        f"{finding.verdict.replace('_', ' ')} at a margin of {text.exact(finding.margin)}",
        "primary" if finding.primary else "secondary",
        f"suite sha256 {report.settings.suite_sha256.get(finding.suite, 'not known')[:12]}",
        f"model sha256 {text.short_identity(report.model.identity)}",
        f"rmaudit {version}",
    ]
    return "; ".join(_words(fact) for fact in facts)


def section(report: Report) -> str:
    """The audit as a section of a model card, between its two marks."""
    model, parts = report.model, outline.completeness(report.disclosure)
    untested = outline.untested(report)
    blocks = [
        BEGIN,
        "## Reward model audit",
        f"**{inline(report.headline)}**",
        *(["\n".join(f"> * {inline(warning)}" for warning in report.warnings)] if report.warnings else []),
        _effects(report),
        f"Effects on reward are in SRD, within-prompt standard deviations of this model's own reward; 0 is ideal."
        f" Panel accuracy {_accuracy(report.ruler.accuracy)}; chance 0.5, ideal 1.",
        f"Not known: {len(untested)} of {len(report.coverage)} known challenges of learning from human feedback have no"
        f" verdict here. Disclosure: of {parts.total} questions {parts.measured} were answered by"
        f" measurement or from files, {parts.declared} by people, {parts.missing} not at all.",
        *(["\n".join(f"* {inline(caveat)}" for caveat in report.caveats)] if report.caveats else []),
        inline(
            f"Model sha256 {model.identity}, {report.settings.tier} tier, {text.count(report.run.conversations)}"
            f" conversations, {report.run.finished[:10]}, rmaudit {report.run.versions.get('rmaudit', '')}."
            " To repeat the audit:"
        ),
        # In a fence a comment's mark would count as ours.
        inline(report.run.command) if "<!--" in report.run.command else fence(report.run.command),
        END,
    ]
    return "\n\n".join(blocks)


def _effects(report: Report) -> str:
    head = ["Question", "Verdict", "Effect, SRD (95% interval)", "Limit of detection"]
    rows = [
        [
            inline(finding.title),
            f"{text.VERDICTS[finding.verdict].label}"
            + (f", {finding.severity}" if finding.verdict == "present" else ""),
            text.with_interval(finding.srd, "({low} to {high})"),
            "n/a" if finding.detection_limit is None else text.fixed(finding.detection_limit),
        ]
        for finding in outline.primary(report)
    ]
    lines: Sequence[Sequence[str]] = [head, ["---", "---", "---:", "---:"], *rows]
    return "\n".join(f"| {' | '.join(cell or ' ' for cell in row)} |" for row in lines)


def _accuracy(estimate: Estimate) -> str:
    if estimate.estimate is None or estimate.low is None or estimate.high is None:
        return "n/a"
    return f"{text.fixed(estimate.estimate)} ({text.fixed(estimate.low)} to {text.fixed(estimate.high)})"


def _with_section(card: str, added: str) -> str:
    """Put our section in place of the one that is there, or at the end."""
    line = front_matter.line_end(card)
    added = added.replace("\n", line)
    body = front_matter.body_start(card)
    marks, sections = _MARK.findall(card, body), list(_SECTION.finditer(card, body))
    if len(marks) != 2 * len(sections) or len(sections) > 1:
        raise UsageError(
            "The model card does not hold one mark '<!-- rmaudit: begin' followed by one '<!-- rmaudit: end -->'."
            " Put that right, or take both out; the section is then added at the end."
        )
    if sections:
        return card[: sections[0].start()] + added + card[sections[0].end() :]
    gap = "" if not card or card.endswith("\n\n") else line if card.endswith("\n") else line * 2
    return f"{card}{gap}{added}{line}"


def _model_name(report: Report) -> str:
    return _words(report.model.source.rstrip("/").rsplit("/", 1)[-1]) or "reward model"


def _words(value: str) -> str:
    return text.one_line(value, 200)
