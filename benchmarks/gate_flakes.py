"""Does the gate's verdict on one model flip between pass and fail? Scans with fresh items; writes GATE.md's first part.

One planted model is scanned again and again, each time with items that `rmaudit probes new` draws with another seed.
Its rewards are a fixed function of the text: quality on the panel, scatter as real reward models have it, and one bias
of known size, just below or just above the limit, and farther off. What the scatter adds to the bias over all texts
that can be drawn is measured on other draws first, and taken off. Near the limit any verdict may be "not decided";
among the scans of one model there must never be both a pass and a fail.

    python -m benchmarks.gate_flakes                            200 draws; about 25 minutes on two cores
    python -m benchmarks.gate_flakes --scans 10 --jobs 1        a quick look
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
import yaml

import rmaudit
from benchmarks.gate_page import put
from benchmarks.many_models import Array, Audit, Texts
from benchmarks.organisms import ordinary
from rmaudit.audit import Selection, select
from rmaudit.gate.check import Decision
from rmaudit.gate.decide import settled
from rmaudit.gate.judge import judge
from rmaudit.gate.probes import check_probes
from rmaudit.generate.fresh import write_suite
from rmaudit.policy import load_policy
from rmaudit.suites.finding import Finding
from rmaudit.suites.findings import findings
from rmaudit.suites.panel import Scale, measure_panel

OFFSETS = (-0.10, -0.05, -0.01, 0.01, 0.05, 0.10)
"""Sizes of the effect, from the limit, in SRD. Those of 0.01 are far less than a scan's own standard error."""
SUITES = ("length", "confidence")
"""A ladder in which one side counts and a contrast in which both do."""

CALIBRATION = 100
"""Draws that tell what the scatter adds."""


@dataclass(frozen=True)
class Task:
    """All scans of one suite with the items of one seed."""

    suite: str
    seed: int
    tier: str
    shift: float = 0.0
    """What the scatter adds to the effect, on average over draws, in SRD."""
    scan: bool = False
    """Whether by whole scans with their run folders, or by the functions that decide in them."""


@dataclass(frozen=True)
class Verdict:
    """How the gate decided on one scan."""

    suite: str
    seed: int
    offset: float
    outcome: str
    estimate: float
    error: float
    """Standard error of the estimate, in SRD."""
    shift: float
    """As in its task."""


def noise(texts: Texts, size: float) -> Array:
    """A normal number for each conversation that is the same wherever it stands."""

    def draw(conversation: list[dict[str, str]]) -> float:
        digest = hashlib.sha256(json.dumps(conversation).encode()).digest()
        return NormalDist().inv_cdf((int.from_bytes(digest[:6], "big") + 0.5) / 2**48)

    return size * np.array([draw(row.conversation) for row in texts.rows])


def verdicts(task: Task) -> list[Verdict]:
    """Draw items, and audit and gate the model at every size of its bias."""
    policy = load_policy()
    limit = getattr(policy.measurement.bands, policy.gate.fail_at)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        audit, primary, plain = _drawn(task, place)
        indicator = audit.indicator(task.suite, primary) * audit.within_prompt_sd(plain[:, None])[0]
        selection = select(place / "probes", None, (), task.tier)
        found = []
        for offset in OFFSETS:
            column = plain + (limit + offset - task.shift) * indicator
            if task.scan:
                run, rewards = place / f"run{offset:+}", place / "scores.jsonl"
                _write_scores(rewards, audit.texts, column)
                rmaudit.scan(f"scores:{rewards}", probes=place / "probes", tier=task.tier, out=run, store=None)
                decision, findings_ = judge(run, policy).decision, rmaudit.Report.load(run).findings_
            else:
                findings_ = _audited(selection, audit, column)
                decision = Decision(tuple(settled(check_probes(findings_, policy))))
            found.append(_verdict(task, offset, decision, findings_))
        return found


def _audited(selection: Selection, audit: Audit, column: Array) -> list[Finding]:
    """Findings by the functions that a scan calls, without its files, its self-test and the units that need labels."""
    policy, rewards = load_policy(), audit.texts.rewards(column)
    _, scale = measure_panel(selection.panel, rewards["panel"], 0.0, policy.measurement)
    assert scale is not None
    bare = Scale(scale.wsd, None, scale.margins, scale.margin_prompts, "not used here")
    own = {name: rewards[name] for name, _ in selection.named}
    return findings(selection.suites, own, {}, bare, None, policy, seed=0)


def scattered(task: Task) -> float:
    """The effect of a draw without the planted bias, in SRD."""
    with tempfile.TemporaryDirectory() as folder:
        audit, primary, plain = _drawn(task, Path(folder))
        return float(audit.effect(task.suite, primary, plain[:, None])[0])


def _drawn(task: Task, place: Path) -> tuple[Audit, str, Array]:
    """The primary probe of a suite with the items of a seed, its name, and the rewards of the model without bias."""
    folder = write_suite(task.suite, task.seed, place / "probes")
    words = yaml.safe_load((folder / "suite.yaml").read_text(encoding="utf-8"))
    words["probes"] = [probe for probe in words["probes"] if probe.get("primary")]
    (folder / "suite.yaml").write_text(yaml.safe_dump(words, sort_keys=False), encoding="utf-8")
    audit = Audit(select(place / "probes", None, (), task.tier), load_policy())
    base, scatter = ordinary(audit.texts)
    return audit, words["probes"][0]["id"], base + noise(audit.texts, scatter)


def _write_scores(path: Path, texts: Texts, column: Array) -> None:
    rows = zip(texts.rows, column, strict=True)
    lines = [json.dumps({"messages": row.conversation, "reward": float(reward)}) + "\n" for row, reward in rows]
    path.write_text("".join(lines), encoding="ascii")


def _verdict(task: Task, offset: float, decision: Decision, found: Sequence[Finding]) -> Verdict:
    (finding,) = [each for each in found if each.primary]
    shown = finding.srd
    assert shown.estimate is not None
    assert shown.low is not None
    assert shown.high is not None
    error = (shown.high - shown.low) / 2 / 1.97
    return Verdict(task.suite, task.seed, offset, decision.outcome, shown.estimate, error, task.shift)


def table(found: Sequence[Verdict]) -> Iterator[str]:
    """One row a suite and size."""
    limit = load_policy().measurement.bands.moderate
    columns = (
        "suite",
        "true effect",
        "mean estimate",
        "standard error",
        "scans",
        "pass",
        "fail",
        "not decided",
        "flips",
    )
    yield f"| {' | '.join(columns)} |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    for suite in SUITES:
        for offset in OFFSETS:
            own = [verdict for verdict in found if (verdict.suite, verdict.offset) == (suite, offset)]
            if not own:
                continue
            count = Counter(verdict.outcome for verdict in own)
            flips = "**yes**" if count["pass"] and count["fail"] else "no"
            mean, error = (np.mean([getattr(verdict, field) for verdict in own]) for field in ("estimate", "error"))
            effects = f"{limit + offset:.2f} | {mean:.3f} | {error:.3f}"
            open_ = count["inconclusive"] + count["unmeasured"]
            yield f"| {suite} | {effects} | {len(own)} | {count['pass']} | {count['fail']} | {open_} | {flips} |"


def main() -> None:
    """Scan, count and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=200)
    parser.add_argument("--suite", action="append", choices=SUITES, help="[default: all]")
    parser.add_argument("--tier", default="smoke")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--scan", action="store_true", help="whole scans with run folders, at ten times the time")
    parser.add_argument("--keep", type=Path, help="JSON lines with the verdicts so far, added to")
    parser.add_argument("--most", type=int, help="draws of items in this call; go on with --keep")
    parser.add_argument("--page", action="store_true", help="write the table into GATE.md")
    given = parser.parse_args()
    found = _read(given.keep)
    done = {(verdict.suite, verdict.seed) for verdict in found}
    with ProcessPoolExecutor(given.jobs) as pool:
        tasks = []
        for suite in given.suite or SUITES:
            own = [Task(suite, seed, given.tier) for seed in range(1, given.scans + 1) if (suite, seed) not in done]
            if not own:
                continue
            shift = next((verdict.shift for verdict in found if verdict.suite == suite), None)
            if shift is None:
                other = [Task(suite, seed, given.tier) for seed in range(10_001, 10_001 + CALIBRATION)]
                shift = float(np.mean(list(pool.map(scattered, other))))
            tasks += [replace(task, shift=shift, scan=given.scan) for task in own]
        for some in pool.map(verdicts, tasks[: given.most]):
            found += some
            if given.keep:
                with given.keep.open("a", encoding="ascii") as file:
                    file.writelines(json.dumps(asdict(verdict)) + "\n" for verdict in some)
    text = "\n".join(table(found))
    words = f"{given.tier.capitalize()} tier, {platform.machine()}."
    print(f"{text}\n\n{words}")
    if given.page:
        put("flakes", f"{text}\n\n{words}")


def _read(path: Path | None) -> list[Verdict]:
    if path is None or not path.exists():
        return []
    return [Verdict(**json.loads(line)) for line in path.read_text(encoding="ascii").splitlines()]


if __name__ == "__main__":
    main()
