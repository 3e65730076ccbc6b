"""The report as Markdown, for pull requests, wikis and model cards. It carries the facts of the other formats.

Texts of models and datasets stand in code fences, or are escaped so that they stay text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from rmaudit.reporting import outline, text
from rmaudit.reporting.report import Report, SelfCheck
from rmaudit.suites.finding import Calibration, Estimate, Example, Finding

_SPECIAL = re.compile(r"([\\`*_\[\]|#~$])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
_OPENERS = re.compile(r"^([-+=:]|\d+(?=[.)]))")
_EXAMPLE_CHARACTERS = 1_500


def render(report: Report) -> bytes:
    """Render a report as GitHub-flavoured Markdown.

    Returns:
        UTF-8 bytes. No text from a model, a dataset or a file name can become a link, markup or a new line.
    """
    blocks = [
        f"# Reward model audit: {inline(report.model.source)}",
        f"**{inline(report.headline)}**",
        *_warnings(report),
        *_risks(report),
        _identity(report),
        *_effects(report),
        *_ruler(report),
        *_gaps(report),
        *(block for section in outline.sections(report) for block in _section(section)),
        *_coverage(report),
        *_disclosure(report),
        *_more("Preference data", report.feedback),
        *_more("Red team", report.redteam),
        *_model(report),
        *_methods(report),
        *_reproduce(report),
    ]
    return ("\n\n".join(blocks) + "\n").encode("utf-8")


def inline(value: str) -> str:
    """A text as one line that Markdown takes for plain words, wherever it stands."""
    value = text.one_line(value)
    value = "".join(_ENTITIES.get(character, character) for character in value)
    value = _SPECIAL.sub(r"\\\1", value)
    # Bare addresses would become links.
    value = re.sub(r"://", "&#58;//", value)
    value = re.sub(r"(?i)\bwww\.", "www&#46;", value)
    opener = _OPENERS.match(value)
    if opener:
        value = f"{opener[0]}\\{value[opener.end() :]}" if opener[0].isdigit() else f"\\{value}"
    return value


def fence(value: str) -> str:
    """A text in a code fence that is longer than any run of back-ticks in it."""
    value = text.clean(value, _EXAMPLE_CHARACTERS)
    longest = max((len(run) for run in re.findall(r"`+", value)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}text\n{value}\n{ticks}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    rule = ["---:" if index in right else "---" for index in range(len(head))]
    return "\n".join("| " + " | ".join(cell or " " for cell in row) + " |" for row in [head, rule, *rows])


def _number(value: float | None) -> str:
    return "n/a" if value is None else text.exact(value)


def _interval(estimate: Estimate) -> str:
    if estimate.low is None and estimate.high is None:
        return ""
    return f"{_number(estimate.low)} to {_number(estimate.high)}"


def _state(status: str) -> str:
    word = text.COVERAGE[status]
    return f"{word.mark} {word.label}"


def _severity(finding: Finding) -> str:
    return finding.severity if finding.verdict == "present" else "none"


def _warnings(report: Report) -> list[str]:
    if not report.warnings:
        return []
    return ["> **Read this first**\n>\n" + "\n".join(f"> * {inline(warning)}" for warning in report.warnings)]


def _risks(report: Report) -> list[str]:
    if not report.model.risks:
        return []
    return ["> **Risks of this checkpoint**\n>\n" + "\n".join(f"> * {inline(risk)}" for risk in report.model.risks)]


def _identity(report: Report) -> str:
    model = report.model
    facts = [
        f"sha256 {inline(text.short_identity(model.identity))}",
        f"format {inline(model.format)}",
        inline(model.architecture) if model.architecture else None,
        f"{text.count(model.parameters)} parameters" if model.parameters is not None else None,
        inline(model.dtype) if model.dtype else None,
        f"quantized to {inline(model.quantization)}" if model.quantization else None,
        f"{inline(report.settings.tier)} tier",
        f"{text.count(report.run.conversations)} conversations",
        inline(report.run.started[:10]),
    ]
    return " · ".join(fact for fact in facts if fact)


def _effects(report: Report) -> list[str]:
    findings = outline.primary(report)
    if not findings:
        return []
    rows = [
        [
            inline(text.name(finding.suite)),
            inline(finding.title),
            _state(finding.verdict),
            _severity(finding),
            text.with_interval(finding.srd, "({low} to {high})"),
            _number(finding.n_items),
            "n/a" if finding.detection_limit is None else text.fixed(finding.detection_limit),
        ]
        for finding in findings
    ]
    head = [
        "Suite",
        "Primary probe",
        "Verdict",
        "Severity",
        "Effect, SRD (95% interval)",
        "Items",
        "Limit of detection",
    ]
    return ["## Effects", "Effect on reward in SRD; 0 is ideal.", _table(head, rows, right=(4, 5, 6))]


def _calibration(facts: Calibration) -> list[str]:
    """Calibration and scale, and the reliability table."""
    numbers = [
        [
            inline(fact.title),
            _number(fact.estimate.estimate if fact.whole is None else fact.whole),
            _interval(fact.estimate),
            inline(fact.reason or fact.note),
        ]
        for fact in outline.calibration_facts(facts)
    ]
    blocks = ["### Calibration and scale", _table(["Fact", "Value", "95% interval", "Note"], numbers, right=(1, 2))]
    if facts.reliability:
        rows = [
            [
                f"{_number(entry.low)} to {_number(entry.high)}",
                _number(entry.confidence),
                _number(entry.accuracy.estimate),
                _interval(entry.accuracy),
                str(entry.n_pairs),
            ]
            for entry in facts.reliability
        ]
        head = ["Probability of the preferred order", "Mean", "Ordered as people do", "95% interval", "Pairs"]
        blocks.append(_table(head, rows, right=(1, 2, 3, 4)))
    return blocks


def _ruler(report: Report) -> list[str]:
    ruler = report.ruler
    blocks = ["## The ruler"]
    if ruler.tracks_quality is False:
        blocks.append(f"**{inline(text.RULER_LOST)}**")
    if ruler.reason:
        blocks.append(inline(ruler.reason))
    rows = [
        ["Panel accuracy (chance 0.5, ideal 1)", _number(ruler.accuracy.estimate), _interval(ruler.accuracy)],
        *[
            [f"Rule that reads no meaning: {inline(text.name(rule))}", _number(value), ""]
            for rule, value in ruler.baselines.items()
        ],
        *[
            [
                f"Accuracy on {inline(domain.domain)} ({domain.n_prompts} prompts, {domain.n_pairs} pairs)",
                _number(domain.accuracy.estimate),
                _interval(domain.accuracy),
            ]
            for domain in ruler.domains
        ],
        ["Within-prompt SD of reward (1 SRD)", _number(ruler.wsd), ""],
        ["Robust twin of it", _number(ruler.wsd_robust), ""],
        ["Good-versus-bad margin (exchange rate 1)", _number(ruler.gold_margin), ""],
        ["Temperature", _number(ruler.temperature), ""],
        ["Score noise", _number(ruler.score_noise), ""],
        [
            "Prompts, answers, pairs, errors",
            f"{ruler.n}, {ruler.n_responses}, {ruler.n_pairs}, {ruler.n_errors}",
            "",
        ],
    ]
    blocks.append(_table(["Fact", "Value", "95% interval"], rows, right=(1, 2)))
    if ruler.calibration:
        blocks += _calibration(ruler.calibration)
    if ruler.attributes:
        attribute_rows = [
            [
                inline(attribute.name),
                _number(attribute.accuracy.estimate),
                _interval(attribute.accuracy),
                _number(attribute.wsd),
                inline(attribute.reason or ""),
            ]
            for attribute in ruler.attributes
        ]
        head = ["Attribute", "Panel accuracy", "95% interval", "Within-prompt SD", "Note"]
        blocks.append(_table(head, attribute_rows, right=(1, 2, 3)))
    blocks.append(f"Panel {inline(ruler.panel)}, sha256 {inline(ruler.panel_sha256)}")
    return blocks


def _gaps(report: Report) -> list[str]:
    untested = outline.untested(report)
    parts = outline.completeness(report.disclosure)
    return [
        "## What is not known",
        f"{len(untested)} of {len(report.coverage)} known challenges are without a verdict in this run:"
        f" {', '.join(inline(row.id) for row in untested)}. Silence about them is not health.",
        f"Disclosure, of {parts.total} questions: {parts.measured} measured or read from files,"
        f" {parts.declared} declared by people, {parts.missing} missing ({parts.refused} of them refused).",
    ]


def _section(section: outline.Section) -> list[str]:
    blocks = [f"## {inline(text.name(section.suite))}", inline(section.question)]
    for finding in section.findings:
        blocks += _finding(finding)
    return blocks


def _finding(finding: Finding) -> list[str]:
    kind = "primary" if finding.primary else "secondary"
    blocks = [
        f"### {inline(finding.title)}",
        f"{_state(finding.verdict)} · severity {_severity(finding)} · {kind} probe"
        f" {inline(f'{finding.suite}/{finding.probe}')}",
        inline(finding.statement),
    ]
    if finding.reason:
        blocks.append(inline(finding.reason))
    rows = []
    for unit in (*text.UNITS, *text.CONTROLS):
        estimate: Estimate = getattr(finding, unit.field)
        ideal = "0.5" if unit.ideal == "50%" else "0"
        rows.append([unit.label, _number(estimate.estimate), _interval(estimate), ideal, unit.meaning])
    blocks.append(
        _table(["In units of", "Estimate", "95% interval", "No effect", "What it says"], rows, right=(1, 2, 3))
    )
    blocks += [f"Not available: {units}. {inline(reason)}" for units, reason in outline.missing_units(finding)]
    facts: list[tuple[str, float | None]] = [
        ("items", finding.n_items),
        ("clusters", finding.n_clusters),
        ("errors", finding.n_errors),
        ("too long", finding.n_truncated),
        ("ties", finding.n_ties),
        ("margin", finding.margin),
        ("limit of detection", finding.detection_limit),
        ("p of the effect", finding.p_value),
        (f"adjusted p ({inline(finding.correction)})", finding.p_adjusted),
        ("p of equivalence", finding.equivalence_p),
        ("clusters that would settle it", finding.clusters_needed),
    ]
    blocks.append(" · ".join(f"{label} {_number(value)}" for label, value in facts))
    blocks += _spike(finding)
    if finding.groups:
        group_rows = [
            [
                inline(group.name),
                inline(group.margin),
                _number(group.srd.estimate),
                _interval(group.srd),
                _number(group.n_units),
                _number(group.n_items),
            ]
            for group in finding.groups
        ]
        head = ["Group", "By", "Difference, SRD", "95% interval", "Names", "Items"]
        blocks.append(_table(head, group_rows, right=(2, 3, 4, 5)))
    blocks += _details(finding)
    blocks += _attributes(finding)
    blocks.append(
        "\n".join(
            [
                f"* Question: {inline(finding.question)}",
                f"* Design: {inline(finding.design)}; unit: {inline(finding.unit)}",
                f"* Formula: {inline(finding.formula)}",
                f"* {text.DIRECTIONS[finding.direction_of_bias]}",
                *([f"* Limits: {inline(finding.limits)}"] if finding.limits else []),
                *(f"* Published: {inline(f'{entry.value} ({entry.source})')}" for entry in finding.published),
                *(f"* Source: {inline(citation)}" for citation in finding.citations),
                f"* The probe in full, with items: {inline(f'rmaudit probes show {finding.suite}/{finding.probe}')}",
            ]
        )
    )
    shown = finding.examples[: outline.MOST_EXAMPLES]
    if shown:
        note = "The texts may offend. " if finding.sensitive else ""
        examples = "\n\n".join(block for example in shown for block in _example(example))
        opening = f"<details><summary>{note}Examples ({len(shown)})</summary>"
        blocks.append(f"{opening}\n\n{text.REWARD_NOTE}\n\n{examples}\n\n</details>")
    return blocks


def _spike(finding: Finding) -> list[str]:
    """What became of effects that were added to the model's own rewards."""
    if finding.spike is None:
        return []
    spike = finding.spike
    rows = [[_number(entry.size), _number(entry.recovered), _number(entry.detected)] for entry in spike.added]
    table = _table(["Added, SRD", "Recovered", "Share called present"], rows, right=(0, 1, 2))
    told = (
        f"Slope {_number(spike.slope)} (ideal 1); coverage {_number(spike.coverage)} (ideal 0.95). The limit"
        f" of detection is where the share called present reaches {_number(spike.detection_share)} of the repeats."
    )
    return [f"<details><summary>{text.SPIKE_TITLE}</summary>\n\n{told}\n\n{table}\n\n</details>"]


def _details(finding: Finding) -> list[str]:
    """Further numbers: one row each, and one for each value of those that have several."""
    if not finding.details:
        return []
    rows, notes = [], []
    for detail in finding.details:
        title, unit, ideal = inline(detail.title), inline(detail.unit), inline(detail.ideal or "")
        if not detail.values or detail.estimate.estimate is not None:
            rows.append([title, "", _number(detail.estimate.estimate), _interval(detail.estimate), "", unit, ideal])
        for value in detail.values:
            number, clusters = value.estimate, _number(value.n_clusters)
            label = inline(value.label)
            rows.append([title, label, _number(number.estimate), _interval(number), clusters, unit, ideal])
        notes += [f"* {title}: {inline(words)}" for words in (detail.formula, detail.note, detail.reason) if words]
    head = ["Further numbers", "Level", "Estimate", "95% interval", "Clusters", "Unit", "Ideal"]
    return [_table(head, rows, right=(2, 3, 4)), "\n".join(notes)]


def _attributes(finding: Finding) -> list[str]:
    if not finding.attributes:
        return []
    split = any(effect.share is not None for effect in finding.attributes)
    rows = [
        [
            inline(effect.name),
            _number(effect.srd.estimate),
            _interval(effect.srd),
            *([_number(effect.share)] if split else []),
        ]
        for effect in outline.attributes(finding)
    ]
    head = ["Attribute", "Effect, own SRD", "95% interval", *(["Share of the effect"] if split else [])]
    carriers = finding.carried_by
    told = f", carried by {', '.join(map(inline, carriers.names))} ({_number(carriers.share)})" if carriers else ""
    blocks = [
        f"<details><summary>Attributes ({len(rows)}){told}</summary>",
        f"{text.ATTRIBUTES_NOTE} {text.SHARES_NOTE}" if split else text.ATTRIBUTES_NOTE,
        _table(head, rows, right=(1, 2, 3)),
        *(
            f"{inline(names)}: {inline(reason)}" if names else inline(reason)
            for names, reason in outline.attribute_notes(finding)
        ),
    ]
    return ["\n\n".join([*blocks, "</details>"])]


def _example(example: Example) -> list[str]:
    blocks = [
        f"**{text.EXAMPLE_KINDS[example.kind]}**: effect {_number(example.effect)} SRD, item {inline(example.item)}"
        + (f", from {inline(example.source)}" if example.source else "")
    ]
    if example.prompt:
        blocks += ["Prompt", fence(example.prompt)]
    for arm in example.arms:
        blocks += [
            f"{inline(arm.role)} ({inline(arm.arm)}), reward {_number(arm.reward)} SRD",
            fence(arm.response),
        ]
    return blocks


def _coverage(report: Report) -> list[str]:
    rows = [
        [
            inline(row.id),
            inline(row.challenge),
            _state(outline.coverage_status(row)),
            inline(", ".join(row.measured_by)),
            inline(row.reason),
            inline(row.field),
        ]
        for row in report.coverage
    ]
    head = ["No.", "Challenge", "Status", "Measured by", "Reason", "Feeds"]
    return [
        "## Coverage",
        "Challenges of learning from human feedback (Casper et al. 2023).",
        _table(head, rows),
    ]


def _disclosure(report: Report) -> list[str]:
    rows = [
        [
            inline(item.id),
            inline(item.title),
            text.PROVENANCE[item.provenance].label,
            inline(item.value) if item.value is not None else "",
            inline(item.reason) if item.reason else "not provided" if item.value is None else "",
            inline(item.evidence) if item.evidence else "",
        ]
        for item in report.disclosure
    ]
    head = ["Item", "What is disclosed", "Where it comes from", "Value", "Note", "Evidence"]
    return ["## Disclosure", _table(head, rows)]


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
            lines.append(f"{indent}* {label}{_number(entry)}")
        else:
            lines.append(f"{indent}* {label}{inline(str(entry))}")
    return lines


def _model(report: Report) -> list[str]:
    model = report.model
    facts = [
        ("Source", model.source),
        ("Identity (sha256)", model.identity),
        ("Revision", model.revision),
        ("Format", model.format),
        ("Architecture", model.architecture),
        ("Head", model.head),
        ("Position read", model.pooling),
        *outline.scalar(model),
        ("Number type", model.dtype),
        ("Template", model.template),
        ("Parameters", None if model.parameters is None else str(model.parameters)),
        ("Longest conversation in tokens", None if model.max_length is None else str(model.max_length)),
        *(("Evidence", fact) for fact in model.evidence),
        *(("Risk", risk) for risk in model.risks),
    ]
    if model.attributes:
        adds = "they add up to the reward" if model.additive else "each a reading of its own"
        facts.append((f"Attributes, {adds}", ", ".join(model.attributes)))
    blocks = [
        "## The model",
        "\n".join(f"* {label}: {'not known' if value is None else inline(value)}" for label, value in facts),
    ]
    if model.self_test:
        results = {None: "not applicable", True: "passed", False: "**failed**"}
        rows = [
            [
                inline(check.name),
                results[check.passed] + _accepted(check),
                inline(check.detail),
                _number(check.worst_difference),
            ]
            for check in model.self_test
        ]
        blocks.append(_table(["Self-test", "Result", "Detail", "Largest difference"], rows, right=(3,)))
    return blocks


def _accepted(check: SelfCheck) -> str:
    return ", accepted by the user" if check.accepted else ""


def _methods(report: Report) -> list[str]:
    blocks = [
        "## Methods and limits",
        "\n".join(f"* **{term}**: {meaning}" for term, meaning in text.METHODS),
    ]
    if report.caveats:
        blocks += ["### Caveats", "\n".join(f"* {inline(caveat)}" for caveat in report.caveats)]
    return blocks


def _from_store(report: Report) -> str:
    run = report.run
    others = f", {run.from_other_batches} of them first scored in other batches" if run.from_other_batches else ""
    return f"{run.from_store} rewards are from the score store, and were not computed in this run{others}"


_SELF_TEST_FROM_STORE = "The self-test was passed in an earlier run of the same model, and is told from the score store"


def _reproduce(report: Report) -> list[str]:
    run, settings = report.run, report.settings
    facts = [
        f"Run {inline(run.id)}, {inline(run.started)} to {inline(run.finished)}"
        f" ({_number(run.seconds)} s), on {inline(run.host)}; engine {inline(run.engine)}",
        f"{run.conversations} conversations, {run.unique_conversations} of them different,"
        f" {'n/a' if run.tokens is None else run.tokens} tokens",
        *([_from_store(report)] if run.from_store else []),
        *([_SELF_TEST_FROM_STORE] if run.self_test_from_store else []),
        f"Tier {inline(settings.tier)}, seed {settings.seed}, policy {inline(settings.policy)} version"
        f" {settings.policy_version}",
        "Severity begins at " + ", ".join(f"{_number(srd)} SRD ({name})" for name, srd in settings.bands.items()),
        *(f"Suite {inline(suite)}: sha256 {inline(digest)}" for suite, digest in settings.suite_sha256.items()),
        *(f"{inline(package)} {inline(version)}" for package, version in run.versions.items()),
    ]
    return [
        "## Reproduce",
        fence(run.command),
        "From the stored scores alone, without the model:",
        fence("rmaudit verify RUN"),
        "\n".join(f"* {fact}" for fact in facts),
    ]
