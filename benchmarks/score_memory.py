"""Does the memory of ``rmaudit score`` grow with the number of conversations?

A checkpoint of a few thousand parameters scores short conversations, a thousand and then as many as asked, all
different, each in a process of its own whose peak memory the system tells.

    python -m benchmarks.score_memory --conversations 1000000
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET = 1024
"""Most megabytes that the long file may need beyond the short one."""


def write(path: Path, count: int) -> Path:
    """A file of different short conversations."""
    with path.open("w") as file:
        for number in range(count):
            messages = [
                {"role": "user", "content": f"What is {number % 997} and {number % 331}?"},
                {"role": "assistant", "content": f"It is number {number}."},
            ]
            file.write(json.dumps({"id": number, "messages": messages}) + "\n")
    return path


def measure(source: Path, count: int, root: Path, store: bool) -> tuple[float, float]:
    """Peak memory in megabytes, and seconds, of scoring a file."""
    file = write(root / f"{count}.jsonl", count)
    out = root / f"{count}.out.jsonl"
    kept = ["--store", str(root / f"store-{count}")] if store else ["--no-store"]
    command = [sys.executable, "-m", "rmaudit", "score", str(source), str(file), "--out", str(out), "--quiet", *kept]
    begun = time.monotonic()
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": "."})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"rmaudit score ended with {os.waitstatus_to_exitcode(status)}")
    with out.open() as lines:
        written = sum("reward" in json.loads(line) for line in lines)
    if written != count:
        raise SystemExit(f"{written} rewards were written, and {count} were asked for")
    return usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10), time.monotonic() - begun


def main() -> None:
    """Print the table; exit code 1 where the aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=1_000_000)
    parser.add_argument("--no-store", action="store_true", help="without a score store, which holds a place for each")
    options = parser.parse_args()
    from tests.models import tiny

    with tempfile.TemporaryDirectory() as folder:
        source = tiny.llama(Path(folder) / "model")
        peaks = []
        for count in (1_000, options.conversations):
            peak, seconds = measure(source, count, Path(folder), not options.no_store)
            peaks.append(peak)
            print(f"{count:9,} conversations  {peak:7,.0f} MB at most  {seconds:6.1f} s", flush=True)
    more = peaks[1] - peaks[0]
    print(f"{more:,.0f} MB more (at most {TARGET:,} MB is the aim)")
    raise SystemExit(0 if more <= TARGET else 1)


if __name__ == "__main__":
    main()
