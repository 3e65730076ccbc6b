from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rmaudit.models.interface import Identity, ModelFacts, RewardModel, Scored
from rmaudit.models.load import load
from rmaudit.models.selftest import self_test
from rmaudit.reporting.report import SelfCheck
from tests.models import tiny


class Planted(RewardModel):
    """A model whose rewards are a function of the batch and of how often it was asked."""

    def __init__(self, function: Callable[[list[str], int], list[Any]], max_length: int | None = None) -> None:
        self.facts = ModelFacts(Identity("0", "planted"), "planted", (), None, None, None, None, None, max_length)
        self._function = function
        self._calls = 0

    def score_batch(self, conversations: Sequence[Any]) -> list[Scored]:
        self._calls += 1
        answers = self._function([conversation[-1]["content"] for conversation in conversations], self._calls)
        return [a if isinstance(a, Scored) else Scored(float(a)) for a in answers]


def check(model: RewardModel, scale: float | None = None) -> tuple[dict[str, SelfCheck], float | None]:
    checks, noise = self_test(model, tiny.conversations(), scale, 1e-3)  # type: ignore[arg-type]
    return {entry.name: entry for entry in checks}, noise


def lengths(texts: list[str], calls: int) -> list[Any]:
    return [len(text) for text in texts]


def test_a_whole_checkpoint_passes_everything(llama: Path) -> None:
    checks, noise = check(load(str(llama)), 0.5)
    assert {name for name, entry in checks.items() if entry.passed} >= {
        "finite", "length", "repeat", "batch size", "order", "padding side", "library", "spread",
    }  # fmt: skip
    assert noise == 0.0
    assert all(entry.passed is not False for name, entry in checks.items() if name != "sanity")
    assert checks["batch size"].worst_difference == pytest.approx(0, abs=1e-4)


def test_a_function_of_each_conversation_passes() -> None:
    checks, noise = check(Planted(lengths))
    assert [name for name, entry in checks.items() if entry.passed is False] == []
    assert checks["padding side"].passed is None
    assert checks["library"].passed is None
    assert noise == 0.0


def test_a_reward_that_depends_on_the_batch_is_found() -> None:
    model = Planted(lambda texts, calls: [len(text) + 0.1 * len(texts) for text in texts])
    checks, _ = check(model, scale=2.0)
    assert checks["batch size"].passed is False
    assert checks["batch size"].worst_difference == pytest.approx(0.1 * (len(tiny.conversations()) - 1) / 2.0)
    assert checks["repeat"].passed
    assert checks["order"].passed


def test_a_reward_that_depends_on_the_order_is_found() -> None:
    checks, _ = check(Planted(lambda texts, calls: [len(text) + 0.1 * i for i, text in enumerate(texts)]))
    assert checks["order"].passed is False


def test_a_reward_that_drifts_is_found_and_its_noise_told() -> None:
    checks, noise = check(Planted(lambda texts, calls: [len(text) + 3.0 * calls for text in texts]), scale=10.0)
    assert checks["repeat"].passed is False
    assert checks["repeat"].worst_difference == pytest.approx(0.3)
    assert noise == pytest.approx(3.0)


def test_differences_are_relative_to_the_scale() -> None:
    model = Planted(lambda texts, calls: [len(text) + 0.01 * len(texts) for text in texts])
    assert check(model, scale=1.0)[0]["batch size"].passed is False
    assert check(model, scale=1000.0)[0]["batch size"].passed is True


def test_a_constant_is_found() -> None:
    checks, noise = check(Planted(lambda texts, calls: [1.0] * len(texts)))
    assert checks["spread"].passed is False
    assert "same reward, 1" in checks["spread"].detail
    assert noise == 0.0


def test_answers_without_reward_are_counted() -> None:
    def some(texts: list[str], calls: int) -> list[Any]:
        return [Scored(None, reason="the model answered nan") if "fruit" in t or not t else len(t) for t in texts]

    def pear(texts: list[str], calls: int) -> list[Any]:
        return [Scored(None, reason="the model answered nan") if t == "A pear" else len(t) for t in texts]

    assert check(Planted(some))[0]["finite"].passed
    checks, _ = check(Planted(pear))
    assert checks["finite"].passed is False
    assert checks["finite"].detail.startswith("4 of 20 conversations got no reward")
    assert checks["repeat"].passed


def test_nothing_scored_ends_the_test() -> None:
    checks, noise = check(Planted(lambda texts, calls: [Scored(None, reason="no")] * len(texts)))
    assert set(checks) == {"finite", "length"}
    assert noise is None


@pytest.mark.parametrize(("limit", "passed"), [(100, True), (10, None), (0, False)])
def test_conversations_that_are_too_long_are_counted(limit: int, passed: bool | None) -> None:
    def short(texts: list[str], calls: int) -> list[Any]:
        return [len(t) if len(t) <= limit and limit else Scored(None, truncated=True, reason="long") for t in texts]

    checks, _ = check(Planted(short, max_length=limit))
    assert checks["length"].passed is passed
    assert checks["finite"].passed


def test_a_reversed_sign_is_found() -> None:
    def good(texts: list[str], calls: int) -> list[Any]:
        return [
            len(set(t) - set("asdfjklqweruiopzxcvbnmgh ")) + 5 * t.endswith(".") - 9 * ("table" in t.lower())
            for t in texts
        ]

    assert check(Planted(good))[0]["sanity"].passed
    reversed_ = Planted(lambda texts, calls: [-x for x in good(texts, calls)])
    assert check(reversed_)[0]["sanity"].passed is False
    assert check(Planted(lambda texts, calls: [0.0] * len(texts)))[0]["sanity"].passed is False


def test_a_scores_file_is_not_asked_for_texts_of_our_own(tmp_path: Path) -> None:
    import json

    file = tmp_path / "rewards.jsonl"
    rows = [{"messages": talk, "reward": i} for i, talk in enumerate(tiny.conversations())]
    file.write_text("\n".join(map(json.dumps, rows)))
    checks, _ = check(load(f"scores:{file}"))
    assert checks["sanity"].passed is None
    assert [name for name, entry in checks.items() if entry.passed is False] == []
