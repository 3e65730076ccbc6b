"""The report as a Reward Report, in the sections of its authors (Gilbert et al. 2022, arXiv:2204.10817), as Markdown.

What the audit measured stands beside what was disclosed, each with where it comes from. No section is empty: what
nobody answered is ``not provided``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from rmaudit.disclosure.items import NOT_PROVIDED
from rmaudit.disclosure.records import DisclosureField
from rmaudit.reporting import answers, outline, text
from rmaudit.reporting.markdown import fence, inline
from rmaudit.reporting.report import Report
from rmaudit.suites.finding import Finding


class Section(NamedTuple):
    """A section: what the audit says to it, and what of the disclosure list belongs there."""

    title: str
    questions: tuple[str, ...] = ()
    """Ids of questions, and of items for reports whose items have none."""
    measured: Callable[[Report], list[str]] | None = None
    """Blocks of Markdown from the audit's own numbers."""


def render(report: Report) -> bytes:
    """Render a report in the sections of a Reward Report.

    Returns:
        UTF-8 bytes of Markdown. Texts from outside stay text.
    """
    left = dict(answers.by_question(report))
    blocks = [f"# Reward Report: {inline(report.model.source)}", *_contradictions(report), *_opening(report)]
    for heading, sections in SECTIONS.items():
        blocks.append(f"## {heading}")
        for section in sections:
            blocks.append(f"### {section.title}")
            measured = section.measured(report) if section.measured else []
            said = [_answer(answer) for question in section.questions for answer in left.pop(question, [])]
            blocks += [*measured, *(["\n".join(said)] if said else [])] or [NOT_PROVIDED]
    others = [_answer(answer) for found in left.values() for answer in found]
    if others:
        blocks += ["## Further disclosure", "\n".join(others)]
    return ("\n\n".join(blocks) + "\n").encode("utf-8")


def _answer(answer: DisclosureField) -> str:
    word = text.PROVENANCE[answer.provenance].label.lower()
    if answer.value is None:
        reason = answer.reason or ""
        more = "" if not reason or reason == NOT_PROVIDED else f": {inline(reason)}"
        state = "refused" if answer.provenance == "refused" else NOT_PROVIDED
        return f"* {inline(answer.question)} *{state}*{more}"
    by = f" by {inline(answer.asserted_by)}" if answer.asserted_by else ""
    date = f", {inline(answer.date)}" if answer.date else ""
    evidence = f"; {inline(answer.evidence)}" if answer.evidence else ""
    reason = f" {inline(answer.reason)}" if answer.reason else ""
    return f"* {inline(answer.question)} **{inline(answer.value)}** ({word}{by}{date}{evidence}){reason}"


def _contradictions(report: Report) -> list[str]:
    lines = [
        f"> * {inline(entry.field)}, declared: {inline(entry.declared)}. {inline(entry.measured)}"
        f" ({inline(entry.evidence)})"
        for entry in report.contradictions
    ]
    return ["\n".join(["> **Declarations against which a measurement speaks**", ">", *lines])] if lines else []


def _opening(report: Report) -> list[str]:
    declaration = report.declaration
    source = (
        "Nobody declared anything."
        if declaration is None
        else f"What was declared is from {declaration.file}, sha256 {declaration.sha256}"
        f"{f', by {declaration.by}' if declaration.by else ''}."
    )
    return [
        inline(report.headline),
        "In the sections of Gilbert et al. 2022, arXiv:2204.10817. What is measured or read from files was found by"
        f" rmaudit; what is declared was stated by people and not checked. {inline(source)}",
    ]


def _owner(report: Report) -> list[str]:
    version = report.run.versions.get("rmaudit", "")
    made = f"This report was made by rmaudit {version}, a program; who owns the system is for people to say."
    return [inline(made)]


def _dates(report: Report) -> list[str]:
    return [f"The audit ran from {inline(report.run.started)} to {inline(report.run.finished)}."]


def _resources(report: Report) -> list[str]:
    model = report.model
    return [
        f"* Model: {inline(model.source)}, sha256 {inline(model.identity)}, revision"
        f" {inline(model.revision) if model.revision else 'not known'}\n* To repeat the audit:",
        fence(report.run.command),
    ]


def _performance(report: Report) -> list[str]:
    ruler = report.ruler
    accuracy = ruler.accuracy
    if accuracy.estimate is None:
        return ["Accuracy on answers of known quality: n/a."]
    interval = (
        "" if accuracy.low is None or accuracy.high is None else
        f" (95% interval {text.exact(accuracy.low)} to {text.exact(accuracy.high)})"
    )  # fmt: skip
    return [
        f"Accuracy on answers of known quality: {text.exact(accuracy.estimate)}{interval}; chance 0.5, ideal 1;"
        f" {ruler.n_pairs} pairs of {ruler.n} prompts."
    ]


def _oversight(report: Report) -> list[str]:
    return [
        "Measured beside the reward, and no part of it: whether the reward moves with what is not quality. In SRD,"
        " within-prompt standard deviations of this model's own reward; 0 is ideal.",
        _table(outline.primary(report)),
    ]


def _failures(report: Report) -> list[str]:
    present = [finding for finding in report.findings_ if finding.verdict == "present"]
    lines = [f"* {inline(f'{_name(finding)}: {finding.statement}')} ({finding.severity})" for finding in present]
    untested = outline.untested(report)
    silent = (
        f"{len(untested)} of {len(report.coverage)} known challenges of learning from human feedback are without a"
        f" verdict here: {', '.join(inline(row.id) for row in untested)}."
    )
    return ["\n".join(lines) if lines else "No probe showed a bias; that is no proof of its absence.", silent]


def _explained(report: Report) -> list[str]:
    model = report.model
    if not model.attributes:
        return ["The reward is one number without parts that have a name."]
    adds = "add up to the reward" if model.additive else "come beside the reward"
    return [f"These attributes {adds}: {inline(', '.join(model.attributes))}."]


def _reward(report: Report) -> list[str]:
    model = report.model
    facts = [
        ("Format", model.format),
        ("Architecture", model.architecture),
        ("Head", model.head),
        ("Position read", model.pooling),
    ]
    return ["\n".join(f"* {label}: {inline(value) if value else 'not known'}" for label, value in facts)]


def _tricks(report: Report) -> list[str]:
    model = report.model
    facts = [
        *outline.scalar(model),
        ("Number type", model.dtype or "not known"),
        ("Template", model.template or "not known"),
        ("Longest conversation in tokens", "not known" if model.max_length is None else str(model.max_length)),
    ]
    return ["\n".join(f"* {label}: {inline(value)}" for label, value in facts)]


def _limitations(report: Report) -> list[str]:
    return ["\n".join(f"* {inline(caveat)}" for caveat in report.caveats)] if report.caveats else []


def _environment(report: Report) -> list[str]:
    settings, run = report.settings, report.run
    lines = [
        f"* {inline(f'Tier {settings.tier}, seed {settings.seed}; {run.conversations} conversations; {run.host}')}",
        f"* {inline(f'Panel {report.ruler.panel}, sha256 {report.ruler.panel_sha256}')}",
        *(f"* {inline(f'Suite {suite}, sha256 {digest}')}" for suite, digest in settings.suite_sha256.items()),
    ]
    return ["\n".join(lines)]


def _evaluations(report: Report) -> list[str]:
    return [_table(finding for section in outline.sections(report) for finding in section.findings)]


def _validity(report: Report) -> list[str]:
    return ["\n".join(f"* {inline(warning)}" for warning in report.warnings)] if report.warnings else []


def _standards(report: Report) -> list[str]:
    margins = sorted({text.exact(finding.margin) for finding in report.findings_})
    policy = f"{report.settings.policy} version {report.settings.policy_version}"
    return [
        f"Policy {inline(policy)}: an effect is negligible where it is shown to lie within the margin"
        f" ({', '.join(margins) or 'n/a'} SRD), and present where it is shown to lie beyond."
    ]


def _changelog(report: Report) -> list[str]:
    entry = (
        f"{report.run.finished[:10]}: audit of sha256 {text.short_identity(report.model.identity)}. {report.headline}"
    )
    return [f"* {inline(entry)}"]


def _table(findings: Iterable[Finding]) -> str:
    head = ["Probe", "Question", "Verdict", "Effect, SRD (95% interval)", "Clusters"]
    rows = [
        [
            inline(_name(finding)),
            inline(finding.title),
            text.VERDICTS[finding.verdict].label + (f", {finding.severity}" if finding.verdict == "present" else ""),
            text.with_interval(finding.srd, "({low} to {high})"),
            str(finding.n_clusters),
        ]
        for finding in findings
    ]
    lines: Sequence[Sequence[str]] = [head, ["---", "---", "---", "---:", "---:"], *rows]
    return "\n".join(f"| {' | '.join(cell or ' ' for cell in row)} |" for row in lines)


def _name(finding: Finding) -> str:
    return f"{finding.suite}/{finding.probe}"


def _ids(item: str, names: str) -> tuple[str, ...]:
    return tuple(f"{item}.{name}" for name in names.split())


SECTIONS: Final[Mapping[str, tuple[Section, ...]]] = {
    "System details": (
        Section("System owner", (*_ids("S3", "owner"), *_ids("S1", "auditor")), _owner),
        Section("Dates", _ids("S2", "accepted_on"), _dates),
        Section("Feedback and communication", _ids("S4", "contact distribution")),
        Section("Other resources", _ids("H1", "licences languages"), _resources),
    ),
    "Optimization intent": (
        Section("Goal of reinforcement", (*_ids("R1", "objective"), *_ids("S2", "intended_use out_of_scope"))),
        Section(
            "Defined performance metrics", (*_ids("H4", "criteria"), *_ids("R2", "accuracy accuracy_set")), _performance
        ),
        Section(
            "Oversight metrics",
            _ids("R2", "length format sycophancy confidence demographic refusal misgeneralization"),
            _oversight,
        ),
        Section(
            "Known failure modes",
            (
                *_ids("S2", "expected_failures mitigations accepted_by"),
                *_ids("R2", "red_teaming"),
                *_ids("P1", "overoptimisation"),
                *_ids("H1", "known_biases"),
                "S2",
            ),
            _failures,
        ),
    ),
    "Institutional interface": (
        Section("Deployment agency", _ids("P1", "policies")),
        Section(
            "Stakeholders",
            (*_ids("S2", "affected"), *_ids("H2", "evaluators number demographics representation"), "H2"),
        ),
        Section("Explainability and transparency", _ids("R1", "head identity"), _explained),
        Section("Recourse", _ids("S3", "recourse")),
    ),
    "Implementation": (
        Section(
            "Reward details",
            (*_ids("R1", "form loss margin ties label_smoothing disagreement"), *_ids("H4", "types scale ties"), "R1"),
            _reward,
        ),
        Section("Environment details", (*_ids("H4", "context"), *_ids("P1", "optimisation"))),
        Section(
            "Measurement details",
            (
                *_ids("H2", "recruitment screening pay training instructions wellbeing"),
                *_ids("H4", "interface"),
                *_ids("H5", "process labels_per_item agreement agreement_measure self_agreement disputed rejected"),
                *("H4", "H5"),
            ),
        ),
        Section(
            "Algorithmic details",
            (
                *_ids("H1", "base_model tokenizer training_before"),
                *_ids("R1", "method training_curve trained_on computation energy"),
                "H1",
            ),
        ),
        Section(
            "Data flow",
            (
                *_ids("H3", "datasets size origin sampling filters balance adversarial against_poisoning consent"),
                *_ids("H3", "deployment_gap collected_from collected_until"),
                *_ids("H1", "pretraining_data"),
                "H3",
            ),
        ),
        Section("Limitations", (), _limitations),
        Section("Engineering tricks", (), _tricks),
    ),
    "Evaluation": (
        Section("Evaluation environment", _ids("R2", "overlap"), _environment),
        Section(
            "Offline evaluations", (*_ids("R2", "benchmarks"), *_ids("S1", "internal external"), "R2"), _evaluations
        ),
        Section(
            "Evaluation validity", (*_ids("P1", "evaluations red_teaming dangerous_abilities variety"), "P1"), _validity
        ),
        Section(
            "Performance standards",
            (
                *_ids("S1", "this_audit independence access"),
                *_ids("S4", "independent_evaluation secure_evaluation weight_security"),
                "S1",
            ),
            _standards,
        ),
    ),
    "System maintenance": (
        Section("Reporting cadence", _ids("S3", "cadence next_review")),
        Section(
            "Update triggers",
            (*_ids("S3", "triggers monitoring correction"), *_ids("S4", "stages incidents"), "S3", "S4"),
        ),
        Section("Changelog", (), _changelog),
    ),
}
"""The authors' sections, and the questions of the disclosure list that each asks."""
