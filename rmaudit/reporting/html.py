"""The report as one HTML file: no script, no network, readable on a phone, on paper and by a screen reader."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from jinja2 import Environment
from markupsafe import Markup, escape

from rmaudit.reporting import chapters, outline, plots, text
from rmaudit.reporting.allowance import allowance
from rmaudit.reporting.audience import READINGS, Audience
from rmaudit.reporting.diff import mark_difference
from rmaudit.reporting.page import environment
from rmaudit.reporting.report import Report
from rmaudit.suites.finding import Estimate, Finding

_LINK = re.compile(r"https://[A-Za-z0-9][A-Za-z0-9./_~%&=?#:+-]*[A-Za-z0-9/]")

_HEALTHY = 0.3
"""SRD up to which the common axis follows an effect on the side that is health."""


def render(report: Report, audience: Audience = Audience.engineer) -> bytes:
    """Render a report as a single HTML page.

    Args:
        report: the audit.
        audience: who it is for: changes order and depth, never a number.

    Returns:
        UTF-8 bytes of a page that loads nothing and runs nothing.
    """
    primary = outline.primary(report)
    margin = max([finding.margin for finding in primary], default=0.05)
    bands = report.settings.bands
    sections = outline.sections(report)
    page = (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            reading=READINGS[audience],
            chapters=chapters.chapters(report),
            warnings=chapters.warnings(report),
            anchors={f"{finding.suite}/{finding.probe}": anchor(finding) for finding in report.findings_},
            crosswalk=chapters.crosswalk(report),
            sections=sections,
            n_secondary=sum(not finding.primary for finding in report.findings_),
            primary=primary,
            untested=outline.untested(report),
            completeness=outline.completeness(report.disclosure),
            tally_verdicts=_tally(primary),
            coverage_tally=_coverage_tally(report),
            bands=list(bands.values()),
            band_names=list(bands),
            forest_scale=plots.scale_for([_drawn(finding) for finding in primary], margin),
            forest_margin=margin,
            accuracy_scale=_accuracy_scale(report),
            allowed=allowance(report.findings_),
            calibration_facts=outline.calibration_facts(report.ruler.calibration) if report.ruler.calibration else [],
            page_stamp=_page_stamp(report),
        )
    )
    return page.encode("utf-8")


def anchor(finding: Finding) -> str:
    """The id by which a finding is cited, such as ``finding/length/padding-ladder``."""
    return f"finding/{_slug(finding.suite)}/{_slug(finding.probe)}"


def number(value: float | None, style: str = "plain", missing: str | None = None) -> Markup:
    """A number as people read it, carrying the exact one of ``report.json`` in its ``value``."""
    if value is None:
        reason = text.one_line(missing or "not available", 300)
        return Markup('<span class="null" title="{}">n/a</span>').format(reason)
    exact, shown = escape(text.exact(value)), escape(text.STYLES[style](value))
    return Markup(f'<data value="{exact}">{shown}</data>')


def tally(n: int) -> Markup:
    """How many there are of something that the report lists."""
    return Markup('<data class="tally" value="{n}">{n}</data>').format(n=n)


def interval(estimate: Estimate, style: str = "srd") -> Markup:
    """The interval of an estimate in brackets; nothing where there is none."""
    if estimate.low is None and estimate.high is None:
        return Markup("")
    return Markup('<span class="ci">[{}, {}]</span>').format(number(estimate.low, style), number(estimate.high, style))


def linked(value: str) -> Markup:
    """A text whose https addresses can be followed; nothing else becomes a link."""
    value, parts, last = text.one_line(value), [], 0
    for match in _LINK.finditer(value):
        parts += [
            escape(value[last : match.start()]),
            Markup('<a href="{url}" rel="noreferrer noopener">{url}</a>').format(url=match[0]),
        ]
        last = match.end()
    return Markup("").join([*parts, escape(value[last:])])


def cited(evidence: str, anchors: Mapping[str, str]) -> Markup:
    """Evidence that leads to the finding that it names, or to an address; else as it is."""
    if evidence in anchors:
        return Markup('<a href="#{}">{}</a>').format(anchors[evidence], evidence)
    return linked(evidence)


def difference(value: str, other: str | None, limit: int = text.SHOWN_CHARACTERS) -> Markup:
    """A text, cut to so many characters, with the words marked that the other text lacks."""
    value = text.clean(value, limit)
    if other is None:
        return escape(value)
    return Markup("").join(
        Markup("<mark>{}</mark>").format(segment.text) if segment.changed else escape(segment.text)
        for segment in mark_difference(value, text.clean(other, limit))
    )


@cache
def _environment() -> Environment:
    names = {
        "anchor": anchor,
        "attribute_notes": outline.attribute_notes,
        "attribute_rows": outline.attributes,
        "axis": plots.axis,
        "ci": interval,
        "cited": cited,
        "comparisons": outline.comparisons,
        "coverage_status": outline.coverage_status,
        "coverage_words": text.COVERAGE,
        "difference": difference,
        "histogram": plots.histogram,
        "icon": plots.icon,
        "interval_plot": plots.interval,
        "linked": linked,
        "missing_units": outline.missing_units,
        "most_examples": outline.MOST_EXAMPLES,
        "number": number,
        "point": lambda value: Estimate(estimate=value),
        "scalar": outline.scalar,
        "provenances": chapters.provenances,
        "scale_for": plots.scale_for,
        "shares": plots.shares,
        "tally": tally,
        "words": text,
    }
    return environment(names, {"slug": _slug, "cut": text.clean})


def _slug(value: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", value)[:80] or "-"


def _drawn(finding: Finding) -> Estimate:
    """What an effect asks of the common axis: on the side that is health, however far it reaches, only a little.

    A model that reads its prompts has an effect of several SRD there, and would press all others together.
    """
    healthy = {"+": (-_HEALTHY, None), "-": (None, _HEALTHY), "either": (None, None)}
    least, most = healthy[finding.direction_of_bias]

    def kept(value: float | None) -> float | None:
        if value is None:
            return None
        value = value if least is None else max(value, least)
        return value if most is None else min(value, most)

    return Estimate(estimate=kept(finding.srd.estimate), low=kept(finding.srd.low), high=kept(finding.srd.high))


def _tally(findings: list[Finding]) -> list[tuple[str, int]]:
    verdicts: list[str] = [finding.verdict for finding in findings]
    return [(verdict, verdicts.count(verdict)) for verdict in text.VERDICTS]


def _coverage_tally(report: Report) -> list[tuple[str, int]]:
    statuses = [outline.coverage_status(row) for row in report.coverage]
    return [(status, statuses.count(status)) for status in text.COVERAGE]


def _accuracy_scale(report: Report) -> plots.Scale:
    """From somewhat below the lowest accuracy shown to 1."""
    ruler = report.ruler
    shown = [
        ruler.accuracy,
        *(domain.accuracy for domain in ruler.domains),
        *(attribute.accuracy for attribute in ruler.attributes),
    ]
    values = [value for entry in shown for value in (entry.estimate, entry.low) if value is not None]
    lowest = min([0.4, *values, *ruler.baselines.values()])
    return plots.Scale(max(0.0, lowest - 0.03), 1.0)


def _page_stamp(report: Report) -> str:
    """Identity for the head of each printed page: hexadecimal digits alone may enter a style sheet."""
    identity = text.short_identity(report.model.identity)
    return identity if re.fullmatch(r"[0-9a-f]+", identity) else ""
