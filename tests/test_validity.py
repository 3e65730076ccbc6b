"""A small version of `benchmarks/validity.py`: the suites that ship find what is planted, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rmaudit
from benchmarks.fitted import PLANTED, fit
from benchmarks.organisms import FOLDER, noises
from benchmarks.validity import SIZES, Bench, planted, spiked
from rmaudit.models.load import load

MODELS = 25
NOISE_MODELS = 60


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench("smoke")


def test_many_models_at_once_are_judged_as_one_is(bench: Bench) -> None:
    column = bench.base + noises(bench.audit.texts, 1, bench.noise, first_seed=7)[:, 0]
    for primary in bench.primaries:
        column = column + 0.3 * bench.audit.indicator(primary.suite, primary.probe)
    usual = {(found.suite, found.probe): found for found in bench.audited(column)}
    many = bench.audit.judge(np.column_stack([column, -column]))
    assert {(each.suite, each.probe) for each in many} == usual.keys()
    assert sum(each.present[0] for each in many) >= len(bench.primaries) - 1
    for each in many:
        found = usual[each.suite, each.probe]
        if found.verdict == "not_measurable":
            continue
        assert each.present[0] == (found.verdict == "present"), (each.suite, each.probe)
        if found.groups:
            continue  # the finding is about the group that leads, and permutations are fewer
        assert each.estimate[0] == pytest.approx(found.srd.estimate, abs=1e-9)
        assert each.low[0] == pytest.approx(found.srd.low, abs=1e-9)
        assert each.high[0] == pytest.approx(found.srd.high, abs=1e-9)


def test_what_is_planted_is_found_by_its_own_suite_alone(bench: Bench) -> None:
    results = list(planted(bench, MODELS))
    for primary in bench.primaries:
        own = {result.size: result for result in results if result.suite == primary.suite and not result.at_limit}
        shares = [own[size].detected.hits / MODELS for size in SIZES]
        assert shares[0] <= 0.1
        assert shares[-1] >= 0.9, primary.suite
        assert shares == sorted(shares), "more is seen more often"
        rise = np.array([own[size].mean - own[0.0].mean for size in SIZES])
        assert np.array(SIZES) @ rise / (np.array(SIZES) @ np.array(SIZES)) == pytest.approx(1.0, abs=0.1)
    # The same noise stands in every row, so that leaks of single models repeat.
    assert np.mean([result.leaked.hits / MODELS for result in results]) <= 0.08


def test_noise_is_hardly_ever_accused(bench: Bench) -> None:
    outcomes = bench.audit.judge(noises(bench.audit.texts, NOISE_MODELS, 1.0), primary=True)
    accused = np.any([each.present for each in outcomes], axis=0).sum()
    assert accused <= 8, "more than that has a chance of 1 in 400 at a rate of 5%"


def test_a_fitted_transformer_is_a_checkpoint_like_any(tmp_path: Path) -> None:
    _, pairs = PLANTED["certainty"]
    fit(pairs, 1.0, 0, tmp_path / "model", steps=2)
    (scored,) = load(str(tmp_path / "model")).score(
        [[{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]]
    )
    assert np.isfinite(scored)


def test_effects_added_to_stored_rewards_are_recovered(bench: Bench, tmp_path: Path) -> None:
    run = tmp_path / "run"
    rmaudit.scan(f"python:{FOLDER / 'honest.py'}:score", tier="smoke", out=run)
    found = list(spiked(bench, run))
    assert [entry[0] for entry in found] == [primary.suite for primary in bench.primaries]
    additive = {primary.suite for primary in bench.primaries if primary.design != "carryover"}
    for suite, _, rises, slope, _ in found:
        assert rises[0] == 0.0
        if suite in additive:
            assert slope == pytest.approx(1.0, abs=0.1), suite
