"""A report stays small: examples give way first, one of each kind last."""

from __future__ import annotations

from itertools import pairwise

from rmaudit.reporting import html, markdown
from rmaudit.reporting.allowance import LADDER, PAGE, Allowance, allowance
from rmaudit.suites.finding import Finding
from tests.reporting.sample import examples, finding, sample_report


def with_texts(characters: int, n: int = 12) -> Finding:
    """A finding with examples whose texts have so many characters."""
    first, *others = examples("length", 0.4)
    shown = [first, *(others[place % len(others)] for place in range(n - 1))]
    return finding(
        examples=[
            example.model_copy(
                update={
                    "prompt": "p" * characters,
                    "arms": [arm.model_copy(update={"response": "r" * characters}) for arm in example.arms],
                }
            )
            for example in shown
        ]
    )


def test_a_usual_report_shows_all() -> None:
    assert allowance([with_texts(1_000)]) == LADDER[0]


def test_each_step_shows_no_more_than_the_one_before() -> None:
    for before, after in pairwise(LADDER):
        assert after.examples <= before.examples
        assert after.characters <= before.characters


def test_the_more_findings_the_less_each_shows() -> None:
    steps = [LADDER.index(allowance([with_texts(2_000)] * n)) for n in (1, 30, 100, 200, 1_000)]
    assert steps == sorted(steps)
    assert steps[-1] > steps[0]
    few = allowance([with_texts(2_000)] * 100)
    assert 100 * few.examples * 3 * few.characters <= PAGE


def test_one_of_each_kind_stays_longest() -> None:
    kinds = [example.kind for example in Allowance(3, 100).shown(with_texts(10))]
    assert kinds == ["worst", "median", "random"]
    assert [example.kind for example in Allowance(1, 100).shown(with_texts(10))] == ["worst"]


def test_what_is_left_out_is_counted() -> None:
    found = [with_texts(3_000).model_copy(update={"probe": f"probe-{place}"}) for place in range(90)]
    report = sample_report(findings_=found)
    allowed = allowance(found)
    left = 12 - allowed.examples
    assert left > 0
    page = html.render(report).decode("utf-8")
    assert page.count(f">{left}</data> further examples are in report.json") == 90
    assert "p" * (allowed.characters + 1) not in page
    assert markdown.render(report).decode("utf-8").count(f"{left} further examples are in report.json") == 90
