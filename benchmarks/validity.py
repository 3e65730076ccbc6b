"""Does the instrument work? Models with known truth through every suite that ships; writes VALIDITY.md.

- Effects of known size planted in an ordinary model, one suite at a time: detection, dose and response, coverage.
- Organisms that read texts: found by the suite that is for them, and leaked into which others?
- Innocent organisms, and noise many times: false alarms.
- A real model's stored rewards with an effect added.
- Small transformers fitted to preferences that lean by several doses.

Suites and items are read from `probes/`; nothing here names an item.

    python -m benchmarks.validity --run RUN        RUN: the folder of a finished `rmaudit scan demo`; about two minutes
    python -m benchmarks.validity --fitted                also fits and scans small transformers, minutes more
    python -m benchmarks.validity --planted 20 --models 20 --noise 50 --tier smoke      a quick look
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from benchmarks.fitted import SUITES, fitted
from benchmarks.many_models import Array, Audit, Outcome
from benchmarks.organisms import BIASED, BLIND, INNOCENT, noises, noises_of_responses, ordinary, prompt_only
from rmaudit.audit import select
from rmaudit.policy import load_policy
from rmaudit.runs.folder import RunFolder
from rmaudit.runs.scores import read_scores
from rmaudit.suites.finding import Finding
from rmaudit.suites.findings import findings
from rmaudit.suites.panel import Scale, measure_panel, rewards_by_item

PAGE = Path(__file__).with_name("VALIDITY.md")
SIZES = (0.0, 0.05, 0.1, 0.2, 0.4)
"""Planted effects in SRD, besides one at the limit of detection."""
AUDITED = 5
"""Ordinary models that are audited the usual way, one by one."""


@dataclass(frozen=True)
class Count:
    """How often something happened."""

    hits: int
    trials: int

    def __str__(self) -> str:
        """As a share with its 95% Wilson interval."""
        low, high = proportion_confint(self.hits, self.trials, method="wilson")
        return f"{self.hits / self.trials:.1%} ({low:.1%} to {high:.1%})"


class Bench:
    """One tier of the suites that ship, with the limits of detection of an ordinary model."""

    def __init__(self, tier: str) -> None:
        """Read the suites, and audit some ordinary models the usual way."""
        self.tier = tier
        self.policy = load_policy()
        self.selection = select(None, None, (), tier)
        self.audit = Audit(self.selection, self.policy)
        self.base, self.noise = ordinary(self.audit.texts)
        ordinary_ones = self.base[:, None] + noises(self.audit.texts, AUDITED, self.noise, first_seed=10_000)
        audits = [{(found.suite, found.probe): found for found in self.audited(one)} for one in ordinary_ones.T]
        self.findings = audits[0]
        self.limits = {
            (found.suite, found.probe): _mean_limit([each[found.suite, found.probe] for each in audits])
            for found in self.primaries
        }

    @property
    def primaries(self) -> list[Finding]:
        """The primary finding of each suite, about the ordinary model."""
        return [found for found in self.findings.values() if found.primary]

    def scale(self, rewards: dict[str, dict[str, dict[str, float]]]) -> Scale:
        """The ruler, without the units that need gold labels, which cost time and decide nothing here."""
        _, scale = measure_panel(self.selection.panel, rewards["panel"], 0.0, self.policy.measurement)
        assert scale is not None
        return Scale(scale.wsd, None, scale.margins, scale.margin_prompts, "not used here")

    def audited(self, column: Array) -> list[Finding]:
        """All findings about one model, by the functions that a scan calls."""
        rewards = self.audit.texts.rewards(column)
        own = {name: rewards[name] for name, _ in self.selection.named}
        return findings(self.selection.suites, own, {}, self.scale(rewards), None, self.policy, seed=0)


@dataclass(frozen=True)
class Planted:
    """Effects of one size planted in one suite's primary probe."""

    suite: str
    size: float
    at_limit: bool
    detected: Count
    leaked: Count
    """Models of which another suite's primary probe says present."""
    covered: Count
    mean: float
    """Mean estimate, in SRD."""


def planted(bench: Bench, models: int) -> Iterator[Planted]:
    """Plant the indicator of each primary probe at several sizes, in models that differ in their noise."""
    for primary in bench.primaries:
        side = -1.0 if primary.direction_of_bias == "-" else 1.0
        indicator = side * bench.audit.indicator(primary.suite, primary.probe)
        limit = bench.limits[primary.suite, primary.probe]
        sizes = [*SIZES, *([limit] if limit else [])]
        amounts = np.array(sizes)
        if primary.design == "carryover":
            amounts = _amounts(bench, primary, indicator, noises(bench.audit.texts, 100, bench.noise), sizes)
        for place, (size, amount) in enumerate(zip(sizes, amounts, strict=True)):
            noise = noises(bench.audit.texts, models, bench.noise, first_seed=place * models)
            outcomes = bench.audit.judge((bench.base + amount * indicator)[:, None] + noise, primary=True)
            own = next(outcome for outcome in outcomes if outcome.suite == primary.suite)
            others = np.any([outcome.present for outcome in outcomes if outcome is not own], axis=0)
            covered = own.covered(side * size * bench.audit.truths(primary.suite, primary.probe))
            yield Planted(
                primary.suite,
                size,
                place == len(SIZES),
                Count(int((own.sign == side).sum()), models),
                Count(int(others.sum()), models),
                Count(int(covered.sum()), models),
                float(side * own.estimate.mean()),
            )


def _mean_limit(found: Sequence[Finding]) -> float | None:
    """The mean of the limits that audits state; ``None`` where one states none."""
    limits = [entry.detection_limit for entry in found]
    known = [limit for limit in limits if limit is not None]
    return float(np.mean(known)) if len(known) == len(limits) else None


def _amounts(bench: Bench, primary: Finding, indicator: Array, noise: Array, sizes: Sequence[float]) -> Array:
    """How much must be added for effects of these sizes, where an effect is not what was added."""
    tried = np.linspace(0.0, 1.0, 41)
    risen = [
        float(
            bench.audit.effect(primary.suite, primary.probe, (bench.base + amount * indicator)[:, None] + noise).mean()
        )
        for amount in tried
    ]
    found: Array = np.interp(sizes, np.maximum.accumulate(np.array(risen) - risen[0]), tried)
    found[np.array(sizes) == 0] = 0.0
    return found


def reading_organisms(bench: Bench, models: int) -> dict[str, list[Outcome]]:
    """Organisms that read texts, each with different noise of SD 1 in every model."""
    noise = noises(bench.audit.texts, models, 1.0)
    everyone = {name: plant for name, (_, plant) in BIASED.items()} | INNOCENT
    found = {}
    for name, plant in everyone.items():
        own = noises_of_responses(bench.audit.texts, models) if name == BLIND else noise
        found[name] = bench.audit.judge(plant(bench.audit.texts)[:, None] + own)
    found["prompt only"] = bench.audit.judge(prompt_only(bench.audit.texts, models))
    return found


def spiked(bench: Bench, run: Path) -> Iterator[tuple[str, str, list[float], float, str]]:
    """A real model's stored rewards, with effects added to them and audited the usual way.

    Yields:
        Suite, probe, estimates less that of the model as it is, slope of these on the sizes, and the model's own
        verdict.
    """
    scores = read_scores(RunFolder(run).scores).rewards
    rewards = {
        name: rewards_by_item(items, scores.get(name, {}))
        for name, items in (("panel", bench.selection.panel.items), *bench.selection.named)
    }
    column = np.array([rewards[row.suite][row.item.id].get(row.arm, np.nan) for row in bench.audit.texts.rows])
    if np.isnan(column).any():
        raise SystemExit(f"{run} lacks scores of this tier's conversations. Scan demo with this version and tier.")
    unit = bench.scale(bench.audit.texts.rewards(column)).wsd
    for primary in bench.primaries:
        side = -1.0 if primary.direction_of_bias == "-" else 1.0
        indicator = side * bench.audit.indicator(primary.suite, primary.probe)
        columns = np.column_stack([column + size * unit * indicator for size in SIZES])
        own = next(each for each in bench.audit.judge(columns, primary=True) if each.suite == primary.suite)
        rise = side * (own.estimate - own.estimate[0])
        sizes = np.array(SIZES)
        verdict = "present" if own.present[0] else "not present"
        yield primary.suite, primary.probe, list(rise), float(sizes @ rise / (sizes @ sizes)), verdict


def page(
    tiers: Sequence[str], planted_models: int, models: int, noise_models: int, run: Path | None, *, with_fitted: bool
) -> str:
    """The whole page."""
    started = time.monotonic()
    parts = [
        "# Validity",
        "Written by `python -m benchmarks.validity`. Models with known truth through the suites that ship: what is"
        " planted must be found, and nothing else. Shares are over models that differ in their noise, with 95% Wilson"
        " intervals.",
    ]
    for tier in tiers:
        bench = Bench(tier)
        parts += [f"## {tier.capitalize()} tier", *_planted_part(bench, planted_models)]
        organisms = reading_organisms(bench, models)
        parts += _organism_part(bench, organisms)
        parts += _noise_part(bench, noise_models)
        if run is not None and tier == "standard":
            parts += _spiked_part(bench, run)
    if with_fitted:
        parts += _fitted_part()
    parts.append(
        f"{planted_models} models an added effect, {models} an organism, {noise_models} of noise;"
        f" {time.monotonic() - started:.0f} s on {platform.machine()}, Python {platform.python_version()}."
    )
    return "\n\n".join(parts) + "\n"


def _planted_part(bench: Bench, models: int) -> list[str]:
    results = list(planted(bench, models))
    rows = []
    for suite in dict.fromkeys(result.suite for result in results):
        own = [result for result in results if result.suite == suite]
        doses = [result for result in own if not result.at_limit]
        limit = next((result for result in own if result.at_limit), None)
        covered = Count(sum(r.covered.hits for r in own), sum(r.covered.trials for r in own))
        leaked = Count(sum(r.leaked.hits for r in own), sum(r.leaked.trials for r in own))
        sizes, means = np.array([r.size for r in doses]), np.array([r.mean for r in doses])
        rise = means - means[0]
        rows.append(
            [
                suite,
                *(f"{result.detected.hits / result.detected.trials:.0%}" for result in doses),
                "n/a" if limit is None else f"{limit.size:.3f}",
                "n/a" if limit is None else str(limit.detected),
                f"{sizes @ rise / (sizes @ sizes):.3f}",
                str(covered),
                str(leaked),
            ]
        )
    head = ["suite", *(f"{size:g}" for size in SIZES), "limit", "found at the limit", "slope", "coverage", "leak"]
    return [
        "### Planted in an ordinary model",
        "A model that tells good from bad and whose paired differences scatter by 0.37 within-prompt SDs an item, as"
        " those of real ones do. What the primary probe's design measures is added to it; columns are the added SRD"
        " with the share of models called `present`. The limit is the mean of the limits of detection that"
        f" audits of {AUDITED} such models state. Coverage is that of all groups' intervals at once where groups are"
        " compared. Leak: another suite's primary probe says `present`. For"
        " carryover, which is not additive, as much is added as makes an effect of that size on average.",
        _table(head, rows),
    ]


def _organism_part(bench: Bench, organisms: dict[str, list[Outcome]]) -> list[str]:
    suites = [finding.suite for finding in bench.primaries]
    rows, alarms = [], []
    for name, outcomes in organisms.items():
        primary = {outcome.suite: outcome for outcome in outcomes if outcome.primary}
        own = BIASED[name][0] if name in BIASED else None
        cells = [
            f"{'**' if suite == own else ''}{primary[suite].shown.mean():+.2f},"
            f" {primary[suite].present.mean():.0%}{'**' if suite == own else ''}"
            for suite in suites
        ]
        elsewhere = np.any([outcome.present for outcome in primary.values() if outcome.suite != own], axis=0)
        any_probe = np.any([outcome.present for outcome in outcomes if outcome.suite != own], axis=0)
        count = Count(int(elsewhere.sum()), len(elsewhere))
        rows.append([name, *cells, str(count), f"{any_probe.mean():.1%}"])
        alarms += [
            f"{name}: {outcome.suite}/{outcome.probe} {outcome.present.mean():.0%}"
            for outcome in outcomes
            if outcome.suite != own and outcome.present.mean() > 0.05
        ]
    told = "; ".join(alarms) if alarms else "none"
    return [
        "### Organisms",
        "Models that read the text (`tests/organisms`, `benchmarks/organisms.py`) over noise of SD 1, in the units of"
        " their own panel. Cells: mean effect of the primary probe in SRD, share of models called `present`; the suite"
        " that is for the organism in bold. Leak: another suite's primary probe, or any of its probes, says `present`."
        " A constant model has no unit, and nothing is measurable; the unit of `prompt only` is a trace of noise.",
        _table(["organism", *suites, "leak, primary", "leak, any probe"], rows),
        f"Probes of other suites that are present in more than 5% of the models: {told}.",
    ]


def _noise_part(bench: Bench, models: int) -> list[str]:
    outcomes: list[list[Outcome]] = []
    for first in range(0, models, 100):
        count = min(100, models - first)
        outcomes.append(bench.audit.judge(noises(bench.audit.texts, count, 1.0, first_seed=50_000 + first)))

    def total(pick: bool) -> int:
        return sum(int(np.any([o.present for o in batch if o.primary or not pick], axis=0).sum()) for batch in outcomes)

    shares = []
    for probe in range(len(outcomes[0])):
        inside = sum(int(((batch[probe].low <= 0) & (batch[probe].high >= 0)).sum()) for batch in outcomes)
        shares.append((inside / models, f"{outcomes[0][probe].suite}/{outcomes[0][probe].probe}"))
    grouped = {(found.suite, found.probe) for found in bench.findings.values() if found.groups}
    means = [entry for entry in shares if tuple(entry[1].split("/")) not in grouped]
    low, high = min(means), max(means)
    return [
        "### False alarms",
        f"Of {models} models of pure noise, {Count(total(True), models)} are accused by a primary probe (family-wise;"
        f" nominal at most 5%), and {Count(total(False), models)} by any of {len(shares)} probes. The 95% intervals of"
        f" the probes cover the true effect, zero, in {low[0]:.1%} ({low[1]}) to {high[0]:.1%} ({high[1]}) of the"
        " models.",
    ]


def _spiked_part(bench: Bench, run: Path) -> list[str]:
    rows = [
        [suite, probe, *(f"{rise:+.3f}" for rise in rises[1:]), f"{slope:.3f}", verdict]
        for suite, probe, rises, slope, verdict in spiked(bench, run)
    ]
    head = ["suite", "probe", *(f"{size:g}" for size in SIZES[1:]), "slope", "as it is"]
    return [
        "### A real model with an effect added",
        "The stored rewards of the demo model, with what the primary probe measures added to them; columns are the"
        " added SRD with the rise of the estimate. Carryover is not additive: an addition that turns the winner round"
        " raises the effect by another amount.",
        _table(head, rows),
    ]


def _fitted_part() -> list[str]:
    rows = [
        [each.planted, each.suite, f"{each.dose:g}", f"{each.estimate:+.2f}", each.verdict, str(each.others)]
        for each in fitted()
    ]
    return [
        "## Small transformers",
        "Transformers of two layers, fitted from nothing to preferences of which half differ in the planted thing"
        " alone, saved as checkpoints and scanned through the loader at the smoke tier. The dose is how far the labels"
        " of these lean: at 0 a coin decides, at 1 the planted thing always wins. Others: other suites scanned whose"
        f" primary probe says `present` (of {', '.join(SUITES)}).",
        _table(["planted", "suite", "dose", "SRD", "verdict", "others"], rows),
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tier", action="append", choices=["smoke", "standard", "reference"])
    parser.add_argument("--planted", type=int, default=1000, help="models an effect that is added")
    parser.add_argument("--models", type=int, default=200, help="models an organism")
    parser.add_argument("--noise", type=int, default=500, help="models of pure noise")
    parser.add_argument("--run", type=Path, help="folder of a finished scan of demo at the standard tier")
    parser.add_argument("--fitted", action="store_true", help="fit and scan small transformers too")
    parser.add_argument("--out", type=Path, default=PAGE)
    arguments = parser.parse_args()
    text = page(
        arguments.tier or ["smoke", "standard"],
        arguments.planted,
        arguments.models,
        arguments.noise,
        arguments.run,
        with_fitted=arguments.fitted,
    )
    arguments.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
