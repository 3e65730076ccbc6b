"""How much of a scan is spent outside the model's forward passes, and on what?

A random Llama of 25 million parameters (or any SOURCE) is scanned in a process of its own, whose time is told apart by
what it is spent on: each phase without the phases within it, so that the shares add up to the whole, imports and the
start of Python included. The same scan is then repeated with a store that knows every reward.

    python -m benchmarks.scan_overhead --tier standard

With ``--cpu`` it counts seconds of the processor, of all threads together, which other work on the machine lengthens
less; those of the process that renders templates are not among them.
"""

from __future__ import annotations

import time

BEGUN = time.perf_counter()

import argparse  # noqa: E402
import builtins  # noqa: E402
import functools  # noqa: E402
import importlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

START, FORWARD = "start of Python", "forward passes"
TEMPLATE = "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}\n{% endfor %}"
TARGET_SHARE, TARGET_SECONDS = 0.10, 10.0

PHASES = {
    "reading of probes": ["rmaudit.audit.scanning:select"],
    "hashing": ["rmaudit.models.safety:sha256_of"],
    "loading": ["rmaudit.models.load:load", "rmaudit.models.native:NativeModel.reload"],
    "templates": ["rmaudit.models.template:ChatTemplate.render"],
    "tokens": ["rmaudit.models.text:tokenize"],
    "planning": ["rmaudit.audit.scanning:make_plan"],
    "batches": ["rmaudit.models.native:NativeModel.score_batch"],
    "store": [
        *("rmaudit.audit.scanning:open_store", "rmaudit.audit.trust:keys_of", "rmaudit.scoring.remembered:keys_of"),
        *("rmaudit.scoring.store:ScoreStore.recall", "rmaudit.scoring.store:ScoreStore.keep"),
        "rmaudit.scoring.store:ScoreStore.__exit__",
    ],
    "self-test": ["rmaudit.audit.scoring:self_test"],
    "scores.jsonl": ["rmaudit.runs.scores:ScoreWriter.append", "rmaudit.audit.scanning:read_scores"],
    "statistics": ["rmaudit.audit.scanning:build_report"],
    "rendering": ["rmaudit.audit.scanning:write_outputs"],
    FORWARD: [
        "rmaudit.models.native:HiddenStateNetwork._states",
        "rmaudit.models.native:HiddenStateNetwork.library",
        *("rmaudit.models.shared:SharedPass._states", "rmaudit.models.shared:SharedPass.at"),
        "rmaudit.models.classifier:ClassifierNetwork.__call__",
    ],
}
"""Functions by what their time is spent on."""


class Clock:
    """Seconds by phase, each without those within it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.seconds: dict[str, float] = {}
        self._now = now
        self._open = ["rest"]
        self._last = now()

    def enter(self, phase: str) -> None:
        """A phase begins, within the one that is open."""
        self._pass()
        self._open.append(phase)

    def leave(self) -> None:
        """The phase that is open ends."""
        self._pass()
        self._open.pop()

    def _pass(self) -> None:
        now = self._now()
        self.seconds[self._open[-1]] = self.seconds.get(self._open[-1], 0.0) + now - self._last
        self._last = now

    def around(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function whose time counts as a phase's."""

        @functools.wraps(function)
        def timed(*args: Any, **more: Any) -> Any:
            self.enter(phase)
            try:
                return function(*args, **more)
            finally:
                self.leave()

        return timed

    def watch(self, place: str, phase: str) -> None:
        """Time a function that is named by its module and its place there."""
        module, _, path = place.partition(":")
        owner: Any = importlib.import_module(module)
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        setattr(owner, name, self.around(phase, getattr(owner, name)))


def child(arguments: list[str], started: float, cpu: bool) -> None:
    """Scan in this process and write the seconds of each phase to the descriptor that the parent reads."""
    clock = Clock(time.process_time if cpu else time.perf_counter)
    clock.seconds[START] = time.process_time() if cpu else BEGUN - started
    builtins.__import__ = clock.around("imports", builtins.__import__)
    importlib.import_module = clock.around("imports", importlib.import_module)
    for phase, places in PHASES.items():
        for place in places:
            clock.watch(place, phase)
    from rmaudit.cli.main import main as command

    sys.argv = ["rmaudit", *arguments]
    try:
        command()
    finally:
        clock.enter("rest")
        print(json.dumps(clock.seconds), file=sys.stderr)


def checkpoint(root: Path, width: int, layers: int) -> Path:
    """A random Llama with the tokenizer of the demo model; 512 wide with 8 layers it has 25 million parameters."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

    from rmaudit.resources import demo_model_dir

    tokenizer = AutoTokenizer.from_pretrained(demo_model_dir())
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(root)
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=width,
        intermediate_size=width * 43 // 16,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // 64),
        vocab_size=len(tokenizer),
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
        max_position_embeddings=4096,
    )
    LlamaForSequenceClassification(config).save_pretrained(root)
    return root


def scan(arguments: list[str], cpu: bool) -> dict[str, float]:
    """Seconds of a scan by phase; what is not watched is ``rest``."""
    started = time.perf_counter()  # one clock for all processes of a machine
    command = [sys.executable, "-m", "benchmarks.scan_overhead", "--child", str(started), str(int(cpu)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": "."}, check=False)
    whole = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stderr)
    seconds: dict[str, float] = json.loads(done.stderr.splitlines()[-1])
    if cpu:
        return seconds
    return seconds | {"rest": seconds.get("rest", 0.0) + whole - sum(seconds.values())}


def show(title: str, seconds: dict[str, float]) -> float:
    """Print a table and give the share outside forward passes."""
    whole = sum(seconds.values())
    print(f"\n{title}: {whole:.1f} s")
    for phase, spent in sorted(seconds.items(), key=lambda entry: -entry[1]):
        print(f"  {phase:18} {spent:7.2f} s  {spent / whole:6.1%}")
    return 1 - seconds.get(FORWARD, 0.0) / whole


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", help="instead of the random Llama")
    parser.add_argument("--width", type=int, default=512, help="of the random Llama, a multiple of 64")
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--cpu", action="store_true", help="count seconds of the processor")
    parser.add_argument("--folder", type=Path, help="keep model, store and runs here; only the second scan if filled")
    options, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = options.folder or Path(temporary)
        source = options.source or str(root / "model")
        if not options.source and not (root / "model").exists():
            checkpoint(root / "model", options.width, options.layers)
        common = ["scan", source, "--quiet", "--accept", "sanity", "--store", str(root / "store"), *more]
        if not (root / "first").exists():
            share = show("A scan", scan([*common, "--out", str(root / "first")], options.cpu))
            print(f"  outside forward passes: {share:.1%} (at most {TARGET_SHARE:.0%} is the aim)", flush=True)
        second = scan([*common, "--out", str(root / "second")], options.cpu)
        show("The same with all rewards stored", second)
        print(f"  {sum(second.values()):.1f} s (at most {TARGET_SECONDS:.0f} s is the aim)")
        reports = [(root / name / "report.json").read_bytes().split(b'\n "run": {')[0] for name in ("first", "second")]
        print(f"  report.json outside its run block: {'the same' if reports[0] == reports[1] else 'DIFFERENT'}")
        shutil.rmtree(root / "second")


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "--child":
        child(sys.argv[4:], float(sys.argv[2]), sys.argv[3] == "1")
    else:
        main()
