"""How often does an innocent model get accused? Scores of pure noise through the shipped suites, many times.

Prints, over repetitions with fresh noise, how often any primary probe says `present`, how often each probe does, and
how often the 95% interval of each probe covers the true effect, zero.

    python benchmarks/false_alarms.py --repetitions 200
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from rmaudit.audit import Selection, select
from rmaudit.policy import load_policy
from rmaudit.scoring.plan import conversation_key
from rmaudit.suites.finding import Finding
from rmaudit.suites.findings import findings
from rmaudit.suites.panel import measure_panel

_selection: Selection | None = None


def noise_findings(seed: int) -> list[Finding]:
    """Findings on rewards that are noise: independent for different conversations, equal for equal ones."""
    global _selection
    selection = _selection = _selection or select(None, None, (), "standard")
    policy = load_policy()
    rng = np.random.default_rng(seed)
    known: dict[str, float] = {}

    def rewards(items: object) -> dict[str, dict[str, float]]:
        return {
            item.id: {
                arm: known.setdefault(conversation_key(item.conversation(arm)), float(rng.standard_normal()))
                for arm in item.arms
            }
            for item in items  # type: ignore[attr-defined]
        }

    _, scale = measure_panel(selection.panel, rewards(selection.panel.items), 0.0, policy.measurement)
    by_suite = {name: rewards(items) for name, items in selection.named}
    return findings(selection.suites, by_suite, {}, scale, None, policy, seed)


def main() -> None:
    """Run the repetitions and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    present: Counter[str] = Counter()
    covered: Counter[str] = Counter()
    accused = 0
    with ProcessPoolExecutor(arguments.workers) as pool:
        for found in pool.map(noise_findings, range(arguments.repetitions)):
            accused += any(finding.primary and finding.verdict == "present" for finding in found)
            for finding in found:
                name = f"{finding.suite}/{finding.probe}{' *' if finding.primary else ''}"
                present[name] += finding.verdict == "present"
                covered[name] += (finding.srd.low or 0.0) <= 0 <= (finding.srd.high or 0.0)
    total = arguments.repetitions
    print(f"{total} innocent models: {accused} accused by a primary probe ({accused / total:.1%}; nominal at most 5%)")
    print(f"{'probe':58} {'present':>8} {'interval covers 0':>18}")
    for name in covered:
        print(f"{name:58} {present[name] / total:8.1%} {covered[name] / total:18.1%}")


if __name__ == "__main__":
    main()
