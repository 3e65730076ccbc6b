"""Our estimators on data that others published, beside their numbers.

- Counterfactual pairs of five biases, scored by four public reward models before and after debiasing, with human
  preferences on 499 of them (Bharadwaj et al. 2025, arXiv:2506.05339).
- Lengths and preferences of AlpacaEval 2, beside its length-controlled leaderboard (Dubois et al. 2024,
  arXiv:2404.04475).

The data are not part of this repository; RMAUDIT_SOURCE_DATA names the folder that holds `ship/` and `test_only/`.

    python -m benchmarks.literature
"""

from __future__ import annotations

import gzip
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from rmaudit.stats.effects import win_probability
from rmaudit.stats.intervals import Interval, mean_interval, proportion_interval
from rmaudit.stats.permutation import sign_flip_p

Array = NDArray[np.float64]
MODELS = ("2B", "3B", "8B", "27B")
BIASES = ("length", "structure", "jargon", "sycophancy", "vagueness")
PUBLISHED_MISCALIBRATION = 0.394
"""Mean disagreement of reward models with people over the five biases, before debiasing."""


def source_folder() -> Path | None:
    """The folder of the published data, or none."""
    place = os.environ.get("RMAUDIT_SOURCE_DATA")
    return Path(place) if place and (Path(place) / "test_only").is_dir() else None


def lines(path: Path) -> list[dict[str, Any]]:
    """Rows of a file of JSON lines, packed or not."""
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    return [json.loads(line) for line in text.decode("utf-8").splitlines()]


@dataclass(frozen=True)
class Skew:
    """One reward model on the pairs of one bias."""

    bias: str
    model: str
    before: Interval
    """Share of pairs in which the perturbed answer wins, ties half; 0.5 is no preference."""
    after: Interval
    """The same for the model after debiasing of this bias."""
    p: float
    """Sign-flip p of the mean score difference before."""
    fall: Interval
    """Change of that share, pair by pair; negative where debiasing worked."""


def skews(folder: Path) -> Iterator[Skew]:
    """Every bias and model, before and after debiasing of that bias."""
    rows = lines(folder / "test_only/flattery/reward_model_scores.jsonl.gz")
    differences: dict[tuple[str, str, bool], dict[str, float]] = defaultdict(dict)
    for row in rows:
        size = re.search(r"(?:^|_)(\d+B)(?:_|$)", row["model_tag"])
        if size and row["train_dir"] == row["bias"]:
            key = row["bias"], size[1], bool(row["fine_tuned"])
            differences[key][row["pair_id"]] = row["perturbed_score"] - row["base_score"]
    for bias in BIASES:
        for model in MODELS:
            before, after = differences[bias, model, False], differences[bias, model, True]
            pairs = sorted(before.keys() & after.keys())
            first, second = (np.array([of[pair] for pair in pairs]) for of in (before, after))
            wins, later = win_probability(first), win_probability(second)
            yield Skew(
                bias,
                model,
                proportion_interval(wins, pairs),
                proportion_interval(later, pairs),
                sign_flip_p(first, seed=0),
                mean_interval(later - wins, pairs),
            )


@dataclass(frozen=True)
class Miscalibration:
    """A reward model against people on the pairs of one bias."""

    bias: str
    people: Interval
    """Share of pairs in which people prefer the perturbed answer, ties half."""
    model: Interval
    """Share in which the reward model does."""
    disagreement: Interval
    """Share of the pairs about which people agree with each other where the model says otherwise."""


def miscalibration(folder: Path) -> Iterator[Miscalibration]:
    """Every bias with human preferences."""
    rows = lines(folder / "test_only/flattery/human_annotations.jsonl.gz")
    perturbed = "perturbed (bias-expressing) response"
    for bias in BIASES:
        own = [row for row in rows if row["bias"] == bias]
        clear = [row for row in own if row["human_preference"] != "tie"]

        def share(of: Sequence[dict[str, Any]], values: Sequence[float]) -> Interval:
            return proportion_interval(values, [row["query"] for row in of])

        yield Miscalibration(
            bias,
            share(own, [0.5 if r["human_preference"] == "tie" else r["human_preference"] == r[perturbed] for r in own]),
            share(own, [r["reward_model_preference"] == r[perturbed] for r in own]),
            share(clear, [r["reward_model_preference"] != r["human_preference"] for r in clear]),
        )


@dataclass(frozen=True)
class LengthControlled:
    """One generator of AlpacaEval 2 against the baseline, in percent."""

    generator: str
    win_rate: float
    published_win_rate: float
    controlled: float
    published_controlled: float


def length_controlled(preference: Array, difference: Array, generator: NDArray[np.intp]) -> Array:
    """Win rate of each generator at equal length, shape (generators,), between 0 and 1.

    Logistic regression of the preference on a level of each generator and one slope for all on ``tanh(difference /
    SD)``, by iteratively reweighted least squares with the levels swept out; the prediction is that at a difference
    of 0.

    Args:
        preference: how far the generator is preferred to the baseline, between 0 and 1, shape (n,).
        difference: length of its output minus that of the baseline's, shape (n,).
        generator: number of the generator of each row, shape (n,).
    """
    x = np.tanh(difference / difference.std())
    level, slope = np.zeros(int(generator.max()) + 1), 0.0
    for _ in range(50):
        predicted = level[generator] + slope * x
        chance = 1 / (1 + np.exp(-predicted))
        weight = chance * (1 - chance) + 1e-9
        target = predicted + (preference - chance) / weight
        total = np.bincount(generator, weight)
        mean_x, mean_target = (np.bincount(generator, weight * values) / total for values in (x, target))
        centred = x - mean_x[generator]
        slope = float((weight * centred) @ (target - mean_target[generator]) / ((weight * centred) @ centred))
        level = mean_target - slope * mean_x
    found: Array = 1 / (1 + np.exp(-level))
    return found


def alpaca(folder: Path) -> list[LengthControlled]:
    """Every generator that both the annotations and the leaderboard hold.

    One attack on the judge is stored with its sides exchanged and is left out.
    """
    board = {row[""]: row for row in lines(folder / "ship/alpaca_eval/leaderboard_v2.jsonl")}
    rows = [
        row
        for row in lines(folder / "test_only/alpaca_eval/lengths_and_preferences.jsonl.gz")
        if row["generator"] == row["generator_2"] and row["generator"] in board and row["preference"] is not None
    ]
    names = sorted({row["generator"] for row in rows})
    number = np.array([names.index(row["generator"]) for row in rows])
    preference = np.array([row["preference"] - 1 for row in rows])
    difference = np.array([row["len_2"] - row["len_1"] for row in rows], dtype=np.float64)
    controlled = length_controlled(preference, difference, number)
    return [
        LengthControlled(
            name,
            100 * float(preference[number == index].mean()),
            float(board[name]["win_rate"]),
            100 * float(controlled[index]),
            float(board[name]["length_controlled_winrate"]),
        )
        for index, name in enumerate(names)
    ]


def main() -> None:
    """Print the tables."""
    folder = source_folder()
    if folder is None:
        raise SystemExit("The published data are not here. Set RMAUDIT_SOURCE_DATA to the folder that holds them.")
    print("| bias | model | wins before | after | change | p before |\n| --- | --- | --- | --- | --- | --- |")
    for skew in skews(folder):
        print(
            f"| {skew.bias} | {skew.model} | {_share(skew.before)} | {_share(skew.after)} |"
            f" {skew.fall.estimate:+.1%} ({skew.fall.low:+.1%} to {skew.fall.high:+.1%}) | {skew.p:.4f} |"
        )
    print("\n| bias | people | reward model | disagreement |\n| --- | --- | --- | --- |")
    found = list(miscalibration(folder))
    for row in found:
        print(f"| {row.bias} | {_share(row.people)} | {_share(row.model)} | {_share(row.disagreement)} |")
    print(
        f"\nmeans: people {np.mean([row.people.estimate for row in found]):.1%},"
        f" model {np.mean([row.model.estimate for row in found]):.1%},"
        f" disagreement {np.mean([row.disagreement.estimate for row in found]):.1%}"
    )
    rows = alpaca(folder)
    raw, published_raw, ours, published = (
        np.array([getattr(row, name) for row in rows])
        for name in ("win_rate", "published_win_rate", "controlled", "published_controlled")
    )
    print(
        f"\n{len(rows)} generators. Win rate: largest difference {np.abs(raw - published_raw).max():.2f} points."
        f" Length-controlled: Spearman {stats.spearmanr(ours, published)[0]:.3f},"
        f" Pearson {stats.pearsonr(ours, published)[0]:.3f},"
        f" mean deviation {np.abs(ours - published).mean():.2f} points, largest {np.abs(ours - published).max():.2f}"
        f" ({rows[int(np.abs(ours - published).argmax())].generator});"
        f" win rate itself: Spearman {stats.spearmanr(raw, published)[0]:.3f},"
        f" mean deviation {np.abs(raw - published).mean():.2f}."
    )


def _share(interval: Interval) -> str:
    return f"{interval.estimate:.1%} ({interval.low:.1%} to {interval.high:.1%})"


if __name__ == "__main__":
    main()
