"""One finding as Markdown: what was asked and found, and everything else behind clicks."""

from __future__ import annotations

from rmaudit.reporting import outline, text
from rmaudit.reporting.allowance import Allowance
from rmaudit.reporting.audience import Reading
from rmaudit.reporting.gfm import bullets, effect, fence, folded, inline, interval, number, state, table
from rmaudit.suites.finding import Estimate, Example, Finding


def severity(finding: Finding) -> str:
    """The severity where a bias is present."""
    return finding.severity if finding.verdict == "present" else "none"


def blocks(finding: Finding, reading: Reading, allowed: Allowance, level: int) -> list[str]:
    """The blocks of a finding under a heading of the given level."""

    def unfolded(name: str) -> bool:
        return name in reading.open and finding.primary

    kind = "primary" if finding.primary else "secondary"
    found = [
        f"{'#' * level} {inline(finding.title)}",
        f"{state(finding.verdict)} · severity {severity(finding)} · {kind} probe"
        f" {inline(f'{finding.suite}/{finding.probe}')}",
        inline(finding.statement),
    ]
    if finding.reason:
        found.append(inline(finding.reason))
    found.append(_beside_placebo(finding))
    if finding.histogram:
        found.append(f"Effect item by item: `{text.sparkline(finding.histogram.counts)}`")
    if finding.groups:
        found.append(_groups(finding))
    found.append(folded("How it was measured", [_method(finding)], unfolded("method")))
    found.append(folded("Units, counts and tests", _units(finding), unfolded("figures")))
    if finding.details:
        found.append(folded("Further numbers", _details(finding), unfolded("more")))
    if finding.attributes:
        found.append(_attributes(finding, unfolded("more")))
    shown = allowed.shown(finding)
    if shown:
        found.append(_examples(finding, shown, allowed, unfolded("examples") and not finding.sensitive))
    return found


def _beside_placebo(finding: Finding) -> str:
    rows = [["Effect", number(finding.srd.estimate, "srd"), interval(finding.srd)]]
    if finding.placebo_srd.estimate is not None:
        rows += [
            [unit.label, number(estimate.estimate, "srd"), interval(estimate)]
            for unit, estimate in zip(text.CONTROLS, (finding.placebo_srd, finding.adjusted_srd), strict=True)
        ]
    rows.append(["Limit of detection", number(finding.detection_limit), ""])
    return table(["In SRD; ideal 0", "Estimate", "95% interval"], rows, right=(1, 2))


def _groups(finding: Finding) -> str:
    rows = [
        [
            inline(group.name),
            inline(group.margin),
            number(group.srd.estimate, "srd"),
            interval(group.srd),
            number(group.n_units, "count"),
            number(group.n_items, "count"),
        ]
        for group in finding.groups
    ]
    return table(["Group", "By", "Difference, SRD", "95% interval", "Names", "Items"], rows, right=(2, 3, 4, 5))


def _method(finding: Finding) -> str:
    return bullets(
        [
            f"Question: {inline(finding.question)}",
            f"Design: {inline(finding.design)}",
            f"Formula: {inline(finding.formula)}",
            f"Unit: {inline(finding.unit)}",
            f"Ideal value: 0 SRD. {text.DIRECTIONS[finding.direction_of_bias]}",
            *([f"Limits: {inline(finding.limits)}"] if finding.limits else []),
            *(f"Published: {inline(f'{entry.value} ({entry.source})')}" for entry in finding.published),
            *(f"Source: {inline(citation)}" for citation in finding.citations),
            f"In full, with items: {inline(f'rmaudit probes show {finding.suite}/{finding.probe}')}",
        ]
    )


def _units(finding: Finding) -> list[str]:
    rows = []
    for unit in text.UNITS:
        estimate: Estimate = getattr(finding, unit.field)
        style = "share" if unit.is_share else "srd"
        rows.append([unit.label, number(estimate.estimate, style), interval(estimate, style), unit.ideal])
    found = [table(["Unit", "Estimate", "95% interval", "No effect"], rows, right=(1, 2, 3))]
    found += [f"Not available: {units}. {inline(reason)}" for units, reason in outline.missing_units(finding)]
    counts = [
        ("items", finding.n_items),
        ("clusters", finding.n_clusters),
        ("left out", finding.n_errors + finding.n_truncated),
        ("errors", finding.n_errors),
        ("too long", finding.n_truncated),
        ("ties", finding.n_ties),
    ]
    correction = f" ({inline(finding.correction)})" if finding.correction else ""
    facts = [
        *(f"{label} {number(value, 'count')}" for label, value in counts),
        f"margin ±{number(finding.margin)}",
        f"p of the effect {number(finding.p_value, 'p')}",
        f"adjusted p {number(finding.p_adjusted, 'p')}{correction}",
        f"p of equivalence {number(finding.equivalence_p, 'p')}",
    ]
    if finding.clusters_needed is not None:
        facts.append(f"would be settled by {number(finding.clusters_needed, 'count')} clusters")
    found.append(" · ".join(facts))
    return [*found, *_spike(finding), *_histogram(finding)]


def _spike(finding: Finding) -> list[str]:
    """What became of effects that were added to the model's own rewards."""
    if finding.spike is None:
        return []
    spike = finding.spike
    rows = [[number(entry.size), number(entry.recovered), number(entry.detected, "share")] for entry in spike.added]
    told = (
        f"{text.SPIKE_TITLE}: recovered with slope {number(spike.slope)} (ideal 1), held by"
        f" {number(spike.coverage, 'share')} of intervals. The limit of detection is where"
        f" {number(spike.detection_share, 'share')} of repeats call the effect present."
    )
    return [told, table(["Added, SRD", "Recovered", "Called present"], rows, right=(0, 1, 2))]


def _histogram(finding: Finding) -> list[str]:
    if finding.histogram is None:
        return []
    edges = ", ".join(number(edge) for edge in finding.histogram.edges)
    counts = ", ".join(number(n, "count") for n in finding.histogram.counts)
    return [f"Items by size of effect: edges {edges} SRD; items {counts}"]


def _details(finding: Finding) -> list[str]:
    """Further numbers: one row each, and one for each value of those that have several."""
    rows, notes = [], []
    for detail in finding.details:
        title, unit, ideal = inline(detail.title), inline(detail.unit), inline(detail.ideal or "")
        if not detail.values or detail.estimate.estimate is not None:
            values = [number(detail.estimate.estimate), interval(detail.estimate, "plain")]
            rows.append([title, "all", *values, "", unit, ideal])
        for value in detail.values:
            values = [number(value.estimate.estimate), interval(value.estimate, "plain")]
            rows.append([title, inline(value.label), *values, number(value.n_clusters, "count"), unit, ideal])
        notes += [f"{title}: {inline(words)}" for words in (detail.formula, detail.note, detail.reason) if words]
    head = ["Further numbers", "Level", "Estimate", "95% interval", "Clusters", "Unit", "Ideal"]
    return [table(head, rows, right=(2, 3, 4)), bullets(notes)]


def _attributes(finding: Finding, open: bool) -> str:
    effects = outline.attributes(finding)
    split = any(entry.share is not None for entry in effects)
    rows = [
        [
            inline(entry.name),
            number(entry.srd.estimate, "srd"),
            interval(entry.srd),
            *([number(entry.share, "share")] if split else []),
        ]
        for entry in effects
    ]
    head = ["Attribute", "Effect, own SRD", "95% interval", *(["Share of the effect"] if split else [])]
    carriers = finding.carried_by
    told = (
        f", carried by {', '.join(map(inline, carriers.names))} ({number(carriers.share, 'share')})" if carriers else ""
    )
    found = [
        f"{text.ATTRIBUTES_NOTE} {text.SHARES_NOTE}" if split else text.ATTRIBUTES_NOTE,
        table(head, rows, right=(1, 2, 3)),
        *(
            f"{inline(names)}: {inline(reason)}" if names else inline(reason)
            for names, reason in outline.attribute_notes(finding)
        ),
    ]
    return folded(f"Attributes ({len(rows)}){told}", found, open)


def _examples(finding: Finding, shown: list[Example], allowed: Allowance, open: bool) -> str:
    note = "The texts may offend. " if finding.sensitive else ""
    found = [text.REWARD_NOTE, *(block for example in shown for block in _example(example, allowed))]
    left = len(finding.examples) - len(shown)
    if left:
        found.append(f"{left} further examples are in report.json, and every scored text is in scores.jsonl.")
    return folded(f"{note}Examples ({len(shown)})", found, open)


def _example(example: Example, allowed: Allowance) -> list[str]:
    found = [
        f"**{text.EXAMPLE_KINDS[example.kind]}**: effect {number(example.effect, 'srd')} SRD,"
        f" item {inline(example.item)}" + (f", from {inline(example.source)}" if example.source else "")
    ]
    if example.prompt:
        found += ["Prompt", fence(example.prompt, allowed.characters)]
    for arm in example.arms:
        found += [
            f"{inline(arm.role)} ({inline(arm.arm)}), reward {number(arm.reward, 'srd')}",
            fence(arm.response, allowed.characters),
        ]
    return found


def row(finding: Finding) -> list[str]:
    """A primary finding in the table of suites."""
    return [
        inline(text.name(finding.suite)),
        inline(finding.title),
        state(finding.verdict),
        severity(finding),
        effect(finding.srd),
        number(finding.placebo_srd.estimate, "srd"),
        number(finding.detection_limit),
    ]
