"""Further numbers about length and wins, on rewards whose answers are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rmaudit.suites.details.accuracy_by_length import AccuracyByLength
from rmaudit.suites.details.base import Context
from rmaudit.suites.details.length_controlled import LengthControlledAccuracy
from rmaudit.suites.details.length_slope import LengthSlope
from rmaudit.suites.details.ratio import Difference, Ratio
from rmaudit.suites.details.win_shares import WinShares
from rmaudit.suites.details.words_to_win import WordsToWin
from rmaudit.suites.estimate import item_effects
from rmaudit.suites.panel import PanelAnswers, Scale
from rmaudit.suites.spec import Item, Probe

PREFERENCE = Probe.model_validate(
    {
        "id": "p", "title": "P", "question": "?", "no_placebo": "none", "formula": "f",
        "measure": {"design": "preference", "factor": "answer", "better": "right", "worse": "wrong"},
        "meaning_plus": "it pays", "meaning_minus": "it charges",
    }
)  # fmt: skip
STEPS = {"wrong": 0, "padded": 20, "much padded": 60}
PROMPTS = 120
Reward = Callable[[int, str], float]
"""Reward from the item's number and the arm."""


def item(number: int) -> Item:
    """The right answer is longer than the wrong one on two prompts of three."""
    right = "so " * (12 if number % 3 else 4)
    arms = {"right": {"response": right, "factors": {"answer": "right"}}}
    for name, words in STEPS.items():
        factors = {"answer": name, "words": words, "long": "yes" if words else "no", "very": "no"}
        arms[name] = {"response": "no " * (8 + words), "factors": factors}
    return Item.model_validate(
        {"id": f"i{number}", "cluster": f"c{number}", "prompt": [{"role": "user", "content": "?"}], "arms": arms}
    )


def context(reward: Reward, answers: PanelAnswers | None = None) -> Context:
    items = [item(number) for number in range(PROMPTS)]
    rewards = {each.id: {arm: reward(n, arm) for arm in each.arms} for n, each in enumerate(items)}
    scale = Scale(1.0, None, np.zeros(0), np.zeros(0, dtype=np.int64), "no labels", answers)
    return Context(PREFERENCE, item_effects(PREFERENCE, items, rewards), items, rewards, scale, 0)


def to_win() -> WordsToWin:
    return WordsToWin(detail="words-to-win", factor="answer", better="right", steps=list(STEPS), words="words")


def per_word(rate: float, head_start: float = 1.0) -> Reward:
    """Right answers have a head start that grows over the prompts; words are paid at a rate."""
    return lambda n, arm: head_start + n / PROMPTS if arm == "right" else rate * STEPS[arm]


def test_the_words_that_buy_the_win_lie_between_the_steps_where_it_changes_hands() -> None:
    # Right answers are 1 to 2 ahead: 20 words at 0.06 win a fifth of the prompts, 60 words win all.
    found = to_win().compute(context(per_word(0.06)))
    shares = [value.estimate.estimate for value in found.values]
    assert shares == pytest.approx([0.0, 0.2, 1.0], abs=0.01)
    assert found.estimate.estimate == pytest.approx(20 + 40 * (0.5 - 0.2) / 0.8, abs=1)
    assert found.estimate.low is not None
    assert found.estimate.low < found.estimate.estimate
    assert found.reason is None


def test_where_no_padding_wins_there_is_no_number() -> None:
    found = to_win().compute(context(per_word(-0.01)))
    assert found.estimate.estimate is None
    assert found.reason
    assert "60 words" in found.reason


def test_a_model_that_prefers_wrong_answers_needs_no_padding() -> None:
    assert to_win().compute(context(per_word(0.0, head_start=-5.0))).estimate.estimate == 0.0


def test_accuracy_by_length_tells_a_model_that_goes_by_length() -> None:
    by_length = context(lambda n, arm: float(len(item(n).conversation(arm)[-1]["content"])))
    found = AccuracyByLength(detail="accuracy-by-length").compute(by_length)
    assert [value.estimate.estimate for value in found.values] == [1.0, 0.0, None]
    assert found.estimate.estimate == 1.0
    assert [value.n_clusters for value in found.values] == [80, 40, 0]


def test_accuracy_by_length_has_no_gap_for_a_model_that_does_not() -> None:
    by_truth = context(lambda n, arm: float(arm == "right") * (1 if n % 5 else -1))
    found = AccuracyByLength(detail="accuracy-by-length").compute(by_truth).estimate
    assert found.estimate == pytest.approx(0.0, abs=0.05)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high


def test_accuracy_at_equal_length_takes_length_out() -> None:
    rng = np.random.default_rng(3)
    coins = rng.random((PROMPTS, 2))

    def leaning(n: int, arm: str) -> float:
        """Right on 7 of 10 prompts where it is shorter, and on 9 of 10 where it is longer."""
        return float(arm == "right") * (1 if coins[n, 0] < (0.9 if n % 3 else 0.7) else -1)

    found = LengthControlledAccuracy(detail="length-controlled-accuracy").compute(context(leaning))
    assert found.estimate.estimate is not None
    assert 0.7 < found.estimate.estimate < 0.9
    assert found.values[0].estimate.estimate is not None
    assert found.values[0].estimate.estimate > 0


def test_both_need_a_better_and_a_worse_answer() -> None:
    made = context(per_word(0.1))
    contrast = {"design": "contrast", "factor": "long", "treated": "yes", "control": "no"}
    probe = Probe.model_validate(PREFERENCE.model_dump() | {"measure": contrast})
    other = Context(probe, item_effects(probe, made.items, made.rewards), made.items, made.rewards, made.scale, 0)
    for detail in (
        AccuracyByLength(detail="accuracy-by-length"),
        LengthControlledAccuracy(detail="length-controlled-accuracy"),
    ):
        with pytest.raises(ValueError, match="no better answer"):
            detail.compute(other)


def test_the_slope_over_the_panel_is_shown_with_a_warning() -> None:
    prompts = np.repeat(np.arange(50), 4)
    words = np.tile([8, 16, 32, 64], 50)
    rewards = 0.3 * np.log2(words) + prompts + np.random.default_rng(1).normal(0, 0.1, 200)
    domains = np.where(prompts % 2 == 0, "even", "odd")
    found = LengthSlope(detail="length-slope").compute(
        context(per_word(0.0), PanelAnswers(prompts, domains, rewards, words))
    )
    assert found.estimate.estimate == pytest.approx(0.3, abs=0.02)
    assert [value.label for value in found.values] == ["even", "odd"]
    assert found.note
    assert "Description only" in found.note


def test_without_a_panel_there_is_no_slope() -> None:
    with pytest.raises(ValueError, match="no unit"):
        LengthSlope(detail="length-slope").compute(context(per_word(0.0)))


def ratio(below: str) -> Ratio:
    return Ratio(
        detail="ratio",
        of=Difference(factor="answer", treated="padded", control="wrong", title="Some"),
        to=Difference(factor="answer", treated=below, control="wrong", title="More"),
    )


def test_a_ratio_of_two_effects() -> None:
    noise = np.random.default_rng(5).normal(0, 0.2, (PROMPTS, 4))
    columns = {arm: number for number, arm in enumerate(("right", *STEPS))}
    paid = context(lambda n, arm: 0.05 * STEPS.get(arm, 0) + noise[n, columns[arm]])
    found = ratio("much padded").compute(paid)
    assert found.estimate.estimate == pytest.approx(1 / 3, abs=0.03)
    assert found.estimate.low is not None
    assert found.estimate.high is not None
    assert found.estimate.low < 1 / 3 < found.estimate.high


def test_a_ratio_to_nothing_is_none() -> None:
    found = ratio("much padded").compute(context(lambda n, arm: float(n % 2 == 0) if arm == "padded" else 0.0))
    assert found.estimate.estimate is None
    assert found.reason
    assert [value.estimate.estimate for value in found.values] == [0.5, 0.0]


def test_win_shares_count_ties_half() -> None:
    found = WinShares(detail="win-shares", factor="answer", against="right", levels=list(STEPS)).compute(
        context(lambda n, arm: {"right": 0.0, "wrong": -1.0, "padded": 0.0, "much padded": 1.0}[arm])
    )
    assert [value.estimate.estimate for value in found.values] == [0.0, 0.5, 1.0]
