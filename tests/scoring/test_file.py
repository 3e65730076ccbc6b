"""`rmaudit score`: a line in, a line out, in order, with the id; what cannot be scored is null and says why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rmaudit.conversation import Conversation
from rmaudit.errors import ScoringError, UsageError
from rmaudit.models.interface import RewardModel, Scored
from rmaudit.models.options import LoadOptions
from rmaudit.progress import Silent
from rmaudit.scoring.file import score_file
from tests.synthetic import Bench, assistant, run, user, write_jsonl

SCORER = '''
seen = []

def score(conversations):
    """Characters of all turns; text that says so has none."""
    seen.append(len(conversations))
    answers = [c[-1]["content"] for c in conversations]
    if "raise" in answers:
        raise ValueError("cannot read this")
    return [None if a == "none" else float("nan") if a == "nan" else sum(len(t["content"]) for t in c)
            for a, c in zip(answers, conversations)]

def lost(conversations):
    return [None] * len(conversations)
'''


@pytest.fixture
def source(tmp_path: Path) -> str:
    (tmp_path / "scorer.py").write_text(SCORER)
    return f"python:{tmp_path / 'scorer.py'}:score"


def scored(source: str, rows: list[Any], tmp_path: Path) -> list[dict[str, Any]]:
    out = tmp_path / "out.jsonl"
    result = score_file(source, write_jsonl(tmp_path / "in.jsonl", rows), out, LoadOptions(), Silent())
    answers = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert result.lines == len(answers) == len(rows)
    assert result.unscored == sum("reason" in answer for answer in answers)
    return answers


def test_messages_give_a_reward(source: str, tmp_path: Path) -> None:
    rows = [{"messages": [user("Hi"), assistant("x" * n)]} for n in (3, 1, 2)]
    assert scored(source, rows, tmp_path) == [{"reward": 5.0}, {"reward": 3.0}, {"reward": 4.0}]


PAIRS = [
    {"prompt": "Hi", "chosen": "abc", "rejected": "a"},
    {"prompt": [user("Hi")], "chosen": [assistant("abc")], "rejected": [assistant("a")]},
    {"prompt": "Hi", "chosen": [user("Hi"), assistant("abc")], "rejected": [user("Hi"), assistant("a")]},
    {"chosen": [user("Hi"), assistant("abc")], "rejected": [user("Hi"), assistant("a")]},
    {"prompt": [user("Hi")], "chosen": "abc", "rejected": "a", "score_chosen": 9, "subset": "easy"},
]


@pytest.mark.parametrize("row", PAIRS)
def test_pairs_give_two_rewards(row: dict[str, Any], source: str, tmp_path: Path) -> None:
    assert scored(source, [row], tmp_path) == [{"reward_chosen": 5.0, "reward_rejected": 3.0}]


@pytest.mark.parametrize("name", [0, "a", ["b", 1], {"c": None}, False])
def test_the_id_is_kept_as_it_is(name: Any, source: str, tmp_path: Path) -> None:
    rows = [{"id": name, "messages": [assistant("abc")]}, {"id": name, **PAIRS[0]}, {"id": name, "text": "no"}]
    assert [answer["id"] for answer in scored(source, rows, tmp_path)] == [name] * 3
    assert "id" not in scored(source, [{"messages": [assistant("abc")]}], tmp_path)[0]


UNSCORABLE = [
    ({}, {"reward": None}, "no messages"),
    ({"messages": []}, {"reward": None}, "non-empty"),
    ({"messages": [user("Hi")]}, {"reward": None}, "last message is from user"),
    ({"messages": [{"role": "bot", "content": "Hi"}]}, {"reward": None}, "'bot'"),
    ({"messages": [assistant("none")]}, {"reward": None}, "None"),
    ({"messages": [assistant("nan")]}, {"reward": None}, "nan"),
    ({"prompt": "Hi", "chosen": "a"}, {"reward_chosen": None, "reward_rejected": None}, "no rejected"),
    ({"prompt": "Hi", "chosen": "none", "rejected": "a"}, {"reward_chosen": None, "reward_rejected": 3.0}, "None"),
    ({"prompt": "Hi", "chosen": 5, "rejected": "a"}, {"reward_chosen": None, "reward_rejected": None}, "chosen: "),
    ({"chosen": "abc", "rejected": "a"}, {"reward_chosen": None, "reward_rejected": None}, "no prompt"),
]


@pytest.mark.parametrize(("row", "rewards", "words"), UNSCORABLE)
def test_what_cannot_be_scored_is_null_with_a_reason(
    row: dict[str, Any], rewards: dict[str, Any], words: str, source: str, tmp_path: Path
) -> None:
    good = {"messages": [assistant("abc")]}
    first, answer, last = scored(source, [good, row, good], tmp_path)
    assert first == last == {"reward": 3.0}
    assert words in answer.pop("reason")
    assert answer == rewards


def test_a_text_that_the_scorer_cannot_take_costs_the_others_nothing(source: str, tmp_path: Path) -> None:
    rows = [{"messages": [assistant(text)]} for text in ("abc", "raise", "a")]
    first, lost, last = scored(source, rows, tmp_path)
    assert (first, last) == ({"reward": 3.0}, {"reward": 1.0})
    assert lost["reward"] is None
    assert "cannot read this" in lost["reason"]


def test_equal_conversations_are_scored_once(source: str, tmp_path: Path) -> None:
    (tmp_path / "scorer.py").write_text(SCORER + "\ndef count(c):\n    return [float(len(c))] * len(c)\n")
    rows = [{"messages": [assistant(text)]} for text in "abab"]
    assert scored(source[: -len("score")] + "count", rows, tmp_path) == [{"reward": 2.0}] * 4


def test_order_is_kept_over_many_batches(source: str, tmp_path: Path) -> None:
    sizes = [(17 * n) % 601 for n in range(601)]
    rows = [{"id": n, "messages": [assistant("x" * size)]} for n, size in enumerate(sizes)]
    assert scored(source, rows, tmp_path) == [{"id": n, "reward": float(size)} for n, size in enumerate(sizes)]


def test_blank_lines_and_a_byte_order_mark_are_nothing(source: str, tmp_path: Path) -> None:
    line = json.dumps({"messages": [assistant("abc")]})
    (tmp_path / "in.jsonl").write_text(f"\ufeff{line}\r\n\n{line}", encoding="utf-8")
    score_file(source, tmp_path / "in.jsonl", tmp_path / "out.jsonl", LoadOptions(), Silent())
    assert (tmp_path / "out.jsonl").read_text() == '{"reward": 3.0}\n' * 2


def test_line_separators_and_lone_surrogates_within_texts(source: str, tmp_path: Path) -> None:
    rows = [{"id": "\ud800", "messages": [assistant("a\u2028b\x85c\ud800")]}]
    assert scored(source, rows, tmp_path) == [{"id": "\ud800", "reward": 6.0}]


BROKEN = [
    (b"", "no lines"),
    (b"\n \n", "no lines"),
    (b'{"messages": [{"role": "assistant", "content": "a"}]}\n{"messages"\n', "line 2 is not JSON"),
    (b"[1, 2]\n", "line 1 is not an object"),
    (b'{"id": NaN, "messages": []}\n', "line 1 is not JSON: NaN"),
    (b'{"id": ' + b"[" * 100_000, "line 1 is not JSON"),
    (b'{"id": ' + b"9" * 5000 + b"}", "line 1 is not JSON"),
    (b"\xff\xfe", "cannot be read"),
    (None, "cannot be read"),
]


@pytest.mark.parametrize(("content", "words"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_input_writes_nothing(content: bytes | None, words: str, source: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "in.jsonl").write_bytes(content)
    with pytest.raises(UsageError, match=words):
        score_file(source, tmp_path / "in.jsonl", tmp_path / "out.jsonl", LoadOptions(), Silent())
    assert not (tmp_path / "out.jsonl").exists()


def test_an_input_of_which_nothing_can_be_scored(source: str, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "in.jsonl", [{"text": "a"}, {"messages": []}])
    with pytest.raises(ScoringError, match=r"None of the 2 lines .*no messages"):
        score_file(source, tmp_path / "in.jsonl", tmp_path / "out.jsonl", LoadOptions(), Silent())
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(("place", "words"), [("no/out.jsonl", "folder"), (".", "folder"), ("in.jsonl", "the input")])
def test_a_bad_place_is_refused_before_anything_is_scored(place: str, words: str, source: str, tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "in.jsonl", [PAIRS[0]])
    before = rows.read_bytes()
    with pytest.raises(UsageError, match=words):
        score_file("python:nowhere.py:score", rows, tmp_path / place, LoadOptions(), Silent())
    assert rows.read_bytes() == before


class Several(RewardModel):
    """Gives the length in characters, in words, and a value for each word; an answer of two words has none."""

    def score_batch(self, conversations: Sequence[Conversation]) -> list[Scored]:
        return [self._scored(conversation[-1]["content"]) for conversation in conversations]

    def _scored(self, answer: str) -> Scored:
        words = answer.split()
        values = {"words": float(len(words)), "nothing": float("nan")}
        steps = tuple(float("nan") if word == "nan" else float(len(word)) for word in words)
        return Scored(None if len(words) == 2 else float(len(answer)), attributes=values, steps=steps, reason="two")


def test_attributes_and_steps_stand_beside_their_reward(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("rmaudit.models.load.load", lambda source, options: Several())
    rows = [
        {"id": 1, "messages": [user("Hi"), assistant("a nan ccc")]},
        {"prompt": "Hi", "chosen": "a b c", "rejected": "abc"},
        {"prompt": "Hi", "chosen": "a b", "rejected": "abc"},
    ]
    assert scored("several", rows, tmp_path) == [
        {"id": 1, "reward": 9.0, "attributes": {"words": 3.0}, "steps": [1.0, None, 3.0]},
        {
            "reward_chosen": 5.0,
            "reward_rejected": 3.0,
            "attributes_chosen": {"words": 3.0},
            "steps_chosen": [1.0, 1.0, 1.0],
            "attributes_rejected": {"words": 1.0},
            "steps_rejected": [3.0],
        },
        {
            "reward_chosen": None,
            "reward_rejected": 3.0,
            "attributes_rejected": {"words": 1.0},
            "steps_rejected": [3.0],
            "reason": "two",
        },
    ]


def test_the_command(place: Bench, source: str, tmp_path: Path) -> None:
    rows = write_jsonl(tmp_path / "in.jsonl", [{"id": 1, **PAIRS[0]}, {"text": "a"}])
    outcome = run("score", source, str(rows), "-o", str(tmp_path / "out.jsonl"))
    assert outcome.code == 0
    assert outcome.out == ""
    assert "2 lines written" in outcome.err
    assert "1 of them without a reward" in outcome.err
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])["reward_chosen"] == 5.0
    quiet = run("score", source, str(rows), "-o", str(tmp_path / "out.jsonl"), "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
