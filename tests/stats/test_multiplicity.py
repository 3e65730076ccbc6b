"""Corrections against worked examples."""

from __future__ import annotations

import numpy as np
import pytest

from rmaudit.stats.multiplicity import benjamini_hochberg, holm

# Benjamini and Hochberg (1995), section 4.1: fifteen endpoints of a trial.
TRIAL = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
    0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
]  # fmt: skip


def test_worked_by_hand() -> None:
    p = [0.01, 0.04, 0.03, 0.005]
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg(p) == pytest.approx([0.02, 0.04, 0.04, 0.02])


def test_the_published_trial() -> None:
    """The paper rejects four by the false discovery rate and three by the family-wise rate."""
    q, adjusted = benjamini_hochberg(TRIAL), holm(TRIAL)
    assert sum(value <= 0.05 for value in q if value is not None) == 4
    assert sum(value <= 0.05 for value in adjusted if value is not None) == 3
    assert q[3] == pytest.approx(0.0095 * 15 / 4)
    assert adjusted[2] == pytest.approx(0.0019 * 13)


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg])
def test_none_passes_through_and_does_not_count(correct) -> None:
    assert correct([None, 0.02, None, 0.5]) == [None, 0.04, None, 0.5]
    assert correct([None, None]) == [None, None]
    assert correct([]) == []
    assert correct([0.03]) == [0.03]


def test_forty_null_probes_rarely_alarm() -> None:
    rng = np.random.default_rng(0)
    runs = rng.random((1000, 40))
    assert np.mean([min(row) <= 0.05 for row in runs]) > 0.8
    assert 0.03 <= np.mean([min(benjamini_hochberg(row.tolist())) <= 0.05 for row in runs]) <= 0.07
    for row in runs[:20]:
        assert min(holm(row.tolist())) == pytest.approx(min(1.0, 40 * min(row)))


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, bad])
