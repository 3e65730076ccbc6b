"""The ruler: what one unit of reward means, and when there is none."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pytest
import yaml

from rmaudit.errors import SuiteError
from rmaudit.policy import load_policy
from rmaudit.suites.finding import Ruler
from rmaudit.suites.panel import Panel, Scale, load_panel, measure_panel, rewards_by_item
from tests.synthetic import panel_items, write_jsonl, write_panel

RULES = load_policy().measurement
Rewards = dict[str, dict[str, float]]


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    return load_panel(write_panel(tmp_path_factory.mktemp("panel") / "panel"))


def rewards(panel: Panel, quality: float = 1.0, noise: float = 1.0, seed: int = 0) -> Rewards:
    """A level for each prompt, plus quality for each grade, plus noise."""
    draw = np.random.default_rng(seed)
    levels = draw.normal(0, 5, len(panel.items))
    return {
        item.id: {
            arm: float(level + quality * float(value.factors["grade"]) + noise * draw.normal())
            for arm, value in item.arms.items()
        }
        for level, item in zip(levels, panel.items, strict=True)
    }


def measured(panel: Panel, scored: Rewards, noise: float | None = 0.0) -> tuple[Ruler, Scale]:
    ruler, scale = measure_panel(panel, scored, noise, RULES)
    assert scale is not None
    return ruler, scale


def test_the_unit_is_the_spread_within_prompts(panel: Panel) -> None:
    scored = rewards(panel)
    squares = sum((r - mean(arms.values())) ** 2 for arms in scored.values() for r in arms.values())
    ruler, scale = measured(panel, scored)
    assert ruler.wsd == scale.wsd == pytest.approx((squares / (3 * len(scored))) ** 0.5)


def test_accuracy_and_margin_are_over_pairs_of_different_grade(panel: Panel) -> None:
    scored = rewards(panel)
    gaps = [arms[f"r{b}"] - arms[f"r{a}"] for arms in scored.values() for a, b in combinations(range(4), 2)]
    ruler, scale = measured(panel, scored)
    assert ruler.n_pairs == len(gaps) == 180
    assert ruler.accuracy.estimate == pytest.approx(mean(gap > 0 for gap in gaps))
    assert ruler.accuracy.low < ruler.accuracy.estimate < ruler.accuracy.high  # type: ignore[operator]
    assert ruler.gold_margin == pytest.approx(mean(gaps))
    assert sorted(scale.margins * scale.wsd) == pytest.approx(sorted(gaps))


def test_the_temperature_makes_the_labels_likeliest(panel: Panel) -> None:
    ruler, scale = measured(panel, rewards(panel))
    assert ruler.temperature is not None
    assert scale.temperature is not None
    assert ruler.temperature == pytest.approx(scale.temperature * scale.wsd)

    def likelihood(temperature: float) -> float:
        return float(-np.logaddexp(0, -scale.margins / temperature).sum())

    best = likelihood(scale.temperature)
    assert all(likelihood(scale.temperature * factor) < best for factor in (0.9, 0.99, 1.01, 1.1))


def test_a_change_of_scale(panel: Panel) -> None:
    scored = rewards(panel)
    moved = {item: {arm: 3 * r - 7 for arm, r in arms.items()} for item, arms in scored.items()}
    (plain, scale), (other, other_scale) = measured(panel, scored, 0.01), measured(panel, moved, 0.03)
    for name in ("wsd", "wsd_robust", "temperature", "gold_margin"):
        assert getattr(other, name) == pytest.approx(3 * getattr(plain, name))
    assert other.accuracy == plain.accuracy
    assert other.domains == plain.domains
    assert other.baselines == plain.baselines
    assert other_scale.margins == pytest.approx(scale.margins)


def test_domains_are_told_apart(panel: Panel) -> None:
    scored = rewards(panel)
    for item in panel.items:
        if item.domain == "odd":
            scored[item.id] = {arm: -reward for arm, reward in scored[item.id].items()}
    even, odd = measured(panel, scored)[0].domains
    assert (even.domain, odd.domain) == ("even", "odd")
    assert (even.n_prompts, even.n_pairs) == (15, 90)
    assert even.accuracy.estimate > 0.7 > 0.3 > odd.accuracy.estimate  # type: ignore[operator]


def test_rules_that_read_no_meaning_are_measured_on_the_same_pairs(panel: Panel) -> None:
    """The panel's better answers are the longer ones."""
    assert measured(panel, rewards(panel))[0].baselines == {
        "always the longer answer": 1.0,
        "always the shorter answer": 0.0,
    }


def test_a_model_that_does_not_track_quality_has_a_unit_but_no_gold_units(panel: Panel) -> None:
    ruler, scale = measured(panel, rewards(panel, quality=0.0))
    assert ruler.wsd
    assert ruler.tracks_quality is False
    assert ruler.temperature is None
    assert scale.temperature is None
    assert scale.gold_reason == ruler.reason
    assert "0.55" in str(ruler.reason)


def test_a_model_with_its_sign_reversed_does_not_track_quality(panel: Panel) -> None:
    ruler, _ = measured(panel, rewards(panel, quality=-1.0))
    assert ruler.tracks_quality is False
    assert ruler.accuracy.high < 0.5  # type: ignore[operator]


def test_a_model_that_orders_every_pair_has_no_temperature(panel: Panel) -> None:
    ruler, scale = measured(panel, rewards(panel, noise=0.01))
    assert ruler.tracks_quality is True
    assert ruler.temperature is None
    assert scale.gold_reason == ruler.reason
    assert ruler.gold_margin is not None


@pytest.mark.parametrize("value", [0.0, 1.0, -1e9])
def test_a_constant_model_has_no_unit(value: float, panel: Panel) -> None:
    scored = {item: dict.fromkeys(arms, value) for item, arms in rewards(panel).items()}
    ruler, scale = measure_panel(panel, scored, 0.0, RULES)
    assert scale is None
    assert ruler.wsd is None
    assert ruler.tracks_quality is None
    assert "same reward" in str(ruler.reason)


def test_a_model_that_reads_the_prompt_only_has_no_unit(panel: Panel) -> None:
    scored = {item: dict.fromkeys(arms, float(i)) for i, (item, arms) in enumerate(rewards(panel).items())}
    assert measure_panel(panel, scored, 0.0, RULES)[1] is None


@pytest.mark.parametrize(("noise", "usable"), [(0.2, True), (1.0, False), (None, True)])
def test_scores_that_are_mostly_noise_are_no_measure(noise: float | None, usable: bool, panel: Panel) -> None:
    scored = rewards(panel, quality=0.0, noise=1.0)
    ruler, scale = measure_panel(panel, scored, noise, RULES)
    assert (scale is not None) == usable
    assert ruler.score_noise == noise
    assert usable or "noise" in str(ruler.reason)


def test_answers_without_reward_are_counted_and_left_out(panel: Panel) -> None:
    scored = rewards(panel)
    del scored["panel-3"]["r0"], scored["panel-4"]["r1"]
    ruler, _ = measured(panel, scored)
    assert (ruler.n, ruler.n_responses, ruler.n_errors, ruler.n_pairs) == (30, 118, 2, 174)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_panel_that_could_not_be_scored(kept: int, panel: Panel) -> None:
    scored: Rewards = {"panel-0": {"r0": 1.0}} if kept else {}
    ruler, scale = measure_panel(panel, scored, None, RULES)
    assert scale is None
    assert (ruler.n_responses, ruler.n_errors) == (kept, 120 - kept)
    assert "could not be scored" in str(ruler.reason)


def test_one_answer_a_prompt_is_no_measure(panel: Panel) -> None:
    scored = {item: {"r0": arms["r0"]} for item, arms in rewards(panel).items()}
    ruler, scale = measure_panel(panel, scored, None, RULES)
    assert scale is None
    assert ruler.reason


def test_rewards_are_regrouped_and_holes_left_out(panel: Panel) -> None:
    flat = {("panel-0", "r0"): 1.0, ("panel-0", "r1"): None, ("elsewhere", "r0"): 2.0}
    grouped = rewards_by_item(panel.items[:2], flat)
    assert grouped == {"panel-0": {"r0": 1.0}, "panel-1": {}}


FAULTS: list[Any] = [
    (lambda items: items[2]["arms"]["r0"]["factors"].pop("grade"), "items.jsonl:3: .*grade"),
    (lambda items: items[2]["arms"]["r0"]["factors"].update(grade="good"), "items.jsonl:3: .*grade"),
    (lambda items: items[2]["arms"]["r0"]["factors"].update(grade=True), "items.jsonl:3: .*grade"),
    (lambda items: [arm["factors"].update(grade=1.0) for arm in items[2]["arms"].values()], "items.jsonl:3: .*grade"),
    (lambda items: items.append(items[0]), "items.jsonl:31: .*used twice"),
    (lambda items: items.clear(), "holds no items"),
    (lambda items: items[2].update(arms={}), "items.jsonl:3: arms"),
]


@pytest.mark.parametrize(("change", "words"), FAULTS, ids=range(len(FAULTS)))
def test_a_broken_panel_is_refused(change: Any, words: str, tmp_path: Path) -> None:
    folder = write_panel(tmp_path / "panel")
    items = json.loads(json.dumps(panel_items()))
    change(items)
    write_jsonl(folder / "items.jsonl", items)
    with pytest.raises(SuiteError, match=words):
        load_panel(folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: [a\n", "broken"),
        ("- a\n", "broken"),
        ("version: 1\n", "name"),
        ("name: a\nversion: 1\nitems: []\n", "items"),
        ("name: a\nversion: 1\nitems: [no.jsonl]\n", r"no\.jsonl"),
        ("name: a\nversion: 1\nitems: [../elsewhere.jsonl]\n", "outside"),
    ],
)
def test_a_broken_panel_file_is_refused(text: str, words: str, tmp_path: Path) -> None:
    folder = write_panel(tmp_path / "panel")
    write_jsonl(tmp_path / "elsewhere.jsonl", panel_items())
    (folder / "panel.yaml").write_text(text)
    with pytest.raises(SuiteError, match=words) as caught:
        load_panel(folder)
    assert str(folder) in str(caught.value)
    assert "\n\n" not in str(caught.value)


def test_the_digest_is_over_all_files(tmp_path: Path) -> None:
    folder = write_panel(tmp_path / "panel")
    digests = {load_panel(folder).sha256}
    (folder / "panel.yaml").write_text(yaml.safe_dump({"name": "small", "version": 2}))
    digests.add(load_panel(folder).sha256)
    write_jsonl(folder / "items.jsonl", panel_items(29))
    digests.add(load_panel(folder).sha256)
    assert len(digests) == 3
