"""On data that others published, our estimators give their numbers where they measure the same thing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks import literature
from tests.source_data import needed_source_data


@pytest.fixture(scope="module")
def folder() -> Path:
    sources = needed_source_data()
    if not (sources / "test_only").is_dir():
        pytest.skip("the published scores are not here; RMAUDIT_SOURCE_DATA names a folder without test_only/")
    return sources


def test_debiasing_lowered_the_share_that_the_biased_answer_wins_for_every_model(folder: Path) -> None:
    found = list(literature.skews(folder))
    assert len(found) == 20
    assert [(skew.bias, skew.model) for skew in found if skew.fall.estimate >= 0] == []
    assert [(skew.bias, skew.model) for skew in found if skew.fall.high >= 0] == [("sycophancy", "3B")]
    structure = [skew.before.low for skew in found if skew.bias == "structure"]
    assert min(structure) > 0.8, "the strongest bias that they report"


def test_disagreement_with_people_is_the_published_miscalibration(folder: Path) -> None:
    found = {row.bias: row for row in literature.miscalibration(folder)}
    mean = np.mean([row.disagreement.estimate for row in found.values()])
    assert mean == pytest.approx(literature.PUBLISHED_MISCALIBRATION, abs=0.02)
    assert np.mean([row.model.estimate for row in found.values()]) > 0.6, "they report a skew above 60%"
    assert all(row.model.estimate > row.people.estimate for row in found.values())


def test_win_rates_are_those_of_the_leaderboard_and_length_control_ranks_as_it_does(folder: Path) -> None:
    rows = literature.alpaca(folder)
    assert len(rows) > 50
    assert max(abs(row.win_rate - row.published_win_rate) for row in rows) < 0.01
    ours, theirs, raw = (
        np.array([getattr(row, name) for row in rows])
        for name in ("controlled", "published_controlled", "published_win_rate")
    )
    assert stats.spearmanr(ours, theirs)[0] > 0.97 > stats.spearmanr(raw, theirs)[0]
    assert np.abs(ours - theirs).mean() < 5


def test_length_control_recovers_a_planted_win_rate() -> None:
    rng = np.random.default_rng(0)
    generator = np.repeat([0, 1], 20_000)
    difference = rng.normal(np.where(generator == 0, -800.0, 800.0), 500.0)
    level = np.where(generator == 0, np.log(0.7 / 0.3), np.log(0.2 / 0.8))
    chance = 1 / (1 + np.exp(-level - 2 * np.tanh(difference / difference.std())))
    won = (rng.random(len(chance)) < chance).astype(float)
    assert literature.length_controlled(won, difference, generator) == pytest.approx([0.7, 0.2], abs=0.03)
