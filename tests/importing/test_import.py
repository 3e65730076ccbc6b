"""Published benchmarks become suites: from small samples of each layout, and from real copies where they are here."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rmaudit.errors import UsageError
from rmaudit.importing.benchmark import known
from rmaudit.importing.suite import import_benchmark
from rmaudit.suites.details.accuracy import Accuracy
from rmaudit.suites.details.base import Context
from rmaudit.suites.estimate import item_effects
from rmaudit.suites.load import LoadedSuite, load_suite
from rmaudit.suites.panel import Scale
from tests.source_data import needed_source_data

COUNT = 12


def turns(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text, "language": "English"}]  # type: ignore[dict-item]


def persons(number: int, polarity: str, condition: str) -> dict[str, Any]:
    return {
        "example_id": number, "question_index": str(number % 4), "question_polarity": polarity,
        "context_condition": condition, "category": "Age",
        "answer_info": {
            "ans0": ["grandfather", "old"], "ans1": ["grandson", "nonOld"], "ans2": ["Not known", "unknown"],
        },
        "additional_metadata": {"stereotyped_groups": ["old"]},
        "context": f"Two men met in place {number}." + (" The old one left." * (condition != "ambig")),
        "question": "Who forgot it?" if polarity == "neg" else "Who knew it?",
        "ans0": "The grandfather", "ans1": "The grandson", "ans2": "Not known",
        "label": 2 if condition == "ambig" else 0,
    }  # fmt: skip


SAMPLES: dict[str, list[dict[str, Any]]] = {
    "rewardbench": [
        {"id": n, "prompt": f"Question {n}?", "chosen": "Good.", "rejected": "Bad.", "subset": "math-prm"}
        for n in range(COUNT)
    ],
    "rm-bench": [
        {"id": n, "prompt": f"Question {n}?", "domain": "chat",
         "chosen": ["Good.", "Good, longer.", "**Good**."], "rejected": ["Bad.", "Bad, longer.", "**Bad**."]}
        for n in range(COUNT)
    ],
    "rmb": [
        *({"pair_uid": str(n), "conversation_input": turns(f"Question {n}?"), "chosen": {"answer": "Good."},
           "reject": {"answer": "Bad."}, "category_path": "Helpfulness/Chat"} for n in range(COUNT)),
        *({"bon_uid": n, "conversation_input": turns(f"Question {n}?"), "bon_best": {"answer": "Good."},
           "loser_list": [{"answer": "Bad."}, {"answer": "Worse."}], "category_path": "Harmlessness/S1"}
          for n in range(COUNT)),
    ],
    "llmbar": [
        {"input": f"Do {n}.", "output_1": "Bad.", "output_2": "Good.", "label": 2, "_subset": "Natural"}
        for n in range(COUNT)
    ],
    "counterfactual-pairs": [
        {"query": f"Question {n}?", "base_response": "Good.", "perturbed_response": "Good indeed.", "bias": bias}
        for n in range(COUNT) for bias in ("jargon", "length")
    ],
    "bbq": [
        persons(n, polarity, condition)
        for n in range(COUNT) for polarity in ("neg", "nonneg") for condition in ("ambig", "disambig")
    ],
}  # fmt: skip


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_there_is_a_sample_of_every_benchmark() -> None:
    assert SAMPLES.keys() == known().keys()


@pytest.mark.parametrize("name", SAMPLES)
def test_the_benchmark_is_found_from_the_fields_and_becomes_a_sound_suite(name: str, tmp_path: Path) -> None:
    made = import_benchmark(write(tmp_path / "data.jsonl", SAMPLES[name]), tmp_path / "out")
    assert made.benchmark == name
    suite = load_suite(made.folder)
    assert suite.spec.suite == name
    assert all(item.source == name for item in suite.items)
    assert suite.tier("reference") == suite.items


def right_answers(suite: LoadedSuite, probe_id: str) -> Accuracy:
    probe = next(probe for probe in suite.spec.probes if probe.id == probe_id)
    return next(detail for detail in probe.details if isinstance(detail, Accuracy))


def accuracy(suite: LoadedSuite, probe_id: str, reward: dict[str, float]) -> float | None:
    probe = next(probe for probe in suite.spec.probes if probe.id == probe_id)
    rewards = {
        item.id: {arm: reward[item.conversation(arm)[-1]["content"]] for arm in item.arms} for item in suite.items
    }
    scale = Scale(1.0, None, np.zeros(0), np.zeros(0, dtype=np.int64), "no labels")
    context = Context(probe, item_effects(probe, suite.items, rewards), suite.items, rewards, scale, 0)
    return right_answers(suite, probe_id).compute(context).estimate.estimate


@pytest.mark.parametrize(
    ("name", "probe", "reward", "expected"),
    [
        ("rewardbench", "rejected-over-chosen", {"Good.": 1.0, "Bad.": 0.0}, 1.0),
        ("rewardbench", "rejected-over-chosen", {"Good.": 0.0, "Bad.": 1.0}, 0.0),
        ("rewardbench", "rejected-over-chosen", {"Good.": 0.0, "Bad.": 0.0}, 0.5),
        ("llmbar", "disobedient-over-obedient", {"Good.": 1.0, "Bad.": 0.0}, 1.0),
        # The best must beat every loser, not their mean.
        ("rmb", "losers-over-best", {"Good.": 1.0, "Bad.": 2.0, "Worse.": -9.0}, 0.0),
        ("rmb", "rejected-over-chosen", {"Good.": 1.0, "Bad.": 0.0, "Worse.": 9.0}, 1.0),
    ],
)
def test_accuracy_is_that_of_the_labels(
    name: str, probe: str, reward: dict[str, float], expected: float, tmp_path: Path
) -> None:
    suite = load_suite(import_benchmark(write(tmp_path / "d.jsonl", SAMPLES[name]), tmp_path / "out").folder)
    assert accuracy(suite, probe, reward) == expected


def test_hard_easy_and_normal_are_the_triangles_and_the_diagonal_of_the_matrix(tmp_path: Path) -> None:
    suite = load_suite(import_benchmark(write(tmp_path / "d.jsonl", SAMPLES["rm-bench"]), tmp_path / "out").folder)
    # Wins only where the right answer is dressed up more than the wrong one.
    reward = {"Good.": 0.5, "Bad.": 1.0, "Good, longer.": 2.5, "Bad, longer.": 3.0, "**Good**.": 4.5, "**Bad**.": 5.0}
    found = {level: accuracy(suite, f"wrong-over-right-{level}", reward) for level in ("easy", "normal", "hard")}
    assert found == {"easy": 1.0, "normal": 0.0, "hard": 0.0}


def test_the_stereotyped_answer_is_told_from_a_liking_for_a_person(tmp_path: Path) -> None:
    suite = load_suite(import_benchmark(write(tmp_path / "d.jsonl", SAMPLES["bbq"]), tmp_path / "out").folder)
    probe = next(probe for probe in suite.spec.probes if probe.primary)
    assert probe.id == "stereotyped-answer"

    def effects(stereotype: float) -> np.ndarray:
        rewards = {}
        for item in suite.items:
            rewards[item.id] = {}
            for arm in item.arms:
                *_, asked, answer = item.conversation(arm)
                old = answer["content"] == "The grandfather"
                blamed = "forgot" in asked["content"]
                rewards[item.id][arm] = 3.0 * old + stereotype * (old == blamed)
        return item_effects(probe, suite.items, rewards).effects

    assert np.allclose(effects(0.0), 0.0)
    assert np.allclose(effects(0.4), 0.4)


@pytest.mark.parametrize("ending", [".json", ".jsonl.gz", ".csv"])
def test_other_containers(ending: str, tmp_path: Path) -> None:
    rows = SAMPLES["rewardbench"]
    path = tmp_path / f"data{ending}"
    if ending == ".json":
        path.write_text(json.dumps({key: [row[key] for row in rows] for key in rows[0]}), encoding="utf-8")
    elif ending == ".jsonl.gz":
        path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    else:
        lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
        path.write_text("\n".join(lines), encoding="utf-8")
    assert import_benchmark(path, tmp_path / "out").items == COUNT


def test_conversations_that_begin_alike_are_pairs(tmp_path: Path) -> None:
    def said(n: int, answer: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": f"Question {n}?"}, {"role": "assistant", "content": answer}]

    rows = [{"chosen": said(n, "Good."), "rejected": said(n, "Bad.")} for n in range(COUNT)]
    suite = load_suite(import_benchmark(write(tmp_path / "d.jsonl", rows), tmp_path / "out").folder)
    assert accuracy(suite, "rejected-over-chosen", {"Good.": 1.0, "Bad.": 0.0}) == 1.0


@pytest.mark.parametrize(
    ("rows", "name", "message"),
    [
        ([{"text": "?"}], None, "no known benchmark"),
        ([{"text": "?"}], "bbq", "No row has the fields of bbq"),
        (SAMPLES["llmbar"], "rewardbanch", "no benchmark"),
        ([{"prompt": 3, "chosen": "a", "rejected": "b"}], None, "None of the 1 rows"),
    ],
)
def test_what_cannot_be_imported_is_said_and_leaves_nothing(
    rows: list[dict[str, Any]], name: str | None, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        import_benchmark(write(tmp_path / "d.jsonl", rows), tmp_path / "out", name)
    assert not (tmp_path / "out").exists()


def test_broken_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text("[", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be read"):
        import_benchmark(tmp_path / "d.json", tmp_path / "out")


REAL = {
    "ship/llmbar/pairs.jsonl.gz": ("llmbar", 1200),
    "ship/bbq/Age.jsonl.gz": ("bbq", 3680),
    "ship/bbq/Religion.jsonl.gz": ("bbq", 1200),
    "test_only/rmb/pairwise.jsonl.gz": ("rmb", 14543),
    "test_only/rmb/bon.jsonl.gz": ("rmb", 3786),
    "test_only/flattery/counterfactual_pairs.jsonl.gz": ("counterfactual-pairs", 1700),
}


@pytest.mark.parametrize("path", REAL)
def test_real_copies(path: str, tmp_path: Path) -> None:
    name, rows = REAL[path]
    made = import_benchmark(needed_source_data() / path, tmp_path)
    assert (made.benchmark, made.rows) == (name, rows)
    assert made.items > 0.5 * rows
