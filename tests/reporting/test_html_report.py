"""The HTML report is whole, valid, self-contained and says what report.json says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from rmaudit.disclosure.items import listed_items
from rmaudit.reporting import chapters, html, outline
from rmaudit.reporting.audience import Audience
from rmaudit.reporting.report import Report
from rmaudit.resources import reports_dir
from rmaudit.suites.finding import Estimate, Finding
from tests.reporting.full import full_report
from tests.reporting.sample import finding, sample_report

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Checks that tags are balanced, and keeps what the tests ask for."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.values: set[str] = set()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert len(found) == len(attrs), f"{tag} repeats an attribute"
        self.tags.append((tag, found))
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found["href"] or ""] if "href" in found else []
        self.values |= {found["value"] or ""} if tag == "data" else set()
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "title", "desc"}:
            self.words.append(data)


@pytest.fixture(scope="module")
def report() -> Report:
    return full_report()


@pytest.fixture(scope="module", params=Audience)
def source(report: Report, request: pytest.FixtureRequest) -> str:
    return html.render(report, request.param).decode("utf-8")


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def texts(value: Any, codes: set[str]) -> Iterator[str]:
    """Every text in a JSON value, but for codes that are shown in other words."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if key not in codes:
                yield from texts(entry, codes)
    elif isinstance(value, list):
        for entry in value:
            yield from texts(entry, codes)
    elif isinstance(value, str):
        yield value


def test_every_text_of_the_json_is_in_the_page(report: Report, page: Page) -> None:
    codes = {"verdict", "severity", "direction", "direction_of_bias", "status", "provenance", "kind", "cluster"}
    codes |= {"audience"}
    shown = "".join("".join(page.words).split())
    data = json.loads(report.to_json())
    for key in ("suites", "policy"):  # suites are shown as titles
        del data["settings"][key]
    del data["warnings"][-1]  # the contradiction, shown as such
    wanted = list(texts(data, codes))
    assert len(wanted) > 300
    assert [value for value in wanted if "".join(value.split()) not in shown] == []


def test_page_loads_and_runs_nothing(page: Page, source: str) -> None:
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "image", "use"}
    attributes = {name for _, found in page.tags for name in found}
    assert not {name for name in attributes if name.startswith("on")} | (attributes & {"src", "srcset", "xlink:href"})
    assert "url(" not in source
    assert "@import" not in source
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"" in source


def test_anchors_are_unique_and_links_lead_somewhere(page: Page, report: Report) -> None:
    assert len(set(page.ids)) == len(page.ids)
    inner = {link[1:] for link in page.links if link.startswith("#")}
    assert inner <= set(page.ids)
    assert {f"finding/{found.suite}/{found.probe}" for found in report.findings_} <= set(page.ids)
    assert all(link.startswith(("#", "https://")) for link in page.links)


def test_tables_name_their_rows_and_columns(page: Page, source: str) -> None:
    assert all(found.get("scope") in {"row", "col"} for tag, found in page.tags if tag == "th")
    assert source.count("<table") == source.count("<caption")
    plots = [found for tag, found in page.tags if tag == "svg" and found.get("role") == "img"]
    assert len(plots) > 20
    assert len(re.findall(r'role="img"><title>[^<]+</title>', source)) == len(plots)
    assert len(re.findall(r'class="interval [\w-]+" role="img"><title>[^<]+</title><desc>[^<]+</desc>', source)) > 40


def test_states_are_told_in_words(page: Page) -> None:
    words = " ".join(page.words)
    for label in ("Present", "Negligible", "Inconclusive", "Not tested", "Disclosure only", "High", "Moderate"):
        assert label in words


def test_first_screen_has_the_verdict_before_the_findings(report: Report, source: str) -> None:
    first = source[: source.index('<section class="chapter"')]
    for shown in (
        report.headline,
        report.model.source,
        report.model.identity[:12],
        *report.warnings[:-1],
        "Declared, and contradicted by a measurement",
        report.contradictions[0].declared,
        report.contradictions[0].measured,
        "Read this first",
    ):
        assert shown in first
    assert first.count('class="interval') == 5  # primary findings
    assert first.count('<g class="placebo">') == 4  # one has none
    assert first.count('class="limit"') > 5
    assert "Does it tell good from bad?" in first
    assert "What was not tested" in first
    assert "What was disclosed" in first


def test_the_difference_of_two_texts_is_marked(source: str) -> None:
    assert "<mark>without any doubt</mark>" in source
    assert "<mark>as far as I know</mark>" in source


def test_sensitive_texts_are_folded(report: Report, source: str) -> None:
    start = source.index('id="finding/demographic/names"')
    card = source[start : source.index("</article>", start)]
    before = card[: card.index("Emily")]
    fold = before[before.rindex("<summary>What it looks like") - 40 : before.rindex("<summary>What it looks like")]
    assert '<details class="examples folded">' in fold
    assert "may offend" in card


def test_reasons_stand_beside_what_is_missing(source: str) -> None:
    assert "Not available: exchange rate, flip rate.</b> Groups are compared with one another" in source
    assert "A trade secret." in source
    assert source.count("not provided") >= 12


def test_severity_bands_are_drawn_on_the_side_of_bias_only(report: Report) -> None:
    def forest(found: Finding) -> str:
        source = html.render(report.model_copy(update={"findings_": [found]})).decode()
        start = source.index('<td class="plot">')
        return source[start : source.index("</td>", start)]

    either = forest(finding(srd=Estimate(estimate=0.0, low=-0.9, high=0.9)))
    plus = forest(finding(srd=Estimate(estimate=0.0, low=-0.9, high=0.9), direction_of_bias="+"))
    assert either.count("band-4") == 2
    assert plus.count("band-4") == 1


def test_groups_have_no_mean_in_their_histogram(report: Report) -> None:
    groups = next(found for found in report.findings_ if found.design == "groups")
    source = html.render(report.model_copy(update={"findings_": [groups]})).decode()
    assert "from the lowest to the highest group" in source
    assert 'class="mean"' not in source


def test_bands_are_those_of_the_policy_that_judged(report: Report) -> None:
    settings = report.settings.model_copy(update={"bands": {"low": 0.2, "moderate": 5.0, "high": 6.0, "severe": 7.0}})
    source = html.render(report.model_copy(update={"settings": settings})).decode()
    assert 'class="band-1"' in source
    assert 'class="band-4"' not in source
    assert 'class="margin"' in source


def test_renders_when_nothing_could_be_measured() -> None:
    page = Page(html.render(nothing_measured()).decode("utf-8"))
    words = " ".join(page.words)
    assert "Not measurable" in words
    assert "The model answers everything alike." in words


def test_renders_without_findings() -> None:
    report = sample_report(findings_=[], coverage=[], disclosure=[], warnings=[], caveats=[])
    assert "Read this first" not in " ".join(Page(html.render(report).decode("utf-8")).words)


def test_examples_beyond_the_limit_are_counted() -> None:
    example = sample_report().findings_[0].examples[0]
    report = sample_report(findings_=[finding(examples=[example] * 60)])
    source = html.render(report).decode("utf-8")
    assert source.count('class="example"') == outline.MOST_EXAMPLES
    assert f">{60 - outline.MOST_EXAMPLES}</data> further examples" in source


def test_other_audits_are_shown_whatever_their_shape() -> None:
    report = sample_report(feedback={"pairs": 1200, "agreement": {"alpha": 0.4123456, "notes": ["few ties"]}})
    page = Page(html.render(report).decode("utf-8"))
    assert "0.412346" in page.values
    assert "few ties" in " ".join(page.words)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_have_enough_contrast(theme: str) -> None:
    style = (reports_dir() / "templates" / "report.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{([^}]*)\}", style)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[0 if theme == "light" else 1]))
    for ink in ("ink", "soft", "blue", "orange"):
        for ground in ("paper", "card", "faint"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    assert contrast(colours["mark-ink"], colours["mark"]) >= 4.5


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours by WCAG 2, from 1 to 21."""

    def luminance(colour: str) -> float:
        channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def nothing_measured() -> Report:
    """A report in which every value that may be null is null."""
    nothing = Estimate(estimate=None)
    sample = sample_report()
    empty = finding(
        verdict="not_measurable",
        severity="none",
        direction=None,
        statement="Nothing can be said.",
        reason="The model answers everything alike.",
        srd=nothing,
        placebo_srd=nothing,
        adjusted_srd=nothing,
        win_probability=nothing,
        calibrated_win_probability=nothing,
        exchange_rate=nothing,
        flip_rate=nothing,
        p_value=None,
        p_adjusted=None,
        equivalence_p=None,
        detection_limit=None,
        histogram=None,
        citations=[],
        limits=None,
    )
    return sample_report(
        findings_=[empty],
        model=sample.model.model_copy(
            update=dict.fromkeys(
                ["revision", "architecture", "parameters", "head", "pooling", "dtype", "template", "max_length"]
            )
            | {"evidence": [], "self_test": []}
        ),
        ruler=sample.ruler.model_copy(
            update=dict.fromkeys(["wsd", "wsd_robust", "score_noise", "temperature", "gold_margin", "tracks_quality"])
            | {"accuracy": nothing, "reason": "The reward is constant.", "domains": [], "baselines": {}}
        ),
        run=sample.run.model_copy(update={"tokens": None}),
    )


def test_attributes_are_folded_below_their_finding(source: str) -> None:
    card = re.search(r'<article[^>]*id="finding/length/padding-ladder".*?</article>', source, re.DOTALL)
    assert card
    (folded,) = re.findall(r'<details class="attributes"[^>]*>.*?</details>', card[0], re.DOTALL)
    names = re.findall(r'<th scope="row"[^>]*>(\w+)</th>', folded)
    assert names == ["verbosity", "helpfulness", "noise"]
    assert "verbosity carries" in re.sub(r"<[^>]+>", "", folded)
    assert folded.count('data-label="Share of the effect"') == 3
    assert source.count('<details class="attributes"') == 2


def test_no_share_column_where_nothing_was_split(source: str) -> None:
    card = re.search(r'<article[^>]*id="finding/length/padded-wrong-answer".*?</article>', source, re.DOTALL)
    assert card
    (folded,) = re.findall(r'<details class="attributes"[^>]*>.*?</details>', card[0], re.DOTALL)
    assert "Share of the effect" not in folded
    assert "<b>noise:</b> It is the same for every answer" in folded


def test_risks_stand_on_the_first_screen(source: str) -> None:
    first = source[source.index('<div class="cover">') : source.index('<section class="effects"')]
    assert "Risks of this checkpoint" in first
    assert "The weights were rounded to 4 bits" in first
    assert "quantized to" in first
    model = source[source.index('id="model"') : source.index('id="item-R2"')]
    for shown in ("which is a cost", "by config.json", "sdpa", "4bit", "They add up to the reward."):
        assert shown in model


def test_a_model_without_risks_or_attributes_shows_none() -> None:
    sample = sample_report()
    model = sample.model.model_copy(update={"risks": [], "attributes": [], "quantization": None, "sign": 1})
    ruler = sample.ruler.model_copy(update={"attributes": []})
    source = html.render(sample_report(model=model, ruler=ruler, findings_=[finding()])).decode("utf-8")
    assert "Risks of this checkpoint" not in source
    assert "ttribute" not in source
    assert "quantized to" not in source
    assert "the model&#39;s own number (<data" in source


def test_headings_descend_without_a_gap(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    steps = [after - before for before, after in pairwise([1, *levels[levels.index(1) + 1 :]])]
    assert max(steps) == 1


def test_each_answer_says_where_it_comes_from(source: str) -> None:
    start = source.index('id="disclosure-H2.accuracy"')
    row = source[start : source.index("</tr>", start)]
    assert re.findall(r'class="prov (\w+)"', row) == ["measured", "declared"]
    for shown in (
        "0.58 of panel pairs",
        "91% of our own pairs",
        "asserted by A. Author",
        "2026-10-02",
        "disclosure.yaml",
    ):
        assert shown in row
    assert "for an authority, on request" in source


def test_an_item_without_questions_shows_its_own_answer() -> None:
    source = html.render(sample_report()).decode("utf-8")
    start = source.index('id="disclosure-H4"')
    row = source[start : source.index("</tr>", start)]
    assert "Pairwise comparisons by one evaluator each" in row
    assert 'class="prov declared"' in row


def test_evidence_leads_to_its_finding(source: str) -> None:
    box = source[source.index('id="contradictions"') : source.index('id="warnings"')]
    assert '<a href="#finding/length/padding-ladder">length/padding-ladder</a>' in box


def test_a_contradiction_is_not_told_twice(report: Report, source: str) -> None:
    assert source.count(report.contradictions[0].measured) == 1
    assert source.index('id="contradictions"') < source.index('id="warnings"')


def test_crosswalk_is_an_appendix(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = listed_items()
    mapped = first.model_copy(update={"crosswalk": {"nist_ai_rmf": ("MAP 2.1",), "other": ("somewhere",)}})
    plain = [item.model_copy(update={"crosswalk": {}}) for item in others]
    monkeypatch.setattr(chapters, "listed_items", lambda: (mapped, *plain))
    source = html.render(sample_report()).decode("utf-8")
    appendix = source[source.index('id="crosswalk"') :]
    assert appendix.count('<th scope="row"') == 1
    assert appendix.count("<dt>") == 2
    for shown in ("NIST AI RMF", "MAP 2.1", "Other", "no claim of compliance"):
        assert shown in appendix
    monkeypatch.setattr(chapters, "listed_items", lambda: tuple(plain))
    assert "Appendix: crosswalk" not in html.render(sample_report()).decode("utf-8")
