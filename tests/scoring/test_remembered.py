"""How a model reads and arranges known texts is told from its store, and only for the very same texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rmaudit.conversation import Conversation
from rmaudit.models.interface import Arrangement, Scored
from rmaudit.models.load import load
from rmaudit.scoring import remembered
from rmaudit.scoring.plan import Plan, make_plan
from rmaudit.scoring.store import ScoreStore
from rmaudit.suites.spec import Arm, Item
from tests.models import tiny
from tests.scoring.test_store import Stub, Told, opened


class Counting(Stub):
    """Counts the texts that it reads, and those that it arranges."""

    def __init__(self, by: str | None = "ways") -> None:
        super().__init__()
        self.by = by
        self.prepared: list[int] = []
        self.read = self.arranged = 0

    @property
    def reads_by(self) -> str | None:
        return self.by

    def prepare(self, conversations: Sequence[Conversation]) -> None:
        self.prepared.append(len(conversations))

    def fingerprints(self, conversations: Sequence[Conversation]) -> list[bytes]:
        self.read += len(conversations)
        return [conversation[-1]["content"].strip().encode() for conversation in conversations]

    def arrange(self, conversations: Sequence[Conversation]) -> Arrangement:
        self.arranged += len(conversations)
        return super().arrange(conversations)

    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        raise AssertionError("planning scores nothing")


def item(name: str, *answers: str) -> Item:
    arms = {str(i): Arm(response=answer) for i, answer in enumerate(answers)}
    return Item(id=name, cluster=name, prompt=[{"role": "user", "content": "Hi"}], arms=arms)


PANEL = [item("p", "good", "better ", "better")]
SUITE = [item("a", "one", "three", "good"), item("b", "one ", "seven")]
OTHER = [item("c", "eleven")]


def planned(store: ScoreStore | None, model: Counting, other: Sequence[Item] = OTHER) -> Plan:
    return make_plan(PANEL, [("s", SUITE), ("t", other)], model, store)


def test_a_known_job_is_planned_without_reading_it(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        first = planned(store, Counting())
    model = Counting()
    with opened(tmp_path) as store:
        assert planned(store, model) == first
    assert (model.prepared, model.read, model.arranged) == ([], 0, 0)
    assert planned(None, Counting()) == first


def test_a_changed_suite_alone_is_read_again(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        planned(store, Counting())
    model, changed = Counting(), [item("c", "twelve", "one")]
    with opened(tmp_path) as store:
        made = planned(store, model, changed)
    assert (model.prepared, model.read, model.arranged) == ([1], 1, 1)
    assert made == planned(None, Counting(), changed)


@pytest.mark.parametrize("by", ["other ways", None])
def test_another_way_of_reading_is_asked_for(by: str | None, tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        planned(store, Counting())
    model = Counting(by)
    with opened(tmp_path) as store:
        planned(store, model)
    assert model.read == 8
    assert model.prepared == [8]


def test_a_model_that_cannot_tell_leaves_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        planned(store, Counting(None))
        assert not store.path.exists() or b"note" not in store.path.read_bytes()


def test_what_is_damaged_is_asked_for(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        first = planned(store, Counting())
    content = store.path.read_bytes()
    store.path.write_bytes(content.replace(b'"batches": [[', b'"batches": [[1', 1))
    model, told = Counting(), Told()
    with opened(tmp_path, told=told) as store:
        assert planned(store, model) == first
    assert model.arranged > 0
    assert "damaged" in told[0]


NO_ARRANGEMENTS: list[Any] = [
    None,
    {},
    {"batches": [[0, 1]], "works": None},
    {"batches": [[0, 1], [1, 2]], "works": None},
    {"batches": [[0, 1, 2], []], "works": None},
    {"batches": [[0, 1, 2]], "works": []},
    {"batches": [[0, 1, 2]], "works": [[1, 2]]},
    {"batches": "012", "works": [[1, 2, 3, 4]]},
]


@pytest.mark.parametrize("note", NO_ARRANGEMENTS, ids=json.dumps)
def test_only_a_whole_arrangement_is_one(note: Any) -> None:
    assert remembered._arrangement(note, 3) is None
    assert remembered._arrangement({"batches": [[2, 0], [1]], "works": None}, 3) == Arrangement(((2, 0), (1,)))


def test_a_loaded_model_is_planned_the_same_from_its_store(tmp_path: Path) -> None:
    root = str(tiny.llama(tmp_path / "model"))
    with opened(tmp_path / "store", load(root)) as store:
        first = make_plan(PANEL, [("s", SUITE), ("t", OTHER)], load(root), store)
    model = load(root)
    model.prepare = None  # type: ignore[assignment, method-assign]
    with opened(tmp_path / "store", model) as store:
        again = make_plan(PANEL, [("s", SUITE), ("t", OTHER)], model, store)
    assert again == first == make_plan(PANEL, [("s", SUITE), ("t", OTHER)], load(root))
    assert again.work is not None
