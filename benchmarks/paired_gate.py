"""How many items does the gate need to notice that a checkpoint became more sycophantic, paired and unpaired?

The demo model, a real transformer, is trained a few steps further on pairs in which the answer that agrees with the
user is preferred. Both checkpoints then score fresh items of `sycophancy/belief-match`, drawn with other seeds than the
training pairs. For samples of N items the gate is asked whether the effect grew by more than the margin:

- paired, as `rmaudit gate --baseline` does: both checkpoints on the same N items;
- unpaired: each checkpoint on N items of its own, and the difference of the two estimates with its standard error.

    python -m benchmarks.paired_gate --page        about five minutes on two cores
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import yaml
from scipy import stats
from torch.nn.functional import logsigmoid
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import rmaudit
from benchmarks.gate_page import put
from rmaudit.comparison.pairing import Change, SavedRun, changes, open_run
from rmaudit.gate.beside import check_changes
from rmaudit.gate.check import Claim
from rmaudit.generate.fresh import write_suite
from rmaudit.policy import load_policy
from rmaudit.resources import demo_model_dir
from rmaudit.suites.designs import reader
from rmaudit.suites.finding import Estimate
from rmaudit.suites.load import LoadedSuite, load_suite
from rmaudit.suites.spec import Item

SUITE, PROBE = "sycophancy", "belief-match"
TRAINING_SEED, AUDIT_SEEDS = 101, range(1, 6)
SIZES = (10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 320, 480, 640, 900)
ENOUGH = 0.8
"""Share of samples in which the worsening must be found."""


def drawn(seed: int) -> list[Item]:
    """The items of the probe that a seed draws."""
    with tempfile.TemporaryDirectory() as folder:
        suite = load_suite(write_suite(SUITE, seed, Path(folder)))
    return [item for item in suite.items if reader(_probe(suite).measure)(item) is not None]


def _probe(suite: LoadedSuite):  # type: ignore[no-untyped-def]
    return next(probe for probe in suite.spec.probes if probe.id == PROBE)


def question(item: Item) -> str:
    """What an item asks, without the user's view of it."""
    return item.conversation(next(iter(item.arms)))[0]["content"].split("?")[0]


def sycophantic(out: Path, steps: int, rate: float) -> set[str]:
    """Train the demo model on pairs in which agreeing is preferred; the questions that it saw."""
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(demo_model_dir(), dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(demo_model_dir())
    items = drawn(TRAINING_SEED)
    pairs = []
    for item in items:
        arms = {(arm.factors.get("view"), arm.factors.get("answer")): name for name, arm in item.arms.items()}
        for view, other in (("A", "B"), ("B", "A")):
            pairs.append((item.conversation(arms[view, view]), item.conversation(arms[view, other])))
    order = np.random.default_rng(0).permutation(len(pairs))
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    model.train()
    for step in range(steps):
        batch = [pairs[index] for index in np.take(order, range(16 * step, 16 * step + 16), mode="wrap")]
        texts = [conversation for pair in batch for conversation in pair]
        inputs = tokenizer(
            [turns[0]["content"] for turns in texts],
            [turns[-1]["content"] for turns in texts],
            padding=True,
            truncation=True,
            return_tensors="pt",
        )
        rewards = model(**inputs).logits.reshape(-1, 2)
        loss = -logsigmoid(rewards[:, 0] - rewards[:, 1]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    shutil.copytree(demo_model_dir(), out)
    model.half().save_pretrained(out)
    return {question(item) for item in items}


def write_probes(folder: Path, seen: set[str]) -> None:
    """A suite of the one probe, with each question once and none that was trained on."""
    place = write_suite(SUITE, AUDIT_SEEDS[0], folder)
    items: dict[str, dict[str, object]] = {}
    for seed in AUDIT_SEEDS:
        for item in drawn(seed):
            if question(item) not in seen:
                own = f"{seed}-{item.id}"
                items.setdefault(
                    question(item), item.model_dump(mode="json", exclude_none=True) | {"id": own, "cluster": own}
                )
    words = yaml.safe_load((place / "suite.yaml").read_text(encoding="utf-8"))
    words["probes"] = [probe for probe in words["probes"] if probe["id"] == PROBE]
    words |= {"items": ["items.jsonl"], "clusters": {"reference": len(items)}}
    (place / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items.values()), encoding="utf-8")
    (place / "suite.yaml").write_text(yaml.safe_dump(words, sort_keys=False), encoding="utf-8")


def found(change: Change) -> bool:
    """Whether the gate fails on a change, by the policy that ships."""
    (claim,) = check_changes([change], load_policy().gate)
    assert isinstance(claim, Claim)
    check = claim.settled(claim.p_beyond)
    return check is not None and check.outcome == "fail"


def of(run: SavedRun, items: Sequence[Item]) -> SavedRun:
    """A run as if it had scored these items alone."""
    ((suite, _),) = run.suites
    return replace(run, suites=((suite, tuple(items)),))


def unpaired(first: Change, second: Change, n: int) -> Change:
    """The change from one run's estimate to another's on other items."""
    before, after = first.before, second.after
    error = math.hypot(_half(before), _half(after)) / stats.t.ppf(0.975, n - 1)
    reach = float(stats.t.ppf(0.975, 2 * n - 2) * error)
    difference = (after.estimate or 0.0) - (before.estimate or 0.0)
    return replace(
        second,
        before=before,
        difference=Estimate(estimate=difference, low=difference - reach, high=difference + reach),
        n_clusters=2 * n - 1,
    )


def _half(value: Estimate) -> float:
    assert value.low is not None
    assert value.high is not None
    return (value.high - value.low) / 2


def detection(before: SavedRun, after: SavedRun, samples: int) -> Iterator[tuple[int, float, float]]:
    """For each number of items the share of samples in which the gate fails, paired and unpaired."""
    items = list(before.suites[0][1])
    rng = np.random.default_rng(0)
    for n in SIZES:
        if 2 * n > len(items):
            return
        hits = [0, 0]
        for _ in range(samples):
            chosen = [items[index] for index in rng.permutation(len(items))[: 2 * n]]
            (paired,) = changes(of(before, chosen[:n]), of(after, chosen[:n]))
            (other,) = changes(of(before, chosen[n:]), of(after, chosen[n:]))
            hits[0] += found(paired)
            hits[1] += found(unpaired(other, paired, n))
        yield n, hits[0] / samples, hits[1] / samples


def needed(rows: Sequence[tuple[int, float]]) -> float | None:
    """Items at which the share reaches `ENOUGH`, between the sizes on a logarithmic scale."""
    for (n, share), (more, next_share) in itertools.pairwise(rows):
        if share < ENOUGH <= next_share:
            part = (ENOUGH - share) / (next_share - share)
            return float(math.exp(math.log(n) + part * (math.log(more) - math.log(n))))
    return float(rows[0][0]) if rows and rows[0][1] >= ENOUGH else None


def main() -> None:
    """Train, scan, sample and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--rate", type=float, default=1e-5)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="folder for checkpoint and runs, used again")
    parser.add_argument("--page", action="store_true", help="write the table into GATE.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = given.keep or Path(folder)
        if not (place / "after" / "report.json").exists():
            write_probes(place / "probes", sycophantic(place / "checkpoint", given.steps, given.rate))
            for name, source in (("before", "demo"), ("after", str(place / "checkpoint"))):
                rmaudit.scan(source, probes=place / "probes", tier="reference", out=place / name, store=None)
        before, after = open_run(place / "before"), open_run(place / "after")
        (whole,) = changes(before, after)
        rows = list(detection(before, after, given.samples))
    effects = ", ".join(
        f"{each.estimate:+.3f} [{each.low:+.3f}, {each.high:+.3f}] {words}"
        for each, words in ((whole.before, "before"), (whole.after, "after"), (whole.difference, "on the same items"))
    )
    lines = [
        f"{given.steps} steps of 16 pairs. On all {whole.n_clusters:,} items: {effects}, in SRD.",
        "",
        "| items | found, paired | found, unpaired |",
        "| ---: | ---: | ---: |",
        *(f"| {n} | {paired:.0%} | {other:.0%} |" for n, paired, other in rows),
    ]
    few, many = needed([(n, share) for n, share, _ in rows]), needed([(n, share) for n, _, share in rows])
    told = [f"{value:.0f}" if value else f"more than {rows[-1][0]}" for value in (few, many)]
    ratio = f", {many / few:.1f} times as many" if few and many else ""
    lines += ["", f"Found in {ENOUGH:.0%} of {given.samples} samples: paired from {told[0]} items on, unpaired from "
              f"{told[1]}{ratio}."]  # fmt: skip
    print("\n".join(lines))
    if given.page:
        put("paired", "\n".join(lines))


if __name__ == "__main__":
    main()
