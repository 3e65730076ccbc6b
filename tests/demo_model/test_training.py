"""The parts of the demo model's training that can be wrong without a test noticing in the result."""

from __future__ import annotations

import json
import math
import random
from collections import Counter

import numpy as np
import pytest
import torch

from builders.demo_model.data import Comparison, Group, plain_solution
from builders.demo_model.evaluate import Pair, accuracy, labelled_pairs, off_topic_pairs
from builders.demo_model.off_topic import OffTopicSampler
from builders.demo_model.settings import Settings, Stage
from builders.demo_model.train import Item, batches, bradley_terry_loss, rate, repeated
from rmaudit.resources import demo_model_dir


def group(source: str, prompt: str, *replies: str, kind: str = "pandalm") -> Group:
    """A group whose first reply is the best."""
    comparisons = tuple(Comparison(0, worse, kind) for worse in range(1, len(replies)))
    return Group(source, ({"role": "user", "content": prompt},), replies, comparisons)


def item(tokens: int) -> Item:
    """One labelled pair and one off-topic reply, of this many tokens besides the special ones."""
    return Item([([7] * (tokens - 1), [8])] * 3, [(0, 1)], [(0, 2), (1, 2)])


def test_calculator_marks_are_removed() -> None:
    assert plain_solution("Janet has 16 - 3 = <<16-3=13>>13 eggs") == "Janet has 16 - 3 = 13 eggs"


def test_loss_of_equal_rewards_is_that_of_a_coin() -> None:
    loss = bradley_terry_loss(torch.zeros(6), [item(5), item(9)], off_topic_weight=0.5)
    assert loss.item() == pytest.approx(1.5 * math.log(2))


def test_loss_falls_as_the_better_reply_gains() -> None:
    lower, higher = (bradley_terry_loss(torch.tensor([x, 0.0, -1.0]), [item(5)], 0.7) for x in (0.0, 1.0))
    assert higher < lower


def test_a_part_without_labels_still_teaches_relevance() -> None:
    unlabelled = Item(item(5).inputs, [], [(0, 2)])
    assert bradley_terry_loss(torch.zeros(3), [unlabelled], 1.0).item() == pytest.approx(math.log(2))


def test_batches_hold_every_item_once_within_the_token_budget() -> None:
    items = [item(tokens) for tokens in range(5, 105)]
    made = batches(list(items), 1000, random.Random(0))
    assert sorted(one.length for batch in made for one in batch) == [one.length for one in items]
    assert all(sum(3 for _ in batch) * max(one.length for one in batch) <= 1000 for batch in made)


def test_without_repeats_groups_stay_in_order_and_nothing_is_drawn() -> None:
    groups, rng = [group("a", f"{n}?", "1", "I") for n in range(9)], random.Random(0)
    assert repeated(groups, {}, rng) == groups
    assert rng.getstate() == random.Random(0).getstate()


def test_groups_are_taken_as_often_as_their_source_says() -> None:
    groups = [group(source, f"{source}{n}?", "1", "I") for source in "abc" for n in range(400)]
    taken = repeated(groups, {"a": 2, "b": 0.25}, random.Random(0))
    times = Counter(one.source for one in taken)
    assert (times["a"], times["c"]) == (800, 400)
    assert 70 < times["b"] < 130
    assert set(Counter(one.key for one in taken if one.source == "a").values()) == {2}
    assert taken != sorted(taken, key=groups.index)


def test_the_rate_of_a_stage_rises_to_its_peak_and_falls_to_zero() -> None:
    stage = Stage(epochs=1, learning_rate=2.0, off_topic_weight=1.0, seed=0, warmup_share=0.2)
    assert [rate(stage, done) for done in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx([0.0, 1.0, 2.0, 1.0, 0.0])


def test_repeats_name_sources_that_exist() -> None:
    trained = json.loads((demo_model_dir() / "evaluation.json").read_text(encoding="utf-8"))["training"]
    assert {source for stage in Settings().stages for source in stage.repeats} <= set(trained)


def test_off_topic_replies_come_from_other_prompts() -> None:
    groups = [group("a", "one?", "1", "I"), group("a", "two?", "2", "II"), group("b", "One", "1", "uno")]
    sampler = OffTopicSampler(groups, [[1], [0], [1]], random.Random(0))
    assert {sampler.draw(0) for _ in range(50)} == {"2", "II"}


def test_no_reply_is_in_two_measured_pairs_of_a_kind_with_very_many() -> None:
    many = Group(
        "truthfulqa",
        ({"role": "user", "content": "?"},),
        ("a", "b", "c", "d"),
        tuple(Comparison(i, j, "truthfulqa-truth") for i in (0, 1) for j in (2, 3)),
    )
    replies = [reply for pair in labelled_pairs([many]) for reply in (pair.better, pair.worse)]
    assert len(replies) == len(set(replies)) == 4


def test_measured_off_topic_replies_belong_to_other_prompts() -> None:
    groups = [group("a", f"prompt {n}", f"good {n}", f"bad {n}") for n in range(9)]
    pairs = list(off_topic_pairs(groups))
    assert {pair.kind for pair in pairs} == {"off-topic", "off-topic-same-source"}
    assert all(pair.better.split()[1] != pair.worse.split()[1] for pair in pairs)


def test_accuracy_counts_a_tie_as_half_and_clusters_by_prompt() -> None:
    pairs = [Pair("k", key, "q", "better", "worse") for key in "aabb"]
    result = accuracy(pairs, np.array([1.0, 0.0, -1.0, 2.0]))
    assert (result.accuracy, result.pairs, result.prompts) == (0.625, 4, 2)
    assert result.low <= 0.625 <= result.high
    assert result.longer == 1.0
