"""The plan asks for every conversation once, in batches of like length, the panel's first."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from rmaudit.conversation import Conversation, conversation_key
from rmaudit.models.interface import Arrangement, RewardModel, Scored, Work
from rmaudit.scoring.plan import Plan, Target, make_plan
from rmaudit.suites.spec import Arm, Item


class Counter(RewardModel):
    """Rewards characters; five conversations a batch."""

    def __init__(self) -> None:
        self.prepared: list[Conversation] = []

    @property
    def batch_size(self) -> int:
        return 5

    def prepare(self, conversations: Sequence[Conversation]) -> None:
        self.prepared += conversations

    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        return [Scored(float(len(conversation[-1]["content"]))) for conversation in conversations]


def item(name: str, *responses: str, prompt: str = "Hi") -> Item:
    arms = {f"r{i}": Arm(response=response) for i, response in enumerate(responses)}
    return Item(id=name, cluster=name, prompt=[{"role": "user", "content": prompt}], arms=arms)


PANEL = [item(f"p{i}", "yes" * (i + 1), "no" * (i + 1)) for i in range(4)]
SUITE = [item(f"s{i}", "yes" * (i + 1), f"maybe {i}") for i in range(6)]


def plan(panel: Sequence[Item] = PANEL, suite: Sequence[Item] = SUITE, name: str = "s") -> Plan:
    return make_plan(panel, [(name, suite)], Counter())


def test_every_arm_is_wanted_once() -> None:
    targets = [target for batch in plan().batches for places in batch.targets for target in places]
    wanted = {Target("panel", i.id, arm) for i in PANEL for arm in i.arms}
    wanted |= {Target("s", i.id, arm) for i in SUITE for arm in i.arms}
    assert len(targets) == len(wanted) == plan().conversations == 20
    assert set(targets) == wanted


def test_equal_conversations_are_scored_once() -> None:
    conversations = [conversation_key(c) for batch in plan().batches for c in batch.conversations]
    assert len(set(conversations)) == len(conversations) == plan().unique == 16  # four of the suite are the panel's
    shared = [places for batch in plan().batches for places in batch.targets if len(places) > 1]
    assert (Target("panel", "p0", "r0"), Target("s", "s0", "r0")) in shared


def test_batches_belong_to_the_conversations_they_hold() -> None:
    items = {("panel", i.id): i for i in PANEL} | {("s", i.id): i for i in SUITE}
    for batch in plan().batches:
        for conversation, places in zip(batch.conversations, batch.targets, strict=True):
            for place in places:
                assert items[place.suite, place.item].conversation(place.arm) == conversation


def test_the_panel_comes_first_and_batches_are_of_like_length() -> None:
    made = plan()
    assert made.panel_batches == 2
    assert [batch.label for batch in made.batches] == ["panel", "panel", "s", "s"]
    for part in (made.batches[:2], made.batches[2:]):
        sizes = [len(c[-1]["content"]) for batch in part for c in batch.conversations]
        assert sizes == sorted(sizes, reverse=True)
        assert max(len(batch.conversations) for batch in part) <= 5


def test_all_conversations_are_announced_before_any_is_scored() -> None:
    model = Counter()
    made = make_plan(PANEL, [("s", SUITE)], model)
    assert len(model.prepared) == made.unique


def test_the_digest_is_stable_and_tells_plans_apart() -> None:
    digest = plan().sha256
    assert digest == plan().sha256
    longer = [*SUITE[:-1], item("s5", "yes" * 6, "maybe five")]
    renamed = [*SUITE[:-1], item("s6", "yes" * 6, "maybe 5")]
    asked = [*SUITE[:-1], item("s5", "yes" * 6, "maybe 5", prompt="Hello")]
    others = [plan(suite=longer), plan(suite=renamed), plan(suite=asked), plan(name="t"), plan(suite=SUITE[::-1])]
    assert len({digest, *(other.sha256 for other in others)}) == 6


def test_what_the_model_cannot_tell_apart_is_scored_once() -> None:
    class Blind(Counter):
        def fingerprints(self, conversations: Sequence[Conversation]) -> list[bytes]:
            return [conversation[-1]["content"].split()[0].encode() for conversation in conversations]

    made = make_plan(PANEL, [("s", SUITE)], Blind())
    assert made.conversations == 20
    assert made.unique == 8 + 2 + 1  # the panel's; two longer ones of the suite; every "maybe"
    (maybes,) = [places for batch in made.batches for places in batch.targets if places[0] == Target("s", "s0", "r1")]
    assert maybes == tuple(Target("s", f"s{i}", "r1") for i in range(6))
    assert made.sha256 == plan().sha256


def test_a_suite_has_the_same_batches_whatever_is_run_beside_it() -> None:
    more = [item(f"t{i}", f"perhaps {i}", f"never {i}") for i in range(9)]
    alone = make_plan(PANEL, [("s", SUITE)], Counter()).batches
    beside = make_plan(PANEL, [("t", more), ("s", SUITE)], Counter()).batches
    assert [batch for batch in beside if batch.label == "s"] == [batch for batch in alone if batch.label == "s"]


def test_a_batch_costs_tokens_where_they_are_known() -> None:
    class Known(Counter):
        def arrange(self, conversations: Sequence[Conversation]) -> Arrangement:
            batches = super().arrange(conversations).batches
            return Arrangement(batches, tuple(Work(100, 80, 90, 10) for _ in batches))

    made = make_plan(PANEL, [("s", SUITE)], Known())
    assert made.unit == "tokens"
    assert made.work == Work(400, 320, 360, 40)
    batch = made.batches[0]
    assert (batch.cost(len(batch.conversations)), batch.cost(1), batch.cost(0)) == (90, 18, 0)
    assert plan().unit == "conversations"
    assert plan().batches[0].cost(3) == 3


def test_no_batch_without_conversations() -> None:
    made = make_plan(PANEL, [], Counter())
    assert made.panel_batches == len(made.batches) == 2
    assert make_plan([], [("s", SUITE)], Counter()).panel_batches == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([("user", "a"), ("assistant", "b")], [("user", "ab"), ("assistant", "")]),
        ([("user", "a"), ("assistant", "b")], [("system", "a"), ("assistant", "b")]),
        ([("user", 'a"]'), ("assistant", "b")], [("user", "a"), ("assistant", '"]b')]),
        ([("user", "é"), ("assistant", "b")], [("user", "e\u0301"), ("assistant", "b")]),
    ],
)
def test_keys_are_equal_for_equal_conversations_only(one: list[tuple], other: list[tuple]) -> None:
    keys = [conversation_key([{"role": role, "content": text} for role, text in turns]) for turns in (one, other)]
    assert keys[0] != keys[1]
    assert keys[0] == conversation_key([{"content": text, "role": role} for role, text in one])


def test_batches_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan().batches[0].label = "other"  # type: ignore[misc]
