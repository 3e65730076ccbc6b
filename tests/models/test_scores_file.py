from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rmaudit.errors import ScoringError, UsageError
from rmaudit.models.load import load


def talk(text: str) -> Any:
    return [{"role": "user", "content": "Q"}, {"role": "assistant", "content": text}]


def write(folder: Path, *rows: Any) -> str:
    file = folder / "rewards.jsonl"
    file.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return f"scores:{file}"


def row(text: str, reward: Any) -> dict[str, Any]:
    return {"messages": talk(text), "reward": reward}


def test_rewards_are_found_by_conversation_in_any_order(tmp_path: Path) -> None:
    model = load(write(tmp_path, row("a", 1.5), "", row("b", -2), row("a", 1.5)))
    assert list(model.score([talk("b"), talk("a"), talk("b")])) == [-2.0, 1.5, -2.0]
    assert model.facts.evidence == ("2 conversations with rewards in rewards.jsonl",)


def test_only_role_and_content_count(tmp_path: Path) -> None:
    named = talk("a")
    named[0]["name"] = "x"
    model = load(write(tmp_path, {"messages": named, "reward": 1, "id": 7}))
    assert list(model.score([talk("a")])) == [1.0]


def test_all_holes_are_counted_at_once(tmp_path: Path) -> None:
    model: Any = load(write(tmp_path, row("a", 1)))
    wanted = [talk("a"), talk("b"), talk("c"), talk("c")]
    assert model.missing(wanted) == 2
    for ask in (model.prepare, model.score_batch):
        with pytest.raises(ScoringError, match=r"2 of 3 conversations have no reward .* First missing: 'Q' … 'b'"):
            ask(wanted)
    model.prepare([talk("a")])


def test_a_missing_reward_may_be_said_with_its_reason(tmp_path: Path) -> None:
    model = load(write(tmp_path, row("a", None) | {"reason": "too long"}, row("b", None)))
    scored = model.score_batch([talk("a"), talk("b")])
    assert [(entry.reward, entry.reason) for entry in scored] == [
        (None, "too long"),
        (None, "the scores file gives no reward"),
    ]


@pytest.mark.parametrize("rows", [(), ("", "  ")])
def test_an_empty_file_cannot_measure(tmp_path: Path, rows: tuple[str, ...]) -> None:
    with pytest.raises(ScoringError, match="is empty"):
        load(write(tmp_path, *rows))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 is not valid JSON"),
        ("[1]", 'line 2 is not {"messages"'),
        ('{"messages": []}', 'line 2 is not {"messages"'),
        ('{"messages": [], "reward": 1}', "line 2: a conversation must be a non-empty list"),
        (json.dumps(row("b", "1")), "line 2: the reward must be a finite number or null. Got '1'"),
        (json.dumps(row("b", True)), "Got 'True'"),
        (json.dumps(row("b", float("nan"))), "Got 'nan'"),
        (json.dumps(row("b", float("inf"))), "Got 'inf'"),
        (json.dumps(row("b", 0)).replace("0}", "1" + "0" * 400 + "}"), "must be a finite number"),
        (json.dumps(row("a", 2)), "line 2 gives 2.0 to a conversation that line 1 gives 1.0"),
        (json.dumps(row("a", None)), "line 2 gives None to a conversation that line 1 gives 1.0"),
    ],
)
def test_a_bad_line_is_a_usage_error_with_its_place(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        load(write(tmp_path, row("a", 1), line))
    assert message in str(refusal.value)


def test_text_that_is_not_utf8_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b'{"messages": "\xff"}\n')
    with pytest.raises(UsageError, match="not UTF-8"):
        load(f"scores:{tmp_path}/x.jsonl")
