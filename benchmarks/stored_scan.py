"""How long does a scan take whose rewards are all stored, from the start of its process to its end?

The model is scanned once to fill the store, unless the folder holds that already, and then again as often as is asked:
`rmaudit scan` as a user runs it, with all files of its report. Seconds of the clock and of the processor are told, and
whether `report.json` is the same to the byte outside its ``run`` block.

    python -m benchmarks.stored_scan --folder FOLDER --rounds 5
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET_SECONDS = 10.0


def scan(source: str, store: Path, out: Path, more: list[str]) -> tuple[float, float]:
    """One scan in a process of its own: its seconds by the clock, and by the processor."""
    command = [sys.executable, "-m", "rmaudit", "scan", source, "--quiet", "--store", str(store), "--out", str(out)]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([*command, *more], capture_output=True, text=True, env=os.environ, check=False)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def published(run: Path) -> bytes:
    """`report.json` without its ``run`` block, which is its last."""
    return (run / "report.json").read_bytes().split(b'\n "run": {')[0]


def main() -> None:
    """Print the seconds of each round; exit code 1 where a report is another one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="demo")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="keep store and first run here")
    options, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = options.folder or Path(temporary)
        first, again, store = root / "first", root / "again", root / "store"
        if not (first / "report.json").is_file():
            took, _ = scan(options.source, store, first, more)
            print(f"a scan without stored rewards: {took:.1f} s", flush=True)
        rounds, same = [], True
        for number in range(options.rounds):
            took, worked = scan(options.source, store, again, more)
            run = json.loads((again / "run.json").read_bytes())["run"]
            same &= published(again) == published(first)
            known = f"{run['from_store']:,} of {run['unique_conversations']:,} rewards stored"
            print(f"round {number + 1}: {took:5.1f} s, {worked:5.1f} s of the processor; {known}", flush=True)
            rounds.append(took)
            shutil.rmtree(again)
        print(
            f"median {statistics.median(rounds):.1f} s (at most {TARGET_SECONDS:.0f} s is the aim); report.json "
            f"outside its run block: {'the same' if same else 'DIFFERENT'}"
        )
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()
