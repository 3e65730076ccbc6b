"""Attributes: the further numbers that come with each reward, such as the objectives of a multi-objective model.

Each is audited as if it were the reward: its effect is in its own within-prompt SDs on the panel. Where the
attributes add up to the reward, the effect on the reward is the sum of what each adds to it, so that it can be
split among them. No permutation tests here: the verdict is about the reward, and attributes say where it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rmaudit.policy import MeasurementPolicy
from rmaudit.stats.intervals import cluster_means, mean_interval, t_interval
from rmaudit.suites import groups
from rmaudit.suites.designs import FEWEST
from rmaudit.suites.estimate import NOTHING, ItemEffects, Measurement, estimate, snapped
from rmaudit.suites.finding import AttributeEffect, AttributeRuler, Carried, Estimate
from rmaudit.suites.panel import Panel, attribute_ruler, rewards_by_item
from rmaudit.suites.reading import Rewards
from rmaudit.suites.spec import Groups, Item, Probe

MOST_CARRIERS: Final = 3
"""More attributes than this do not carry an effect; it is spread over them."""
_QUOTES: Final = str.maketrans("“”", "''")
_PLAIN: Final = re.compile(r"\w[\w/-]{0,39}")

Values = Mapping[str, Mapping[tuple[str, str], Mapping[str, float]]]
"""By suite (``panel`` for the panel), then by item and arm: numbers by the name of their attribute."""
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Attribute:
    """One attribute with its unit and its values."""

    ruler: AttributeRuler
    unit: float
    """What one unit of `values` is in the attribute's own numbers: its within-prompt SD, or 1 where it has none."""
    measurable: bool
    """Whether it has a unit of its own."""
    values: Mapping[str, Mapping[str, Rewards]]
    """By suite, item and arm, in `unit`; absent where the model did not give it."""

    @property
    def name(self) -> str:
        """Its name, which comes from a stranger's configuration."""
        return self.ruler.name


@dataclass(frozen=True)
class Attributes:
    """All attributes of a model."""

    entries: tuple[Attribute, ...] = ()
    additive: bool = False
    """Whether they add up to the reward, up to a constant."""
    problem: str | None = None
    """What a reader must know of them."""


def gather(
    declared: Sequence[str],
    values: Values,
    panel: Panel,
    suites: Sequence[tuple[str, Sequence[Item]]],
    policy: MeasurementPolicy,
) -> tuple[Attribute, ...]:
    """The attributes of a run, in the order in which the model names them; then those that it did not name.

    Args:
        declared: names that the model announced.
        values: what came with the rewards.
        panel: on which each gets its unit.
        suites: names with the items of the tier.
        policy: thresholds for a usable unit.
    """
    found = {name: None for arms in values.values() for numbers in arms.values() for name in numbers}
    attributes = []
    for name in dict.fromkeys([*declared, *sorted(found.keys() - {*declared})]):

        def of(suite: str, items: Sequence[Item], name: str = name) -> dict[str, dict[str, float]]:
            arms = values.get(suite, {})
            return rewards_by_item(items, {arm: numbers.get(name) for arm, numbers in arms.items()})

        raw = {suite: of(suite, items) for suite, items in suites}
        ruler, unit = attribute_ruler(name, panel, of("panel", panel.items), raw.values(), policy)
        scaled = {
            suite: {item: {arm: value / (unit or 1.0) for arm, value in arms.items()} for item, arms in by_item.items()}
            for suite, by_item in raw.items()
        }
        attributes.append(Attribute(ruler, unit or 1.0, unit is not None, scaled))
    return tuple(attributes)


def checked(
    entries: tuple[Attribute, ...],
    rewards: Mapping[str, Mapping[str, Rewards]],
    unit: float | None,
    tolerance: float,
    *,
    additive: bool,
) -> Attributes:
    """Make sure that attributes which are said to add up to the reward do so, up to a constant.

    Args:
        entries: the attributes.
        rewards: raw reward by suite, item and arm.
        unit: within-prompt SD of the reward, ``None`` where there is none.
        tolerance: largest change of a reward that is put down to rounding, in within-prompt SDs.
        additive: whether they are said to add up.
    """
    if not additive or not entries or unit is None:
        return Attributes(entries)
    gaps = [
        reward - sum(entry.values[suite][item][arm] * entry.unit for entry in entries)
        for suite, by_item in rewards.items()
        for item, arms in by_item.items()
        for arm, reward in arms.items()
        if all(arm in entry.values[suite][item] for entry in entries)
    ]
    spread = (max(gaps) - min(gaps)) / unit if gaps else 0.0
    if spread <= tolerance:
        return Attributes(entries, additive=True)
    problem = (
        f"The attributes of this model were said to add up to its reward, but they miss it by amounts that differ by "
        f"up to {spread:.2g} within-prompt SDs. No effect was split among them; each is shown by itself."
    )
    return Attributes(entries, problem=problem)


def effects(
    probe: Probe,
    measured: Measurement,
    suite: str,
    rewards: Mapping[str, Rewards],
    unit: float,
    attributes: Attributes,
    policy: MeasurementPolicy,
) -> list[AttributeEffect]:
    """Effect of a probe on each attribute, with its share of the effect on the reward where that can be told.

    Args:
        probe: the probe.
        measured: what it measured on the reward.
        suite: name of its suite.
        rewards: rewards by item and arm, in within-prompt SDs.
        unit: that SD, in raw reward.
        attributes: the model's attributes.
        policy: margin, and the largest share of items that may be lost.
    """
    parts: list[float | None] = []
    found: list[tuple[Attribute, Estimate, str | None]] = []
    for attribute in attributes.entries:
        values = attribute.values.get(suite, {})
        own, part, lost = _measured(probe, measured, rewards, values, policy)
        if not attribute.measurable:
            own, lost = NOTHING, attribute.ruler.reason
        found.append((attribute, own, lost))
        parts.append(None if part is None else part * attribute.unit / unit)
    shares, unsplit = _shares(parts, measured, attributes, policy.equivalence_margin)
    return [
        AttributeEffect(
            name=attribute.name,
            srd=own,
            share=share,
            reason=" ".join(dict.fromkeys(filter(None, (lost, unsplit)))) or None,
        )
        for (attribute, own, lost), share in zip(found, shares, strict=True)
    ]


def unmeasured(attributes: Attributes, reason: str) -> list[AttributeEffect]:
    """Entries of the attributes for a finding without a measurement."""
    return [AttributeEffect(name=entry.name, srd=NOTHING, reason=reason) for entry in attributes.entries]


def carried(found: Sequence[AttributeEffect]) -> Carried | None:
    """The fewest attributes whose shares come to at least half, or ``None`` where shares are unknown or spread."""
    ranked = sorted(
        ((entry.share, entry.name) for entry in found if entry.share is not None), key=lambda pair: -round(pair[0], 9)
    )
    names: list[str] = []
    total = 0.0
    for share, name in ranked[:MOST_CARRIERS]:
        names.append(name)
        total += share
        if total >= 0.5:
            return Carried(names=names, share=total)
    return None


def told(carriers: Carried) -> str:
    """Who carries an effect, as a sentence. A name that might pass for words of ours stands in quotation marks."""
    names = [name if _PLAIN.fullmatch(name) else f"“{_quotable(name)}”" for name in carriers.names]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"Carried by {listed} ({'' if len(names) == 1 else 'together '}{carriers.share:.0%} of the effect)."


def _quotable(name: str) -> str:
    return " ".join(name.translate(_QUOTES).split())[:60]


def _measured(
    probe: Probe,
    measured: Measurement,
    rewards: Mapping[str, Rewards],
    values: Mapping[str, Rewards],
    policy: MeasurementPolicy,
) -> tuple[Estimate, float | None, str | None]:
    """Effect on one attribute, what that adds to the effect on the reward, and why something of it is missing.

    Both are in the unit of `values`.
    """
    whole = measured.effects
    kept = [
        index
        for index, (item, reading) in enumerate(zip(whole.items, whole.readings, strict=True))
        if reading.roles.keys() <= values.get(item.id, {}).keys()
    ]
    lost = len(whole.items) - len(kept)
    if lost > policy.max_item_loss * len(whole.items):
        return NOTHING, None, f"{lost} of {len(whole.items)} items lack it; what is left would be a selection."
    some = ItemEffects(
        tuple(whole.items[i] for i in kept), whole.effects[kept], None, 0, tuple(whole.readings[i] for i in kept)
    )
    if len(set(some.clusters)) < FEWEST:
        return NOTHING, None, f"Only {len(set(some.clusters))} clusters have it."
    try:
        own, part = (
            _groups(probe.measure, measured, some, values)
            if isinstance(probe.measure, Groups)
            else _means(some, rewards, values)
        )
    except ValueError as error:
        return NOTHING, None, f"Too little of it is left to measure: {error}."
    return own, None if lost else part, None


def _means(some: ItemEffects, rewards: Mapping[str, Rewards], values: Mapping[str, Rewards]) -> tuple[Estimate, float]:
    pairs = list(zip(some.items, some.readings, strict=True))
    own = snapped([reading.effect(values[item.id]) for item, reading in pairs])
    parts: Array = own
    if any(reading.part for reading in some.readings):
        parts = np.asarray(
            [reading.part(rewards[item.id], values[item.id]) for item, reading in pairs if reading.part is not None]
        )
    return estimate(mean_interval(own, some.clusters)), float(cluster_means(parts, some.clusters).mean())


def _groups(
    measure: Groups, measured: Measurement, some: ItemEffects, values: Mapping[str, Rewards]
) -> tuple[Estimate, float]:
    """Contrast of the group that the finding is named after, with Student's t corrected for all groups (Bonferroni)."""
    margin = measured.leading_margin or measure.factor
    # Contrast and standard error need no permutation, so one draw will do.
    result = groups.compare_by(measure, margin, some.items, values, seed=0, draws=1, confidence=0.5)
    if measured.leading_group not in result.max_t.names:
        raise ValueError(f"no item has the group {measured.leading_group!r}")
    index = result.max_t.names.index(measured.leading_group)
    contrast, error = float(result.max_t.contrast[index]), float(result.max_t.standard_error[index])
    share = groups.shares(measure, some.items)[margin]
    confidence = 1 - groups.ERROR_RATE * share / groups.contrasts_of(len(result.max_t.names))
    own = t_interval(contrast, error, result.n_units[measured.leading_group] - 1, confidence)
    return estimate(own), contrast


def _shares(
    parts: Sequence[float | None], measured: Measurement, attributes: Attributes, margin: float
) -> tuple[list[float | None], str | None]:
    """Each part over their sum, or why there are no shares."""
    nothing: list[float | None] = [None] * len(parts)
    known = [part for part in parts if part is not None]
    if not attributes.additive:
        return nothing, "The attributes are not known to add up to the reward, so its effect is not split."
    effect = measured.srd
    if abs(effect.estimate or 0.0) <= margin:
        return nothing, "The effect on the reward is inside the margin, and a share of nothing means nothing."
    if (effect.low or 0.0) <= 0 <= (effect.high or 0.0):
        return nothing, "The effect on the reward may be none, and a share of nothing means nothing."
    # Their sum is the effect, but for rounding; dividing by it makes the shares add up to 1.
    total = sum(known)
    if len(known) < len(parts) or total == 0:
        return nothing, "Some answers lack an attribute, so the effect is not split."
    return [part / total for part in known], None
