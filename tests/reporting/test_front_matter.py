"""Results go into a card's front matter, and nothing else of the card changes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from rmaudit.errors import UsageError
from rmaudit.reporting.front_matter import with_results


def result(kind: str, *values: float) -> dict[str, Any]:
    metrics = [{"type": "srd", "value": value} for value in values]
    return {"task": {"type": "t"}, "dataset": {"type": kind, "name": "n"}, "metrics": metrics}


OURS = [result("rmaudit/length", 0.5, -0.25), result("rmaudit/format", 0.125)]

OTHERS = """\
  - task: {type: text-classification}   # by hand
    dataset:
      type: 'allenai/reward-bench'
      name: "RewardBench"
    metrics:
      - type: accuracy
        value: 0.930   # three digits
"""
STALE = """\
  - task:
      type: t
    dataset: {type: rmaudit/length, name: old}
    metrics:
    - {type: srd, value: 9}
"""

CARDS = {
    "no front matter": "# A model\n\nText\n",
    "empty card": "",
    "empty front matter": "---\n---\ntext\n",
    "a rule": "text\n\n---\n\nmore\n---\n",
    "no index": "---\nlicense:   mit # a comment\ntags: ['a',  \"b\"]\n---\n\n# A\n",
    "no line end": "---\nlicense: mit\n---",
    "spaces behind the dashes": "---\nlicense: mit\n---  \ntext",
    "windows": "---\r\nlicense: mit\r\ntags:\r\n- a\r\n---\r\n# A\r\n",
    "windows, with results": f"---\nmodel-index:\n- name: x\n  results:\n{OTHERS}---\ntext\n".replace("\n", "\r\n"),
    "null": "---\nmodel-index:\nlicense: mit\n---\n",
    "null, commented": "---\nmodel-index: # none yet\nlicense: mit\n---\n",
    "named null": "---\nmodel-index: null # none\nlicense: mit\n---\n",
    "empty index": "---\nmodel-index: []\nlicense: mit\n---\n",
    "no results yet": "---\nmodel-index:\n- name: x\n  results: []\nlicense: mit\n---\n",
    "null results": "---\nmodel-index:\n  - name: x\n    results:\nlicense: mit\n---\n",
    "others": f"---\nmodel-index:\n- name: x\n  results:\n{OTHERS}license: mit\n---\n",
    "others at the end": f"---\nlicense: mit\nmodel-index:\n- name: x\n  results:\n{OTHERS}---\ntext\n",
    "ours": f"---\nmodel-index:\n- name: x\n  results:\n{STALE}---\ntext\n",
    "ours first": f"---\nmodel-index:\n- name: x\n  results:\n{STALE}{OTHERS}---\ntext\n",
    "ours last": f"---\nmodel-index:\n- name: x\n  results:\n{OTHERS}{STALE}---\ntext\n",
    "ours between": f"---\nmodel-index:\n- name: x\n  results:\n{OTHERS}{STALE}{OTHERS}{STALE}license: mit\n---\n",
    "two models": f"---\nmodel-index:\n- name: x\n  results:\n{OTHERS}- name: y\n  results:\n{OTHERS}---\n",
    "results before the name": f"---\nmodel-index:\n- results:\n{OTHERS}  name: x\n---\n",
    "comments": f"---\nmodel-index:\n- name: x\n  results:\n{OTHERS}\n# about the licence\n\nlicense: mit\n---\n",
    "flow": "---\nmodel-index: [{name: x, results: [{task: {type: t}, dataset: {type: d}, metrics: []}]}]\n---\n",
    "flow, ours": "---\nmodel-index:\n- name: x\n  results: [{dataset: {type: rmaudit/a}}, {dataset: {t: d}}]\n---\n",
    "block text": (
        "---\nmodel-index:\n- name: x\n  results:\n  - dataset: {type: d, name: n}\n    metrics: []\n"
        "    note: |\n      - a: 1\n\n      b\n---\n"
    ),
    "unicode": "---\nlanguage: français # ключ 日本語 🎉\nmodel-index:\n---\nбелый\n",
    "multi-line text": "---\ndescription: >\n  folded\n  text\n\n  more\nmodel-index:\n---\n",
}


def is_ours(entry: Any) -> bool:
    return str((entry.get("dataset") or {}).get("type", "")).startswith("rmaudit/")


def front(card: str) -> dict[str, Any]:
    lines = card.replace("\r\n", "\n").split("\n")
    if lines[0].strip() != "---":
        return {}
    end = next(place for place, line in enumerate(lines[1:], 1) if line.startswith("---"))
    return yaml.safe_load("\n".join([*lines[1:end], ""])) or {}


def all_results(card: str) -> list[Any]:
    return [entry for model in front(card).get("model-index") or [] for entry in model.get("results") or []]


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_ours_are_there_and_the_rest_is_as_it_was(card: str) -> None:
    changed = with_results(card, "m", OURS, is_ours)
    assert [entry for entry in all_results(changed) if is_ours(entry)] == OURS
    assert [entry for entry in all_results(changed) if not is_ours(entry)] == [
        entry for entry in all_results(card) if not is_ours(entry)
    ]
    before, after = front(card), front(changed)
    before.pop("model-index", None)
    after.pop("model-index")
    assert before == after


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_no_line_of_others_is_touched(card: str) -> None:
    """Every line stands in the new card as it was, in the same order."""
    own = ("rmaudit/", "model-index:", "results:", "value: 9", "type: t\n", "- task:\n", "metrics:\n")
    changed = iter(with_results(card, "m", OURS, is_ours).splitlines(keepends=True))
    for line in card.splitlines(keepends=True):
        if not any(word in line.replace("\r\n", "\n") for word in own):
            assert any(line.rstrip("\r\n") == other.rstrip("\r\n") for other in changed), line


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_writing_again_changes_nothing(card: str) -> None:
    once = with_results(card, "m", OURS, is_ours)
    assert with_results(once, "m", OURS, is_ours) == once
    fewer = with_results(once, "m", OURS[:1], is_ours)
    assert [entry for entry in all_results(fewer) if is_ours(entry)] == OURS[:1]
    assert with_results(fewer, "m", OURS, is_ours) == once


@pytest.mark.parametrize("card", [card for name, card in CARDS.items() if "windows" in name])
def test_line_ends_stay_those_of_the_card(card: str) -> None:
    changed = with_results(card, "m", OURS, is_ours)
    assert changed.count("\n") == changed.count("\r\n") > card.count("\n")


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("---\nlicense: [mit\n---\n", "not valid YAML"),
        ("---\nlicense: \x07\n---\n", "not valid YAML"),
        ("---\n- a\n- b\n---\n", "no mapping"),
        ("---\nmodel-index: 3\n---\n", "no list"),
        ("---\nmodel-index: [a]\n---\n", "no list"),
        ("---\nmodel-index:\n- name: x\n---\n", "has no results"),
        ("---\nbase: &a [{dataset: {type: d}}]\nmodel-index:\n- name: x\n  results: *a\n---\n", "cannot be added"),
        ("---\n{model-index: [], license: mit}\n---\n", "cannot be added"),
    ],
)
def test_what_cannot_be_added_to_is_refused(card: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        with_results(card, "m", OURS, is_ours)
