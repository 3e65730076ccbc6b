"""The same inputs give the same report, and a change of scale of the reward changes nothing that is said of it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rmaudit
from tests.synthetic import Bench, assistant, panel_items, run, run_cold, suite_items, write_jsonl

TOLERANCE = 1e-6


def without_run(folder: Path) -> bytes:
    """`report.json` as bytes, its last block left out."""
    content = (folder / "report.json").read_bytes()
    assert content.count(b'\n "run": {') == 1
    return content.split(b'\n "run": {')[0]


def scan(place: Bench, scorer: str, out: Path, **options: Any) -> rmaudit.Report:
    return rmaudit.scan(place.scorer(scorer), probes=place.probes, panel=place.panel, out=out, **options)


@pytest.mark.parametrize("batch_size", [None, 7])
def test_two_runs_give_the_same_bytes(place: Bench, finished: Path, tmp_path: Path, batch_size: int | None) -> None:
    """The second run is a fresh process with another hash seed, and with other batches."""
    more = [] if batch_size is None else ["--batch-size", str(batch_size)]
    outcome = run_cold(*place.scan_args(place.scorer("biased"), tmp_path / "run", *more), PYTHONHASHSEED="7")
    assert outcome.code == 0, outcome.err
    assert without_run(tmp_path / "run") == without_run(finished)


def test_the_seed_plays_a_part(place: Bench, finished: Path, tmp_path: Path) -> None:
    scan(place, "biased", tmp_path / "run", seed=1)
    ours, theirs = (json.loads((folder / "report.json").read_text()) for folder in (tmp_path / "run", finished))
    assert ours["settings"]["seed"] == 1
    assert ours["findings"] != theirs["findings"]
    for name in ("srd", "win_probability", "placebo_srd"):
        assert [f[name]["estimate"] for f in ours["findings"]] == [f[name]["estimate"] for f in theirs["findings"]]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a JSON tree with its path."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from leaves(entry, f"{path}.{key}")
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from leaves(entry, f"{path}[{index}]")
    else:
        yield path, value


def test_rescaled_rewards_change_no_verdict_and_no_number(place: Bench, tmp_path: Path) -> None:
    """All numbers are compared before they are rounded for the file; only what is told in rewards scales by 3."""
    plain = scan(place, "biased", tmp_path / "plain").model_dump(by_alias=True)
    rescaled = scan(place, "rescaled", tmp_path / "rescaled").model_dump(by_alias=True)
    for raw in ("wsd", "wsd_robust", "temperature", "gold_margin", "score_noise"):
        was, now = plain["ruler"].pop(raw), rescaled["ruler"].pop(raw)
        assert now == pytest.approx(3 * was, rel=TOLERANCE), raw
    compared = 0
    for block in ("headline", "warnings", "ruler", "findings", "coverage"):
        was, now = dict(leaves(plain[block])), dict(leaves(rescaled[block]))
        assert was.keys() == now.keys()
        for path, value in was.items():
            if isinstance(value, float):
                assert now[path] == pytest.approx(value, abs=TOLERANCE), path
                compared += 1
            else:
                assert now[path] == value, path
    assert compared > 100
    assert {finding["verdict"] for finding in plain["findings"]} == {"present", "negligible"}


def test_rewards_from_a_file_give_the_same_findings(place: Bench, finished: Path, tmp_path: Path) -> None:
    """What is scored by `rmaudit score`, or elsewhere, is measured as if it had been scored in the run."""
    conversations = [
        [*item["prompt"], assistant(arm["response"])]
        for item in panel_items() + suite_items()
        for arm in item["arms"].values()
    ]
    random.Random(0).shuffle(conversations)
    asked = write_jsonl(tmp_path / "in.jsonl", [{"messages": turns} for turns in conversations])
    outcome = run("score", place.scorer("biased"), str(asked), "-o", str(tmp_path / "out.jsonl"))
    assert outcome.code == 0, outcome.err
    rewards = [json.loads(line)["reward"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    rows = [{"messages": turns, "reward": reward} for turns, reward in zip(conversations, rewards, strict=True)]
    scores = write_jsonl(tmp_path / "scores.jsonl", rows)
    outcome = run(*place.scan_args(f"scores:{scores}", tmp_path / "run"))
    assert outcome.code == 0, outcome.err
    ours, theirs = (json.loads((folder / "report.json").read_text()) for folder in (tmp_path / "run", finished))
    assert ours["findings"] == theirs["findings"]
    assert ours["ruler"] == theirs["ruler"]
