"""Permutation tests against Fisher's own example, full enumeration and naive loops."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats as scipy_stats

from rmaudit.stats.permutation import max_t_groups, sign_flip_p

# Cross- minus self-fertilised maize, in eighths of an inch (Darwin 1876; Fisher 1935, Design of Experiments).
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


def enumerated_p(values: np.ndarray) -> float:
    sums = np.array([abs(np.dot(signs, values)) for signs in product((-1, 1), repeat=len(values))])
    return float(np.mean(sums >= abs(values.sum()) - 1e-9))


def test_sign_flip_is_exact_on_darwins_maize() -> None:
    """Fisher counted 863 of 2^15 patterns with a sum of 314 or more, and as many of -314 or less."""
    assert sign_flip_p(DARWIN, seed=0) == 2 * 863 / 2**15


@pytest.mark.parametrize("n", [1, 2, 7, 11])
def test_sign_flip_equals_enumeration(n: int) -> None:
    values = np.random.default_rng(n).normal(0.5, 1.0, n)
    assert sign_flip_p(values, seed=0) == enumerated_p(values)


def test_sign_flip_of_many_clusters_is_near_the_exact_p() -> None:
    """Seventeen values are drawn, not enumerated; with 2^17 patterns the truth is still known."""
    values = np.random.default_rng(0).normal(0.4, 1.0, 17)
    bits = (np.arange(2**17)[:, None] >> np.arange(17)) & 1
    exact = np.mean(np.abs((2 * bits - 1) @ values) >= abs(values.sum()) - 1e-9)
    assert sign_flip_p(values, seed=1) == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 9999))
    assert sign_flip_p(values, seed=1) == sign_flip_p(values, seed=1)


def test_sign_flip_never_says_impossible() -> None:
    assert sign_flip_p(np.ones(200), seed=0) == 1 / 10_000
    assert sign_flip_p(np.ones(200), seed=0, draws=99) == 1 / 100
    assert sign_flip_p(np.zeros(200), seed=0) == 1.0


def test_sign_flip_holds_its_level_without_an_effect() -> None:
    rng = np.random.default_rng(3)
    alarms = [sign_flip_p(rng.standard_t(3, 40), seed=seed, draws=199) <= 0.05 for seed in range(800)]
    assert 0.03 <= np.mean(alarms) <= 0.07


@pytest.mark.parametrize("factor", [1e-12, 0.1, 1 / 3, 7.0, 1e9, -1.0])
@pytest.mark.parametrize("n", [12, 40])
def test_ties_survive_rescaling(factor: float, n: int) -> None:
    """With differences of -1, 0 and 1 most patterns tie; rounding must not break the ties."""
    values = np.random.default_rng(4).integers(-1, 2, n) * 0.1
    assert sign_flip_p(values * factor, seed=5) == sign_flip_p(values, seed=5)


def naive_max_t(values: np.ndarray, labels: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    names = list(dict.fromkeys(labels))
    means, errors = {}, {}
    for name in names:
        own = np.array([value for value, label in zip(values, labels, strict=True) if label == name])
        means[name], errors[name] = own.mean(), own.var(ddof=1) / len(own)
    contrast, se = {}, {}
    for name in names:
        others = [other for other in names if other != name]
        contrast[name] = means[name] - np.mean([means[other] for other in others])
        se[name] = np.sqrt(errors[name] + sum(errors[other] for other in others) / len(others) ** 2)
    return contrast, se


def test_max_t_matches_a_naive_loop() -> None:
    rng = np.random.default_rng(6)
    labels = ["b"] * 5 + ["a"] * 9 + ["c"] * 4 + ["b"] * 3
    values = rng.normal(size=21) + np.array([2.0 if label == "a" else 0.0 for label in labels])
    found = max_t_groups(values, labels, seed=7, draws=2999)
    contrast, se = naive_max_t(values, labels)
    assert found.names == ("b", "a", "c")
    assert found.contrast == pytest.approx([contrast[name] for name in found.names])
    assert found.standard_error == pytest.approx([se[name] for name in found.names])
    assert found.t == pytest.approx(found.contrast / found.standard_error)

    largest = []
    for _ in range(1500):
        shuffled, errors = naive_max_t(rng.permutation(values), labels)
        largest.append(max(abs(shuffled[name] / errors[name]) for name in shuffled))
    assert found.critical == pytest.approx(np.quantile(largest, 0.95), rel=0.08)
    naive_p = np.mean(np.array(largest)[:, None] >= np.abs(found.t), axis=0)
    assert found.p_each == pytest.approx(naive_p, abs=0.05)
    assert found.p_omnibus == found.p_each.min()


def test_two_groups_are_welchs_test() -> None:
    rng = np.random.default_rng(8)
    a, b = rng.normal(0.0, 1.0, 12), rng.normal(0.8, 3.0, 30)
    found = max_t_groups(np.concatenate([a, b]), ["a"] * 12 + ["b"] * 30, seed=0, draws=999)
    welch = scipy_stats.ttest_ind(a, b, equal_var=False).statistic
    assert found.t == pytest.approx([welch, -welch])
    assert found.p_each[0] == found.p_each[1]


def test_simultaneous_intervals_and_p_values_agree() -> None:
    rng = np.random.default_rng(9)
    labels = np.repeat(list("abcdef"), 6).tolist()
    decisions = set()
    for seed in range(30):
        values = rng.normal(size=36) + np.repeat([0.0, 0.0, 0.0, 0.0, 0.5, 1.5], 6)
        found = max_t_groups(values, labels, seed=seed, draws=399)
        outside = (found.low > 0) | (found.high < 0)
        assert outside.tolist() == (found.p_each <= 0.05).tolist()
        decisions |= set(outside.tolist())
    assert decisions == {True, False}


@pytest.mark.parametrize("seed", range(20))
def test_few_units_tie_often_and_rounding_does_not_decide(seed: int) -> None:
    """Eight units have 70 labellings, so many permutations repeat the observed statistic."""
    values = np.random.default_rng(seed).integers(0, 6, 8) * 0.1 + np.repeat([0.0, 0.4], 4)
    plain = max_t_groups(values, list("aaaabbbb"), seed=seed, draws=499)
    for factor, offset in ((1 / 3, 0.0), (7.0, 0.7), (1e-5, 1e-5)):
        scaled = max_t_groups(factor * values + offset, list("aaaabbbb"), seed=seed, draws=499)
        for found in (plain, scaled):
            outside = (found.low > 0) | (found.high < 0)
            assert outside.tolist() == (found.p_each <= 0.05).tolist()
        assert scaled.p_each.tolist() == plain.p_each.tolist()


def test_max_t_holds_one_error_rate_for_all_groups() -> None:
    rng = np.random.default_rng(10)
    labels = np.repeat(list("abcdefgh"), 10).tolist()
    runs = [max_t_groups(rng.normal(size=80), labels, seed=seed, draws=199) for seed in range(400)]
    assert 0.025 <= np.mean([run.p_omnibus <= 0.05 for run in runs]) <= 0.08
    covered = [np.all((run.low <= 0) & (run.high >= 0)) for run in runs]
    assert np.mean(covered) >= 0.92


def test_max_t_finds_the_group_that_differs() -> None:
    rng = np.random.default_rng(11)
    values = rng.normal(size=160) + np.repeat([0.0, 0.0, 1.0, 0.0], 40)
    found = max_t_groups(values, np.repeat(list("abcd"), 40).tolist(), seed=0, draws=999)
    assert found.names[int(found.p_each.argmin())] == "c"
    assert found.low[2] > 0
    assert found.p_omnibus == 1 / 1000


def test_groups_that_are_all_the_same_do_not_differ() -> None:
    found = max_t_groups([0.1] * 9, list("aaabbbccc"), seed=0, draws=199)
    assert found.contrast.tolist() == [0.0, 0.0, 0.0]
    assert found.p_omnibus == 1.0
    assert np.isfinite([*found.low, *found.high, *found.t, found.critical]).all()


def test_groups_without_spread_stay_finite() -> None:
    """Perfect separation: a third of the label patterns of four units separate them as well."""
    found = max_t_groups([0.0, 0.0, 1.0, 1.0], list("aabb"), seed=0, draws=999)
    assert found.p_omnibus == pytest.approx(1 / 3, abs=0.05)
    assert np.isfinite([*found.low, *found.high, *found.t, found.critical]).all()
    assert ((found.low <= 0) & (found.high >= 0)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sign_flip_p([], seed=0), "no cluster values"),
        (lambda: sign_flip_p([1.0, np.inf], seed=0), "finite"),
        (lambda: max_t_groups([1.0, 2.0], ["a", "a"], seed=0), "two groups"),
        (lambda: max_t_groups([1.0, 2.0, 3.0], ["a", "a", "b"], seed=0), "'b' has fewer than two units"),
        (lambda: max_t_groups([1.0], ["a", "b"], seed=0), "1 unit means but 2 labels"),
        (lambda: max_t_groups([1.0, 2.0, 3.0, 4.0], list("aabb"), seed=0, draws=10), "10 draws"),
    ],
)
def test_what_cannot_be_tested_is_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_units_centred_on_their_company_need_the_se_factor() -> None:
    """Four arms a scenario, one a group, centred on their mean: without the factor noise is accused too often."""
    k, scenarios, runs = 4, 40, 200
    labels = ["a", "b", "c", "d"] * scenarios
    rng = np.random.default_rng(3)
    accused = {1.0: 0, (k / (k - 1)) ** 0.5: 0}
    for run in range(runs):
        rewards = rng.standard_normal((scenarios, k))
        units = (rewards - rewards.mean(axis=1, keepdims=True)).ravel()
        for factor in accused:
            accused[factor] += max_t_groups(units, labels, run, 499, se_factor=factor).p_omnibus <= 0.05
    without, with_factor = (count / runs for count in accused.values())
    assert with_factor <= 0.08
    assert without > with_factor + 0.03
