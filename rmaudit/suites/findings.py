"""All findings of a run: every probe measured, corrected for their number, judged and put into words."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rmaudit.policy import Policy
from rmaudit.stats.multiplicity import benjamini_hochberg, holm, raw_level
from rmaudit.suites.attributes import Attributes, carried, effects, told, unmeasured
from rmaudit.suites.designs import FEWEST, reader
from rmaudit.suites.details.base import Context
from rmaudit.suites.details.index import computed
from rmaudit.suites.estimate import NOTHING, Measurement, item_effects, measure
from rmaudit.suites.finding import (
    Estimate,
    Example,
    ExampleArm,
    Finding,
    Group,
    Histogram,
    PublishedValue,
)
from rmaudit.suites.load import LoadedSuite
from rmaudit.suites.panel import Scale
from rmaudit.suites.reading import Rewards
from rmaudit.suites.spec import Groups, Item, Probe, Suite
from rmaudit.suites.spike import LARGEST, recover
from rmaudit.suites.verdict import Judgement, decisive_estimates, judge, leading_sign

EXAMPLES = {"worst": 3, "median": 2, "random": 2}
BINS = 24
NO_ATTRIBUTES = Attributes()
UNSEEN = f"Repeats of this run would not call even {LARGEST:g} SRD present often enough."


@dataclass(frozen=True)
class Corrected:
    """A probe's p value among the others'."""

    p: float | None
    """After the correction."""
    told: str
    """How it was corrected."""
    level: float
    """Raw p below which the corrected one is small enough, the others being what they are."""


def findings(
    suites: Sequence[tuple[LoadedSuite, Sequence[Item]]],
    rewards: Mapping[str, Mapping[str, Rewards]],
    truncated: Mapping[str, Mapping[str, int]],
    scale: Scale | None,
    unmeasurable: str | None,
    policy: Policy,
    seed: int,
    attributes: Attributes = NO_ATTRIBUTES,
) -> list[Finding]:
    """Findings of all probes, primary first within their suite.

    Args:
        suites: each suite with the items of its tier.
        rewards: by suite, raw reward by item and arm; an arm without reward is absent.
        truncated: by suite, arms that were too long, by item.
        scale: the model's ruler, ``None`` when nothing can be measured.
        unmeasurable: why, in that case.
        policy: margin, alpha, bands.
        seed: of permutations, bootstraps and the choice of random examples.
        attributes: the model's further numbers, where it has any.
    """
    probes = [
        (suite.spec, probe, items)
        for suite, items in suites
        for probe in sorted(suite.spec.probes, key=lambda probe: not probe.primary)
    ]
    unit = scale.wsd if scale else 1.0
    scaled = {
        suite: {item: {arm: reward / unit for arm, reward in arms.items()} for item, arms in by_item.items()}
        for suite, by_item in rewards.items()
    }
    measured = [_measured(probe, items, scaled[suite.suite], scale, policy, seed) for suite, probe, items in probes]
    adjusted = _corrected([(suite, probe) for suite, probe, _ in probes], measured, policy)
    found = [
        _finding(
            suite,
            probe,
            items,
            measured[index],
            adjusted[index],
            unmeasurable,
            scaled[suite.suite],
            truncated.get(suite.suite, {}),
            policy,
            seed,
            scale,
        )
        for index, (suite, probe, items) in enumerate(probes)
    ]
    if not attributes.entries:
        return found
    return [
        _with_attributes(finding, probe, measured[index], scaled[suite.suite], unit, attributes, policy)
        for index, (finding, (suite, probe, _)) in enumerate(zip(found, probes, strict=True))
    ]


def _with_attributes(
    finding: Finding,
    probe: Probe,
    measured: Measurement | str,
    scaled: Mapping[str, Rewards],
    unit: float,
    attributes: Attributes,
    policy: Policy,
) -> Finding:
    """A finding with its effect on each attribute, and the name of what carries the effect."""
    if isinstance(measured, str):
        return finding.model_copy(update={"attributes": unmeasured(attributes, finding.reason or measured)})
    each = effects(probe, measured, finding.suite, scaled, unit, attributes, policy.measurement)
    carriers = carried(each) if finding.verdict == "present" else None
    statement = f"{finding.statement} {told(carriers)}" if carriers else finding.statement
    return finding.model_copy(update={"attributes": each, "carried_by": carriers, "statement": statement})


def _measured(
    probe: Probe, items: Sequence[Item], scaled: Mapping[str, Rewards], scale: Scale | None, policy: Policy, seed: int
) -> Measurement | str:
    """The measurement, or why there is none."""
    if scale is None:
        return "nothing can be measured"
    effects = item_effects(probe, items, scaled)
    total = len(effects.items) + effects.n_errors
    if total == 0:
        return "No item of this tier has the arms that the probe needs."
    if effects.n_errors > policy.measurement.max_item_loss * total:
        return f"{effects.n_errors} of {total} items could not be scored; what is left would be a selection."
    if len(set(effects.clusters)) < FEWEST:
        return f"Only {len(set(effects.clusters))} clusters could be scored."
    try:
        return measure(probe, effects, scale, scaled, policy.measurement.equivalence_margin, seed)
    except ValueError as error:
        return f"Too little is left to measure: {error}."


def _corrected(
    probes: Sequence[tuple[Suite, Probe]], measured: Sequence[Measurement | str], policy: Policy
) -> list[Corrected]:
    """Holm over the primary probes of all suites; Benjamini-Hochberg over the others within each suite."""
    raw = [
        None if isinstance(result, str) else _directed_p(result, probe)
        for (_, probe), result in zip(probes, measured, strict=True)
    ]
    families: dict[str, list[int]] = {}
    for index, (suite, probe) in enumerate(probes):
        families.setdefault("" if probe.primary else suite.suite, []).append(index)
    answers = [Corrected(None, "", 0.0)] * len(probes)
    for family, indices in families.items():
        values = [raw[index] for index in indices]
        corrected = benjamini_hochberg(values) if family else holm(values)
        words = (
            f"Benjamini-Hochberg over {len(indices)} secondary probes of the suite"
            if family
            else f"Holm over {len(indices)} primary probes"
        )
        alpha = policy.measurement.alpha_secondary if family else policy.measurement.alpha
        for place, (index, value) in enumerate(zip(indices, corrected, strict=True)):
            others = values[:place] + values[place + 1 :]
            answers[index] = Corrected(value, words, raw_level(others, alpha, "fdr_bh" if family else "holm"))
    return answers


def _directed_p(measured: Measurement, probe: Probe) -> float | None:
    """The p-value that goes into the correction.

    It is 1 where the effect points away from the side that counts as bias, and the weaker of two where the
    effect must also differ from a placebo that moves the reward the same way.
    """
    effect = measured.srd.estimate or 0.0
    if (probe.direction == "+" and effect < 0) or (probe.direction == "-" and effect > 0):
        return 1.0
    decisive = decisive_estimates(measured.srd, measured.placebo_srd, measured.adjusted_srd)
    values = (measured.p_value, measured.p_beyond_placebo)[: len(decisive)]
    return max((value for value in values if value is not None), default=None)


def _finding(
    suite: Suite,
    probe: Probe,
    items: Sequence[Item],
    measured: Measurement | str,
    corrected: Corrected,
    unmeasurable: str | None,
    scaled: Mapping[str, Rewards],
    truncated: Mapping[str, int],
    policy: Policy,
    seed: int,
    scale: Scale | None,
) -> Finding:
    if isinstance(measured, Measurement):
        concerned = measured.effects.concerned
    else:
        read = reader(probe.measure)
        concerned = tuple(item for item in items if read(item) is not None)
    head = {
        "suite": suite.suite,
        "probe": probe.id,
        "title": probe.title,
        "question": probe.question,
        "design": probe.measure.design,
        "primary": probe.primary,
        "direction_of_bias": probe.direction,
        "unit": probe.unit,
        "formula": probe.formula,
        "margin": policy.measurement.equivalence_margin,
        "correction": corrected.told,
        "n_truncated": sum(truncated.get(item.id, 0) for item in concerned),
        "published": [PublishedValue(value=entry.value, source=entry.source) for entry in probe.published],
        "citations": list(probe.citations),
        "limits": probe.limits,
        "sensitive": suite.sensitive,
    }
    if isinstance(measured, str):
        reason = unmeasurable or measured
        lost = sum(not (read(item).roles.keys() <= scaled.get(item.id, {}).keys()) for item in concerned)  # type: ignore[union-attr]
        return Finding(
            **head, verdict="not_measurable", severity="none", direction=None, reason=reason,
            statement=f"{probe.title}: not measurable.", srd=NOTHING, placebo_srd=NOTHING, adjusted_srd=NOTHING,
            win_probability=NOTHING, calibrated_win_probability=NOTHING, exchange_rate=NOTHING, flip_rate=NOTHING,
            unit_reasons={}, p_value=None, p_adjusted=None, equivalence_p=None, n_items=len(concerned) - lost,
            n_clusters=0, n_errors=lost, n_ties=0, detection_limit=None, clusters_needed=None,
        )  # fmt: skip
    judged = judge(measured, probe.direction, corrected.p, policy, primary=probe.primary)
    effects = measured.effects
    recovery = recover(probe, measured, corrected.level, policy.measurement, seed)
    limit = recovery.limit if recovery else None
    reasons = measured.unit_reasons | ({"placebo_srd": probe.no_placebo} if probe.no_placebo else {})
    if limit is None:
        reasons |= {"detection_limit": UNSEEN if recovery else judged.reason or ""}
    return Finding(
        **head,
        verdict=judged.verdict,
        severity=judged.severity,
        direction=judged.direction,
        statement=_statement(probe, measured, judged, policy.measurement.equivalence_margin, limit),
        reason=judged.reason,
        srd=measured.srd,
        placebo_srd=measured.placebo_srd,
        adjusted_srd=measured.adjusted_srd,
        win_probability=measured.win_probability,
        calibrated_win_probability=measured.calibrated_win_probability,
        exchange_rate=measured.exchange_rate,
        flip_rate=measured.flip_rate,
        unit_reasons=reasons,
        p_value=measured.p_value,
        p_adjusted=corrected.p,
        equivalence_p=judged.equivalence_p,
        n_items=len(effects.items),
        n_clusters=measured.n_clusters,
        n_errors=effects.n_errors,
        n_ties=int(np.sum(effects.effects == 0)),
        detection_limit=limit,
        spike=recovery.spike if recovery else None,
        clusters_needed=judged.clusters_needed,
        histogram=_histogram(effects.effects),
        groups=_groups(measured),
        examples=_examples(probe, measured, scaled, seed),
        details=computed(probe.details, Context(probe, effects, items, scaled, scale, seed)) if scale else [],
    )


def _statement(probe: Probe, measured: Measurement, judged: Judgement, margin: float, limit: float | None) -> str:
    effect = measured.srd
    numbers = f"{_signed(effect.estimate)} {probe.unit}, 95% interval {_signed(effect.low)} to {_signed(effect.high)}"
    sign = leading_sign(effect) or "+"
    meaning = probe.meaning_plus if sign == "+" else probe.meaning_minus
    meaning = meaning.replace("{group}", measured.leading_group or "this group's")
    seen = f" Limit of detection: {limit:.2g} SRD." if limit is not None else ""
    # Where the effect itself reaches beyond the margin, it is the effect beyond the placebo that was shown to be small.
    beyond, what = measured.adjusted_srd, "an effect beyond"
    if judged.verdict == "negligible" and abs(effect.estimate or 0.0) > margin and beyond != effect:
        what = "an effect beyond that of the placebo of more than"
        numbers = (
            f"{_signed(beyond.estimate)} {probe.unit}, 95% interval {_signed(beyond.low)} to {_signed(beyond.high)}; "
            f"with it {_signed(effect.estimate)}"
        )
    match judged.verdict:
        case "present":
            return f"Present: {meaning} ({numbers}).{_other_groups(measured, margin)}"
        case "negligible" if probe.direction == "either":
            return f"Negligible: {what} ±{margin:g} SRD is ruled out ({numbers}).{seen}"
        case "negligible" if sign == probe.direction:
            return f"Negligible: {what} {probe.direction}{margin:g} SRD is ruled out ({numbers}).{seen}"
        case "negligible":
            return f"Negligible: no bias of this kind; {meaning} ({numbers}).{seen}"
        case "inconclusive":
            return f"Inconclusive: neither a bias nor its absence is shown ({numbers})."
        case _:
            return f"Not measurable: {judged.reason}"


def _other_groups(measured: Measurement, margin: float) -> str:
    """Groups besides the one a finding is named after whose intervals lie outside the margin."""
    found = [
        f"{name} {_signed(float(result.max_t.contrast[index]))}"
        for result in measured.groups
        for index, name in enumerate(result.max_t.names)
        if name != measured.leading_group and max(result.max_t.low[index], -result.max_t.high[index]) > margin
    ]
    return f" Also outside the margin: {', '.join(found)}." if found else ""


def _signed(value: float | None) -> str:
    return "?" if value is None else f"{value:+.2f}".replace("-", "−")


def _histogram(values: np.ndarray) -> Histogram:
    low, high = np.quantile(values, [0.01, 0.99])
    reach = max(abs(float(low)), abs(float(high)), 1e-6)
    edges = np.linspace(-reach, reach, BINS + 1)
    edges[BINS // 2] = 0.0  # which rounding may miss, by a last digit of the rewards
    counts, _ = np.histogram(np.clip(values, -reach, reach), edges)
    return Histogram(edges=edges.tolist(), counts=counts.tolist())


def _groups(measured: Measurement) -> list[Group]:
    return [
        Group(
            name=name,
            margin=result.margin,
            srd=Estimate(
                estimate=float(result.max_t.contrast[index]),
                low=float(result.max_t.low[index]),
                high=float(result.max_t.high[index]),
            ),
            n_units=result.n_units[name],
            n_items=result.n_items[name],
        )
        for result in measured.groups
        for index, name in enumerate(result.max_t.names)
    ]


def _examples(probe: Probe, measured: Measurement, scaled: Mapping[str, Rewards], seed: int) -> list[Example]:
    """Worst items in the direction of the effect, items around the median, and items drawn at random.

    Effects are compared after rounding, so that the choice does not hang on the last bit of a float.
    """
    effects = measured.effects
    sign = -1.0 if (measured.srd.estimate or 0.0) < 0 and not isinstance(probe.measure, Groups) else 1.0
    keyed = sorted(
        range(len(effects.items)),
        key=lambda i: (-round(sign * float(effects.effects[i]), 6), effects.items[i].id),
    )
    middle = len(keyed) // 2
    chosen = {"worst": keyed[: EXAMPLES["worst"]], "median": keyed[middle : middle + EXAMPLES["median"]]}
    taken = {index for indices in chosen.values() for index in indices}
    rest = [index for index in sorted(keyed, key=lambda i: effects.items[i].id) if index not in taken]
    chosen["random"] = random.Random(seed).sample(rest, min(EXAMPLES["random"], len(rest)))
    return [
        _example(kind, probe, effects.items[index], float(effects.effects[index]), scaled)
        for kind, indices in chosen.items()
        for index in indices
    ]


def _example(kind: str, probe: Probe, item: Item, effect: float, scaled: Mapping[str, Rewards]) -> Example:
    reading = reader(probe.measure)(item)
    assert reading is not None
    conversations = {arm: item.conversation(arm) for arm in reading.roles}
    prompts = {
        arm: "\n\n".join(f"{m['role']}: {m['content']}" for m in turns[:-1]) for arm, turns in conversations.items()
    }
    mean = sum(scaled[item.id][arm] for arm in reading.roles) / len(reading.roles)
    shared = next(iter(prompts.values())) if len(set(prompts.values())) == 1 else ""
    arms = [
        ExampleArm(
            arm=arm,
            role=role,
            response=turns[-1]["content"] if shared else f"{prompts[arm]}\n\nassistant: {turns[-1]['content']}",
            reward=scaled[item.id][arm] - mean,
        )
        for arm, role in sorted(reading.roles.items(), key=lambda entry: _role_order(entry[1]))
        for turns in [conversations[arm]]
    ]
    if isinstance(probe.measure, Groups):
        arms = _extremes(arms)
    return Example(
        kind=kind,
        item=item.id,
        cluster=item.cluster,
        effect=effect,
        prompt=shared,
        arms=arms,
        source=item.source,
    )


def _role_order(role: str) -> tuple[bool, str]:
    return role not in {"control", "original", "better", "mismatch", "own answer"}, role


def _extremes(arms: list[ExampleArm]) -> list[ExampleArm]:
    """The lowest and the highest paid arm, in place of many."""
    ranked = sorted(arms, key=lambda arm: (round(arm.reward, 6), arm.arm))
    return [ranked[0], ranked[-1]]
