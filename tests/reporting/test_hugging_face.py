"""The Hub's own library reads back every number that was written, and a card keeps what it held."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from huggingface_hub import EvalResult, ModelCard
from huggingface_hub import parse_eval_result_entries as parse_entries

from rmaudit.errors import UsageError
from rmaudit.reporting import front_matter, hugging_face, text
from rmaudit.reporting.markdown import fence
from rmaudit.reporting.report import Report
from tests.reporting.disclosed import disclosed_report, hostile_disclosed_report
from tests.reporting.hostile import HOSTILE
from tests.reporting.sample import sample_report

MARKS = {"begin": hugging_face.BEGIN, "end": hugging_face.END, "front matter": "---\nlicense: x\n---\n"}
ATTACKS = pytest.mark.parametrize("attack", (HOSTILE | MARKS).values(), ids=(HOSTILE | MARKS).keys())

CARD = """---
license: apache-2.0   # as the base model
base_model: "Qwen/Qwen3-1.7B"
model-index:
- name: Ordinary Reward
  results:
  - task: {type: text-classification, name: RewardBench}
    dataset:
      name: 'RewardBench'
      type: allenai/reward-bench
      split: test
    metrics:
    - type: accuracy
      value: 0.930   # pooled
datasets: [a/b]
---

# Ordinary Reward

Use it *as it is*.
"""


def read(card: str, folder: Path) -> list[EvalResult]:
    """As the Hub's library reads a card from a file."""
    file = folder / "README.md"
    file.write_bytes(card.encode("utf-8"))
    return list(ModelCard.load(file).data.eval_results or [])


def expected(report: Report) -> list[tuple[str, str, str, float]]:
    found = [("rmaudit/panel", "accuracy", "accuracy", report.ruler.accuracy.estimate)]
    for finding in report.findings_:
        for unit in [*text.UNITS, *text.CONTROLS] if finding.primary else text.UNITS[:1]:
            value = getattr(finding, unit.field).estimate
            found.append((f"rmaudit/{finding.suite}", finding.probe, unit.field, value))
    return [(suite, probe, unit, text.rounded(value)) for suite, probe, unit, value in found if value is not None]


def test_the_library_reads_every_metric_back(tmp_path: Path) -> None:
    report = sample_report()
    found = read(hugging_face.with_audit(report), tmp_path)
    told = [(entry.dataset_type, entry.dataset_config, entry.metric_type, entry.metric_value) for entry in found]
    assert told == expected(report)
    assert all(isinstance(entry.metric_value, float) for entry in found)
    (srd, *_) = [entry for entry in found if entry.metric_type == "srd"]
    finding = report.findings_[0]
    assert srd.dataset_revision == report.settings.suite_sha256[finding.suite]
    assert srd.metric_args["items"] == finding.n_items
    assert srd.metric_args["verdict"] == finding.verdict
    assert (srd.metric_args["low"], srd.metric_args["high"]) == (
        text.rounded(finding.srd.low or 0),
        text.rounded(finding.srd.high or 0),
    )


def test_a_card_keeps_what_it_held(tmp_path: Path) -> None:
    report = sample_report()
    changed = hugging_face.with_audit(report, CARD)
    before, after = CARD.split("datasets: [a/b]"), changed.split("datasets: [a/b]")
    assert after[0].startswith(before[0])
    assert after[1].startswith(before[1])
    found = read(changed, tmp_path)
    assert [entry.metric_value for entry in found if entry.dataset_type == "allenai/reward-bench"] == [0.93]
    assert len(found) == 1 + len(expected(report))


def test_writing_again_changes_nothing_and_a_new_audit_replaces_the_old(tmp_path: Path) -> None:
    once = hugging_face.with_audit(sample_report(), CARD)
    assert hugging_face.with_audit(sample_report(), once) == once
    report = sample_report(headline="Another verdict.", findings_=sample_report().findings_[:2])
    again = hugging_face.with_audit(report, once)
    assert len(read(again, tmp_path)) == 1 + len(expected(report))
    assert "Another verdict" in again
    assert again.count(hugging_face.BEGIN) == again.count(hugging_face.END) == 1
    assert hugging_face.with_audit(sample_report(), again) == once


def test_text_behind_the_section_stays() -> None:
    once = hugging_face.with_audit(sample_report(), CARD) + "\nWritten later.\n"
    again = hugging_face.with_audit(sample_report(headline="New."), once)
    assert again.endswith(f"{hugging_face.END}\n\nWritten later.\n")


@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_line_ends_stay(line: str) -> None:
    card = CARD.replace("\n", line)
    changed = hugging_face.with_audit(sample_report(), card)
    assert changed.count("\n") == changed.count(line)
    assert hugging_face.with_audit(sample_report(), changed) == changed


@pytest.mark.parametrize(
    "card",
    [
        f"a\n{hugging_face.BEGIN}\nb\n",
        f"a\n{hugging_face.END}\nb\n",
        f"{hugging_face.END}\n{hugging_face.BEGIN}\n",
        f"{hugging_face.BEGIN}\n{hugging_face.BEGIN}\n{hugging_face.END}\n",
        f"{hugging_face.BEGIN}\n{hugging_face.END}\n" * 2,
    ],
)
def test_damaged_marks_are_refused(card: str) -> None:
    with pytest.raises(UsageError, match="does not hold one mark"):
        hugging_face.with_audit(sample_report(), card)


@pytest.mark.parametrize(
    "card",
    [
        "---\nmodel-index:\n- name: x\n  results:\n  - dataset: {type: d}\n    metrics: []\n---\n",
        "---\nmodel-index:\n- results:\n  - task: {type: t}\n    dataset: {type: d, name: n}\n    metrics: []\n---\n",
    ],
)
def test_a_card_that_the_library_cannot_read_is_refused(card: str) -> None:
    with pytest.raises(UsageError, match="huggingface_hub cannot read"):
        hugging_face.with_audit(sample_report(), card)


def test_a_lost_number_is_noticed() -> None:
    card = hugging_face.with_audit(sample_report())
    line = next(line for line in card.splitlines(keepends=True) if "type: win_probability" in line)
    with pytest.raises(UsageError, match="does not find every number"):
        hugging_face.check(card.replace(line, "", 1), sample_report())


def test_eval_results_are_what_the_library_reads() -> None:
    report = sample_report()
    entries = parse_entries(yaml.safe_load(hugging_face.eval_results(report)))
    shown = [finding for finding in report.findings_ if finding.srd.estimate is not None]
    assert [entry.value for entry in entries] == [text.rounded(finding.srd.estimate or 0) for finding in shown]
    assert len({entry.task_id for entry in entries}) == len(entries)
    for entry, finding in zip(entries, shown, strict=True):
        assert f"95% {text.exact(finding.srd.low or 0)} to {text.exact(finding.srd.high or 0)}" in (entry.notes or "")
        assert finding.verdict.replace("_", " ") in (entry.notes or "")
        assert report.model.identity[:12] in (entry.notes or "")


def test_files_stand_where_the_hub_looks(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(CARD.encode())
    for out in (tmp_path, tmp_path / "README.md"):
        files = hugging_face.files(sample_report(), out)
        assert list(files) == [tmp_path / "README.md", tmp_path / ".eval_results" / "rmaudit.yaml"]
        assert files[tmp_path / "README.md"].decode() == hugging_face.with_audit(sample_report(), CARD)


def test_a_card_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot be read"):
        hugging_face.files(sample_report(), tmp_path)


@ATTACKS
@pytest.mark.parametrize("card", [None, CARD], ids=["new", "there"])
def test_no_text_escapes(attack: str, card: str | None, tmp_path: Path) -> None:
    report = hostile_disclosed_report(attack)
    changed = hugging_face.with_audit(report, card)
    assert hugging_face.with_audit(report, changed) == changed
    assert not text._UNSAFE.search(changed)
    own = [entry for entry in read(changed, tmp_path) if entry.dataset_type.startswith("rmaudit/")]
    assert len(own) == sum(len(entry["metrics"]) for entry in hugging_face.results(report))
    body = changed[front_matter.body_start(changed) :]
    assert body.count("<!--") == body.count("-->") == 2
    assert "<" not in body.replace(hugging_face.BEGIN, "").replace(hugging_face.END, "").replace(fence(attack), "")
    assert len(changed) < 100_000
    entries = parse_entries(yaml.safe_load(hugging_face.eval_results(report)))
    assert len(entries) == len(report.findings_)


def test_disclosed_parts_are_counted() -> None:
    assert "Disclosure: of" in hugging_face.section(disclosed_report())
