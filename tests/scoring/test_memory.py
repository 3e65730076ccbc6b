"""Where memory runs out, fewer conversations go together, and the rewards are the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import rmaudit
from rmaudit.conversation import Conversation
from rmaudit.errors import ScoringError
from rmaudit.models.interface import RewardModel, Scored
from rmaudit.models.memory import ALONE, Room, ran_out
from rmaudit.progress import Silent
from rmaudit.scoring.local import compare_checked, score_batches, score_checked
from rmaudit.scoring.plan import Batch, Target
from tests.synthetic import Bench


def wrapped(error: Exception) -> ScoringError:
    outer = ScoringError("The model failed.")
    outer.__cause__ = error
    return outer


ERRORS: dict[str, Callable[[], Exception]] = {
    "torch, GPU": lambda: torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "Python": MemoryError,
    "torch, CPU": lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    "cuBLAS": lambda: RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
    "MPS": lambda: RuntimeError("MPS backend out of memory"),
    "said by us": lambda: wrapped(MemoryError()),
}


class Small(RewardModel):
    """Holds so many characters, padding included, and fails as it is told to when given more."""

    def __init__(self, room: int, error: Callable[[], Exception] = MemoryError) -> None:
        self.sizes: list[int] = []
        self._characters = room
        self._error = error

    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        self.sizes.append(len(conversations))
        lengths = [len(conversation[-1]["content"]) for conversation in conversations]
        if max(lengths) * len(lengths) > self._characters:
            raise self._error()
        return [Scored(float(length)) for length in lengths]


def talks(*lengths: int) -> list[Conversation]:
    return [[{"role": "assistant", "content": "x" * length}] for length in lengths]


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_the_batch_is_halved_until_it_fits(error: Callable[[], Exception]) -> None:
    assert ran_out(error())
    model = Small(100, error)
    asked = talks(*range(10, 42))
    rewards = [result.reward for result in score_checked(model, asked)]
    assert rewards == [float(length) for length in range(10, 42)]
    assert 1 not in model.sizes


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), ValueError("no"), wrapped(KeyError("x"))])
def test_other_errors_are_passed_on(error: Exception) -> None:
    assert not ran_out(error)

    def raises() -> Exception:
        return error

    model = Small(10, raises)
    with pytest.raises(type(error)):
        score_checked(model, talks(20, 20))
    assert model.sizes == [2]


def test_what_was_learned_is_remembered_by_length() -> None:
    model = Small(160)
    score_checked(model, talks(*[40] * 32))
    tries = len(model.sizes)
    assert model.sizes[:3] == [32, 16, 8]
    score_checked(model, talks(*[40] * 32))
    assert model.sizes[tries:] == [4] * 8, "no second failure at this length"
    score_checked(model, talks(*[4] * 32))
    assert model.sizes[-1] == 32, "shorter ones may still go together"
    score_checked(model, talks(*[80] * 4))
    assert 4 in model.sizes[-4:], "longer ones begin with what is known of shorter ones"
    assert model.sizes[-2:] == [2, 2]


def test_one_that_does_not_fit_alone_costs_the_others_nothing() -> None:
    results = score_checked(Small(100), talks(10, 500, 20))
    assert [result.reward for result in results] == [10.0, None, 20.0]
    assert results[1].reason == ALONE


def test_pairs_are_halved_too() -> None:
    pairs = list(zip(talks(*range(10, 30)), talks(*range(5, 25)), strict=True))
    assert [result.reward for result in compare_checked(Small(100), pairs)] == [5.0] * 20


def test_it_is_told_once() -> None:
    class Listener(Silent):
        def __init__(self) -> None:
            self.told: list[str] = []

        def stage(self, text: str) -> None:
            self.told.append(text)

    batch = Batch(tuple(talks(*[40] * 32)), ((Target("s", "i", "a"),),) * 32, "suites")
    listener, saved = Listener(), []
    score_batches(Small(160), [(0, batch), (1, batch)], lambda n, b, s: saved.append(len(s)), listener)
    assert saved == [32, 32]
    (text,) = listener.told
    assert "Memory ran out on 32 conversations of up to 40 characters; going on with 16" in text


def test_room_knows_of_no_limit_at_first() -> None:
    room = Room()
    assert (room.limited, room.most(10_000)) == (False, None)
    room.learn(9, 100)
    assert (room.most(20), room.most(100), room.most(10_000)) == (None, 4, 4)


def test_a_checkpoint_scores_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass of more than three conversations fails in the network itself."""
    from tests.models import tiny

    model: Any = rmaudit.load(str(tiny.bert(tmp_path / "m")), device="cpu")
    rewards = list(model.score(tiny.conversations()))
    network = model._network

    class Narrow:
        def __getattr__(self, name: str) -> Any:
            return getattr(network, name)

        def __call__(self, inputs: Any, rows: Any) -> Any:
            if len(rows) > 3:
                raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")
            return network(inputs, rows)

    monkeypatch.setattr(model, "_network", Narrow())
    assert list(model.score(tiny.conversations())) == pytest.approx(rewards, abs=1e-5)
    assert model.room.limited


def test_a_scan_of_a_function_with_little_room(place: Bench, finished: Path, tmp_path: Path) -> None:
    scorer = tmp_path / "narrow.py"
    source = (place.folder / "scorers.py").read_text()
    source += "\n\ndef narrow(conversations):\n    if len(conversations) > 40:\n        raise MemoryError\n"
    scorer.write_text(source + "    return biased(conversations)\n")
    rmaudit.scan(f"python:{scorer}:narrow", probes=place.probes, panel=place.panel, out=tmp_path / "run")
    assert rmaudit.Report.load(tmp_path / "run").findings == rmaudit.Report.load(finished).findings
