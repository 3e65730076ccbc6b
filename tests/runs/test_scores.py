"""`scores.jsonl` comes back as it was written; what was torn off is cut, and what was changed is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmaudit.errors import RunError
from rmaudit.models.interface import Scored
from rmaudit.runs.scores import ScoreWriter, read_scores
from rmaudit.scoring.plan import Batch, Target

PLAN = "ab" * 32
AWKWARD = 0.1 + 0.2  # needs all of its digits


def batch(*names: str) -> Batch:
    """A batch with one conversation a name, each needed by one arm of an item of that name."""
    return Batch(
        tuple([{"role": "assistant", "content": name}] for name in names),
        tuple((Target("suite", name, "arm"),) for name in names),
        "suites",
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with two batches: two rewards; then one reward and one reason."""
    path = tmp_path / "scores.jsonl"
    with ScoreWriter(path, PLAN) as writer:
        writer.append(0, batch("a", "b"), [Scored(1.5, 10), Scored(AWKWARD, 20)])
    with ScoreWriter(path, PLAN) as writer:
        lost = Scored(None, truncated=True, reason='too long: "é\ud800"')
        writer.append(1, batch("c", "d"), [Scored(-3e300, 5), lost])
    return path


def test_what_was_written_is_read(path: Path) -> None:
    scores = read_scores(path)
    assert scores.rewards == {
        "suite": {("a", "arm"): 1.5, ("b", "arm"): AWKWARD, ("c", "arm"): -3e300, ("d", "arm"): None}
    }
    assert scores.truncated == {"suite": {"d": 1}}
    assert scores.reasons == {'too long: "é\ud800"': 1}
    assert scores.batches == 2
    assert scores.tokens == 35
    assert scores.plan_sha256 == PLAN
    assert scores.any_reward


def test_attributes_come_back_with_all_digits(tmp_path: Path) -> None:
    """Also below names that a stranger chose; a conversation without a reward has none."""
    odd = {"per token": AWKWARD, 'é\ud800"}': -3e300, "": 0.0}
    with ScoreWriter(tmp_path / "scores.jsonl", PLAN) as writer:
        lost = Scored(None, reason="nothing", attributes={"raw": 1.0})
        writer.append(0, batch("a", "b", "c"), [Scored(1.5, attributes=odd), Scored(2.0), lost])
    scores = read_scores(tmp_path / "scores.jsonl")
    assert scores.attributes == {"suite": {("a", "arm"): odd}}
    assert scores.rewards == {"suite": {("a", "arm"): 1.5, ("b", "arm"): 2.0, ("c", "arm"): None}}
    _, *lines = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text(encoding="ascii").splitlines()]
    assert ["attributes" in line for line in lines] == [True, False, False]


def test_a_file_without_attributes_has_none(path: Path) -> None:
    assert read_scores(path).attributes == {}


def test_a_line_is_one_conversation_as_plain_json(path: Path) -> None:
    header, *lines = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    assert header["schema"] == "rmaudit.scores/1"
    assert header["plan"] == PLAN
    assert [line["item"] for line in lines] == ["a", "b", "c", "d"]
    assert set(lines[0]) == {"batch", "suite", "item", "arm", "reward", "tokens", "truncated", "reason", "crc"}
    assert [line.get("end") for line in lines] == [None, True, None, True]


def test_a_conversation_of_several_arms_counts_its_tokens_once(tmp_path: Path) -> None:
    shared = Batch(
        ([{"role": "assistant", "content": "x"}],), ((Target("panel", "p", "r0"), Target("s", "i", "plain")),), "panel"
    )
    with ScoreWriter(tmp_path / "scores.jsonl", PLAN) as writer:
        writer.append(0, shared, [Scored(2.0, 7)])
    scores = read_scores(tmp_path / "scores.jsonl")
    assert scores.rewards == {"panel": {("p", "r0"): 2.0}, "s": {("i", "plain"): 2.0}}
    assert scores.tokens == 7


def test_cut_at_every_byte_of_the_last_batch(path: Path) -> None:
    """Wherever it is cut, a reader refuses it, and a resumed run has the first batch and can write the second."""
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    whole = b"".join(lines[:3])
    for length in range(len(whole), len(content)):
        path.write_bytes(content[:length])
        if length > len(whole):
            with pytest.raises(RunError, match="--resume"):
                read_scores(path)
        scores = read_scores(path, resume=True)
        assert scores.batches == 1
        assert scores.rewards["suite"] == {("a", "arm"): 1.5, ("b", "arm"): AWKWARD}
        assert path.read_bytes() == whole
    with ScoreWriter(path, PLAN) as writer:
        lost = Scored(None, truncated=True, reason='too long: "é\ud800"')
        writer.append(1, batch("c", "d"), [Scored(-3e300, 5), lost])
    assert path.read_bytes() == content


def test_cut_at_every_byte_of_the_header(path: Path) -> None:
    header = path.read_bytes().splitlines(keepends=True)[0]
    for length in range(len(header)):
        path.write_bytes(header[:length])
        with pytest.raises(RunError):
            read_scores(path)
        assert read_scores(path, resume=True).batches == 0
        ScoreWriter(path, PLAN).__exit__(None, None, None)
        assert path.read_bytes() == header


@pytest.mark.parametrize("resume", [False, True])
def test_every_flipped_byte_is_noticed_and_its_line_named(path: Path, resume: bool) -> None:
    content = path.read_bytes()
    for position in range(len(content) - 1):
        damaged = bytearray(content)
        damaged[position] ^= 0x01
        path.write_bytes(damaged)
        line = content[:position].count(b"\n") + 1
        with pytest.raises(RunError, match=rf"line {line} is damaged"):
            read_scores(path, resume=resume)
        assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [lines[0], *lines[3:]],
        lambda lines: [*lines[:3], *lines[1:3], *lines[3:]],
        lambda lines: lines[1:],
        lambda lines: [*lines[:1], b"\n", *lines[1:]],
    ],
    ids=["a batch is missing", "a batch is there twice", "no header", "an empty line"],
)
def test_lines_that_do_not_follow_are_refused(path: Path, change: object) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(change(lines)))  # type: ignore[operator]
    with pytest.raises(RunError):
        read_scores(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"scores\.jsonl"):
        read_scores(tmp_path / "scores.jsonl")


def test_a_number_that_is_none_is_never_written(tmp_path: Path) -> None:
    with ScoreWriter(tmp_path / "scores.jsonl", PLAN) as writer, pytest.raises(ValueError, match="JSON"):
        writer.append(0, batch("a"), [Scored(float("nan"))])


def test_a_full_disk_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with ScoreWriter(path, PLAN) as writer, monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(RunError, match="No space left on device"):
            writer.append(2, batch("e"), [Scored(1.0)])


def test_what_is_from_the_store_is_on_the_disk_at_the_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScoreWriter(path, PLAN) as writer:
        synced: list[int] = []
        monkeypatch.setattr("os.fsync", synced.append)
        writer.append(0, batch("a"), [Scored(1.0, stored="same-batch")])
        assert not synced
        writer.append(1, batch("b"), [Scored(1.0)])
        assert len(synced) == 1
        writer.append(2, batch("c"), [Scored(1.0, stored="other-batch")])
        assert len(synced) == 1
    assert len(synced) == 2
