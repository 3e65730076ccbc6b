"""Known effects added to a model's own rewards: recovered, judged as the probe is, seen from the stated limit on."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from rmaudit.policy import load_policy
from rmaudit.stats.power import detection_limit
from rmaudit.stats.spike import smallest_detected
from rmaudit.suites import spike
from rmaudit.suites.estimate import Measurement, item_effects, measure
from rmaudit.suites.panel import Scale
from rmaudit.suites.spec import Item, Probe
from rmaudit.suites.verdict import decisive_estimates, judge
from tests.synthetic import suite_items, suite_spec

POLICY = load_policy()
RULES = POLICY.measurement
SCALE = Scale(1.0, None, np.zeros(0), np.zeros(0, dtype=np.int64), "none here")
Rewards = dict[str, dict[str, float]]


def probe(name: str = "shine", **changes: Any) -> Probe:
    found = next(entry for entry in suite_spec()["probes"] if entry["id"] == name)
    return Probe.model_validate(found | changes)


def items(clusters: int = 60) -> list[Item]:
    return [Item.model_validate(entry) for entry in suite_items(clusters)]


def noise(of: list[Item], seed: int, spread: float = 0.2, **effects: float) -> Rewards:
    """Rewards by arm: noise, and a fixed effect on the named arms."""
    rng = np.random.default_rng(seed)
    return {item.id: {arm: rng.normal(effects.get(arm, 0.0), spread) for arm in item.arms} for item in of}


def measured(of: Probe, rewards: Rewards, clusters: int = 60) -> Measurement:
    return measure(of, item_effects(of, items(clusters), rewards), SCALE, rewards, RULES.equivalence_margin, seed=0)


def recovered(of: Probe, result: Measurement, level: float = 0.05, seed: int = 0) -> spike.Recovery:
    found = spike.recover(of, result, level, RULES, seed)
    assert found is not None
    return found


CARRYOVER = {
    "id": "carry",
    "title": "t",
    "question": "q",
    "measure": {"design": "carryover", "prompt": "p", "response": "r"},
    "direction": "+",
    "meaning_plus": "m",
    "meaning_minus": "m",
    "formula": "f",
    "no_placebo": "its own",
}


def carryover_items(clusters: int = 60) -> list[Item]:
    return [
        Item.model_validate(
            {
                "id": f"i{i}",
                "cluster": f"i{i}",
                "arms": {
                    f"{p}{r}": {
                        "messages": [{"role": "user", "content": p}, {"role": "assistant", "content": r}],
                        "factors": {"p": p, "r": r},
                    }
                    for p in "ab"
                    for r in "ab"
                },
            }
        )
        for i in range(clusters)
    ]


@pytest.mark.parametrize("name", ["shine", "words", "names"])
def test_what_is_added_is_recovered_and_held_by_the_intervals(name: str) -> None:
    found = recovered(probe(name), measured(probe(name), noise(items(), seed=1))).spike
    assert found.slope == pytest.approx(1.0, abs=0.02)
    assert 0.93 <= found.coverage <= 0.97
    assert [entry.size for entry in found.added] == [0.0, 0.05, 0.1, 0.2, 0.4]
    assert found.added[0].recovered == 0.0
    assert found.added[0].detected <= 0.05
    shares = [entry.detected for entry in found.added]
    assert shares == sorted(shares)


def carried(amount: float, seed: int, clusters: int = 300) -> tuple[Probe, Measurement]:
    """A model to which one answer of each item, drawn by coin, is worth more under both prompts."""
    of = Probe.model_validate(CARRYOVER)
    made = carryover_items(clusters)
    rewards = noise(made, seed=seed, spread=0.26)
    coin = np.random.default_rng([seed, 1]).choice(["a", "b"], clusters)
    for item, answer in zip(made, coin, strict=True):
        for arm in rewards[item.id]:
            rewards[item.id][arm] += amount * (arm[1] == answer)
    return of, measure(of, item_effects(of, made, rewards), SCALE, rewards, RULES.equivalence_margin, seed=0)


def test_the_limit_of_a_carryover_probe_is_that_of_models_with_a_carried_preference() -> None:
    found = recovered(*carried(0.0, seed=2))
    assert found.spike.slope == pytest.approx(1.0, abs=0.02)
    assert found.limit == pytest.approx(0.1, abs=0.02)
    amounts = np.linspace(0.1, 0.5, 9)
    effects = [float(np.mean([carried(a, seed)[1].srd.estimate or 0 for seed in range(4)])) for a in amounts]
    amount = float(np.interp(found.limit, effects, amounts))
    shown = [(carried(amount, seed)[1].srd.low or 0) > RULES.equivalence_margin for seed in range(60)]
    assert np.mean(shown) >= 0.88, "95% of models, give or take what 60 of them tell"


@pytest.mark.parametrize("effect", [0.0, 1.0, -1.0])
def test_the_models_own_effect_does_not_change_what_can_be_seen(effect: float) -> None:
    without = recovered(probe(), measured(probe(), noise(items(), seed=3)))
    found = recovered(probe(), measured(probe(), noise(items(), seed=3, shiny=effect)))
    assert found.limit == pytest.approx(without.limit, abs=1e-6)


def test_without_placebo_and_correction_the_limit_is_that_of_the_formula() -> None:
    of = probe(placebo=None, no_placebo="none", direction="+")
    result = measured(of, noise(items(300), seed=4, spread=0.37 / 2**0.5), clusters=300)
    ((_, error, df),) = result.standard_errors
    formula = detection_limit(error, df, RULES.equivalence_margin)
    assert formula == pytest.approx(0.127, abs=0.01)
    # What is added is scattered too, so a little more is needed.
    assert recovered(of, result).limit == pytest.approx(formula, rel=0.05)


def test_a_strict_correction_raises_the_limit_up_to_never() -> None:
    result = measured(probe(), noise(items(), seed=5))
    limits = [recovered(probe(), result, level).limit for level in (0.05, 0.0002, 0.00005)]
    assert limits[0] is not None
    assert limits[1] is not None
    assert limits[0] < limits[1]
    assert limits[2] is None, "a permutation test of 9,999 draws has no such p value"


@pytest.mark.parametrize("drift", [0.5, -0.5])
def test_an_effect_must_stand_out_from_a_placebo_that_moves(drift: float) -> None:
    """Where the placebo pays, what is beyond it must clear the margin; where it costs, it has no say."""
    result = measured(probe(), noise(items(), seed=6, other=drift))
    (_, whole, df), (_, beyond, _) = result.standard_errors
    formula = detection_limit(beyond if drift > 0 else whole, df, 0.05)
    found = recovered(probe(), result)
    # What is added is scattered as well, the more the more it is.
    assert 0.95 * formula < found.limit < 1.25 * formula  # type: ignore[operator]
    assert found.spike.slope == pytest.approx(1.0, abs=0.02)


def test_a_placebo_that_has_the_treatment_itself_hides_every_effect() -> None:
    same = {"design": "contrast", "factor": "polish", "treated": "yes", "control": "no"}
    found = recovered(probe(placebo=same), measured(probe(placebo=same), noise(items(), seed=7)))
    assert found.limit is None
    assert found.spike.added[-1].detected == 0.0


def test_too_few_clusters_for_a_verdict_are_too_few_for_a_limit() -> None:
    result = measured(probe(), noise(items(15), seed=8), clusters=15)
    assert spike.recover(probe(), result, 0.05, RULES, 0) is None


def test_neither_seed_nor_scale_of_rewards_is_arbitrary() -> None:
    rewards = noise(items(), seed=9)
    first = recovered(probe(), measured(probe(), rewards))
    assert recovered(probe(), measured(probe(), rewards)) == first
    other = recovered(probe(), measured(probe(), rewards), seed=1)
    assert other != first
    assert other.limit == pytest.approx(first.limit, rel=0.1)


@pytest.mark.parametrize("direction", ["+", "-", "either"])
@pytest.mark.parametrize("placebo", [0.0, 0.15, -0.15])
def test_repeats_are_judged_as_the_probe_itself_is(direction: str, placebo: float) -> None:
    """Each of some repeats, built item by item and put through the verdict's own function, gets the same word."""
    of = probe(direction=direction)
    result = measured(of, noise(items(), seed=10, other=placebo))
    side = -1.0 if direction == "-" else 1.0
    experiment = spike._of_mean(result, side, 0.05, of.direction, RULES, seed=0)
    size = smallest_detected(lambda tried: float(experiment(tried).present.mean()), 0.5, 0.1, 20.0)
    assert size is not None
    judged = experiment(size)

    effects, control = result.effects.effects, result.effects.placebo
    assert control is not None
    moves = not (result.placebo_srd.low <= 0 <= result.placebo_srd.high)  # type: ignore[operator]
    assert moves == (placebo != 0)
    drifted = control.mean() if moves else 0.0
    null = drifted if drifted * side > 0 else 0.0
    put_in = side * size * spike.scattered(60, 0)
    counts = spike.repeats(60, spike.DRAWS, 0).astype(int)
    told = []
    for times in counts[:150]:
        chosen = np.repeat(np.arange(60), times)
        repeat = dataclasses.replace(
            result.effects,
            items=tuple(result.effects.items[i].model_copy(update={"cluster": str(n)}) for n, i in enumerate(chosen)),
            effects=(effects - effects.mean() + null + put_in)[chosen],
            placebo=(control - control.mean() + drifted)[chosen],
        )
        again = measure(of, repeat, SCALE, {}, RULES.equivalence_margin, seed=0)
        p = _p(again)
        told.append(judge(again, of.direction, p, POLICY).verdict == "present")
    agreement = np.mean(np.array(told) == judged.present[:150])
    assert agreement >= 0.98, "the p of random signs and Student's differ in few repeats"


def _p(result: Measurement) -> float | None:
    """The p value that counts: the weaker one where the placebo moves the same way as the effect."""
    both = decisive_estimates(result.srd, result.placebo_srd, result.adjusted_srd)[1:]
    return max(result.p_value or 0, result.p_beyond_placebo or 0) if both else result.p_value


def test_an_effect_at_the_limit_is_found_in_new_models() -> None:
    """Limits of some models, against how often other models with an effect of that size are called present."""
    of = probe()
    limits = [recovered(of, measured(of, noise(items(), seed=seed))).limit for seed in range(20, 30)]
    limit = float(np.mean([value for value in limits if value is not None]))
    found = 0
    for seed in range(100, 200):
        result = measured(of, noise(items(), seed=seed, shiny=limit))
        p = _p(result)
        found += judge(result, of.direction, p, POLICY).verdict == "present"
    assert 0.90 <= found / 100 <= 0.99
