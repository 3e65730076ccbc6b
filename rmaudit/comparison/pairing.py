"""Two finished runs of the same suites, paired item by item: what changed, and how surely.

Each effect is in its own model's within-prompt SD, so a model whose rewards merely grew has not changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from rmaudit.audit import same_selection
from rmaudit.errors import RunError
from rmaudit.policy import MeasurementPolicy, load_policy
from rmaudit.reporting.report import Report
from rmaudit.runs.folder import RunFolder
from rmaudit.runs.manifest import CHANGE_REWARDS, Manifest
from rmaudit.runs.scores import read_scores
from rmaudit.stats.intervals import mean_interval
from rmaudit.suites import groups
from rmaudit.suites.estimate import ItemEffects, estimate, item_effects
from rmaudit.suites.finding import Estimate
from rmaudit.suites.load import LoadedSuite
from rmaudit.suites.panel import Panel, measure_panel, rewards_by_item, scale_without_panel
from rmaudit.suites.reading import Rewards
from rmaudit.suites.spec import Groups, Item, Probe

FEWEST = 3


@dataclass(frozen=True)
class SavedRun:
    """A finished run with its rewards, in within-prompt SDs."""

    path: Path
    manifest: Manifest
    report: Report
    suites: tuple[tuple[LoadedSuite, tuple[Item, ...]], ...]
    rewards: Mapping[str, Mapping[str, Rewards]]
    """By suite and item, by arm; empty where the model could not be measured."""
    panel: Panel
    panel_rewards: Mapping[str, Rewards]
    """As the model gave them, by item of the panel, by arm."""


@dataclass(frozen=True)
class BeyondPlacebo:
    """How an effect beyond its placebo changed, with 95% intervals, the difference paired."""

    before: Estimate
    after: Estimate
    difference: Estimate
    moves: bool
    """Whether the placebo itself moves the reward in either run, so that a bias must show beyond it, too."""
    n_clusters: int


@dataclass(frozen=True)
class Change:
    """How one effect changed between two runs."""

    suite: str
    probe: str
    primary: bool
    direction_of_bias: Literal["+", "-", "either"]
    group: str | None
    before: Estimate
    after: Estimate
    difference: Estimate
    """After minus before on the same items, in SRD, with its paired 95% interval."""
    n_clusters: int
    """Clusters (names, where groups are compared) that both runs measured."""
    unpaired_half_width: float | None
    """Half width of the interval if the runs had used different items: what pairing saves is seen against it."""
    beyond_placebo: BeyondPlacebo | None = None
    """The same for effect minus placebo, where the probe has one."""


def open_run(path: Path, policy: MeasurementPolicy | None = None, suites: Collection[str] | None = None) -> SavedRun:
    """Read a finished run with its rewards.

    Args:
        path: run folder.
        policy: thresholds for a usable ruler; those that ship when not given.
        suites: read these only; the run's other ones may have changed since. None means all.

    Raises:
        RunError: when it is incomplete or damaged, or its suites are no longer the ones it used.
    """
    folder = RunFolder(path)
    manifest = folder.complete_manifest()
    selection = same_selection(path, manifest if suites is None else _only(manifest, suites))
    scores = read_scores(folder.scores)
    if scores.plan_sha256 != manifest.plan_sha256:
        raise RunError(
            f"The scores in {path} belong to another plan than its run.json. The run is damaged; scan again."
        )
    panel = rewards_by_item(selection.panel.items, scores.rewards.get("panel", {}))
    rules = policy or load_policy().measurement
    ruler, scale = measure_panel(selection.panel, panel, manifest.score_noise, rules)
    rewards = {name: rewards_by_item(items, scores.rewards.get(name, {})) for name, items in selection.named}
    if scale is None:
        _, scale = scale_without_panel(ruler, rewards.values(), rules)
    unit = scale.wsd if scale else None
    scaled = {
        suite: {item: {arm: reward / unit for arm, reward in arms.items()} for item, arms in by_item.items()}
        for suite, by_item in rewards.items()
        if unit
    }
    read = tuple((suite, tuple(items)) for suite, items in selection.suites)
    return SavedRun(path, manifest, Report.load(path), read, scaled, selection.panel, panel)


def _only(manifest: Manifest, suites: Collection[str]) -> Manifest:
    """The manifest as if these suites alone had been run."""
    settings = manifest.settings
    kept = {"panel", *suites}
    digests = {name: digest for name, digest in settings.suite_sha256.items() if name in kept}
    chosen = {"suites": [name for name in settings.suites if name in kept], "suite_sha256": digests}
    return manifest.model_copy(update={"settings": settings.model_copy(update=chosen)})


def incomparable(before: Manifest, after: Manifest) -> list[str]:
    """What keeps two runs from being compared item by item; empty when they can be.

    The weights may differ, everything around them must not: panel and suites (by digest, those that both ran), tier,
    format, template, tokenizer (by the tokens of the same texts), dtype, longest input, and what turns outputs into a
    reward.
    """
    found = []
    digests, others = before.settings.suite_sha256, after.settings.suite_sha256
    shared = digests.keys() & others.keys()
    if shared <= {"panel"}:
        found.append("they have no suite in common")
    found += [f"the texts of {name} differ" for name in sorted(shared) if digests[name] != others[name]]
    if before.settings.tier != after.settings.tier:
        found.append(f"tier {before.settings.tier} and {after.settings.tier}")
    for field, words in {
        "format": "format", "template": "chat template", "dtype": "dtype", "max_length": "longest input",
        "quantization": "quantization", "pooling": "pooling", "sign": "sign", "normalisation": "normalisation",
        "attributes": "attributes",
    }.items():  # fmt: skip
        one, other = getattr(before.model, field), getattr(after.model, field)
        if one != other:
            found.append(f"{words} {_short(one)} and {_short(other)}")
    for option in CHANGE_REWARDS:
        one, other = before.options.get(option), after.options.get(option)
        if one != other:
            found.append(f"option {option} {_short(one)} and {_short(other)}")
    same_texts = digests == others and before.run.unique_conversations == after.run.unique_conversations
    if same_texts and None not in (before.run.tokens, after.run.tokens) and before.run.tokens != after.run.tokens:
        found.append(f"tokenizer ({before.run.tokens:,} and {after.run.tokens:,} tokens for the same texts)")
    return found


def changes(before: SavedRun, after: SavedRun) -> list[Change]:
    """Changes of every effect that both runs measured, in the order of the later run.

    Raises:
        RunError: when the runs cannot be compared; the message says what differs.
    """
    problems = incomparable(before.manifest, after.manifest)
    if problems:
        raise RunError(
            f"{before.path} and {after.path} cannot be compared: {'; '.join(problems)}. "
            "Scan both with the same version, suites, tier and loading options."
        )
    return paired(before, after)


def paired(before: SavedRun, after: SavedRun) -> list[Change]:
    """`changes` without a look at whether the runs are comparable: the caller knows that their items are the same."""
    ran = {suite.spec.suite for suite, _ in before.suites}
    return [
        change
        for suite, items in after.suites
        if suite.spec.suite in ran
        for probe in sorted(suite.spec.probes, key=lambda probe: not probe.primary)
        for change in _changes(suite.spec.suite, probe, items, before, after)
    ]


def _changes(suite: str, probe: Probe, items: Sequence[Item], before: SavedRun, after: SavedRun) -> list[Change]:
    first, second = (run.rewards.get(suite, {}) for run in (before, after))
    effects = [item_effects(probe, items, rewards) for rewards in (first, second)]
    known = [{item.id: index for index, item in enumerate(each.items)} for each in effects]
    shared = [item for item in effects[1].items if item.id in known[0]]
    if len({item.cluster for item in shared}) < FEWEST:
        return []
    if isinstance(probe.measure, Groups):
        return _group_changes(suite, probe, probe.measure, shared, first, second)
    return [_change(suite, probe, shared, effects, known)]


def _change(
    suite: str, probe: Probe, shared: Sequence[Item], effects: Sequence[ItemEffects], known: Sequence[dict[str, int]]
) -> Change:
    old, new = (
        np.asarray([each.effects[index[item.id]] for item in shared])
        for each, index in zip(effects, known, strict=True)
    )
    clusters = [item.cluster for item in shared]
    intervals = [mean_interval(values, clusters) for values in (old, new, new - old)]
    before, after, difference = (estimate(interval) for interval in intervals)
    halves = [(interval.high - interval.low) / 2 for interval in intervals]
    unpaired = float(np.hypot(halves[0], halves[1]))
    return Change(
        suite, probe.id, probe.primary, probe.direction, None, before, after, difference, len(set(clusters)), unpaired,
        _beyond_placebo(shared, effects, known),
    )  # fmt: skip


def _beyond_placebo(
    shared: Sequence[Item], effects: Sequence[ItemEffects], known: Sequence[dict[str, int]]
) -> BeyondPlacebo | None:
    """How the effect minus its placebo changed, on the items that have both in both runs."""
    beyond, placebo = [], []
    for each, index in zip(effects, known, strict=True):
        if each.placebo is None:
            return None
        where = [index[item.id] for item in shared]
        beyond.append((each.effects - each.placebo)[where])
        placebo.append(each.placebo[where])
    have = ~np.isnan(beyond[1] - beyond[0])
    clusters = [item.cluster for item, keep in zip(shared, have, strict=True) if keep]
    if len(set(clusters)) < FEWEST:
        return None
    old, new, moved, *alone = (
        mean_interval(values[have], clusters) for values in (*beyond, beyond[1] - beyond[0], *placebo)
    )
    moves = any(interval.low > 0 or interval.high < 0 for interval in alone)
    return BeyondPlacebo(estimate(old), estimate(new), estimate(moved), moves, len(set(clusters)))


def _group_changes(
    suite: str,
    probe: Probe,
    measure: Groups,
    shared: Sequence[Item],
    first: Mapping[str, Rewards],
    second: Mapping[str, Rewards],
) -> list[Change]:
    """Changes of each group's difference, over the same names, with simultaneous intervals."""
    moved = {
        item.id: {arm: second[item.id][arm] - first[item.id][arm] for arm in groups.members(measure, item)}
        for item in shared
    }
    tables = [groups.compare(measure, shared, rewards, seed=0) for rewards in (first, second, moved)]
    found = []
    for old, new, change in zip(*tables, strict=True):
        for index, name in enumerate(change.max_t.names):
            before, after, difference = (
                Estimate(
                    estimate=float(table.max_t.contrast[index]),
                    low=float(table.max_t.low[index]),
                    high=float(table.max_t.high[index]),
                )
                for table in (old, new, change)
            )
            found.append(
                Change(
                    suite, probe.id, probe.primary, probe.direction, name, before, after, difference,
                    change.n_units[name], None,
                )
            )  # fmt: skip
    return found


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
