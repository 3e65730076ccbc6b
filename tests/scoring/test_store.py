"""A store gives back what was computed, for the same arithmetic only, and whatever happens to it changes no result."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rmaudit
from rmaudit.conversation import Conversation
from rmaudit.errors import SelfTestError
from rmaudit.models.interface import Identity, ModelFacts, RewardModel, Scored
from rmaudit.models.options import LoadOptions
from rmaudit.models.scores_file import ScoresFile
from rmaudit.progress import Silent
from rmaudit.scoring.file import score_file
from rmaudit.scoring.local import score_batches, score_stored
from rmaudit.scoring.store import ScoreStore, batch_digest, default_place, keys_of, open_store
from tests.synthetic import Bench, assistant, bench, run, suite_items, user, write_jsonl
from tests.test_determinism import without_run

FACTS = ModelFacts(
    identity=Identity("0" * 64, "stub"),
    format="stub",
    evidence=(),
    head=None,
    pooling=None,
    dtype="float32",
    device="cpu",
    template=None,
    max_length=None,
)


class Stub(RewardModel):
    """Rewards characters; counts what it is asked."""

    storable = "always"

    def __init__(self, facts: ModelFacts = FACTS, factor: float = 1.0) -> None:
        self.facts = facts
        self.asked = 0
        self._factor = factor

    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        self.asked += len(conversations)
        rewards = [self._factor * len(conversation[-1]["content"]) / 7 for conversation in conversations]
        return [Scored(r, 3, attributes={"half": r / 2}, steps=(r, 0.1)) for r in rewards]


def talks(count: int) -> list[Conversation]:
    return [[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "x" * n}] for n in range(count)]


class Told(list[str]):
    """Everything that was told."""

    __call__ = list.append


def opened(
    folder: Path, model: RewardModel | None = None, told: Told | None = None, options: LoadOptions | None = None
) -> ScoreStore:
    store = open_store(folder, model or Stub(), options or LoadOptions(), told if told is not None else Told())
    assert store is not None
    return store


def score(folder: Path, count: int, told: Told | None = None, model: Stub | None = None) -> tuple[list[Scored], int]:
    """Score with a store; what came out, and how many the model was asked for."""
    model = model or Stub()
    with opened(folder, model, told) as store:
        scored = score_stored(model, talks(count), store)
    return scored, model.asked


def plain(scored: Sequence[Scored]) -> list[Scored]:
    return [replace(result, stored=None) for result in scored]


def test_what_was_scored_is_not_scored_again(tmp_path: Path) -> None:
    first, asked = score(tmp_path, 5)
    assert asked == 5
    assert first == Stub().score_batch(talks(5))
    second, asked = score(tmp_path, 5)
    assert asked == 0
    assert {result.stored for result in second} == {"same-batch"}
    assert plain(second) == first
    third, asked = score(tmp_path, 8)
    assert asked == 3
    assert [result.stored for result in third] == ["other-batch"] * 5 + [None] * 3
    assert plain(third) == Stub().score_batch(talks(8))


def test_texts_are_not_in_it(tmp_path: Path) -> None:
    score(tmp_path, 9)
    (file,) = tmp_path.iterdir()
    assert "xxx" not in file.read_text()
    assert len(file.read_text().splitlines()) == 10


CHANGES: dict[str, dict[str, Any]] = {
    "weights": {"identity": Identity("1" * 64, "stub")},
    "dtype": {"dtype": "bfloat16"},
    "attention": {"attention": "eager"},
    "template": {"template": "another"},
    "sign": {"sign": -1},
    "quantization": {"quantization": "8bit"},
    "device": {"device": "cuda:0"},
    "limit": {"max_length": 512},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_other_arithmetic_is_another_store(change: dict[str, Any], tmp_path: Path) -> None:
    score(tmp_path, 5)
    scored, asked = score(tmp_path, 5, model=Stub(replace(FACTS, **change), factor=2.0))
    assert asked == 5
    assert scored == Stub(factor=2.0).score_batch(talks(5))
    assert score(tmp_path, 5)[1] == 0


@pytest.mark.parametrize("option", [{"beta": 0.2}, {"step_aggregate": "min"}, {"attributes": ("a=1",)}])
def test_loading_options_that_change_rewards_are_another_store(option: dict[str, Any], tmp_path: Path) -> None:
    assert opened(tmp_path, options=LoadOptions(**option)).path != opened(tmp_path).path


def test_names_places_and_batches_are_not(tmp_path: Path) -> None:
    facts = replace(FACTS, identity=Identity("0" * 64, "elsewhere", "main"), evidence=("other",))
    options = LoadOptions(batch_size=3, device="cpu", revision="main", offline=True)
    assert opened(tmp_path, Stub(facts), options=options).path == opened(tmp_path).path


def test_two_models_share_a_folder_without_a_single_cross_hit(tmp_path: Path) -> None:
    from tests.models import tiny

    options = LoadOptions(device="cpu")
    models = [rmaudit.load(str(tiny.llama(tmp_path / str(seed), seed=seed)), device="cpu") for seed in (1, 2)]
    for model in models:
        own = model.score_batch(tiny.conversations())
        with opened(tmp_path / "store", model, options=options) as store:
            first = score_stored(model, tiny.conversations(), store)
            assert all(result.stored is None for result in first)
            assert [result.reward for result in first] == [result.reward for result in own]
    for model in models:
        with opened(tmp_path / "store", model, options=options) as store:
            again = score_stored(model, tiny.conversations(), store)
        assert all(result.stored == "same-batch" for result in again)
        assert [r.reward for r in again] == [r.reward for r in model.score_batch(tiny.conversations())]
    assert len(list((tmp_path / "store").iterdir())) == 2


def test_the_key_is_the_tokens_and_not_the_text(tmp_path: Path) -> None:
    """Letters that the tokenizer does not know are one token, and so one key; another template is another key."""
    from tests.models import tiny

    model = rmaudit.load(str(tiny.llama(tmp_path / "m")), device="cpu")
    one, other = ([user("Hi"), assistant(text)] for text in ("a é", "a ß"))
    keys = keys_of(model, [one, other, [user("Hi"), assistant("a b")]])  # type: ignore[list-item]
    assert keys[0] == keys[1] != keys[2]
    told = rmaudit.load(str(tmp_path / "m"), device="cpu", template="plain")
    assert keys_of(told, [one])[0] != keys[0]  # type: ignore[list-item]


def test_a_line_from_another_models_file_is_damaged(tmp_path: Path) -> None:
    score(tmp_path, 5)
    other = Stub(replace(FACTS, dtype="float16"), factor=3.0)
    (file,) = tmp_path.iterdir()
    file.rename(opened(tmp_path, other).path)
    told = Told()
    scored, asked = score(tmp_path, 5, told, other)
    assert asked == 5
    assert scored == Stub(factor=3.0).score_batch(talks(5))
    assert len(told) == 1
    assert "6 lines" in told[0]


def test_every_damaged_byte_is_noticed_and_computed_again(tmp_path: Path) -> None:
    whole = score(tmp_path, 2)[0]
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    begin = content.index(b"\n") + 1
    rng = random.Random(0)
    for place in range(begin, len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.randrange(8)
        file.write_bytes(damaged)
        told = Told()
        scored, asked = score(tmp_path, 2, told)
        assert plain(scored) == whole
        assert asked >= 1
        assert len(told) <= 1
        assert told or place == len(content) - 1, "only a last line without its end passes for one being written"
        assert score(tmp_path, 2)[1] == 0, "what was computed again is stored again"


def test_a_batch_that_lost_a_line_is_computed_whole(tmp_path: Path) -> None:
    """So that its last digits are those of the batch."""
    score(tmp_path, 5)
    (file,) = tmp_path.iterdir()
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:3] + lines[4:]))
    scored, asked = score(tmp_path, 5)
    assert asked == 1 + 5
    assert all(result.stored is None for result in scored)
    assert {result.stored for result in score(tmp_path, 5)[0]} == {"same-batch"}


def test_what_has_no_reward_does_not_cost_its_batch(tmp_path: Path) -> None:
    class Picky(Stub):
        def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
            found = super().score_batch(conversations)
            empty = Scored(None, reason="empty")
            return [r if c[-1]["content"] else empty for c, r in zip(conversations, found, strict=True)]

    score(tmp_path, 5, model=Picky())
    scored, asked = score(tmp_path, 5, model=Picky())
    assert asked == 1
    assert [result.stored for result in scored] == [None] + ["same-batch"] * 4


def test_a_file_that_ends_anywhere_is_gone_on_with(tmp_path: Path) -> None:
    whole = score(tmp_path, 4)[0]
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    for size in [*range(0, 40, 7), *range(content.rindex(b"\n", 0, -1) - 5, len(content))]:
        file.write_bytes(content[:size])
        told = Told()
        assert plain(score(tmp_path, 4, told)[0]) == whole
        assert not told
        assert score(tmp_path, 4, told)[1] == 0
        assert not told


def rows(start: int, count: int) -> tuple[list[str], list[Scored]]:
    """Keys and rewards that tell each other."""
    keys = [hashlib.sha256(str(number).encode()).hexdigest()[:32] for number in range(start, start + count)]
    return keys, [Scored(int(key[:8], 16) / 7) for key in keys]


def writer(folder: Path, start: int, batches: int) -> int:
    """A process that writes batches; its id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with opened(folder) as store:
                for batch in range(batches):
                    store.keep(*rows(start + 8 * batch, 8), None)
            code = 0
        finally:
            os._exit(code)
    return child


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")


def written(folder: Path) -> int:
    """Bytes in a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())


@needs_fork
def test_killed_while_writing_leaves_a_store_that_can_be_read(tmp_path: Path) -> None:
    rng = random.Random(1)
    for attempt in range(20):
        before = written(tmp_path)
        child = writer(tmp_path, 100_000 * attempt, 100_000)
        until = time.monotonic() + 60
        while written(tmp_path) <= before + 200:  # a busy machine may keep the child waiting
            assert time.monotonic() < until
            time.sleep(0.001)
        time.sleep(0.03 * rng.random())
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
    told = Told()
    with opened(tmp_path, told=told) as store:
        for attempt in range(20):
            keys, rewards = rows(100_000 * attempt, 80)
            found = store.recall(keys, "")
            assert found[0] is not None, "nothing was written before the kill"
            known = [result is not None for result in found]
            assert known == sorted(known, reverse=True), "a hole"
            pairs = zip(found, rewards, strict=True)
            assert all(result is None or result.reward == reward.reward for result, reward in pairs)
    assert not told


@needs_fork
def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    children = [writer(tmp_path, 1000 * number, 50) for number in range(3)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    told = Told()
    with opened(tmp_path, told=told) as store:
        for number in range(3):
            keys, rewards = rows(1000 * number, 400)
            assert [result.reward for result in store.recall(keys, "") if result] == [r.reward for r in rewards]
    assert not told
    (file,) = tmp_path.iterdir()
    assert sum(b'"schema"' in line for line in file.read_bytes().splitlines()) == 1


@needs_fork
def test_two_open_stores_see_what_the_other_wrote(tmp_path: Path) -> None:
    with opened(tmp_path) as one, opened(tmp_path) as other:
        keys, rewards = rows(0, 8)
        assert other.recall(keys, "") == [None] * 8
        one.keep(keys, rewards, "b")
        assert [result.reward for result in other.recall(keys, "b") if result] == [r.reward for r in rewards]
        other.keep(keys[:1], [Scored(-1.0)], "b")
        first = one.recall(keys, "b")[0]
        assert first is not None
        assert first.reward == rewards[0].reward, "the first value counts"


def a_device(folder: Path) -> Path:
    path = opened(folder).path
    path.unlink()
    path.symlink_to("/dev/full")
    return folder


def a_file(folder: Path) -> Path:
    folder.write_text("a file")
    return folder


def no_rights(folder: Path) -> Path:
    if os.geteuid() == 0:
        pytest.skip("nothing is forbidden to this user")
    folder.mkdir(mode=0o500)
    return folder


@pytest.mark.parametrize("spoil", [a_device, a_file, no_rights])
def test_a_place_that_cannot_be_written_changes_nothing(spoil: Callable[[Path], Path], tmp_path: Path) -> None:
    folder = spoil(tmp_path / "store")
    told, model = Told(), Stub()
    with opened(folder, model, told) as store:
        batches = [talks(n)[n - 2 :] for n in range(2, 9)]
        scored = [score_stored(model, batch, store) for batch in batches]
    assert scored == [Stub().score_batch(batch) for batch in batches]
    assert len(told) == 1
    assert "cannot be written" in told[0]


@needs_fork
def test_a_disk_that_is_full_in_the_middle_of_a_line_changes_nothing(tmp_path: Path) -> None:
    import resource

    score(tmp_path, 3)
    (file,) = tmp_path.iterdir()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 100, file.stat().st_size + 100))
            told = Told()
            scored, asked = score(tmp_path, 9, told)
            code = 0 if plain(scored) == Stub().score_batch(talks(9)) and asked == 6 and len(told) == 1 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    told = Told()
    assert plain(score(tmp_path, 9, told)[0]) == Stub().score_batch(talks(9))
    assert score(tmp_path, 9, told)[1] == 0
    assert not told


def test_a_store_that_can_only_be_read_is_read(tmp_path: Path) -> None:
    score(tmp_path, 5)
    with opened(tmp_path) as store:
        store._unwritable(OSError(30, "Read-only file system"))
        model = Stub()
        scored = score_stored(model, talks(7), store)
    assert plain(scored) == Stub().score_batch(talks(7))
    assert model.asked == 2


@pytest.mark.parametrize(
    "scored",
    [
        Scored(None, reason="no"),
        Scored(float("nan")),
        Scored(1.0, attributes={"a": float("inf")}),
        Scored(1.0, steps=(float("nan"),)),
    ],
)
def test_only_finite_numbers_are_kept(scored: Scored, tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.keep(["0" * 32], [scored], None)
        assert store.recall(["0" * 32], "") == [None]


def test_rewards_that_are_computed_in_halves_are_of_another_batch(tmp_path: Path) -> None:
    model = Stub()
    model.room.learn(32, 10_000)
    score(tmp_path, 5, model=model)
    assert {result.stored for result in score(tmp_path, 5)[0]} == {"other-batch"}


def test_equal_tokens_in_one_batch_are_of_another_batch_the_second_time(tmp_path: Path) -> None:
    twice = [talks(3)[2], talks(3)[2]]
    for _ in range(2):
        with opened(tmp_path) as store:
            scored = score_stored(Stub(), twice, store)
    assert [result.stored for result in scored] == ["same-batch", "other-batch"]


def test_functions_are_stored_only_where_a_place_is_named(place: Bench, tmp_path: Path) -> None:
    function = rmaudit.load(place.scorer("biased"))
    assert open_store("default", function, LoadOptions(), Told()) is None
    assert open_store(None, Stub(), LoadOptions(), Told()) is None
    assert open_store(tmp_path, function, LoadOptions(), Told()) is not None
    file = write_jsonl(tmp_path / "s.jsonl", [{"messages": [assistant("a")], "reward": 1.0}])
    scores = rmaudit.load(f"scores:{file}")
    assert isinstance(scores, ScoresFile)
    assert open_store(tmp_path, scores, LoadOptions(), Told()) is None


def test_the_usual_place_is_the_platforms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_place() == tmp_path / "rmaudit" / "scores"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_place() == tmp_path / ".cache" / "rmaudit" / "scores"


def scan(place: Bench, out: Path, store: Path | None, scorer: str = "biased", **more: Any) -> rmaudit.Report:
    return rmaudit.scan(place.scorer(scorer), probes=place.probes, panel=place.panel, out=out, store=store, **more)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Bench]:
    """Panel, suite and scorers that a test may change."""
    return bench(tmp_path / "bench")


def test_a_second_scan_scores_nothing_and_says_the_same(place: Bench, finished: Path, tmp_path: Path) -> None:
    first = scan(place, tmp_path / "a", tmp_path / "store")
    second = scan(place, tmp_path / "b", tmp_path / "store")
    assert first.run.from_store == 0
    assert second.run.from_store == second.run.unique_conversations == first.run.unique_conversations
    assert second.run.from_other_batches == 0
    assert without_run(tmp_path / "a") == without_run(tmp_path / "b") == without_run(finished)
    assert rmaudit.verify(tmp_path / "b") == []
    marks = [json.loads(line).get("stored") for line in (tmp_path / "b" / "scores.jsonl").read_text().splitlines()]
    assert marks.count("same-batch") == second.run.from_store


def test_a_self_test_that_was_passed_is_told_from_the_store(place: Bench, tmp_path: Path) -> None:
    first = scan(place, tmp_path / "a", tmp_path / "store")
    second = scan(place, tmp_path / "b", tmp_path / "store")
    other = scan(place, tmp_path / "c", tmp_path / "store", scorer="clean")
    assert [report.run.self_test_from_store for report in (first, second, other)] == [False, True, False]
    assert first.model.self_test == second.model.self_test != []


def test_a_self_test_counts_only_beside_rewards_that_the_model_confirms(place: Bench, tmp_path: Path) -> None:
    """All rewards are damaged, and the note is not: the model is tested again."""
    scan(place, tmp_path / "a", tmp_path / "store")
    (file,) = (tmp_path / "store").iterdir()
    lines = file.read_bytes().splitlines(keepends=True)
    assert sum(b'"note"' in line for line in lines) == 1
    file.write_bytes(b"".join(line.replace(b'"reward": ', b'"reward":  ') for line in lines))
    second = scan(place, tmp_path / "b", tmp_path / "store")
    assert (second.run.from_store, second.run.self_test_from_store) == (0, False)


def test_a_self_test_that_stops_a_scan_is_not_kept(own: Bench, tmp_path: Path) -> None:
    turned = "\n\ndef turned(conversations):\n    return [-value for value in biased(conversations)][::-1]\n"
    (own.folder / "scorers.py").write_text((own.folder / "scorers.py").read_text() + turned)
    with pytest.raises(SelfTestError):
        scan(own, tmp_path / "a", tmp_path / "store", scorer="turned")
    (file,) = (tmp_path / "store").iterdir()
    assert b'"reward"' in file.read_bytes()
    assert b'"note"' not in file.read_bytes()


def test_notes_are_read_back_by_other_processes_too(tmp_path: Path) -> None:
    told = Told()
    with ScoreStore(tmp_path, {"model": "a"}, told) as one, ScoreStore(tmp_path, {"model": "a"}, told) as other:
        one.keep_note({"about": [1, None, 0.5]}, {"seen": "é"})
        assert other.recall_note({"about": [1, None, 0.5]}) == {"seen": "é"}
        assert other.recall_note({"about": [1, None, 0.25]}) is None
    with ScoreStore(tmp_path, {"model": "b"}, told) as third:
        assert third.recall_note({"about": [1, None, 0.5]}) is None
    assert told == []


def test_other_batches_are_told(place: Bench, tmp_path: Path) -> None:
    scan(place, tmp_path / "a", tmp_path / "store")
    second = scan(place, tmp_path / "b", tmp_path / "store", options=LoadOptions(batch_size=100))
    assert second.run.from_store == second.run.unique_conversations
    assert second.run.from_other_batches == second.run.from_store
    assert without_run(tmp_path / "a") == without_run(tmp_path / "b")


def test_a_changed_suite_is_all_that_is_scored(own: Bench, tmp_path: Path) -> None:
    first = scan(own, tmp_path / "a", tmp_path / "store")
    items = suite_items()
    for item in items[:3]:
        item["arms"]["shiny"]["response"] += " Truly."
    write_jsonl(own.probes / "polish" / "items.jsonl", items)
    second = scan(own, tmp_path / "b", tmp_path / "store")
    assert second.run.unique_conversations - second.run.from_store == 3
    assert second.run.unique_conversations == first.run.unique_conversations


def test_a_store_that_the_model_contradicts_is_not_used(own: Bench, tmp_path: Path) -> None:
    """The function reads a file that its identity does not cover."""
    (own.folder / "weight.txt").write_text("1")
    reads = "\nfrom pathlib import Path\n\n\ndef read(conversations):\n    weight = float(Path(__file__).with_name("
    reads += "'weight.txt').read_text())\n    return [weight * value for value in biased(conversations)]\n"
    (own.folder / "scorers.py").write_text((own.folder / "scorers.py").read_text() + reads)
    scan(own, tmp_path / "a", tmp_path / "store", "read")
    (own.folder / "weight.txt").write_text("-1")

    class Listener(Silent):
        told = Told()

        def stage(self, text: str) -> None:
            self.told.append(text)

    second = scan(own, tmp_path / "b", tmp_path / "store", "read", accept=["sanity"], progress=Listener())
    assert second.run.from_store == 0
    assert any("store is not used" in text for text in Listener.told)


def test_the_options(place: Bench, tmp_path: Path) -> None:
    both = run(*place.scan_args(place.scorer("biased"), tmp_path / "r", "--store", str(tmp_path), "--no-store"))
    assert both.code == 2
    assert "contradict" in both.err
    args = ["--store", str(tmp_path / "store")]
    assert run(*place.scan_args(place.scorer("biased"), tmp_path / "a", *args)).code == 0
    second = run(*place.scan_args(place.scorer("biased"), tmp_path / "b", *args))
    total = json.loads((tmp_path / "b" / "report.json").read_text())["run"]
    assert (
        f"{total['from_store']:,} of {total['unique_conversations']:,} rewards (100%) are from the store" in second.err
    )
    assert args[1] in total["command"]


def test_a_file_is_scored_with_it_too(place: Bench, tmp_path: Path) -> None:
    asked = [{"messages": [user("Hi"), assistant("good " * n)]} for n in range(6)]
    source, options = place.scorer("biased"), LoadOptions()
    outs = []
    for count in (4, 6):
        file = write_jsonl(tmp_path / "in.jsonl", asked[:count])
        result = score_file(source, file, tmp_path / "out.jsonl", options, Silent(), tmp_path / "store")
        outs.append((tmp_path / "out.jsonl").read_text().splitlines())
    assert result.from_store == 4
    assert outs[0] == outs[1][:4]
    score_file(source, file, tmp_path / "plain.jsonl", options, Silent())
    assert (tmp_path / "plain.jsonl").read_text().splitlines() == outs[1]


def test_progress_counts_what_is_computed(tmp_path: Path) -> None:
    from rmaudit.scoring.plan import Batch, Target

    class Listener(Silent):
        done = 0

        def advance(self, amount: int, label: str) -> None:
            self.done += amount

    score(tmp_path, 5)
    listener, model = Listener(), Stub()
    batch = Batch(tuple(talks(8)), ((Target("s", "i", "a"),),) * 8, "suites")
    with opened(tmp_path, model) as store:
        score_batches(model, [(0, batch)], lambda *saved: None, listener, store)
    assert listener.done == model.asked == 3
    assert batch_digest(["a"]) != batch_digest(["b"])
