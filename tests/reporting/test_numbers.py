"""Every number of report.json stands in HTML and Markdown with the same rounding, and nothing else does."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from rmaudit.reporting import html, markdown, outline, text
from rmaudit.reporting.audience import Audience
from rmaudit.reporting.report import Report
from tests.reporting.full import full_report, without_digits

EVERYBODY = pytest.mark.parametrize("audience", Audience)
NUMBER = re.compile(r"[+−±]?(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?:e[+−]\d+)?%?(?![\w])")

CONSTANTS = {
    *("0", "1", "0%", "50%", "100%", "95%", "0.05", "0.5", "0.1", "0.25", "0.95"),  # ideals, chance, level
    "2023",  # of Casper et al.
}
"""Numbers of the wording itself."""


class Shown(HTMLParser):
    """The numbers of a page, exact and rounded, and all other words of it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.numbers: list[tuple[str, str]] = []
        self.tallies: Counter[int] = Counter()
        self.words: list[str] = []
        self._inside: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "br"}:
            self._inside.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self._inside.pop()

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self._inside]
        tag, attributes = self._inside[-1] if self._inside else ("", {})
        if tag == "data" and attributes.get("class") == "tally":
            assert data == attributes["value"]
            self.tallies[int(data)] += 1
        elif tag == "data":
            self.numbers.append((attributes["value"] or "", data))
        elif not {"svg", "style", "title"} & set(tags) and not self._in_crosswalk():
            self.words.append(data)

    def _in_crosswalk(self) -> bool:
        """Names of places in other formats, such as MAP 2.1, are no numbers of an audit."""
        return any(attributes.get("id") == "crosswalk" for _, attributes in self._inside)


@pytest.fixture(scope="module")
def report() -> Report:
    return without_digits(full_report())


@pytest.fixture(scope="module", params=Audience)
def page(report: Report, request: pytest.FixtureRequest) -> Shown:
    return Shown(html.render(report, request.param).decode("utf-8"))


def in_json(report: Report) -> set[str]:
    """Every number of report.json, digit by digit."""

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, dict | list):
            for entry in value.values() if isinstance(value, dict) else value:
                yield from walk(entry)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield json.dumps(value)

    return set(walk(json.loads(report.to_json())))


def sums(report: Report) -> set[str]:
    """The only numbers computed in rendering: items left out, for one reason or the other."""
    return {json.dumps(finding.n_errors + finding.n_truncated) for finding in report.findings_}


def counts(report: Report) -> set[int]:
    """How many there are of what a report lists: the only other numbers that a page may show."""
    parts = outline.completeness(report.disclosure)
    verdicts = Counter(finding.verdict for finding in report.findings_ if finding.primary)
    statuses = Counter(outline.coverage_status(row) for row in report.coverage)
    provenance = [Counter(field.provenance for field in item.fields) for item in report.disclosure]
    return {
        *parts,
        *verdicts.values(),
        *statuses.values(),
        len(report.coverage),
        len(outline.untested(report)),
        sum(not finding.primary for finding in report.findings_),
        *(len(finding.examples) - 1 for finding in report.findings_),
        *(len(finding.attributes) for finding in report.findings_),
        *(n for entry in provenance for n in entry.values()),
        *(len({field.id for field in item.fields}) for item in report.disclosure),
    }


def test_the_report_has_every_part(report: Report) -> None:
    found = report.findings_
    for part in ("groups", "attributes", "details", "spike", "published", "examples", "histogram", "carried_by"):
        assert any(getattr(finding, part) for finding in found), part
    assert report.ruler.calibration
    assert report.ruler.attributes
    assert report.contradictions
    assert report.warnings
    assert report.feedback
    assert len(in_json(report)) > 500


def test_page_shows_every_number_and_no_other(report: Report, page: Shown) -> None:
    assert {exact for exact, _ in page.numbers} == in_json(report) | sums(report)


def test_page_counts_what_it_lists_and_nothing_else(report: Report, page: Shown) -> None:
    assert set(page.tallies) <= counts(report)


def test_page_has_no_number_outside_its_marks(page: Shown) -> None:
    assert {found for words in page.words for found in NUMBER.findall(words)} <= CONSTANTS


def test_each_number_is_rounded_as_one_of_the_styles_says(page: Shown) -> None:
    for exact, shown in page.numbers:
        value = float(exact)
        styles = [
            name
            for name, style in text.STYLES.items()
            if name in ("srd", "share", "p", "plain", "raw", "seconds") or value == int(value)
        ]
        assert shown in {text.STYLES[name](value) for name in styles}, (exact, shown)


@EVERYBODY
def test_markdown_shows_what_the_page_shows_and_no_other_number(report: Report, audience: Audience) -> None:
    page = Shown(html.render(report, audience).decode("utf-8"))
    wanted = {number for _, rounded in page.numbers for number in NUMBER.findall(rounded)}
    shown = in_markdown(report, audience)
    examples = {str(len(finding.examples)) for finding in report.findings_}
    assert wanted - shown == set()
    assert shown - wanted - CONSTANTS - set(map(str, counts(report))) - examples == set()


def in_markdown(report: Report, audience: Audience) -> set[str]:
    document, crosswalk, _ = markdown.render(report, audience).decode("utf-8").partition("## Appendix: crosswalk")
    assert crosswalk
    document = document.replace("&lt;", "<").replace("&gt;", ">")
    return {found.lstrip("±") for found in NUMBER.findall(document)}


def test_readers_see_the_same_numbers_equally_often(report: Report) -> None:
    pages = [Shown(html.render(report, audience).decode("utf-8")) for audience in Audience]
    assert len({tuple(sorted(page.numbers)) for page in pages}) == 1
    apart = {str(sum(not finding.primary for finding in report.findings_))}  # told where they stand apart
    assert len({frozenset(in_markdown(report, audience) - apart) for audience in Audience}) == 1


def test_readers_differ_in_order_and_depth(report: Report) -> None:
    pages = {audience: html.render(report, audience).decode("utf-8") for audience in Audience}
    assert len({page.count("<details") - page.count("<summary") for page in pages.values()}) == 1
    depth = {audience: len(re.findall(r"<details[^>]* open>", page)) for audience, page in pages.items()}
    assert depth[Audience.board] < depth[Audience.engineer]
    assert depth[Audience.board] < depth[Audience.regulator]
    board, engineer = (pages[reader] for reader in (Audience.board, Audience.engineer))
    assert board.index('id="reward-model"') < board.index('id="human-feedback"')
    assert engineer.index('id="human-feedback"') < engineer.index('id="reward-model"')
    assert 'href="#secondary"' in board
    assert 'id="secondary"' not in engineer
