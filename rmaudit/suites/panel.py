"""The panel: ordinary prompts with real responses of known, graded quality. It is the ruler of every audit."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rmaudit.errors import ScoringError, SuiteError
from rmaudit.policy import MeasurementPolicy
from rmaudit.stats.intervals import Interval
from rmaudit.stats.ruler import (
    GoldPairs,
    fit_temperature,
    gold_pairs,
    pair_accuracy,
    robust_within_prompt_sd,
    within_prompt_sd,
)
from rmaudit.suites.calibration import calibration
from rmaudit.suites.finding import AttributeRuler, DomainAccuracy, Estimate, Ruler
from rmaudit.suites.load import Problem, lies_outside, read_items
from rmaudit.suites.spec import Item

GRADE = "grade"


class PanelSpec(BaseModel):
    """`panel.yaml`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    version: int
    items: list[str] = Field(default=["items.jsonl"], min_length=1)


@dataclass(frozen=True)
class Panel:
    """A panel as read from disk."""

    spec: PanelSpec
    folder: Path
    items: tuple[Item, ...]
    sha256: str


@dataclass(frozen=True)
class PanelAnswers:
    """The panel's answers that have a reward; arrays have one entry an answer."""

    prompts: NDArray[np.int64]
    domains: NDArray[np.str_]
    rewards: NDArray[np.float64]
    """In within-prompt SDs."""
    words: NDArray[np.int64]
    """Length in words, at least 1."""


@dataclass(frozen=True)
class Scale:
    """What the probes need of the ruler: the unit, and the model's margins on pairs of known order."""

    wsd: float
    """Within-prompt SD of the raw reward; every effect is divided by it."""
    temperature: float | None
    """Temperature in within-prompt SDs, or ``None`` when gold-label units are not to be used."""
    margins: NDArray[np.float64]
    """Better minus worse, in within-prompt SDs, shape (pairs,)."""
    margin_prompts: NDArray[np.int64]
    """Prompt of each pair, shape (pairs,)."""
    gold_reason: str | None
    """Why units that need gold labels are null."""
    answers: PanelAnswers | None = None
    """What the model pays the panel's answers, for what describes them; ``None`` where the panel gave no unit."""


def load_panel(folder: Path) -> Panel:
    """Load a panel folder.

    Raises:
        SuiteError: when it is missing or broken.
    """
    path = folder / "panel.yaml"
    try:
        spec = PanelSpec.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise SuiteError(f"There is no panel in {folder}: expected a panel.yaml there. Check --panel.") from None
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise SuiteError(f"The panel file {path} is broken{where and f' at {where!r}'}: {fault['msg']}.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SuiteError(f"The panel file {path} is broken: {' '.join(str(error).split())}.") from error
    digest = hashlib.sha256(path.read_bytes())
    items: list[Item] = []
    problems: list[Problem] = []
    for name in spec.items:
        if lies_outside(folder, folder / name):
            problems.append(Problem(path, None, f"item file {name!r} lies outside the panel's folder"))
            continue
        read, faults = read_items(folder / name, _grading_fault)
        items += read
        problems += faults
        if (folder / name).is_file():
            digest.update((folder / name).read_bytes())
    if problems:
        raise SuiteError("The panel is broken:\n  " + "\n  ".join(str(problem) for problem in problems[:5]))
    return Panel(spec, folder, tuple(items), digest.hexdigest())


def _grading_fault(item: Item) -> str | None:
    grades = [arm.factors.get(GRADE) for arm in item.arms.values()]
    numeric = all(isinstance(grade, int | float) and not isinstance(grade, bool) for grade in grades)
    if numeric and len(set(grades)) > 1:
        return None
    return f"every arm of {item.id!r} needs a numeric {GRADE}, and two must differ"


def measure_panel(
    panel: Panel, rewards: Mapping[str, Mapping[str, float]], noise: float | None, policy: MeasurementPolicy
) -> tuple[Ruler, Scale | None]:
    """Read the ruler off the panel's rewards.

    Args:
        panel: the panel.
        rewards: raw reward by item id and arm; an arm without reward is absent.
        noise: SD of the difference between two scorings of one conversation, or ``None`` if not known.
        policy: thresholds for a usable ruler.

    Returns:
        The ruler for the report, and the scale for the probes, ``None`` when nothing can be measured.
    """
    answers = _answers(panel, rewards)
    reward, where, grade = answers.values, answers.prompts, answers.grades
    wsd = _spread(reward, where.tolist())
    reason = _unusable(reward, wsd, noise, policy)
    facts = {
        "panel": f"{panel.spec.name} v{panel.spec.version}",
        "panel_sha256": panel.sha256,
        "n": len(panel.items),
        "n_responses": len(reward),
        "n_errors": _expected(panel) - len(reward),
        "score_noise": noise,
    }
    if reason:
        nothing = Estimate(estimate=None)
        return Ruler(
            **facts, n_pairs=0, wsd=None, wsd_robust=None, temperature=None, accuracy=nothing, gold_margin=None,
            tracks_quality=None, reason=reason, domains=[], baselines={},
        ), None  # fmt: skip

    scaled = reward / wsd
    pairs = gold_pairs(scaled, grade, where)
    if not len(pairs.margins):
        raise ScoringError("So few panel responses have a reward that no pair of different quality is left to compare.")
    accuracy = pair_accuracy(pairs.margins, pairs.prompts)
    tracks = accuracy.low > policy.quality_floor
    temperature = fit_temperature(pairs.margins) if tracks else None
    gold = None
    if not tracks:
        gold = (
            f"The interval of the panel accuracy ({accuracy.low:.3f} to {accuracy.high:.3f}) reaches below "
            f"{policy.quality_floor:g}: this model was not shown to tell good answers from bad ones, so units that "
            "need gold labels (calibrated win probability, exchange rate, flip rate) are null."
        )
    elif temperature is None:
        gold = "No finite temperature fits the panel's labels."
    domain = np.asarray([panel.items[index].domain or "other" for index in pairs.prompts])
    ruler = Ruler(
        **facts,
        n_pairs=len(pairs.margins),
        wsd=wsd,
        wsd_robust=robust_within_prompt_sd(reward, where),
        temperature=temperature * wsd if temperature is not None else None,
        accuracy=_estimate(accuracy),
        gold_margin=float(pairs.margins.mean()) * wsd,
        tracks_quality=tracks,
        reason=gold,
        domains=_domains(pairs, domain),
        baselines=_baselines(answers.lengths, grade, where),
        calibration=calibration(scaled, grade, where, pairs, gold),
    )
    domains = np.asarray([panel.items[index].domain or "other" for index in where])
    described = PanelAnswers(where, domains, scaled, answers.words)
    return ruler, Scale(wsd, temperature, pairs.margins, pairs.prompts, gold, described)


def scale_without_panel(
    ruler: Ruler, probes: Iterable[Mapping[str, Mapping[str, float]]], policy: MeasurementPolicy
) -> tuple[Ruler, Scale | None]:
    """A makeshift scale for a model that pays all panel responses to a prompt the same, but not all probe texts.

    Such a model is no working reward model, yet what it pays for can still be told: in units of its within-item
    SD over the probes. Those effects compare with each other and not with other models'.

    Args:
        ruler: a ruler without unit.
        probes: for each suite, raw reward by item and arm.
        policy: thresholds for a usable ruler.

    Returns:
        Ruler and scale, unchanged and ``None`` when the probes give no unit either.
    """
    spread = _spread_over_probes(probes, ruler.score_noise, policy)
    if ruler.n_errors or spread is None:
        return ruler, None
    reason = (
        "The model gives every panel response to a prompt the same reward, so it tells no good answer from a bad one, "
        "and the panel gives no unit. Effects are in units of the SD of its rewards within the probes' items instead: "
        "they compare with each other but not with other models', and units that need gold labels are null."
    )
    nobody = np.empty(0)
    scale = Scale(spread, None, nobody, np.empty(0, dtype=np.int64), reason)
    return ruler.model_copy(update={"tracks_quality": False, "reason": reason}), scale


def attribute_ruler(
    name: str,
    panel: Panel,
    values: Mapping[str, Mapping[str, float]],
    probes: Iterable[Mapping[str, Mapping[str, float]]],
    policy: MeasurementPolicy,
) -> tuple[AttributeRuler, float | None]:
    """Read the unit of an attribute off the panel, or else off the probes, as it is done for the reward.

    Args:
        name: of the attribute.
        panel: the panel.
        values: of the attribute, by item id and arm of the panel; absent where the model did not give it.
        probes: for each suite, the same.
        policy: thresholds for a usable unit.

    Returns:
        What stands in the report, and the unit: a within-prompt SD, ``None`` where there is none.
    """
    answers = _answers(panel, values)
    wsd = _spread(answers.values, answers.prompts.tolist())
    if _unusable(answers.values, wsd, None, policy):
        complete = len(answers.values) == _expected(panel)
        spread = _spread_over_probes(probes, None, policy) if complete else None
        if spread is not None:
            why = (
                "It is the same for every panel answer to a prompt. Its effects are in units of its SD within the "
                "probes' items instead, and compare with no other attribute's."
            )
        elif complete:
            why = "It is the same for every answer to a prompt, so there is no unit to measure it in."
        else:
            why = "It did not come with every panel answer, so there is no unit to measure it in."
        return AttributeRuler(name=name, wsd=None, accuracy=Estimate(estimate=None), reason=why), spread
    pairs = gold_pairs(answers.values / wsd, answers.grades, answers.prompts)
    accuracy = _estimate(pair_accuracy(pairs.margins, pairs.prompts)) if len(pairs.margins) else None
    reason = None if accuracy else "No two panel answers of different quality have it."
    return AttributeRuler(name=name, wsd=wsd, accuracy=accuracy or Estimate(estimate=None), reason=reason), wsd


@dataclass(frozen=True)
class _Answers:
    """The panel's answers that have a number. Arrays have one entry an answer."""

    prompts: NDArray[np.int64]
    grades: NDArray[np.float64]
    values: NDArray[np.float64]
    lengths: NDArray[np.float64]
    """In characters."""
    words: NDArray[np.int64]


def _answers(panel: Panel, rewards: Mapping[str, Mapping[str, float]]) -> _Answers:
    rows = [
        (index, float(item.arms[arm].factors[GRADE]), reward, float(len(text)), max(1, len(text.split())))
        for index, item in enumerate(panel.items)
        for arm, reward in sorted(rewards.get(item.id, {}).items())
        for text in [item.conversation(arm)[-1]["content"]]
    ]
    prompts, grades, values, lengths, words = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return _Answers(
        np.asarray(prompts, dtype=np.int64),
        np.asarray(grades, dtype=np.float64),
        np.asarray(values, dtype=np.float64),
        np.asarray(lengths, dtype=np.float64),
        np.asarray(words, dtype=np.int64),
    )


def _expected(panel: Panel) -> int:
    return sum(len(item.arms) for item in panel.items)


def _spread(values: Sequence[float] | NDArray[np.float64], prompts: Sequence[Hashable]) -> float:
    """Within-prompt SD, NaN where no prompt has two answers."""
    return within_prompt_sd(values, prompts) if len(values) > len(set(prompts)) else float("nan")


def _spread_over_probes(
    probes: Iterable[Mapping[str, Mapping[str, float]]], noise: float | None, policy: MeasurementPolicy
) -> float | None:
    """SD of a number within the probes' items, ``None`` where that is no unit either."""
    values: list[float] = []
    where: list[tuple[int, str]] = []
    for suite, items in enumerate(probes):
        for item, arms in items.items():
            values += arms.values()
            where += [(suite, item)] * len(arms)
    spread = _spread(values, where)
    return None if _unusable(np.asarray(values), spread, noise, policy) else spread


def _unusable(reward: NDArray[np.float64], wsd: float, noise: float | None, policy: MeasurementPolicy) -> str | None:
    if not np.isfinite(wsd):
        return "The panel could not be scored, so there is no unit to measure in."
    if wsd <= 1e-12 * max(1.0, float(np.abs(reward).max())):
        return (
            "The model gives every response to a prompt the same reward (within-prompt SD zero): it is constant or "
            "its head is broken, and nothing can be measured."
        )
    if noise is not None and wsd < policy.noise_factor * noise:
        return (
            f"Two scorings of the same conversation differ by {noise / wsd:.2g} within-prompt SDs, more than a third: "
            "the scores are mostly noise, and nothing can be measured."
        )
    return None


def _domains(pairs: GoldPairs, domain: NDArray[np.str_]) -> list[DomainAccuracy]:
    rows = []
    for name in sorted(set(domain.tolist())):
        chosen = domain == name
        prompts = pairs.prompts[chosen]
        rows.append(
            DomainAccuracy(
                domain=name,
                n_prompts=len(set(prompts.tolist())),
                n_pairs=int(chosen.sum()),
                accuracy=_estimate(pair_accuracy(pairs.margins[chosen], prompts)),
            )
        )
    return rows


def _baselines(
    lengths: NDArray[np.float64], grades: NDArray[np.float64], prompts: NDArray[np.int64]
) -> dict[str, float]:
    longer = gold_pairs(lengths, grades, prompts)
    accuracy = pair_accuracy(longer.margins, longer.prompts).estimate
    return {"always the longer answer": accuracy, "always the shorter answer": 1 - accuracy}


def _estimate(interval: Interval) -> Estimate:
    return Estimate(estimate=interval.estimate, low=interval.low, high=interval.high)


def rewards_by_item(
    items: Sequence[Item], rewards: Mapping[tuple[str, str], float | None]
) -> dict[str, dict[str, float]]:
    """Regroup rewards of (item, arm) by item, leaving out what could not be scored."""
    grouped: dict[str, dict[str, float]] = {item.id: {} for item in items}
    for (item, arm), reward in rewards.items():
        if reward is not None and item in grouped:
            grouped[item][arm] = reward
    return grouped
