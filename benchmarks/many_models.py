"""The verdicts of many models at once: each column of a matrix of rewards is one model.

An audit of one model takes about a second after scoring, most of it for permutations and bootstraps. Here weights of
rewards are read off the probes once, and everything after is done for all models together, with the same signs for
all. `tests/test_validity.py` holds the verdicts against those of `rmaudit.suites.findings`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from rmaudit.audit import Selection
from rmaudit.conversation import conversation_key
from rmaudit.policy import Policy
from rmaudit.stats.multiplicity import benjamini_hochberg, holm
from rmaudit.stats.permutation import against_others
from rmaudit.suites import groups
from rmaudit.suites.designs import reader
from rmaudit.suites.reading import TIE, Reading
from rmaudit.suites.spec import AnyDesign, Carryover, Groups, Item, Probe, Suite
from rmaudit.suites.verdict import Limits, moves_along, shown_bound

Array = NDArray[np.float64]
SIGN_DRAWS = 1999
"""Random signs; an audit draws 9,999."""
GROUP_DRAWS = 999
"""Permutations of the labels of groups; an audit does 9,999."""


@dataclass(frozen=True)
class Row:
    """A conversation that is scored: where it stands, and what it says."""

    suite: str
    """``panel`` for the ruler's."""
    item: Item
    arm: str

    @property
    def conversation(self) -> list[dict[str, str]]:
        """Its messages."""
        return self.item.conversation(self.arm)

    @property
    def factors(self) -> dict[str, object]:
        """Its levels."""
        return dict(self.item.arms[self.arm].factors)


class Texts:
    """All different conversations of a panel and suites, numbered."""

    def __init__(self, selection: Selection) -> None:
        """Number the conversations; one that stands in several places has one number."""
        self.rows: list[Row] = []
        self.places: dict[tuple[str, str, str], int] = {}
        known: dict[str, int] = {}
        for suite, items in (("panel", selection.panel.items), *selection.named):
            for item in items:
                for arm in item.arms:
                    key = conversation_key(item.conversation(arm))
                    if key not in known:
                        known[key] = len(self.rows)
                        self.rows.append(Row(suite, item, arm))
                    self.places[suite, item.id, arm] = known[key]

    def __len__(self) -> int:
        """Different conversations."""
        return len(self.rows)

    def numbers(self, suite: str, item: Item) -> dict[str, int]:
        """Number of each arm of an item."""
        return {arm: self.places[suite, item.id, arm] for arm in item.arms}

    def rewards(self, column: Array) -> dict[str, dict[str, dict[str, float]]]:
        """One model's rewards by suite, item and arm."""
        found: dict[str, dict[str, dict[str, float]]] = {}
        for (suite, item, arm), number in self.places.items():
            found.setdefault(suite, {}).setdefault(item, {})[arm] = float(column[number])
        return found


@dataclass(frozen=True)
class Outcome:
    """A probe over all models, shape (models,) each; where groups are compared, the first group's estimates."""

    suite: str
    probe: str
    primary: bool
    estimate: Array
    low: Array
    high: Array
    present: NDArray[np.bool_]
    sign: Array
    """Of the effect that is present; 0 where none is."""
    shown: Array
    """The estimate, of groups that which is farthest from the others on average."""
    limits: Limits
    """Estimates and intervals of all groups, shape (groups, models); of one row where no groups are compared."""

    def covered(self, truth: Array) -> NDArray[np.bool_]:
        """Whether every interval holds its true effect, for truths of shape (groups, 1) or (1, 1)."""
        held: NDArray[np.bool_] = np.all((self.limits.low <= truth) & (truth <= self.limits.high), axis=0)
        return held


class Audit:
    """The probes of a selection, ready to judge many models."""

    def __init__(self, selection: Selection, policy: Policy) -> None:
        """Read the weights of every probe off its items."""
        self.texts = Texts(selection)
        self.policy = policy
        self._panel = _Panel(selection, self.texts)
        self._items: dict[tuple[str, str], list[Item]] = {}
        self.probes: list[_Prepared] = [
            (suite.spec, probe, self._prepared(suite.spec.suite, probe, items))
            for suite, items in selection.suites
            for probe in suite.spec.probes
        ]

    def judge(self, rewards: Array, *, primary: bool = False) -> list[Outcome]:
        """Verdicts on models.

        Args:
            rewards: shape (conversations, models), numbered as `texts`. Models must not be constant.
            primary: the primary probes alone, which are corrected among themselves.
        """
        scaled = rewards / self._panel.within_prompt_sd(rewards)
        chosen = [entry for entry in self.probes if entry[1].primary or not primary]
        measured = [measure(scaled) for _, _, measure in chosen]
        significant = self._significant(chosen, measured)
        margin = self.policy.measurement.equivalence_margin
        outcomes = []
        for (suite, probe, _), found, reached in zip(chosen, measured, significant, strict=True):
            bound = np.asarray(shown_bound(found.effect, found.placebo, found.adjusted, probe.direction, margin))
            sign = np.sign(bound) * reached
            if sign.ndim > 1:  # groups: of those outside the margin, the one farthest out
                sign = np.take_along_axis(sign, np.abs(bound).argmax(axis=0)[None], axis=0)[0]
            parts = [np.asarray(part) for part in (found.effect.estimate, found.effect.low, found.effect.high)]
            shown = parts[0]
            limits = Limits(*(np.atleast_2d(part) for part in parts))
            if bound.ndim > 1:
                shown = shown[np.abs(shown.mean(axis=1)).argmax()]
                parts = [part[0] for part in parts]
            outcomes.append(Outcome(suite.suite, probe.id, probe.primary, *parts, sign != 0, sign, shown, limits))
        return outcomes

    def _significant(self, chosen: Sequence[_Prepared], measured: Sequence[_Measured]) -> list[NDArray[np.bool_]]:
        rules = self.policy.measurement
        reached = [np.zeros(len(found.p), dtype=bool) for found in measured]
        families: dict[str, list[int]] = {}
        for index, (suite, probe, _) in enumerate(chosen):
            families.setdefault("" if probe.primary else suite.suite, []).append(index)
        for family, members in families.items():
            correct, alpha = (benjamini_hochberg, rules.alpha_secondary) if family else (holm, rules.alpha)
            for model in range(len(measured[0].p)):
                corrected = correct([float(measured[index].p[model]) for index in members])
                for index, p in zip(members, corrected, strict=True):
                    reached[index][model] = p is not None and p < alpha
        return reached

    def within_prompt_sd(self, rewards: Array) -> Array:
        """The ruler's unit of each model, shape (models,), of rewards of shape (conversations, models)."""
        return self._panel.within_prompt_sd(rewards)

    def effect(self, suite: str, probe: str, rewards: Array) -> Array:
        """One probe's estimates in SRD, shape (models,); for groups that of the first, shape (models,)."""
        measure = next(entry for of, own, entry in self.probes if (of.suite, own.id) == (suite, probe))
        found = np.asarray(measure(rewards / self._panel.within_prompt_sd(rewards)).effect.estimate)
        return found[0] if found.ndim > 1 else found

    def truths(self, suite: str, probe: str) -> Array:
        """What an indicator of size 1 does to each group's contrast, or to the one effect: shape (groups, 1)."""
        measure = next(entry for of, own, entry in self.probes if (of.suite, own.id) == (suite, probe))
        return np.atleast_2d(np.asarray(measure(self.indicator(suite, probe)[:, None]).effect.estimate).T).reshape(
            -1, 1
        )

    def indicator(self, suite: str, probe: str) -> Array:
        """What a probe measures, as a number of each conversation, shape (conversations,); 0 where it is not in it."""
        found, times = np.zeros(len(self.texts)), np.zeros(len(self.texts))
        spec = next(entry for of, entry, _ in self.probes if (of.suite, entry.id) == (suite, probe))
        for item in self._items[suite, probe]:
            reading = reader(spec.measure)(item)
            if reading is None:
                continue
            for arm, number in self.texts.numbers(suite, item).items():
                if arm in reading.roles:
                    found[number] += _indicated(spec.measure, item, arm, reading)
                    times[number] += 1
        return found / np.maximum(times, 1)

    def _prepared(self, suite: str, probe: Probe, items: Iterable[Item]) -> Callable[[Array], _Measured]:
        read = reader(probe.measure)
        used = [(item, reading) for item in items if (reading := read(item)) is not None]
        self._items[suite, probe.id] = [item for item, _ in used]
        if isinstance(probe.measure, Groups):
            return _groups(probe.measure, [item for item, _ in used], suite, self.texts)
        n = len(dict.fromkeys(item.cluster for item, _ in used))
        if n < self.policy.measurement.minimum_clusters:
            return lambda scaled: _nothing(scaled.shape[1])
        if isinstance(probe.measure, Carryover):
            return _carryover(probe, [item for item, _ in used], suite, self.texts)
        return _linear(probe, used, suite, self.texts)


@dataclass(frozen=True)
class _Measured:
    effect: Limits
    placebo: Limits
    adjusted: Limits
    p: Array
    """That goes into the correction."""


_Prepared = tuple[Suite, Probe, Callable[[Array], _Measured]]


class _Panel:
    def __init__(self, selection: Selection, texts: Texts) -> None:
        self._prompts = [np.array(list(texts.numbers("panel", item).values())) for item in selection.panel.items]

    def within_prompt_sd(self, rewards: Array) -> Array:
        squares = np.zeros(rewards.shape[1])
        for rows in self._prompts:
            squares += ((rewards[rows] - rewards[rows].mean(axis=0)) ** 2).sum(axis=0)
        found: Array = np.sqrt(squares / sum(len(rows) - 1 for rows in self._prompts))
        return found


def _indicated(measure: AnyDesign, item: Item, arm: str, reading: Reading) -> float:
    if isinstance(measure, Carryover):
        # One answer is worth more under either prompt; the effect does not rise by just as much.
        answers = sorted({str(item.arms[name].factors[measure.response]) for name in reading.roles})
        return float(str(item.arms[arm].factors[measure.response]) == answers[0])
    if isinstance(measure, Groups):
        names = sorted({str(item.arms[name].factors[measure.factor]) for name in reading.roles})
        return float(reading.roles[arm] == names[0])
    return float(reading.indicator.get(arm, 0.0))


def _linear(
    probe: Probe, used: Sequence[tuple[Item, Reading]], suite: str, texts: Texts
) -> Callable[[Array], _Measured]:
    read_placebo = reader(probe.placebo) if probe.placebo else None
    controls = [read_placebo(item) if read_placebo else None for item, _ in used]
    effect = _weights([(item, reading) for item, reading in used], suite, texts)
    average = _averages([item.cluster for item, _ in used])
    kept = [index for index, control in enumerate(controls) if control is not None]
    if not kept:
        return lambda scaled: _measured(probe, average, effect @ scaled, None, None)
    placebo = _weights([(used[index][0], control) for index in kept if (control := controls[index])], suite, texts)
    within = _averages([used[index][0].cluster for index in kept])

    def measure(scaled: Array) -> _Measured:
        effects = effect @ scaled
        return _measured(probe, average, effects, placebo @ scaled, (within, effects[kept]))

    return measure


def _carryover(probe: Probe, items: Sequence[Item], suite: str, texts: Texts) -> Callable[[Array], _Measured]:
    measure = probe.measure
    assert isinstance(measure, Carryover)
    gaps = [sparse.lil_matrix((len(items), len(texts))) for _ in range(2)]
    for row, item in enumerate(items):
        numbers = texts.numbers(suite, item)
        cells: dict[tuple[str, str], list[int]] = {}
        for arm in (reader(measure)(item) or Reading({}, lambda _: 0.0)).roles:
            factors = item.arms[arm].factors
            cells.setdefault((str(factors[measure.prompt]), str(factors[measure.response])), []).append(numbers[arm])
        first, second = sorted({prompt for prompt, _ in cells})
        for which, prompt in enumerate((first, second)):
            for answer, sign in ((first, 1.0), (second, -1.0)):
                for number in cells[prompt, answer]:
                    gaps[which][row, number] += sign / len(cells[prompt, answer])
    one, two = (matrix.tocsr() for matrix in gaps)
    average = _averages([item.cluster for item in items])
    turned = np.array([-1.0 if number % 2 else 1.0 for number in range(len(items))])[:, None]

    def run(scaled: Array) -> _Measured:
        d1, d2 = one @ scaled, two @ scaled
        shared, own = _snapped((d1 + d2) / 2), _snapped((d1 - d2) / 2)
        effects = np.abs(shared) - np.abs(own)
        placebo = turned * (np.sign(np.roll(shared, 1, axis=0)) * shared - np.sign(np.roll(own, 1, axis=0)) * own)
        return _measured(probe, average, effects, placebo, (average, effects))

    return run


def _measured(
    probe: Probe, average: sparse.csr_matrix, effects: Array, placebo: Array | None, paired: tuple[object, Array] | None
) -> _Measured:
    effect, p = _mean(average @ _snapped(effects))
    nothing = np.zeros_like(p)
    still = Limits(nothing, nothing, nothing)
    adjusted = effect
    if placebo is not None and paired is not None:
        within, same = paired
        still, _ = _mean(within @ _snapped(placebo), tested=False)  # type: ignore[operator]
        adjusted, beyond = _mean(within @ _snapped(same - placebo))  # type: ignore[operator]
        p = np.where(moves_along(still, effect.estimate), np.maximum(p, beyond), p)
    away = np.asarray(effect.estimate) * {"+": -1.0, "-": 1.0, "either": 0.0}[probe.direction] > 0
    return _Measured(effect, still, adjusted, np.where(away, 1.0, p))


def _nothing(models: int) -> _Measured:
    nothing = Limits(*(np.zeros(models) for _ in range(3)))
    return _Measured(nothing, nothing, nothing, np.ones(models))


def _mean(values: Array, *, tested: bool = True) -> tuple[Limits, Array]:
    """Interval of the mean over clusters and its sign-flip p, for each column."""
    n = len(values)
    mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(n)
    reach = float(stats.t.ppf(0.975, n - 1)) * error
    return Limits(mean, mean - reach, mean + reach), _sign_flip(values) if tested else np.ones(len(mean))


def _sign_flip(values: Array, draws: int = SIGN_DRAWS) -> Array:
    """Sign-flip p of each column, by the same random signs."""
    signs = np.random.default_rng(0).integers(0, 2, (draws, len(values)), dtype=np.int8)
    total = values.sum(axis=0)
    bar = np.abs(total) - 1e-9 * np.abs(values).sum(axis=0)
    extreme = np.zeros(values.shape[1])
    for start in range(0, draws, 1000):
        flipped = 2 * (signs[start : start + 1000].astype(np.float32) @ values.astype(np.float32)) - total
        extreme += (np.abs(flipped) >= bar).sum(axis=0)
    found: Array = np.where(np.abs(values).max(axis=0) == 0, 1.0, (extreme + 1) / (draws + 1))
    return found


def _groups(measure: Groups, items: Sequence[Item], suite: str, texts: Texts) -> Callable[[Array], _Measured]:
    factors = (measure.factor, *measure.margins)
    prepared = []
    for factor in factors:
        columns: dict[tuple[str, str], dict[int, float]] = {}
        times: dict[tuple[str, str], int] = {}
        sizes = []
        for item in items:
            arms = [arm for arm in groups.members(measure, item) if factor in item.arms[arm].factors]
            if len(arms) < 2:
                continue
            sizes.append(len(arms))
            numbers = texts.numbers(suite, item)
            for arm in arms:
                levels = item.arms[arm].factors
                key = str(levels[factor]), str(levels[measure.unit])
                column = columns.setdefault(key, {})
                times[key] = times.get(key, 0) + 1
                column[numbers[arm]] = column.get(numbers[arm], 0.0) + 1
                for other in arms:
                    column[numbers[other]] = column.get(numbers[other], 0.0) - 1 / len(arms)
        keys = sorted(columns)
        weights = sparse.lil_matrix((len(keys), len(texts)))
        for row, key in enumerate(keys):
            for number, weight in columns[key].items():
                weights[row, number] = weight / times[key]
        company = sum(sizes) / len(sizes)
        prepared.append((weights.tocsr(), [group for group, _ in keys], (company / (company - 1)) ** 0.5))
    parts = groups.shares(measure, items)

    def run(scaled: Array) -> _Measured:
        estimates, lows, highs, ps = [], [], [], []
        for factor, (weights, labels, se_factor) in zip(factors, prepared, strict=True):
            means = _snapped(weights @ scaled)
            contrast, reach, p = _max_t(means, labels, 1 - groups.ERROR_RATE * parts[factor], se_factor)
            estimates.append(contrast)
            lows.append(contrast - reach)
            highs.append(contrast + reach)
            ps.append(p / parts[factor])
        limits = Limits(np.concatenate(estimates), np.concatenate(lows), np.concatenate(highs))
        nothing = np.zeros_like(limits.low)
        p = np.minimum(1.0, np.min(ps, axis=0))
        return _Measured(limits, Limits(nothing, nothing, nothing), limits, p)

    return run


def _max_t(values: Array, labels: Sequence[str], confidence: float, se_factor: float) -> tuple[Array, Array, Array]:
    """Contrasts and the reach of their intervals, shape (groups, models), and p of the largest, shape (models,)."""
    names = list(dict.fromkeys(labels))
    codes = np.array([names.index(label) for label in labels])
    sizes = np.bincount(codes)

    def largest(drawn: NDArray[np.intp]) -> tuple[Array, Array]:
        """Contrasts and standard errors of one labelling a row, shape (rows, models, groups)."""
        means, variances = [], []
        for group, size in enumerate(sizes):
            chosen = (drawn == group).astype(np.float64)
            mean = chosen @ values / size
            means.append(mean)
            variances.append(np.maximum(chosen @ values**2 - size * mean**2, 0.0) / (size - 1) / size)
        contrast, error = against_others(np.stack(means, axis=-1), np.stack(variances, axis=-1))
        return contrast, np.maximum(error, 1e-9)

    contrast, error = (part[0] for part in largest(codes[None]))
    error = error * se_factor
    drawn = np.random.default_rng(0).permuted(np.tile(codes, (GROUP_DRAWS, 1)), axis=1)
    null = []
    for start in range(0, GROUP_DRAWS, 250):
        apart, spread = largest(drawn[start : start + 250])
        null.append(np.abs(apart / spread).max(axis=-1))
    tops = np.sort(np.concatenate(null), axis=0)
    critical = tops[int(np.ceil(confidence * (GROUP_DRAWS + 1) - 1e-9)) - 1]
    top = np.abs(contrast / error).max(axis=-1)
    p = ((tops >= top - 1e-9).sum(axis=0) + 1) / (GROUP_DRAWS + 1)
    return contrast.T, (critical[:, None] * error).T, p


def _weights(used: Sequence[tuple[Item, Reading]], suite: str, texts: Texts) -> sparse.csr_matrix:
    """The weight of each conversation in each item's effect, found by rewarding one arm at a time."""
    rows, columns, weights = [], [], []
    for row, (item, reading) in enumerate(used):
        numbers = texts.numbers(suite, item)
        for arm in reading.roles:
            alone = {other: float(other == arm) for other in reading.roles}
            rows.append(row)
            columns.append(numbers[arm])
            weights.append(reading.effect(alone))
    return sparse.csr_matrix((weights, (rows, columns)), shape=(len(used), len(texts)))


def _averages(clusters: Sequence[str]) -> sparse.csr_matrix:
    """The matrix that averages items within their cluster."""
    codes = {cluster: code for code, cluster in enumerate(dict.fromkeys(clusters))}
    rows = [codes[cluster] for cluster in clusters]
    sizes = np.bincount(rows)
    weights = [1 / sizes[row] for row in rows]
    return sparse.csr_matrix((weights, (rows, range(len(rows)))), shape=(len(sizes), len(rows)))


def _snapped(values: Array) -> Array:
    return np.where(np.abs(values) < TIE, 0.0, values)
