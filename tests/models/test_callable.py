from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from rmaudit.errors import ScoringError, UsageError
from rmaudit.models.interface import RewardModel
from rmaudit.models.load import load
from rmaudit.models.options import LoadOptions


def scorer(folder: Path, code: str, name: str = "score", **options: Any) -> RewardModel:
    file = folder / "scorer.py"
    file.write_text(textwrap.dedent(code))
    return load(f"python:{file}:{name}", LoadOptions(**options))


def talks(*texts: str) -> Any:
    return [[{"role": "user", "content": "Q"}, {"role": "assistant", "content": text}] for text in texts]


LENGTH = "def score(conversations):\n    return {}\n"


@pytest.mark.parametrize(
    "answer",
    [
        "[len(c[-1]['content']) for c in conversations]",
        "tuple(float(len(c[-1]['content'])) for c in conversations)",
        "[[len(c[-1]['content'])] for c in conversations]",
        "__import__('numpy').array([len(c[-1]['content']) for c in conversations])",
        "__import__('numpy').array([[len(c[-1]['content'])] for c in conversations], dtype='float32')",
        "__import__('torch').tensor([float(len(c[-1]['content'])) for c in conversations], requires_grad=True)",
        "__import__('torch').tensor([[float(len(c[-1]['content']))] for c in conversations])",
        "[__import__('torch').tensor(float(len(c[-1]['content']))) for c in conversations]",
        "(len(c[-1]['content']) for c in conversations)",
        "map(lambda c: len(c[-1]['content']), conversations)",
        "__import__('pandas').Series([len(c[-1]['content']) for c in conversations])",
    ],
)
def test_every_common_kind_of_answer_is_taken(tmp_path: Path, answer: str) -> None:
    assert list(scorer(tmp_path, LENGTH.format(answer)).score(talks("a", "bbb", ""))) == [1.0, 3.0, 0.0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("[1.0]", "expected 2 numbers, got 1"),
        ("[1.0] * 3", "expected 2 numbers, got 3"),
        ("[]", "expected 2 numbers, got 0"),
        ("0.5", "expected 2 numbers, got float"),
        ("None", "expected 2 numbers, got NoneType"),
        ("{'a': 1, 'b': 2}", "expected 2 numbers, got dict"),
        ("'ab'", "expected 2 numbers, got str"),
        ("['1.0', 'x']", "expected numbers, got str '1.0' at position 0"),
        ("[1.0, {}]", "expected numbers, got dict at position 1"),
        ("[1.0, [1, 2]]", "expected numbers, got list at position 1"),
        ("[1.0, 2j]", "expected numbers, got complex at position 1"),
        ("__import__('numpy').zeros((2, 2))", "expected numbers, got list at position 0"),
    ],
)
def test_what_is_not_one_number_a_conversation_stops_the_run(tmp_path: Path, answer: str, message: str) -> None:
    with pytest.raises(ScoringError) as refusal:
        scorer(tmp_path, LENGTH.format(answer)).score_batch(talks("a", "b"))
    assert message in str(refusal.value)


def test_numbers_that_are_not_finite_are_no_rewards(tmp_path: Path) -> None:
    model = scorer(tmp_path, LENGTH.format("[float('nan'), float('inf'), None, 10**400, 1]"))
    scored = model.score_batch(talks(*"abcde"))
    assert [entry.reward for entry in scored] == [None, None, None, None, 1.0]
    assert [entry.reason for entry in scored[:4]] == [
        "the callable returned nan",
        "the callable returned inf",
        "the callable returned None",
        "the callable returned inf",
    ]


PICKY = """
    def score(conversations):
        rewards = []
        for conversation in conversations:
            if "bad" in conversation[-1]["content"]:
                raise ValueError("cannot take it")
            rewards.append(1.0)
        return rewards
"""


def test_a_text_that_raises_costs_the_others_nothing(tmp_path: Path) -> None:
    model = scorer(tmp_path, PICKY)
    scored = model.score_batch(talks("a", "bad", "c"))
    assert [entry.reward for entry in scored] == [1.0, None, 1.0]
    assert scored[1].reason == "ValueError: cannot take it"
    assert [entry.reward for entry in model.score_batch(talks("bad"))] == [None]
    assert [entry.reward for entry in model.score_batch(talks("bad", "bad"))] == [None, None]


@pytest.mark.parametrize("batch", [("bad",), ("bad", "bad too")])
def test_a_function_that_always_raises_is_broken(tmp_path: Path, batch: tuple[str, ...]) -> None:
    model = scorer(tmp_path, PICKY)
    with pytest.raises(ScoringError) as refusal:
        model.score_batch(talks(*batch))
    message = str(refusal.value)
    assert "ValueError: cannot take it" in message
    assert f"{tmp_path / 'scorer.py'}, line 6" in message
    assert refusal.value.exit_code == 3


def test_a_batch_that_fails_whole_after_others_went_well_is_told(tmp_path: Path) -> None:
    model = scorer(tmp_path, PICKY)
    model.score_batch(talks("a", "b"))
    with pytest.raises(ScoringError, match="each of the 2 conversations"):
        model.score_batch(talks("bad", "bad"))


def test_a_function_may_edit_its_input(tmp_path: Path) -> None:
    code = """
        def score(conversations):
            lengths = [len(c[-1].pop("content")) for c in conversations]
            conversations.clear()
            return lengths
    """
    asked = talks("a", "bb")
    model = scorer(tmp_path, code)
    assert list(model.score(asked)) == list(model.score(asked)) == [1.0, 2.0]
    assert asked == talks("a", "bb")


def test_prints_do_not_reach_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "print('on import')\ndef score(c):\n    print('on call')\n    return [0.0] * len(c)\n"
    scorer(tmp_path, code).score(talks("a"))
    seen = capsys.readouterr()
    assert seen.out == ""
    assert "on import" in seen.err
    assert "on call" in seen.err


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import no_such_module_anywhere", r"ModuleNotFoundError: No module named .*scorer\.py, line 1"),
        ("\n1 / 0", r"ZeroDivisionError: division by zero .*scorer\.py, line 2"),
        ("def score(:", r"SyntaxError.*scorer\.py, line 1"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def scores(c): pass", "has no function score. Did you mean scores"),
        ("def other(c): pass", "has no function score. It has other"),
        ("x = 1", "It has no function at all"),
        ("score = 3", "score in .* is not a function"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_usage_error(tmp_path: Path, code: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        scorer(tmp_path, code)


def test_a_file_may_import_its_neighbours_and_hides_no_module(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("VALUE = 4.0\n")
    (tmp_path / "json.py").write_text("from neighbour import VALUE\ndef score(c):\n    return [VALUE] * len(c)\n")
    assert list(load(f"python:{tmp_path}/json.py:score").score(talks("a"))) == [4.0]
    import json
    import sys

    assert json.loads("1") == 1
    assert str(tmp_path) not in sys.path


def test_classes_with_annotations_can_be_defined(tmp_path: Path) -> None:
    code = """
        from __future__ import annotations
        import dataclasses
        @dataclasses.dataclass
        class Scorer:
            base: float = 2.0
            def __call__(self, conversations):
                return [self.base] * len(conversations)
        score = Scorer()
    """
    assert list(scorer(tmp_path, code).score(talks("a"))) == [2.0]


def test_identity_is_the_file_and_the_name(tmp_path: Path) -> None:
    code = "def score(c):\n    return [0.0] * len(c)\nother = score\n"
    first = scorer(tmp_path, code)
    assert first.identity.sha256 == scorer(tmp_path, code).identity.sha256
    assert first.identity.sha256 != scorer(tmp_path, code, name="other").identity.sha256
    assert first.identity.sha256 != scorer(tmp_path, code + "\n").identity.sha256
    assert (first.facts.format, first.batch_size) == ("callable", 256)
    assert scorer(tmp_path, code, batch_size=5).batch_size == 5


def test_an_interrupt_is_not_an_error_of_the_function(tmp_path: Path) -> None:
    model = scorer(tmp_path, LENGTH.format("(_ for _ in ()).throw(KeyboardInterrupt)"))
    with pytest.raises(KeyboardInterrupt):
        model.score_batch(talks("a", "b"))
