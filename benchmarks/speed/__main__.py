"""How fast is scoring, side by side with RewardBench, transformers, vLLM and the machine's own matrix products?

A random Llama of 25 million parameters scores the same conversations by each contender, one after the other, round for
round, each in a process of its own whose model stays loaded; only one computes at a time. Ratios are taken within a
round. What is counted of the peak are the model's own operations for whole conversations, attention included and
padding not, so that above 100 % is work that was not needed.

    python -m benchmarks.speed --rewardbench .rewardbench/bin/python --vllm .vllm/bin/python
    python -m benchmarks.speed --workload pairs --dtype bfloat16 --rounds 5
    python -m benchmarks.speed --growth
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import transformers

import rmaudit
from benchmarks.speed import checkpoint
from benchmarks.speed.contender import Contender, Process
from benchmarks.speed.table import Line, table
from benchmarks.speed.workloads import WORKLOADS, Workload, workload

_HERE = Path(__file__).parents[2]


def contenders(options: argparse.Namespace) -> list[Contender]:
    """Everybody who takes part; float32 comes first."""
    found = []
    for dtype in options.dtype:
        found += [
            Contender("rmaudit, nothing shared", "rmaudit", dtype, share=False),
            Contender("rmaudit", "rmaudit", dtype),
            Contender("RewardBench 0.1.4", "rewardbench", dtype, options.rewardbench),
            Contender("transformers pipeline", "pipeline", dtype),
            Contender("vLLM", "vllm", dtype, options.vllm),
        ]
    present = []
    for contender in found:
        if options.contender and contender.kind not in options.contender:
            continue
        if (reason := contender.absent()) is not None:
            print(reason, file=sys.stderr)
        else:
            present.append(contender)
    return present


class Team:
    """All contenders at work, and the matrix products of each number type."""

    def __init__(self, options: argparse.Namespace, root: Path) -> None:
        self.root, self.rounds = root, options.rounds
        present = contenders(options)
        self._peaks = {
            dtype: Process(Contender("peak", "peak", dtype), root, options.device, options.threads, options.clock)
            for dtype in dict.fromkeys(contender.dtype for contender in present)
        }
        self._running = [
            Process(contender, root, options.device, options.threads, options.clock) for contender in present
        ]
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(root)
        self._planner: Any = rmaudit.load(str(root), dtype="float32", device="cpu")

    def table(self, work: Workload) -> str:
        """Time a workload and write its table."""
        conversations = work.conversations
        lengths = self._planner.lengths(conversations)
        planned = self._planner.arrange(conversations).work
        texts = [self._tokenizer.apply_chat_template(one, tokenize=False) for one in conversations]
        lines = [Line(p.contender.name, p.contender.dtype, [], [], []) for p in self._running]
        for turn in range(self.rounds + 1):
            for process, line in zip(self._running, lines, strict=True):
                own = process.contender.kind == "rmaudit"
                seconds, rewards = process.score({"conversations": conversations} if own else {"texts": texts})
                if turn:  # the first warms up
                    line.seconds.append(seconds)
                    line.peaks.append(self._peaks[line.dtype].score({})[1])
                    line.rewards[:] = rewards
        best = {
            dtype: [
                max(peaks[i] for line in lines if line.dtype == dtype for peaks in line.peaks) / 1e9 for i in (0, 1)
            ]
            for dtype in self._peaks
        }
        told = "; ".join(f"{dtype} {plain:.0f} by torch, {one:.0f} by oneDNN" for dtype, (plain, one) in best.items())
        return (
            f"\n### {work.name}: {work.told}\n\n{len(conversations)} conversations of {min(lengths)} to {max(lengths)} "
            f"tokens, {planned.tokens:,} in all, {planned.unique:,} of them unique; {self.rounds} rounds. "
            f"Billion operations a second of matrix products: {told}.\n\n{table(work, lengths, lines)}"
        )

    def close(self) -> None:
        """Let all end."""
        for process in [*self._running, *self._peaks.values()]:
            process.close()


def growth(root: Path, options: argparse.Namespace) -> str:
    """What ten times as many items cost."""
    process = Process(Contender("rmaudit", "rmaudit", "float32"), root, options.device, options.threads, options.clock)
    rows = [
        "\n### Cost as items grow\n\n| conversations | tokens | seconds | microseconds a token |",
        "| ---: | ---: | ---: | ---: |",
    ]
    model: Any = rmaudit.load(str(root), dtype="float32", device="cpu")
    for count in (52, 520):
        conversations = workload("pairs", count).conversations
        tokens = sum(model.lengths(conversations))
        process.score({"conversations": conversations})
        seconds = statistics.median(process.score({"conversations": conversations})[0] for _ in range(options.rounds))
        rows.append(f"| {len(conversations)} | {tokens:,} | {seconds:.2f} | {1e6 * seconds / tokens:.0f} |")
    process.close()
    return "\n".join(rows)


def main() -> None:
    """Time what is asked for and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", action="append", choices=WORKLOADS, help="repeatable; all by default")
    parser.add_argument("--contender", action="append", choices=["rmaudit", "rewardbench", "pipeline", "vllm"])
    parser.add_argument("--dtype", action="append", choices=["float32", "bfloat16"], help="repeatable; both by default")
    parser.add_argument("--conversations", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument(
        "--clock", default="wall", choices=["wall", "cpu"], help="cpu: with --threads 1 on a busy machine"
    )
    parser.add_argument("--growth", action="store_true", help="only what ten times as many items cost")
    parser.add_argument(
        "--rewardbench",
        default=os.environ.get("RMAUDIT_REWARDBENCH", str(_HERE / ".rewardbench" / "bin" / "python")),
        help="Python of an environment with RewardBench: make rewardbench",
    )
    parser.add_argument(
        "--vllm",
        default=os.environ.get("RMAUDIT_VLLM_PYTHON", str(_HERE / ".vllm" / "bin" / "python")),
        help="Python of an environment with vLLM: make vllm-server",
    )
    options = parser.parse_args()
    options.dtype = options.dtype or ["float32", "bfloat16"]
    transformers.utils.logging.disable_progress_bar()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "transformers"))
    print(
        f"rmaudit {rmaudit.__version__}, {versions}, Python {platform.python_version()}, {options.threads} threads of "
        f"{_processor()}, {options.device}, {options.clock} time, {time.strftime('%Y-%m-%d')}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "checkpoint"
        root.mkdir()
        checkpoint.write(root)
        if options.growth:
            print(growth(root, options))
            return
        team = Team(options, root)
        for name in options.workload or WORKLOADS:
            print(team.table(workload(name, options.conversations)), flush=True)
        team.close()


def _processor() -> str:
    """The processor's name, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "a CPU")


if __name__ == "__main__":
    main()
