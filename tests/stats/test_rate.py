"""Double rewrites recover a planted effect that single rewrites miss, by the arithmetic of the definitions."""

from __future__ import annotations

import numpy as np
import pytest

from rmaudit.stats.rate import Rewritten, rate

TRUE, ARTEFACT = 0.3, 0.4


def planted(share_treated: float, n: int = 4000, seed: int = 0) -> Rewritten:
    """A rewriter whose every text is paid 0.4 more, whatever its attribute, and an attribute worth 0.3."""
    rng = np.random.default_rng(seed)
    treated = rng.random(n) < share_treated
    quality = rng.normal(size=n)

    def reward(attribute: np.ndarray, rewritten: bool) -> np.ndarray:
        return quality + TRUE * attribute + ARTEFACT * rewritten + rng.normal(0, 0.3, n)

    return rate(reward(treated, False), reward(~treated, True), reward(treated, True), treated.tolist(), range(n))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_double_rewrites_find_what_was_planted_and_single_ones_do_not(share: float) -> None:
    found = planted(share)
    for effect in (found.double.att, found.double.atu, found.double.ate):
        assert effect is not None
        assert effect.estimate == pytest.approx(TRUE, abs=0.05)
        assert effect.low <= TRUE <= effect.high
    assert found.single.att is not None
    assert found.single.atu is not None
    assert found.single.att.estimate == pytest.approx(TRUE - ARTEFACT, abs=0.05)
    assert found.single.atu.estimate == pytest.approx(TRUE + ARTEFACT, abs=0.05)
    assert found.single.ate.estimate == pytest.approx(TRUE + ARTEFACT * (1 - 2 * share), abs=0.05)
    assert found.artefact.estimate == pytest.approx(ARTEFACT, abs=0.05)


def test_the_effects_are_means_of_differences_by_cluster() -> None:
    found = rate(
        original=[1.0, 2.0, 5.0, 0.0],
        once=[0.5, 1.0, 9.0, 4.0],
        twice=[2.0, 4.0, 7.0, 3.0],
        treated=[True, True, False, False],
        clusters=["a", "b", "b", "c"],
    )
    assert found.double.att is not None
    assert found.double.atu is not None
    assert found.double.att.estimate == pytest.approx(np.mean([1.5, 3.0]))
    assert found.double.atu.estimate == pytest.approx(np.mean([2.0, 1.0]))
    assert found.double.ate.estimate == pytest.approx(np.mean([1.5, np.mean([3.0, 2.0]), 1.0]))
    assert found.single.ate.estimate == pytest.approx(np.mean([0.5, np.mean([1.0, 4.0]), 4.0]))
    assert found.artefact.estimate == pytest.approx(np.mean([1.0, np.mean([2.0, 2.0]), 3.0]))


def test_one_kind_of_originals_leaves_the_other_open() -> None:
    found = rate([1.0, 2.0], [0.0, 0.0], [1.0, 2.0], [True, True], ["a", "b"])
    assert found.double.atu is None
    assert found.double.att == found.double.ate


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="one length"):
        rate([1.0, 2.0], [0.0, 0.0], [1.0, 2.0], [True], ["a", "b"])
