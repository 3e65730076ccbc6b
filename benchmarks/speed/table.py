"""Rounds of a workload as lines of a Markdown table: ratios within each round, their median and range."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.speed.checkpoint import operations
from benchmarks.speed.workloads import Workload

HEADER = (
    "| scored by | seconds | times as fast as RewardBench in float32 | as in the same number type | of torch's peak "
    "| of oneDNN's | largest difference of a reward | in SD |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


@dataclass(frozen=True)
class Line:
    """What was measured of one contender, a value a round."""

    name: str
    dtype: str
    seconds: list[float]
    peaks: list[list[float]]
    """Operations a second of matrix products in the same rounds and number type: by torch, by oneDNN."""
    rewards: list[float]


def table(workload: Workload, lengths: list[int], lines: Sequence[Line]) -> str:
    """All lines of a workload; the first is the yardstick of rewards, RewardBench that of times."""
    wanted = np.asarray(lines[0].rewards)
    sd = within_sd(workload, wanted)
    work = operations(lengths)
    loops = {line.dtype: line for line in lines if line.name.startswith("RewardBench")}
    rows = [HEADER]
    for line in lines:
        off = float(np.abs(np.asarray(line.rewards) - wanted).max())
        cells = (
            f"{line.name}, {line.dtype}",
            f"{statistics.median(line.seconds):.2f}",
            _ratio(loops.get("float32"), line),
            _ratio(loops.get(line.dtype), line),
            _share(line, work, lambda peaks: peaks[0]),
            _share(line, work, lambda peaks: peaks[1]),
            f"{off:.0e}",
            f"{off / sd:.0e}",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def within_sd(workload: Workload, rewards: np.ndarray) -> float:
    """Standard deviation of rewards within the groups that share a prompt, pooled."""
    ends = np.cumsum([len(group) for group in workload.groups])[:-1]
    parts = np.split(rewards, ends)
    free = sum(len(part) - 1 for part in parts)
    return float(np.sqrt(sum(((part - part.mean()) ** 2).sum() for part in parts) / max(1, free)))


def _ratio(loop: Line | None, line: Line) -> str:
    if loop is None:
        return "–"
    return _told([theirs / own for theirs, own in zip(loop.seconds, line.seconds, strict=True)], "{:.2f}")


def _share(line: Line, work: float, peak: Callable[[list[float]], float]) -> str:
    shares = [work / seconds / peak(peaks) for seconds, peaks in zip(line.seconds, line.peaks, strict=True)]
    return _told(shares, "{:.0%}")


def _told(values: list[float], form: str) -> str:
    low, middle, high = (form.format(value) for value in (min(values), statistics.median(values), max(values)))
    return f"**{middle}** ({low} to {high})"
