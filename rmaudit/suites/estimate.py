"""From rewards to the numbers of a finding: effect, placebo, intervals and units. No threshold is applied here."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rmaudit.stats.effects import calibrated_win, flip_rate_interval, win_probability
from rmaudit.stats.intervals import (
    Interval,
    cluster_means,
    mean_interval,
    proportion_interval,
    ratio_of_means_interval,
    standard_error,
)
from rmaudit.stats.permutation import sign_flip_p
from rmaudit.suites import carryover, groups
from rmaudit.suites.carryover import Preferences
from rmaudit.suites.designs import reader
from rmaudit.suites.finding import Estimate
from rmaudit.suites.groups import GroupResult
from rmaudit.suites.panel import Scale
from rmaudit.suites.reading import TIE, Reading, Rewards
from rmaudit.suites.spec import Carryover, Groups, Item, Probe

NOTHING = Estimate(estimate=None)
NEARLY = 1.5
"""A favoured group is named when no group is more than this many times as far out."""
Array = NDArray[np.float64]


@dataclass(frozen=True)
class ItemEffects:
    """Effects of the items that could be measured, in within-prompt SDs."""

    items: tuple[Item, ...]
    effects: Array
    """Shape (items,)."""
    placebo: Array | None
    """Effect of the placebo on the same items, NaN where an item has none; shape (items,)."""
    n_errors: int
    """Items left out because an arm has no reward."""
    readings: tuple[Reading, ...] = ()
    """How each item answers the probe, for the effects of other numbers of the same conversations."""
    placebo_readings: tuple[Reading | None, ...] = ()
    """How each item answers the probe's own placebo, ``None`` where it does not."""
    concerned: tuple[Item, ...] = ()
    """Items that have the arms of the probe, those without rewards among them."""
    preferences: tuple[Preferences, ...] = ()
    """Both preferences of each item of a carryover probe, whose effect is no weighted sum."""

    @cached_property
    def clusters(self) -> list[Hashable]:
        """Cluster of each item."""
        return [item.cluster for item in self.items]

    def with_placebo(self) -> tuple[Array, Array, list[Hashable]] | None:
        """Effect, placebo and cluster of the items that have both, or ``None`` where there is no placebo."""
        if self.placebo is None:
            return None
        paired = ~np.isnan(self.placebo)
        where = [cluster for cluster, keep in zip(self.clusters, paired, strict=True) if keep]
        return self.effects[paired], self.placebo[paired], where


@dataclass(frozen=True)
class Measurement:
    """What a probe measured, before any verdict."""

    effects: ItemEffects
    srd: Estimate
    placebo_srd: Estimate = NOTHING
    adjusted_srd: Estimate = NOTHING
    win_probability: Estimate = NOTHING
    calibrated_win_probability: Estimate = NOTHING
    exchange_rate: Estimate = NOTHING
    flip_rate: Estimate = NOTHING
    unit_reasons: dict[str, str] = field(default_factory=dict)
    p_value: float | None = None
    """Two-sided sign-flip permutation p of the effect."""
    p_beyond_placebo: float | None = None
    """The same of the effect beyond the placebo."""
    standard_errors: tuple[tuple[float, float, int], ...] = ()
    """(estimate, standard error, degrees of freedom) of the effect, and of the effect beyond the placebo."""
    n_clusters: int = 0
    groups: tuple[GroupResult, ...] = ()
    leading_group: str | None = None
    """Group with the largest contrast, where the probe compares groups."""
    leading_margin: str | None = None
    """Factor by which that group is one."""


def item_effects(probe: Probe, items: Sequence[Item], rewards: Mapping[str, Rewards]) -> ItemEffects:
    """Effect of a probe on each item, from rewards in within-prompt SDs (arms without reward are absent)."""
    read = reader(probe.measure)
    read_placebo = reader(probe.placebo) if probe.placebo else None
    concerned: list[Item] = []
    used: list[Item] = []
    readings: list[Reading] = []
    controls: list[Reading | None] = []
    effects: list[float] = []
    placebo: list[float] = []
    errors = 0
    for item in items:
        reading = read(item)
        if reading is None:
            continue
        concerned.append(item)
        have = rewards.get(item.id, {})
        if not reading.roles.keys() <= have.keys():
            errors += 1
            continue
        used.append(item)
        readings.append(reading)
        effects.append(reading.effect(have))
        control = read_placebo(item) if read_placebo else None
        complete = control is not None and control.roles.keys() <= have.keys()
        placebo.append(control.effect(have) if control is not None and complete else float("nan"))
        controls.append(control if complete else None)
    values = np.asarray(placebo)
    held: tuple[Preferences, ...] = ()
    if isinstance(probe.measure, Carryover):
        held = tuple(carryover.preferences(probe.measure, item, rewards[item.id]) for item in used)
        if read_placebo is None and len(used) > 1:
            values = _mismatched(held)
    shown = None if np.isnan(values).all() else snapped(values)
    read_as = tuple(readings), tuple(controls)
    return ItemEffects(tuple(used), snapped(effects), shown, errors, *read_as, tuple(concerned), held)


def snapped(effects: Sequence[float] | Array) -> Array:
    """Effects with ties as exact zeros: a sum of rewards that cancel leaves rounding, and rounding is no effect."""
    values = np.asarray(effects, dtype=np.float64)
    return np.where(np.abs(values) < TIE, 0.0, values)


def measure(
    probe: Probe, effects: ItemEffects, scale: Scale, rewards: Mapping[str, Rewards], margin: float, seed: int
) -> Measurement:
    """Estimate a probe's effect in all units with cluster-aware 95% intervals.

    Args:
        probe: the probe.
        effects: effects by item.
        scale: the model's ruler.
        rewards: rewards by item and arm, in within-prompt SDs (used where groups are compared).
        margin: equivalence margin in SRD; decides which of several groups a finding is named after, no number.
        seed: of permutations and bootstraps.
    """
    if isinstance(probe.measure, Groups):
        return _measure_groups(probe.measure, effects, scale, rewards, margin, seed)
    clusters = effects.clusters
    srd = mean_interval(effects.effects, clusters)
    spread = [_spread(effects.effects, clusters)]
    p = sign_flip_p(cluster_means(effects.effects, clusters), seed)
    placebo = adjusted = p_beyond = None
    paired = effects.with_placebo()
    if paired is not None:
        treated, control, where = paired
        beyond = snapped(treated - control)
        placebo = mean_interval(control, where)
        adjusted = mean_interval(beyond, where)
        spread.append(_spread(beyond, where))
        p_beyond = sign_flip_p(cluster_means(beyond, where), seed)
    units, reasons = _gold_units(effects.effects, clusters, scale, seed)
    return Measurement(
        effects=effects,
        srd=estimate(srd),
        placebo_srd=estimate(placebo) if placebo else NOTHING,
        adjusted_srd=estimate(adjusted or srd),
        win_probability=estimate(proportion_interval(win_probability(effects.effects), clusters)),
        unit_reasons=reasons,
        calibrated_win_probability=units.get("calibrated_win_probability", NOTHING),
        exchange_rate=units.get("exchange_rate", NOTHING),
        flip_rate=units.get("flip_rate", NOTHING),
        p_value=p,
        p_beyond_placebo=p_beyond,
        standard_errors=tuple(spread),
        n_clusters=len(set(clusters)),
    )


def _measure_groups(
    design: Groups, effects: ItemEffects, scale: Scale, rewards: Mapping[str, Rewards], margin: float, seed: int
) -> Measurement:
    results = groups.compare(design, effects.items, rewards, seed)
    result, index = _leading(results, margin)
    table = result.max_t
    srd = Estimate(estimate=float(table.contrast[index]), low=float(table.low[index]), high=float(table.high[index]))
    p = min(1.0, *(each.max_t.p_omnibus / each.share for each in results))
    errors = tuple(
        (
            float(each.max_t.contrast[i]),
            float(each.max_t.standard_error[i]),
            each.n_units[each.max_t.names[i]] - 1,
        )
        for each in results
        for i in range(len(each.max_t.names))
    )
    paired = effects.with_placebo()
    placebo = estimate(mean_interval(paired[1], paired[2])) if paired else NOTHING
    reason = "The probe compares more than two groups; this unit needs a treated and a control answer."
    exchange = NOTHING
    reasons = dict.fromkeys(("win_probability", "flip_rate", "calibrated_win_probability"), reason)
    if scale.gold_reason is None and float(scale.margins.mean()) > 0:
        worth = float(scale.margins.mean())
        exchange = Estimate(
            estimate=float(table.contrast[index]) / worth,
            low=float(table.low[index]) / worth,
            high=float(table.high[index]) / worth,
        )
    else:
        reasons["exchange_rate"] = scale.gold_reason or "The panel's gold margin is not positive."
    return Measurement(
        effects=effects,
        srd=srd,
        placebo_srd=placebo,
        adjusted_srd=srd,
        exchange_rate=exchange,
        unit_reasons=reasons,
        p_value=p,
        standard_errors=errors,
        n_clusters=sum(result.n_units.values()),
        groups=tuple(results),
        leading_group=table.names[index],
        leading_margin=result.margin,
    )


def _leading(results: Sequence[GroupResult], margin: float) -> tuple[GroupResult, int]:
    """The group that a finding is named after and judged by: the one whose difference is surest to be large.

    That is the one whose interval bound nearer zero lies farthest out, so that no group beyond the margin is
    missed. A model that favours one group disfavours the rest, and the other way round; of groups beyond the
    margin a favoured one is named when it is nearly as far out, so that the sign does not hang on chance.
    """
    entries = [(result, index) for result in results for index in range(len(result.max_t.names))]

    def rank(entry: tuple[GroupResult, int]) -> tuple[float, float]:
        table, index = entry[0].max_t, entry[1]
        near = max(float(table.low[index]), -float(table.high[index]), 0.0)
        return round(near, 9), round(abs(float(table.contrast[index])), 9)

    surest = max(entries, key=rank)
    favoured = [entry for entry in entries if entry[0].max_t.low[entry[1]] > margin]
    best = max(favoured, key=rank, default=surest)
    return best if rank(best)[0] * NEARLY >= rank(surest)[0] else surest


def _gold_units(
    effects: Array, clusters: Sequence[Hashable], scale: Scale, seed: int
) -> tuple[dict[str, Estimate], dict[str, str]]:
    names = ("calibrated_win_probability", "exchange_rate", "flip_rate")
    if scale.gold_reason is not None:
        return {}, dict.fromkeys(names, scale.gold_reason)
    units: dict[str, Estimate] = {}
    reasons: dict[str, str] = {}
    if scale.temperature is not None:
        units[names[0]] = estimate(mean_interval(calibrated_win(effects, scale.temperature), clusters))
    try:
        by_prompt = cluster_means(scale.margins, scale.margin_prompts.tolist())
        units[names[1]] = estimate(ratio_of_means_interval(cluster_means(effects, clusters), by_prompt, seed))
    except ValueError as error:
        reasons[names[1]] = str(error)
    # Shown for the effect as it stands: what it would do for the worse answer of a pair.
    signed = effects if effects.mean() >= 0 else -effects
    prompts = scale.margin_prompts.tolist()
    try:
        units[names[2]] = estimate(flip_rate_interval(signed, clusters, scale.margins, prompts, seed))
    except ValueError as error:
        reasons[names[2]] = str(error)
    return units, reasons


def _mismatched(held: Sequence[Preferences]) -> Array:
    return np.asarray([carryover.mismatched_effect(own, held[i - 1], swap=bool(i % 2)) for i, own in enumerate(held)])


def _spread(values: Array, clusters: Sequence[Hashable]) -> tuple[float, float, int]:
    error, df = standard_error(values, clusters)
    return float(cluster_means(values, clusters).mean()), error, df


def estimate(interval: Interval) -> Estimate:
    """An interval as it stands in a finding."""
    return Estimate(estimate=float(interval.estimate), low=float(interval.low), high=float(interval.high))
