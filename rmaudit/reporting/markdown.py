"""The report as Markdown, for pull requests, wikis and model cards. It carries the facts of the other formats.

Texts of models and datasets stand in code fences, or are escaped so that they stay text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rmaudit.disclosure.records import Declaration, DisclosureField
from rmaudit.reporting import chapters, markdown_finding, outline, text
from rmaudit.reporting.allowance import allowance
from rmaudit.reporting.audience import READINGS, Audience, Reading
from rmaudit.reporting.gfm import bullets, effect, fence, folded, inline, interval, number, quoted, state, table
from rmaudit.reporting.report import Report, SelfCheck
from rmaudit.suites.finding import Calibration

__all__ = ["fence", "inline", "render"]


def render(report: Report, audience: Audience = Audience.engineer) -> bytes:
    """Render a report as GitHub-flavoured Markdown.

    Args:
        report: the audit.
        audience: who it is for: changes order and depth, never a number.

    Returns:
        UTF-8 bytes. No text from a model, a dataset or a file name can become a link, markup or a new line.
    """
    reading = READINGS[audience]
    parts: dict[str, Callable[[], list[str]]] = {
        "coverage": lambda: _coverage(report),
        "methods": lambda: _methods(report),
        "reproduce": lambda: _reproduce(report),
    }
    found = chapters.chapters(report)
    blocks = [*_cover(report, reading)]
    for name in reading.order:
        blocks += parts[name]() if name in parts else _chapter(report, found[name], reading)
    blocks += [*_more("Preference data", report.feedback), *_more("Red team", report.redteam)]
    if reading.secondary_apart:
        blocks += _secondary(report, reading)
    blocks += _crosswalk(report)
    return ("\n\n".join(blocks) + "\n").encode("utf-8")


def _cover(report: Report, reading: Reading) -> list[str]:
    verdict, rest = text.first_sentence(report.headline)
    blocks = [f"# Reward model audit: {inline(report.model.source)}", _identity(report, reading)]
    blocks += [f"**{inline(verdict)}**{f' {inline(rest)}' if rest else ''}"]
    if report.contradictions:
        blocks.append(
            quoted(
                "Declared, and contradicted by a measurement",
                (
                    f"Declared{f' by {inline(entry.asserted_by)}' if entry.asserted_by else ''}:"
                    f" {inline(entry.declared)} · Measured: {inline(entry.measured)} · {inline(entry.field)}"
                    f" against {inline(entry.evidence)}"
                    for entry in report.contradictions
                ),
            )
        )
    warnings = chapters.warnings(report)
    blocks += [quoted("Read this first", map(inline, warnings))] if warnings else []
    blocks += [quoted("Risks of this checkpoint", map(inline, report.model.risks))] if report.model.risks else []
    return [*blocks, *_known(report), *_effects(report)]


def _identity(report: Report, reading: Reading) -> str:
    model = report.model
    facts = [
        f"sha256 {inline(text.short_identity(model.identity))}",
        f"format {inline(model.format)}",
        inline(model.architecture) if model.architecture else None,
        f"{number(model.parameters, 'count')} parameters" if model.parameters is not None else None,
        inline(model.dtype) if model.dtype else None,
        f"quantized to {inline(model.quantization)}" if model.quantization else None,
        f"{inline(report.settings.tier)} tier",
        f"{number(report.run.conversations, 'count')} conversations",
        inline(report.run.started[:10]),
        reading.label,
    ]
    return " · ".join(fact for fact in facts if fact)


def _known(report: Report) -> list[str]:
    untested = outline.untested(report)
    parts = outline.completeness(report.disclosure)
    refused = f" ({parts.refused} of them refused)" if parts.refused else ""
    return [
        bullets(
            [
                f"Does it tell good from bad? {effect(report.ruler.accuracy, 'share')} of panel pairs ordered as people"
                " order them; chance is 50%.",
                f"What was not tested: {len(untested)} of {len(report.coverage)} known challenges have no verdict here."
                " Silence about them is not health.",
                f"What was disclosed: {parts.measured} measured or read from files, {parts.declared} declared by"
                f" people, {parts.missing} missing{refused}.",
            ]
        )
    ]


def _effects(report: Report) -> list[str]:
    findings = outline.primary(report)
    if not findings:
        return []
    head = [
        "Suite",
        "Primary probe",
        "Verdict",
        "Severity",
        "Effect, SRD (95% interval)",
        "Placebo",
        "Detectable from",
    ]
    rows = [markdown_finding.row(finding) for finding in findings]
    return [
        "## The suites at a glance",
        "Effect on reward of the primary probe of each suite, in SRD; 0 is ideal.",
        table(head, rows, right=(4, 5, 6)),
    ]


def _chapter(report: Report, chapter: chapters.Chapter, reading: Reading) -> list[str]:
    blocks = [f"## {chapter.heading}"]
    for entry in chapter.entries:
        blocks += _entry(entry, reading)
        blocks += _model(report) if entry.item.id == "R1" else []
        blocks += _findings(report, reading) if entry.item.id == "R2" else []
    if chapter.heading == "Reward model":
        ids = {entry.item.id for entry in chapter.entries}
        blocks += [] if "R1" in ids else ["### Form", *_model(report)]
        blocks += [] if "R2" in ids else ["### Evaluation", *_findings(report, reading)]
    return blocks


def _entry(entry: chapters.Entry, reading: Reading) -> list[str]:
    blocks = [f"### {inline(entry.item.id)} {inline(entry.item.title)}"]
    blocks += [inline(entry.question)] if entry.question else []
    blocks += [f"What silence hides: {inline(entry.risk)}"] if entry.risk else []
    rows = [
        [
            inline(question.question) if first else "",
            _about(question) if first else "",
            text.PROVENANCE[answer.provenance].label,
            _answer(answer),
            inline(answer.evidence or ""),
            inline(", ".join(filter(None, (answer.asserted_by, answer.date)))),
        ]
        for question in entry.questions
        for first, answer in zip([True, *[False] * len(question.answers)], question.answers, strict=False)
    ]
    told = ", ".join(f"{n} {text.PROVENANCE[kind].label.lower()}" for kind, n in chapters.provenances(entry.answers))
    counted = f"{len(entry.questions)} question{'' if len(entry.questions) == 1 else 's'}: {told}"
    head = ["Question", "Id", "From", "Answer", "Evidence", "Asserted by"]
    return [*blocks, folded(counted, [table(head, rows)], "fields" in reading.open)]


def _about(question: chapters.Question) -> str:
    public = question.audience == text.AUDIENCES["public"]
    return inline(question.id) if public else f"{inline(question.id)}, {question.audience}"


def _answer(answer: DisclosureField) -> str:
    told = [answer.value, answer.reason]
    return " · ".join(inline(words) for words in told if words) or "not provided"


def _findings(report: Report, reading: Reading) -> list[str]:
    allowed = allowance(report.findings_)
    blocks = []
    n_secondary = sum(not finding.primary for finding in report.findings_)
    if reading.secondary_apart and n_secondary:
        blocks.append(f"{n_secondary} secondary findings stand in the appendix.")
    for section in outline.sections(report):
        blocks += [f"#### {inline(text.name(section.suite))}", inline(section.question)]
        for finding in section.findings:
            if finding.primary or not reading.secondary_apart:
                blocks += markdown_finding.blocks(finding, reading, allowed, 5)
    return [*blocks, *_ruler(report, reading)]


def _secondary(report: Report, reading: Reading) -> list[str]:
    allowed = allowance(report.findings_)
    blocks = []
    for section in outline.sections(report):
        apart = [finding for finding in section.findings if not finding.primary]
        blocks += [f"### {inline(text.name(section.suite))}"] if apart else []
        for finding in apart:
            blocks += markdown_finding.blocks(finding, reading, allowed, 4)
    return ["## Appendix: secondary findings", *blocks] if blocks else []


def _ruler(report: Report, reading: Reading) -> list[str]:
    ruler = report.ruler
    blocks = ["#### The ruler"]
    if ruler.tracks_quality is False:
        blocks.append(f"**{inline(text.RULER_LOST)}**")
    if ruler.reason:
        blocks.append(inline(ruler.reason))
    accuracy = [
        ["This model", number(ruler.accuracy.estimate, "share"), interval(ruler.accuracy, "share")],
        *[
            [f"Rule that reads no meaning: {inline(text.name(rule))}", number(value, "share"), ""]
            for rule, value in ruler.baselines.items()
        ],
        *[
            [
                f"{inline(domain.domain)} ({number(domain.n_prompts, 'count')} prompts,"
                f" {number(domain.n_pairs, 'count')} pairs)",
                number(domain.accuracy.estimate, "share"),
                interval(domain.accuracy, "share"),
            ]
            for domain in ruler.domains
        ],
    ]
    blocks.append(table(["Panel pairs ordered as people order them", "Share", "95% interval"], accuracy, right=(1, 2)))
    scale = [
        f"Within-prompt SD of reward (1 SRD): {number(ruler.wsd, 'raw')}",
        f"Robust twin of it: {number(ruler.wsd_robust, 'raw')}",
        f"Good-versus-bad margin (exchange rate 1): {number(ruler.gold_margin, 'raw')}",
        f"Temperature: {number(ruler.temperature, 'raw')}",
        f"Score noise: {number(ruler.score_noise, 'raw')}",
        f"Panel: {number(ruler.n, 'count')} prompts, {number(ruler.n_responses, 'count')} answers,"
        f" {number(ruler.n_pairs, 'count')} pairs, {number(ruler.n_errors, 'count')} errors",
        f"Panel {inline(ruler.panel)}, sha256 {inline(ruler.panel_sha256)}",
    ]
    more = [bullets(scale), *(_calibration(ruler.calibration) if ruler.calibration else []), *_attributes(report)]
    return [*blocks, folded("Scale and calibration", more, "ruler" in reading.open)]


def _calibration(facts: Calibration) -> list[str]:
    rows = [
        [
            inline(fact.title),
            number(fact.estimate.estimate) if fact.whole is None else number(fact.whole, "count"),
            interval(fact.estimate, "plain"),
            inline(fact.reason or fact.note),
        ]
        for fact in outline.calibration_facts(facts)
    ]
    blocks = [table(["Calibration and scale", "Value", "95% interval", "Note"], rows, right=(1, 2))]
    if facts.reliability:
        rows = [
            [
                f"{number(entry.low)} to {number(entry.high)}",
                number(entry.confidence),
                number(entry.accuracy.estimate),
                interval(entry.accuracy, "plain"),
                number(entry.n_pairs, "count"),
            ]
            for entry in facts.reliability
        ]
        head = ["Probability of the preferred order", "Mean", "Ordered as people do", "95% interval", "Pairs"]
        blocks.append(table(head, rows, right=(1, 2, 3, 4)))
    return blocks


def _attributes(report: Report) -> list[str]:
    rows = [
        [
            inline(attribute.name),
            number(attribute.accuracy.estimate, "share"),
            interval(attribute.accuracy, "share"),
            number(attribute.wsd, "raw"),
            inline(attribute.reason or ""),
        ]
        for attribute in report.ruler.attributes
    ]
    head = ["Attribute", "Panel accuracy", "95% interval", "Within-prompt SD", "Note"]
    return [table(head, rows, right=(1, 2, 3))] if rows else []


def _coverage(report: Report) -> list[str]:
    rows = [
        [
            inline(row.id),
            inline(row.challenge),
            state(outline.coverage_status(row)),
            inline(", ".join(row.measured_by)),
            inline(row.reason),
            inline(row.field),
        ]
        for row in report.coverage
    ]
    head = ["No.", "Challenge", "Status", "Measured by", "Reason", "Feeds"]
    return ["## Coverage", "Challenges of learning from human feedback (Casper et al. 2023).", table(head, rows)]


def _more(title: str, value: dict[str, Any] | None) -> list[str]:
    return [] if value is None else [f"## {title}", "\n".join(_tree(value))]


def _tree(value: Any, depth: int = 0) -> list[str]:
    """What another part of the toolkit found, as nested lists."""
    indent = "  " * depth
    if isinstance(value, dict):
        pairs = [(f"{inline(str(key))}: ", entry) for key, entry in value.items()]
    else:
        pairs = [("", entry) for entry in value[: outline.MOST_EXAMPLES]]
    lines = []
    for label, entry in pairs:
        if isinstance(entry, dict | list):
            lines += [f"{indent}* {label}".rstrip(), *_tree(entry, depth + 1)]
        elif isinstance(entry, bool) or entry is None:
            lines.append(f"{indent}* {label}{'n/a' if entry is None else 'yes' if entry else 'no'}")
        elif isinstance(entry, int | float):
            lines.append(f"{indent}* {label}{number(entry, 'raw')}")
        else:
            lines.append(f"{indent}* {label}{inline(str(entry))}")
    if isinstance(value, list) and len(value) > outline.MOST_EXAMPLES:
        lines.append(f"{indent}* {len(value) - outline.MOST_EXAMPLES} more in report.json")
    return lines


def _model(report: Report) -> list[str]:
    model = report.model
    (sign, signed), *scalar = outline.scalar(model)
    facts = [
        ("Source", model.source),
        ("Identity (sha256)", model.identity),
        ("Revision", model.revision),
        ("Format", model.format),
        ("Architecture", model.architecture),
        ("Head", model.head),
        ("Position read", model.pooling),
        (sign, f"{signed} ({number(model.sign, 'name')})"),
        *scalar,
        ("Number type", model.dtype),
        ("Template", model.template),
        ("Parameters", None if model.parameters is None else number(model.parameters, "count")),
        ("Longest conversation in tokens", None if model.max_length is None else number(model.max_length, "count")),
        *(("Evidence", fact) for fact in model.evidence),
        *(("Risk", risk) for risk in model.risks),
    ]
    if model.attributes:
        adds = "they add up to the reward" if model.additive else "each a reading of its own"
        facts.append((f"Attributes, {adds}", ", ".join(model.attributes)))
    blocks = [
        "#### As recognised from its files",
        bullets(f"{label}: {'not known' if value is None else inline(value)}" for label, value in facts),
    ]
    if model.self_test:
        results = {None: "not applicable", True: "passed", False: "**failed**"}
        rows = [
            [
                inline(check.name),
                results[check.passed] + _accepted(check),
                inline(check.detail),
                number(check.worst_difference, "raw"),
            ]
            for check in model.self_test
        ]
        blocks.append(table(["Self-test", "Result", "Detail", "Largest difference"], rows, right=(3,)))
    return blocks


def _accepted(check: SelfCheck) -> str:
    return ", accepted by the user" if check.accepted else ""


def _methods(report: Report) -> list[str]:
    settings = report.settings
    bands = ", ".join(f"{number(srd)} SRD ({inline(band)})" for band, srd in settings.bands.items())
    blocks = [
        "## Methods and limits",
        bullets(f"**{term}**: {meaning}" for term, meaning in text.METHODS),
        "### Units",
        bullets(f"**{unit.label}**: {unit.meaning} No effect: {unit.ideal}." for unit in text.UNITS + text.CONTROLS),
        "### Severity",
        f"Severity begins at {bands}, by {inline(settings.policy)} policy, version"
        f" {number(settings.policy_version, 'name')}.",
    ]
    if report.caveats:
        blocks += ["### Limits", bullets(map(inline, report.caveats))]
    return blocks


def _from_store(report: Report) -> str:
    run = report.run
    others = (
        f", {number(run.from_other_batches, 'count')} of them first scored in other batches"
        if run.from_other_batches
        else ""
    )
    return f"{number(run.from_store, 'count')} rewards are from the score store, not computed in this run{others}"


_SELF_TEST_FROM_STORE = "The self-test was passed in an earlier run of the same model, and is told from the score store"


def _declared_in(declaration: Declaration) -> str:
    model = f"model {declaration.model}" if declaration.model else "a model that it does not name by its hash"
    facts = [
        f"{inline(declaration.file)}, sha256 {inline(declaration.sha256)}",
        f"version {number(declaration.standard, 'name')} of the list",
        f"by {inline(declaration.by)}" if declaration.by else None,
        inline(declaration.date) if declaration.date else None,
        f"about {inline(model)}",
    ]
    return f"Declaration {'; '.join(fact for fact in facts if fact)}"


def _reproduce(report: Report) -> list[str]:
    run, settings = report.run, report.settings
    facts = [
        f"Run {inline(run.id)}, {inline(run.started)} to {inline(run.finished)}"
        f" ({number(run.seconds, 'seconds')}), on {inline(run.host)}; engine {inline(run.engine)}",
        f"{number(run.conversations, 'count')} conversations, {number(run.unique_conversations, 'count')} of them"
        f" different, {number(run.tokens, 'count')} tokens",
        *([_from_store(report)] if run.from_store else []),
        *([_SELF_TEST_FROM_STORE] if run.self_test_from_store else []),
        f"Tier {inline(settings.tier)}, seed {number(settings.seed, 'name')}, policy {inline(settings.policy)} version"
        f" {number(settings.policy_version, 'name')}",
        *([_declared_in(report.declaration)] if report.declaration else []),
        *(f"Suite {inline(suite)}: sha256 {inline(digest)}" for suite, digest in settings.suite_sha256.items()),
        *(f"{inline(package)} {inline(version)}" for package, version in run.versions.items()),
    ]
    return [
        "## Reproduce",
        fence(run.command),
        "From the stored scores alone, without the model:",
        fence("rmaudit verify RUN"),
        bullets(facts),
    ]


def _crosswalk(report: Report) -> list[str]:
    rows = [
        [f"{inline(row.item)} {inline(row.title)}", inline(row.format), inline("; ".join(row.places))]
        for row in chapters.crosswalk(report)
    ]
    if not rows:
        return []
    return [
        "## Appendix: crosswalk",
        "Where other formats ask for the same. An item supports the place named; it is no claim of compliance.",
        table(["Item", "Format", "Supports"], rows),
    ]
