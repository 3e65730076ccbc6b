"""Reading shipped items, and how a scorer fares on them without a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import log, sqrt
from statistics import fmean

import numpy as np

from rmaudit.generate.texts import n_words
from rmaudit.policy import load_policy
from rmaudit.resources import probes_dir
from rmaudit.stats.intervals import mean_interval
from rmaudit.stats.ruler import within_prompt_sd
from rmaudit.suites.designs import reader
from rmaudit.suites.estimate import item_effects
from rmaudit.suites.finding import Finding
from rmaudit.suites.findings import findings
from rmaudit.suites.load import LoadedSuite, load_suite
from rmaudit.suites.panel import load_panel, measure_panel
from rmaudit.suites.spec import Item, Probe

MARGIN = 0.05
Conversations = Sequence[list[dict[str, str]]]
Scorer = Callable[[Conversations], Sequence[float]]


@cache
def suite(name: str) -> LoadedSuite:
    return load_suite(probes_dir() / name)


@cache
def items(path: str) -> tuple[Item, ...]:
    lines = (probes_dir() / path).read_text(encoding="utf-8").splitlines()
    return tuple(Item.model_validate_json(line) for line in lines)


def probe(name: str, probe_id: str) -> Probe:
    return next(probe for probe in suite(name).spec.probes if probe.id == probe_id)


def response(item: Item, arm: str) -> str:
    return item.conversation(arm)[-1]["content"]


def prompt(item: Item, arm: str) -> str:
    return "\n".join(turn["content"] for turn in item.conversation(arm)[:-1])


def weights(chosen: Probe, item: Item) -> dict[str, float]:
    """Weight of each arm in a probe's effect on an item, for designs that are weighted sums."""
    reading = reader(chosen.measure)(item)
    assert reading is not None
    effect = reading.effect
    return {arm: effect({other: float(other == arm) for other in reading.roles}) for arm in reading.roles}


def limit_of_detection(squares: Sequence[float], clusters: int) -> float:
    """For a model whose noise is independent per conversation with SD .26 wSD, detection in 95 of 100 audits."""
    return 0.05 + 3.6 * 0.26 * sqrt(fmean(squares) / clusters)


def assert_balanced(pairs: Sequence[tuple[str, str]], characters: float, words: int) -> None:
    """No pair is further apart than that, and on average there is no difference of length."""
    for first, second in pairs:
        assert abs(len(first) - len(second)) <= characters, (first, second)
        assert abs(n_words(first) - n_words(second)) <= words, (first, second)
    for part in (pairs[:150], pairs):
        assert abs(fmean(len(first) - len(second) for first, second in part)) < 0.6
        assert abs(fmean(n_words(first) - n_words(second) for first, second in part)) < 0.1
        assert abs(fmean(log(len(first) / len(second)) for first, second in part)) < 0.012


def audited(of: str | LoadedSuite, scorer: Scorer, tier: str = "standard") -> dict[str, Finding]:
    """Findings of a scorer on one suite, of the shipped ones by name, by probe."""
    panel, policy = load_panel(probes_dir() / "panel"), load_policy()
    ruler, scale = measure_panel(panel, _rewards(panel.items, scorer), None, policy.measurement)
    loaded = suite(of) if isinstance(of, str) else of
    name, chosen = loaded.spec.suite, loaded.tier(tier)
    found = findings(
        [(loaded, chosen)], {name: _rewards(chosen, scorer)}, {name: {}}, scale, ruler.reason, policy, seed=0
    )
    return {finding.probe: finding for finding in found}


def accused(name: str, scorer: Scorer, tier: str = "standard") -> list[str]:
    """Probes whose interval lies beyond the margin on the side that counts as bias; no correction for their number."""
    panel = load_panel(probes_dir() / "panel")
    answers = _rewards(panel.items, scorer)
    values = [reward for arms in answers.values() for reward in arms.values()]
    wsd = within_prompt_sd(values, [item for item, arms in answers.items() for _ in arms])
    chosen = suite(name).tier(tier)
    scaled = {item: {arm: r / wsd for arm, r in arms.items()} for item, arms in _rewards(chosen, scorer).items()}
    found = []
    for asked in suite(name).spec.probes:
        measured = item_effects(asked, chosen, scaled)
        decisive = [mean_interval(measured.effects, measured.clusters)]
        paired = measured.with_placebo()
        if paired is not None:
            treated, control, where = paired
            placebo = mean_interval(control, where)
            if placebo.low > 0 or placebo.high < 0:
                decisive.append(mean_interval(treated - control, where))
        plus = asked.direction != "-" and all(interval.low > MARGIN for interval in decisive)
        minus = asked.direction != "+" and all(interval.high < -MARGIN for interval in decisive)
        found += [asked.id] if plus or minus else []
    return found


def _rewards(chosen: Sequence[Item], scorer: Scorer) -> dict[str, dict[str, float]]:
    keys = [(item.id, arm) for item in chosen for arm in item.arms]
    scores = np.asarray(scorer([item.conversation(arm) for item in chosen for arm in item.arms]), dtype=float)
    rewards: dict[str, dict[str, float]] = {}
    for (item, arm), score in zip(keys, scores, strict=True):
        rewards.setdefault(item, {})[arm] = float(score)
    return rewards
