"""Findings of a run: corrected for their number, errors counted, told in words, the same for every scale."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rmaudit.policy import load_policy
from rmaudit.stats.multiplicity import benjamini_hochberg, holm
from rmaudit.suites import groups
from rmaudit.suites.estimate import ItemEffects, Measurement
from rmaudit.suites.finding import Estimate, Finding
from rmaudit.suites.findings import EXAMPLES, _statement, findings
from rmaudit.suites.load import LoadedSuite, load_suite
from rmaudit.suites.panel import Scale
from rmaudit.suites.spec import Suite
from rmaudit.suites.verdict import Judgement
from tests.synthetic import CLUSTERS, suite_items, suite_spec, write_suite

POLICY = load_policy()
Rewards = dict[str, dict[str, float]]


def scale(unit: float = 1.0, gold: bool = True) -> Scale:
    draw = np.random.default_rng(0)
    margins = draw.normal(1, 1, 200)
    reason = None if gold else "this model was not shown to tell good from bad"
    return Scale(unit, 0.8 if gold else None, margins, np.arange(200) // 4, reason)


@pytest.fixture(scope="module")
def suites(tmp_path_factory: pytest.TempPathFactory) -> list[LoadedSuite]:
    """Three suites with the same items and probes."""
    folder = tmp_path_factory.mktemp("probes")
    return [load_suite(write_suite(folder / name, suite_spec(name))) for name in ("first", "second", "third")]


def rewards(suite: LoadedSuite, effect: float = 0.0, noise: float = 0.02, seed: int = 0) -> Rewards:
    """Noise about a level for each item, and an effect of "shiny"."""
    draw = random.Random(seed)
    scored = {}
    for item in suite.items:
        level = draw.gauss(0, 3)
        scored[item.id] = {arm: level + draw.gauss(0, noise) + effect * (arm == "shiny") for arm in item.arms}
    return scored


def found(
    suites: list[LoadedSuite],
    scored: list[Rewards],
    unit: Scale | None = None,
    unmeasurable: str | None = None,
    seed: int = 0,
    truncated: dict[str, dict[str, int]] | None = None,
) -> list[Finding]:
    chosen = suites[: len(scored)]
    return findings(
        [(suite, suite.items) for suite in chosen],
        {suite.spec.suite: arms for suite, arms in zip(chosen, scored, strict=True)},
        truncated or {},
        None if unmeasurable else unit or scale(),
        unmeasurable,
        POLICY,
        seed,
    )


def shine(results: list[Finding]) -> Finding:
    return next(finding for finding in results if finding.probe == "shine")


def test_the_primary_probe_comes_first_in_its_suite(suites: list[LoadedSuite], tmp_path: Path) -> None:
    spec = suite_spec("last")
    spec["probes"].reverse()
    last = load_suite(write_suite(tmp_path / "last", spec))
    results = found([suites[0], last], [rewards(suites[0]), rewards(last)])
    assert [finding.suite for finding in results] == ["first"] * 3 + ["last"] * 3
    assert [finding.probe for finding in results] == ["shine", "words", "names", "shine", "names", "words"]
    assert [finding.primary for finding in results] == [True, False, False] * 2


def test_the_effect_is_in_units_of_the_panel(suites: list[LoadedSuite]) -> None:
    scored = rewards(suites[0], effect=1.0)
    mean = np.mean([arms["shiny"] - arms["plain"] for arms in scored.values()])
    placebo = np.mean([arms["other"] - arms["same"] for arms in scored.values()])
    finding = shine(found(suites, [scored], scale(unit=4.0)))
    assert finding.srd.estimate == pytest.approx(mean / 4)
    assert finding.placebo_srd.estimate == pytest.approx(placebo / 4)
    assert finding.adjusted_srd.estimate == pytest.approx((mean - placebo) / 4)
    assert finding.win_probability.estimate == 1.0
    assert finding.exchange_rate.estimate == pytest.approx(mean / 4 / scale().margins.mean())
    assert finding.srd.low < finding.srd.estimate < finding.srd.high  # type: ignore[operator]


def test_primary_probes_are_corrected_together_and_the_others_within_their_suite(suites: list[LoadedSuite]) -> None:
    scored = [rewards(suite, effect=0.01 * (i + 1), noise=0.05, seed=6 + i) for i, suite in enumerate(suites)]
    results = found(suites, scored)
    raw = {(f.suite, f.probe): directed(f) for f in results}
    primary = [f for f in results if f.primary]
    assert len(primary) == 3
    assert [f.p_adjusted for f in primary] == pytest.approx(holm([raw[f.suite, f.probe] for f in primary]))
    assert any(f.p_adjusted > directed(f) for f in primary)  # type: ignore[operator]
    by_holm = []
    for suite in suites:
        others = [f for f in results if f.suite == suite.spec.suite and not f.primary]
        assert len(others) == 2
        expected = benjamini_hochberg([raw[f.suite, f.probe] for f in others])
        assert [f.p_adjusted for f in others] == pytest.approx(expected)
        by_holm.append(expected == pytest.approx(holm([raw[f.suite, f.probe] for f in others])))
    assert not all(by_holm)  # else nothing would tell the two corrections apart
    assert {f.correction for f in primary} == {"Holm over 3 primary probes"}
    assert {f.correction for f in results if not f.primary} == {
        "Benjamini-Hochberg over 2 secondary probes of the suite"
    }


def directed(finding: Finding) -> float:
    """A p-value that counts on the side of the bias only; the placebo of these suites moves nothing."""
    assert finding.p_value is not None
    assert finding.srd.estimate is not None
    away = finding.direction_of_bias == "+" and finding.srd.estimate < 0
    return 1.0 if away else finding.p_value


def test_an_effect_must_differ_from_a_placebo_that_moves_the_reward(suites: list[LoadedSuite]) -> None:
    scored = rewards(suites[0], effect=0.5)
    for arms in scored.values():
        arms["other"] += 0.5
    finding = shine(found(suites, [scored]))
    assert finding.p_value < 0.001  # type: ignore[operator]
    assert finding.p_adjusted > 0.05  # type: ignore[operator]
    assert finding.placebo_srd.estimate == pytest.approx(0.5, abs=0.05)
    assert finding.verdict == "negligible"


def test_groups_pay_for_every_margin_that_is_looked_at(tmp_path: Path) -> None:
    """The p-value is that of the margin that differs most for its share of the error rate."""
    spec = suite_spec("two")
    spec["probes"][2]["measure"]["margins"] = ["parity"]
    items = suite_items()
    for item in items:
        for name, arm in item["arms"].items():
            if "group" in arm["factors"]:
                arm["factors"]["parity"] = ("even", "odd")[int(name[1:]) % 2]
    two = load_suite(write_suite(tmp_path / "two", spec, items))
    scored = rewards(two, noise=0.3)
    finding = next(f for f in found([two], [scored]) if f.probe == "names")
    each = groups.compare(two.spec.probes[2].measure, two.items, scored, seed=0)  # type: ignore[arg-type]
    assert [result.margin for result in each] == ["group", "parity"]
    assert finding.p_value == pytest.approx(min(1.0, *(result.max_t.p_omnibus / result.share for result in each)))
    assert {group.margin for group in finding.groups} == {"group", "parity"}


def test_more_suites_make_the_same_effect_harder_to_show(suites: list[LoadedSuite]) -> None:
    scored = [rewards(suite, effect=0.3, noise=0.5, seed=4 + i) for i, suite in enumerate(suites)]
    alone, among = shine(found(suites, scored[:1])), shine(found(suites, scored))
    assert among.p_value == alone.p_value
    assert among.p_adjusted > alone.p_adjusted  # type: ignore[operator]


def test_an_effect_is_present_and_its_absence_negligible(suites: list[LoadedSuite]) -> None:
    plus, none, minus = (shine(found(suites, [rewards(suites[0], effect=e)])) for e in (0.5, 0.0, -0.5))
    assert (plus.verdict, plus.direction) == ("present", "+")
    assert none.verdict == "negligible"
    assert (minus.verdict, minus.direction) == ("negligible", "-")  # not on the side that counts


def test_the_sentence_says_what_was_found_with_its_numbers(suites: list[LoadedSuite]) -> None:
    for effect, opening in ((0.5, "Present: it pays for shine"), (0.0, "Negligible"), (-0.5, "Negligible")):
        finding = shine(found(suites, [rewards(suites[0], effect=effect)]))
        assert finding.statement.startswith(opening)
        for number in (finding.srd.estimate, finding.srd.low, finding.srd.high):
            assert f"{number:+.2f}".replace("-", "−") in finding.statement
        assert "95%" in finding.statement
    undecided = shine(found(suites, [rewards(suites[0], effect=0.06, noise=0.3)]))
    assert undecided.verdict == "inconclusive"
    assert undecided.statement.startswith("Inconclusive")
    assert f"{undecided.clusters_needed:,}" in str(undecided.reason)


def test_a_change_of_scale_changes_nothing(suites: list[LoadedSuite]) -> None:
    """Raw rewards and their unit change together; the seeded choices and every number stay."""
    scored = rewards(suites[0], effect=0.3, noise=0.3)
    moved = {item: {arm: 3 * reward - 7 for arm, reward in arms.items()} for item, arms in scored.items()}
    for plain, other in zip(found(suites, [scored]), found(suites, [moved], scale(unit=3.0)), strict=True):
        was, now = plain.model_dump(), other.model_dump()
        for name, value in was.items():
            if isinstance(value, float):
                assert now[name] == pytest.approx(value, abs=1e-9), name
            elif name not in {"examples", "groups", "histogram"} and not isinstance(value, dict):
                assert now[name] == value, name
        for name in ("srd", "placebo_srd", "adjusted_srd", "flip_rate", "exchange_rate", "win_probability"):
            assert now[name] == pytest.approx(was[name], abs=1e-9), name
        assert [(e.kind, e.item) for e in other.examples] == [(e.kind, e.item) for e in plain.examples]
        for one, two in zip(plain.examples, other.examples, strict=True):
            assert two.effect == pytest.approx(one.effect, abs=1e-9)
            assert [a.arm for a in two.arms] == [a.arm for a in one.arms]
            assert [a.reward for a in two.arms] == pytest.approx([a.reward for a in one.arms], abs=1e-9)
        for one, two in zip(plain.groups, other.groups, strict=True):
            assert two.srd.model_dump() == pytest.approx(one.srd.model_dump(), abs=1e-9)


def test_examples_are_the_worst_the_middle_and_some_at_random(suites: list[LoadedSuite]) -> None:
    scored = rewards(suites[0], effect=0.3, noise=0.3)
    finding = shine(found(suites, [scored]))
    effects = {item: arms["shiny"] - arms["plain"] for item, arms in scored.items()}
    ranked = sorted(effects, key=lambda item: -effects[item])
    by_kind = {kind: [e.item for e in finding.examples if e.kind == kind] for kind in EXAMPLES}
    assert {kind: len(items) for kind, items in by_kind.items()} == EXAMPLES
    assert by_kind["worst"] == ranked[:3]
    assert by_kind["median"] == ranked[CLUSTERS // 2 : CLUSTERS // 2 + 2]
    assert len({e.item for e in finding.examples}) == len(finding.examples)
    worst = finding.examples[0]
    assert worst.effect == pytest.approx(effects[worst.item])
    assert [(arm.arm, arm.role) for arm in worst.arms] == [("plain", "control"), ("shiny", "treated")]
    assert sum(arm.reward for arm in worst.arms) == pytest.approx(0)
    assert worst.arms[1].response.endswith("Splendid.")
    assert worst.prompt.startswith("user: Question ")


def test_the_worst_of_a_negative_effect_are_the_most_negative(suites: list[LoadedSuite]) -> None:
    scored = rewards(suites[0], effect=-0.3, noise=0.3)
    finding = shine(found(suites, [scored]))
    assert finding.examples[0].effect == min(arms["shiny"] - arms["plain"] for arms in scored.values())


def test_the_seed_picks_the_random_examples(suites: list[LoadedSuite]) -> None:
    scored = rewards(suites[0], effect=0.3, noise=0.3)
    picks = [
        [e.item for e in shine(found(suites, [scored], seed=seed)).examples if e.kind == "random"] for seed in (0, 0, 1)
    ]
    assert picks[0] == picks[1] != picks[2]


def test_histogram_counts_every_item(suites: list[LoadedSuite]) -> None:
    finding = shine(found(suites, [rewards(suites[0], effect=0.3, noise=0.3)]))
    assert finding.histogram is not None
    assert sum(finding.histogram.counts) == CLUSTERS
    assert len(finding.histogram.edges) == len(finding.histogram.counts) + 1
    assert finding.histogram.edges == sorted(finding.histogram.edges)


def drop(count: int, arm: str = "shiny") -> Callable[[Rewards], None]:
    def change(scored: Rewards) -> None:
        for item in list(scored)[:count]:
            del scored[item][arm]

    return change


@pytest.mark.parametrize(
    ("change", "verdict", "n_items", "n_errors"),
    [
        (drop(1), "present", 39, 1),
        (drop(8), "present", 32, 8),
        (drop(9), "not_measurable", 31, 9),
        (drop(40), "not_measurable", 0, 40),
        (drop(9, "words"), "present", 40, 0),
        (lambda scored: scored.clear(), "not_measurable", 0, 40),
    ],
)
def test_items_without_reward_are_counted_and_left_out(
    change: Any, verdict: str, n_items: int, n_errors: int, suites: list[LoadedSuite]
) -> None:
    scored = rewards(suites[0], effect=0.5)
    for arms in scored.values():
        arms["words"] = 0.0
    change(scored)
    finding = shine(found(suites, [scored]))
    assert (finding.verdict, finding.n_items, finding.n_errors) == (verdict, n_items, n_errors)
    assert (finding.srd.estimate is None) == (verdict == "not_measurable")
    assert finding.reason is not None or verdict == "present"
    if n_errors == 9:
        assert "9 of 40" in str(finding.reason)


def test_a_placebo_that_was_lost_does_not_stop_the_probe(suites: list[LoadedSuite]) -> None:
    scored = rewards(suites[0], effect=0.5)
    for item in list(scored)[1:]:
        del scored[item]["other"]
    finding = shine(found(suites, [scored]))
    assert finding.n_items == CLUSTERS
    assert finding.verdict in {"present", "not_measurable"}
    assert finding.verdict == "present" or finding.reason


def test_ties_are_counted(suites: list[LoadedSuite]) -> None:
    scored = rewards(suites[0], effect=0.5)
    for item in list(scored)[:7]:
        scored[item]["shiny"] = scored[item]["plain"]
    finding = shine(found(suites, [scored]))
    assert finding.n_ties == 7
    assert finding.win_probability.estimate == pytest.approx((33 + 3.5) / 40)


def test_truncated_arms_are_counted_for_the_items_of_the_probe(suites: list[LoadedSuite]) -> None:
    scored = rewards(suites[0], effect=0.5)
    finding = shine(found(suites, [scored], truncated={"first": {"item-0": 2, "item-5": 1, "elsewhere": 9}}))
    assert finding.n_truncated == 3


def test_nothing_is_said_of_a_model_that_cannot_be_measured(suites: list[LoadedSuite]) -> None:
    results = found(suites, [rewards(suites[0])], unmeasurable="it is constant")
    assert len(results) == 3
    for finding in results:
        assert finding.verdict == "not_measurable"
        assert finding.reason == "it is constant"
        assert finding.severity == "none"
        assert finding.srd.estimate is finding.p_value is finding.p_adjusted is finding.detection_limit is None
        assert finding.examples == []


def test_units_that_need_gold_labels_are_null_without_them(suites: list[LoadedSuite]) -> None:
    results = found(suites, [rewards(suites[0], effect=0.5)], scale(gold=False))
    for finding in results:
        for unit in ("exchange_rate", "flip_rate", "calibrated_win_probability"):
            assert getattr(finding, unit).estimate is None
            assert finding.unit_reasons[unit]
    assert shine(results).verdict == "present"
    assert shine(results).unit_reasons["flip_rate"].startswith("this model was not shown")


def test_a_limit_of_detection_stands_beside_negligible(suites: list[LoadedSuite]) -> None:
    finding = shine(found(suites, [rewards(suites[0])]))
    assert finding.verdict == "negligible"
    assert finding.detection_limit is not None
    assert finding.spike is not None
    assert finding.statement.endswith(f"Limit of detection: {finding.detection_limit:.2g} SRD.")
    (shown,) = [entry for entry in finding.spike.added if entry.size == 0.1]
    assert finding.detection_limit < 0.1
    assert shown.detected > 0.95


def test_more_suites_raise_the_limit(suites: list[LoadedSuite]) -> None:
    one, *_ = found(suites, [rewards(suites[0], noise=0.3)])
    first, *_ = found(suites, [rewards(suite, noise=0.3, seed=i) for i, suite in enumerate(suites)])
    assert first.srd == one.srd
    assert first.detection_limit >= one.detection_limit  # type: ignore[operator]


def test_every_null_has_a_reason(suites: list[LoadedSuite]) -> None:
    for finding in found(suites, [rewards(suites[0], effect=0.5)]):
        for name, value in finding:
            if type(value).__name__ == "Estimate" and value.estimate is None:
                assert finding.unit_reasons.get(name), (finding.probe, name)


def test_groups_are_told_with_their_members(suites: list[LoadedSuite]) -> None:
    scored = rewards(suites[0])
    for arms in scored.values():
        arms |= {arm: reward + 0.5 for arm, reward in arms.items() if arm[0] == "B"}
    finding = next(f for f in found(suites, [scored]) if f.probe == "names")
    assert (finding.verdict, finding.direction) == ("present", "+")
    told = {group.name: group for group in finding.groups}
    assert told["B"].srd.estimate == pytest.approx(0.5, abs=0.05)
    assert told["A"].srd.estimate == pytest.approx(-0.5, abs=0.05)
    assert (told["A"].n_units, told["A"].n_items) == (10, 10 * CLUSTERS)
    assert finding.n_clusters == 20
    example = finding.examples[0]
    assert [arm.role for arm in example.arms] == ["A", "B"]
    assert example.arms[0].reward < 0 < example.arms[1].reward


def test_repeated_clusters_count_once(suites: list[LoadedSuite]) -> None:
    """Ten copies of each item make no more evidence than one."""
    suite = suites[0]
    copies = [item.model_copy(update={"id": f"{item.id}-{n}"}) for item in suite.items for n in range(10)]
    scored = rewards(suite, effect=0.1, noise=0.3)
    again = {copy.id: scored[copy.id.rsplit("-", 1)[0]] for copy in copies}
    one = shine(found([suite], [scored]))
    ten = shine(findings([(suite, copies)], {"first": again}, {}, scale(), None, POLICY, 0))
    assert (one.n_clusters, ten.n_clusters, ten.n_items) == (40, 40, 400)
    assert ten.srd.model_dump() == pytest.approx(one.srd.model_dump())
    assert ten.p_value == one.p_value
    assert ten.verdict == one.verdict


def test_what_the_placebo_explains_is_not_said_to_be_ruled_out() -> None:
    """An effect of 0.16 that the placebo has too is small beyond the placebo, and only that is claimed."""
    effect, placebo, beyond = (
        Estimate(estimate=value, low=value - 0.01, high=value + 0.01) for value in (0.16, 0.15, 0.01)
    )
    measured = Measurement(ItemEffects((), np.zeros(0), None, 0), effect, placebo, beyond)
    judged = Judgement("negligible", "none", "+", 0.01, None, None)
    probe = Suite.model_validate(suite_spec()).probes[0].model_copy(update={"direction": "either"})
    told = _statement(probe, measured, judged, 0.05, None)
    assert "beyond that of the placebo of more than ±0.05 SRD is ruled out (+0.01" in told
    assert "with it +0.16" in told
