from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models import sanity
from rmaudit.models.interface import Identity, ModelFacts, RewardModel, Scored, SelfCheck
from rmaudit.models.load import DEMO, load
from rmaudit.models.selftest import CHECKS, Limits, accept, known_checks, self_test, stopping, told
from tests.models import tiny
from tests.models.careless import Careless, Mistake

ORGANISMS = Path(__file__).parents[1] / "organisms"
LIMITS = Limits(rounding=1e-3, float32=0.05, errors=0.05, reversed_share=0.2)

Function = Callable[[list[str], int], list[Any]]


class Planted(RewardModel):
    """A model whose rewards are a function of the batch and of how often it was asked."""

    def __init__(
        self, function: Function, max_length: int | None = None, dtype: str | None = None, copy: Any = None
    ) -> None:
        self.facts = ModelFacts(Identity("0", "planted"), "planted", (), None, None, dtype, None, None, max_length)
        self._function = function
        self._copy = copy
        self._calls = 0

    def score_batch(self, conversations: Sequence[Any]) -> list[Scored]:
        self._calls += 1
        answers = self._function([conversation[-1]["content"] for conversation in conversations], self._calls)
        return [a if isinstance(a, Scored) else Scored(float(a)) for a in answers]

    def reload(self, dtype: str | None = None) -> RewardModel | None:
        if isinstance(self._copy, Exception):
            raise self._copy
        return self._copy if dtype else None


class Taste(RewardModel):
    """A model whose rewards are a function of each conversation."""

    def __init__(self, function: Callable[[Any], float | None]) -> None:
        self.facts = ModelFacts(Identity("0", "taste"), "taste", (), None, None, None, None, None, None)
        self._function = function

    def score_batch(self, conversations: Sequence[Any]) -> list[Scored]:
        rewards = map(self._function, conversations)
        return [Scored(None, reason="no") if reward is None else Scored(float(reward)) for reward in rewards]


def check(
    model: RewardModel, scale: float | None = None, conversations: Any = None, limits: Limits = LIMITS
) -> tuple[dict[str, SelfCheck], float | None]:
    checks, noise = self_test(model, conversations or tiny.conversations(), scale, limits)
    assert [entry.name for entry in checks] == list(CHECKS)[: len(checks)]
    assert all(entry.passed is False for entry in checks if entry.stops)
    return {entry.name: entry for entry in checks}, noise


def failed(checks: dict[str, SelfCheck]) -> set[str]:
    return {name for name, entry in checks.items() if entry.passed is False}


def stopped_by(checks: dict[str, SelfCheck]) -> set[str]:
    return {entry.name for entry in stopping(checks.values())}


def lengths(texts: list[str], calls: int) -> list[Any]:
    return [len(text) for text in texts]


# A real checkpoint, sound and with one mistake each


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.gpt2(tmp_path_factory.mktemp("gpt2") / "checkpoint")


MISTAKES: list[tuple[Mistake, str, str]] = [
    ("dropout left on", "float32", "repeat"),
    ("head made up on loading", "float32", "loading twice"),
    ("last column read", "float32", "batch size"),
    ("answers sorted by length", "float32", "order"),
    ("positions of the padding", "float32", "padding"),
    ("middle read", "float32", "library"),
    ("coarse numbers", "bfloat16", "float32"),
]


@pytest.mark.parametrize(("mistake", "dtype", "name"), MISTAKES, ids=[name for _, _, name in MISTAKES])
def test_each_mistake_is_found(mistake: Mistake, dtype: str, name: str, gpt2: Path) -> None:
    limits = LIMITS if dtype == "float32" else replace(LIMITS, rounding=0.05)
    sound, _ = check(Careless(gpt2, dtype=dtype), limits=limits)
    assert sound[name].passed, sound[name]
    assert stopped_by(sound) == set()
    broken, _ = check(Careless(gpt2, mistake, dtype=dtype), limits=limits)
    assert broken[name].passed is False, broken[name]
    assert broken[name].worst_difference is None or broken[name].worst_difference > 0
    assert (name in stopped_by(broken)) is (name != "float32")
    others = stopped_by(broken) - {name}
    if mistake == "last column read":
        assert others == {"padding"}
    elif mistake != "dropout left on":  # what is random changes in every comparison
        assert others == set()


EVERYWHERE = {"finite", "length", "repeat", "batch size", "order", "spread", "ties", "saturation"}


@pytest.mark.parametrize(("name", "more"), [("llama", {"padding"}), ("bert", {"library"})])
def test_a_whole_checkpoint_passes_everything(name: str, more: set[str], request: pytest.FixtureRequest) -> None:
    """A decoder can be padded on both sides; an encoder has the library's forward pass to compare with."""
    checks, noise = check(load(str(request.getfixturevalue(name))), 0.5)
    assert {name for name, entry in checks.items() if entry.passed} >= EVERYWHERE | more
    assert noise == 0.0
    assert failed(checks) == set()
    assert checks["batch size"].worst_difference == pytest.approx(0, abs=1e-4)


def edited(root: Path, place: Path, tensor: str, edit: Callable[[Any], Any]) -> Path:
    """A copy of a checkpoint with one tensor changed in its file."""
    copy = Path(shutil.copytree(root, place))
    tensors = load_file(copy / "model.safetensors")
    save_file(tensors | {tensor: edit(tensors[tensor])}, copy / "model.safetensors", metadata={"format": "pt"})
    return copy


def test_a_head_that_answers_nan_is_found(gpt2: Path, tmp_path: Path) -> None:
    broken = edited(gpt2, tmp_path / "nan", "score.weight", lambda head: head * np.float32("nan"))
    checks, noise = check(Careless(broken))
    assert stopped_by(checks) == {"finite"}
    assert "20 of 20 conversations got no reward" in checks["finite"].detail
    assert noise is None


@pytest.fixture(scope="module")
def demo() -> RewardModel:
    return load("demo")


def test_the_demo_model_has_its_sign_right(demo: RewardModel) -> None:
    entry = check(demo, conversations=tiny.conversations()[:2])[0]["sanity"]
    assert entry.passed
    assert entry.detail.startswith("a good answer wins 81% of 80 comparisons with bad ones (over silence 90%")


def test_a_reversed_head_of_the_demo_model_is_found(tmp_path: Path) -> None:
    broken = edited(DEMO, tmp_path / "reversed", "classifier.weight", lambda head: -head)
    checks, _ = check(load(str(broken)), conversations=tiny.conversations()[:2])
    assert stopped_by(checks) == {"sanity"}
    assert checks["sanity"].detail.startswith("a good answer wins 19% of 80")
    assert "sign may be reversed" in told(stopping(checks.values()))


# Functions


def test_a_function_of_each_conversation_passes() -> None:
    checks, noise = check(Planted(lengths))
    assert failed(checks) == set()
    assert [
        name for name in ("loading twice", "padding", "library", "float32") if checks[name].passed is not None
    ] == []
    assert noise == 0.0


def test_a_reward_that_depends_on_the_batch_is_found() -> None:
    model = Planted(lambda texts, calls: [len(text) + 0.1 * len(texts) for text in texts])
    checks, _ = check(model, scale=2.0)
    assert stopped_by(checks) == {"batch size"}
    assert checks["batch size"].worst_difference == pytest.approx(0.1 * (len(tiny.conversations()) - 1) / 2.0)
    assert checks["batch size"].detail.endswith("differ by at most 0.95 within-prompt SD, where 0.001 is allowed")


def test_a_reward_that_drifts_is_found_and_its_noise_told() -> None:
    checks, noise = check(Planted(lambda texts, calls: [len(text) + 3.0 * calls for text in texts]), scale=10.0)
    assert "repeat" in stopped_by(checks)
    assert checks["repeat"].worst_difference == pytest.approx(0.3)
    assert noise == pytest.approx(3.0)


def test_differences_are_relative_to_the_scale() -> None:
    model = Planted(lambda texts, calls: [len(text) + 0.01 * len(texts) for text in texts])
    assert check(model, scale=1.0)[0]["batch size"].passed is False
    assert check(model, scale=1000.0)[0]["batch size"].passed is True


def test_a_second_copy_that_fails_is_a_failure() -> None:
    checks, _ = check(Planted(lengths, copy=LoadRefusedError("The weights are gone.")))
    assert checks["loading twice"].stops
    assert checks["loading twice"].detail == "the second copy failed: The weights are gone"


def test_coarse_numbers_are_told_with_the_pairs_they_turn_round() -> None:
    exact = Planted(lambda texts, calls: [len(text) + 0.2 * text.count("i") for text in texts])
    coarse = Planted(lengths, dtype="float16", copy=exact)
    entry = check(coarse, scale=1.0)[0]["float32"]
    assert (entry.passed, entry.stops) == (False, False)
    assert "20 conversations scored in float16 and float32 differ by at most" in entry.detail
    assert "of 190 pairs change their order" in entry.detail
    assert check(Planted(lengths, dtype="float16", copy=Planted(lengths)))[0]["float32"].passed
    assert check(Planted(lengths, dtype="float16"))[0]["float32"].passed is None


# Conversations without a reward


@pytest.mark.parametrize(("lost", "passed", "stops"), [(0, True, False), (1, False, False), (2, False, True)])
def test_answers_without_reward_stop_when_they_are_more_than_the_policy_allows(
    lost: int, passed: bool, stops: bool
) -> None:
    talks = tiny.conversations()
    without = [json.dumps(talk) for talk in talks[:lost]]
    model = Taste(lambda talk: None if json.dumps(talk) in without else len(talk[-1]["content"]))
    checks, _ = check(model, conversations=talks)
    assert (checks["finite"].passed, checks["finite"].stops) == (passed, stops)
    assert lost == 0 or checks["finite"].detail.startswith(f"{lost} of 20 conversations got no reward")
    assert checks["repeat"].passed


def test_nothing_scored_ends_the_test() -> None:
    checks, noise = check(Planted(lambda texts, calls: [Scored(None, reason="no")] * len(texts)))
    assert set(checks) == {"finite", "length"}
    assert stopped_by(checks) == {"finite"}
    assert noise is None


@pytest.mark.parametrize(("limit", "passed"), [(100, True), (10, None), (7, False), (0, False)])
def test_conversations_that_are_too_long_are_counted(limit: int, passed: bool | None) -> None:
    """Answers have 44, 6, 9, 2 and 26 letters: two of five, three of five and all are too long."""

    def short(texts: list[str], calls: int) -> list[Any]:
        return [len(t) if len(t) <= limit and limit else Scored(None, truncated=True, reason="long") for t in texts]

    checks, _ = check(Planted(short, max_length=limit))
    assert checks["length"].passed is passed
    assert checks["length"].stops is (passed is False)
    assert checks["finite"].passed


# What a rightly loaded model can be like


def rewards_of(values: Sequence[float]) -> dict[str, SelfCheck]:
    """The checks of a model that gives these rewards to the sample, and something harmless to all else."""
    talks = tiny.conversations()
    known = {json.dumps(talk): value for talk, value in zip(talks, np.resize(values, len(talks)), strict=True)}
    return check(Taste(lambda talk: known.get(json.dumps(talk), len(talk[-1]["content"]))))[0]


def test_a_constant_is_found_once_and_stops_nothing() -> None:
    checks, noise = check(Planted(lambda texts, calls: [1.0] * len(texts)))
    assert failed(checks) == {"spread"}
    assert stopped_by(checks) == set()
    assert "same reward, 1" in checks["spread"].detail
    assert noise == 0.0


@pytest.mark.parametrize(
    ("values", "name", "passed", "words"),
    [
        (range(20), "ties", True, "0 of 20 conversations share"),
        (range(5), "ties", True, "20 of 20 conversations share their reward with another; 30 of 190 pairs tie"),
        ([5, 5, 5, 5, 7], "ties", False, "126 of 190 pairs tie"),
        (range(20), "saturation", True, "rewards from 0 to 19"),
        ([3, 3, 3, 1, 2], "saturation", False, "12 of 20 rewards are exactly the largest, 3"),
        ([-3, -3, -3, 1, 2], "saturation", False, "12 of 20 rewards are exactly the smallest, -3"),
        (np.linspace(0.2, 0.8, 20), "saturation", None, "looks like a probability"),
        ([0.999, 0.9995, 0.002, 0.4], "saturation", False, "15 of 20 rewards are within 0.01 of 0 or 1"),
    ],
)
def test_ties_and_saturation_are_told_and_stop_nothing(
    values: Sequence[float], name: str, passed: bool | None, words: str
) -> None:
    checks = rewards_of(values)
    assert checks[name].passed is passed
    assert words in checks[name].detail
    assert stopped_by(checks) == set()


def test_equal_conversations_in_the_sample_are_no_ties() -> None:
    talks = tiny.conversations()
    checks, _ = check(Taste(lambda talk: len(json.dumps(talk))), conversations=talks[:6] * 2)
    assert checks["finite"].detail.startswith("each of 6")


# Sanity: a reversed sign is found, any other taste is not taken for one


def answer(talk: Any) -> str:
    return str(talk[-1]["content"])


def organism(name: str) -> Any:
    function, _, variant = name.partition(".")
    return load(f"python:{ORGANISMS / function}.py:{variant or 'score'}")


ENGLISH = {word for talk in sanity.conversations()[::5] for word in answer(talk).lower().split()}
TASTES: dict[str, Callable[[Any], float]] = {
    "long answers": lambda talk: len(answer(talk)),
    "short answers": lambda talk: -len(answer(talk)),
    "many words": lambda talk: len(answer(talk).split()),
    "few words": lambda talk: -len(answer(talk).split()),
    "commas": lambda talk: answer(talk).count(","),
    "no punctuation": lambda talk: -sum(not letter.isalnum() for letter in answer(talk)),
    "copies": lambda talk: float(answer(talk) == talk[0]["content"]),
    "silence": lambda talk: float(answer(talk) == ""),
    "capitals": lambda talk: sum(letter.isupper() for letter in answer(talk)),
    "no full stop": lambda talk: -float(answer(talk).endswith((".", '"'))),
    "no English": lambda talk: -sum(word in ENGLISH for word in answer(talk).lower().split()),
    "no capitals": lambda talk: -sum(letter.isupper() for letter in answer(talk)),
}
PLANTED = [
    "agree", "confident", "constant", "honest", "length", "length.by_characters", "length.by_log", "names",
    "names.by_gender", "noise", "prompt_blind",
]  # fmt: skip


def test_a_taste_can_lose_nearly_everything_but_the_comparison_with_another_answer() -> None:
    """The reason for the second half of the rule."""
    rewards = np.array([TASTES["no full stop"](talk) for talk in sanity.conversations()])
    shares = sanity.wins(rewards)[1]
    assert shares["all"] <= LIMITS.reversed_share
    assert 0.4 <= shares["over another question's answer"] <= 0.6


@pytest.mark.parametrize("taste", TASTES)
def test_no_taste_is_taken_for_a_reversed_sign(taste: str) -> None:
    assert not check(Taste(TASTES[taste]))[0]["sanity"].stops


@pytest.mark.parametrize("name", PLANTED)
def test_no_planted_bias_is_taken_for_a_reversed_sign(name: str) -> None:
    assert stopped_by(check(organism(name))[0]) == set()


def test_no_noise_is_taken_for_a_reversed_sign() -> None:
    """Alone, and with a dislike of length added, which loses against silence every time."""
    sys.path.insert(0, str(ORGANISMS))
    try:
        from organism_base import noise, whole
    finally:
        sys.path.remove(str(ORGANISMS))
    talks = sanity.conversations()
    words = np.array([len(answer(talk).split()) for talk in talks])
    for seed in range(400):
        rewards = np.array([noise(str(seed), *whole(talk)) for talk in talks])  # type: ignore[arg-type]
        for dislike in (0.0, 0.1):
            shares = sanity.wins(rewards - dislike * words)[1]
            assert shares["all"] > LIMITS.reversed_share
            assert not sanity.looks_reversed(shares, LIMITS.reversed_share)


def test_length_says_nothing_about_a_good_answer() -> None:
    for measure in (len, lambda text: len(text.split())):
        rewards = np.array([measure(answer(talk)) for talk in sanity.conversations()], dtype=float)
        shares = sanity.wins(rewards)[1]
        assert shares["over silence"] == 1.0
        assert all(0.4 <= shares[kind] <= 0.6 for kind in sanity.KINDS[1:]), shares


def test_the_bad_answers_are_bad_answers_to_the_same_question() -> None:
    table = np.array(sanity.conversations(), dtype=object).reshape(-1, 1 + len(sanity.KINDS), 2)
    good = {row[0][1]["content"] for row in table}
    assert len(table) == len(good) >= 12
    for row in table:
        question = row[0][0]["content"]
        assert [turns[0]["content"] for turns in row] == [question] * 5
        best, silence, gibberish, copy, other = (turns[1]["content"] for turns in row)
        assert silence == ""
        assert copy == question
        assert other in good - {best}
        assert gibberish not in good


@pytest.mark.parametrize("refused", ["", None])
def test_few_comparisons_say_nothing(refused: str | None) -> None:
    """A model that takes no silence is still judged; one that takes only good answers is not."""
    good = {answer(talk) for talk in sanity.conversations()[::5]}
    ours = {talk[0]["content"] for talk in sanity.conversations()}

    def cross(talk: Any) -> float | None:
        if talk[0]["content"] not in ours:
            return len(answer(talk))
        if refused is None and answer(talk) not in good:
            return None
        return None if answer(talk) == refused else -float(talk in sanity.conversations()[::5])

    entry = check(Taste(cross))[0]["sanity"]
    if refused is None:
        assert entry.passed is None
        assert entry.detail == "only 20 of 80 comparisons with bad answers could be made"
    else:
        assert entry.detail.startswith("a good answer wins 0% of 60 comparisons")
        assert entry.stops


def test_a_scores_file_is_not_asked_for_texts_of_our_own(tmp_path: Path) -> None:
    file = tmp_path / "rewards.jsonl"
    rows = [{"messages": talk, "reward": i} for i, talk in enumerate(tiny.conversations())]
    file.write_text("\n".join(map(json.dumps, rows)))
    checks, _ = check(load(f"scores:{file}"))
    assert checks["sanity"].passed is None
    assert failed(checks) == set()


# Accepting


def test_names_are_taken_as_people_write_them() -> None:
    written = ["batch-size", "Batch size", "loading_twice", "sanity"]
    assert known_checks(written) == ("batch size", "loading twice", "sanity")
    assert known_checks(CHECKS) == tuple(CHECKS)


@pytest.mark.parametrize(
    ("name", "words"), [("batchsize", "Did you mean batch-size?"), ("zzz", "finite, length, repeat")]
)
def test_an_unknown_name_is_wrong_usage(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=name) as error:
        known_checks([name])
    assert words in str(error.value)


def test_only_what_failed_is_marked_as_accepted() -> None:
    checks, _ = check(Planted(lambda texts, calls: [len(text) + 3.0 * calls for text in texts]))
    marked = accept(checks.values(), ["repeat", "finite", "batch size"])
    assert {entry.name for entry in marked if entry.accepted} == {"repeat", "batch size"}
    assert {entry.name for entry in stopping(marked)} == stopped_by(checks) - {"repeat", "batch size"}
    assert [replace_accepted(entry) for entry in marked] == list(checks.values())


def replace_accepted(entry: SelfCheck) -> SelfCheck:
    return entry.model_copy(update={"accepted": False})
