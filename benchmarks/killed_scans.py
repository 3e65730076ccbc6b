"""Does a scan that was killed end as if nothing had happened?

Scans of a model are ended by SIGKILL, gone on with by ``--resume``, and held against one that nobody disturbed:
`report.json` must be the same to the byte outside its ``run`` block, and each kill may cost one batch at most. They are
killed at random moments, several times each, with and without a score store; half way through a write to the store and
to `scores.jsonl`; before and after each file of a run takes its place. As after a loss of power, the ends of both files
are then cut off or filled with zeros.

    python -m benchmarks.killed_scans --source demo --tier smoke --kills 20

Each scan is a process of its own, forked from one that has done the imports, so that kills fall into work.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import hashlib
import importlib
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

PER_SCAN = 5
"""Kills at random moments that one scan must live through."""
CUTS = 4
"""How often each file's end is damaged."""


@dataclass(frozen=True)
class Point:
    """A place in the program at which it is killed."""

    kind: str
    """``store`` and ``scores``: half way through a write; ``before`` and ``after``: when a file takes its place."""
    count: int
    """Which write, or which file."""


@dataclass(frozen=True)
class Row:
    """What came of one scan."""

    what: str
    store: bool
    kills: int
    again: int
    """Batches that were scored more than once."""
    allowed: int
    """Most that may be: those that were in work, or whose scores were taken away."""
    same: bool
    """Whether the report is that of the undisturbed scan."""

    @property
    def good(self) -> bool:
        """Whether nothing was lost but what must be."""
        return self.same and self.again <= self.allowed


class Trial:
    """Scans of one model in a folder, each in a process that may be killed."""

    def __init__(self, folder: Path, arguments: list[str]) -> None:
        self.folder = folder
        self._arguments = arguments
        begun = time.monotonic()
        assert self.attempt("whole", None) == 0, (folder / "whole.err").read_text()
        self.seconds = time.monotonic() - begun
        for module in (folder / "whole.modules").read_text().split():
            with contextlib.suppress(Exception):  # some are not for import by their name
                importlib.import_module(module)
        self.batches = self.calls("whole")

    def attempt(self, name: str, store: str | None, point: Point | None = None, seconds: float = 0) -> int:
        """One process, killed after some seconds where any are given; its exit code, below 0 for a signal."""
        out = self.folder / name
        arguments = ["scan", *self._arguments, "--out", str(out)]
        arguments += ["--store", str(self.folder / store)] if store else ["--no-store"]
        arguments += ["--resume"] if out.exists() else []
        child = os.fork()
        if child == 0:
            _become(arguments, self.folder / name, point)
        if seconds:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                done, status = os.waitpid(child, os.WNOHANG)
                if done:
                    return os.waitstatus_to_exitcode(status)
                time.sleep(0.001)
            os.kill(child, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def finished(self, name: str) -> bool:
        """Whether a scan is complete: the kill may have come behind its last file."""
        path = self.folder / name / "run.json"
        return path.is_file() and json.loads(path.read_bytes())["status"] == "complete"

    def end(self, name: str, store: str | None) -> None:
        """Go on with a scan to its end."""
        if not self.finished(name) and self.attempt(name, store) != 0:
            raise SystemExit((self.folder / f"{name}.err").read_text())

    def calls(self, name: str) -> int:
        """Batches that went through the model, self-tests aside."""
        path = self._log(name)
        return len(path.read_text().split()) if path.is_file() else 0

    def repeated(self, name: str) -> int:
        """Batches among them that had been there before."""
        lines = self._log(name).read_text().split() if self._log(name).is_file() else []
        return len(lines) - len(set(lines))

    def same(self, name: str) -> bool:
        """Whether a report is that of the undisturbed scan."""
        return _report(self.folder / name) == _report(self.folder / "whole")

    def row(self, what: str, name: str, store: str | None, kills: int, taken: int | None = None) -> Row:
        """End a scan, look at what came of it and clear it away; `taken` are batches whose scores were taken away."""
        self.end(name, store)
        again, allowed = (self.repeated(name), kills) if taken is None else (self.calls(name), taken)
        row = Row(what, store is not None, kills, again, allowed, self.same(name))
        shutil.rmtree(self.folder / name)
        self._log(name).unlink(missing_ok=True)
        return row

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.calls"


def at_random(trial: Trial, kills: int, rng: random.Random) -> Iterator[Row]:
    """Scans that are killed at random moments of the time that a whole one takes."""
    scan = 0
    while kills > 0:
        name, store = f"random-{scan}", f"store-{scan}" if scan % 2 else None
        done = 0
        for _ in range(min(PER_SCAN, kills)):
            if trial.attempt(name, store, seconds=rng.uniform(0.02, 0.98) * trial.seconds) == -signal.SIGKILL:
                done += 1
            if trial.finished(name):
                break
        if done:
            yield trial.row("random moments", name, store, done)
        kills -= done
        scan += 1


def at_points(trial: Trial, rng: random.Random, few: bool) -> Iterator[Row]:
    """Scans that are killed within a write, most with a store that knows all, so that they are quick."""
    middle = rng.randrange(2, trial.batches)
    if few:
        points = [Point("store", middle), Point("before", 5)]
    else:
        points = [Point(kind, count) for kind in ("store", "scores") for count in (1, 2, middle)]
        points += [Point(kind, count) for kind in ("before", "after") for count in range(1, 7)]
    for point in points:
        # The first fills the store that the later ones share; a write to a store needs one of its own.
        yield _at(trial, point, f"filled-{point.count}" if point.kind == "store" and point != points[0] else "full")


def _at(trial: Trial, point: Point, store: str) -> Row:
    name = f"at-{point.kind}-{point.count}"
    code = trial.attempt(name, store, point)
    assert code == -signal.SIGKILL, f"{name} ended with {code}: {(trial.folder / f'{name}.err').read_text()}"
    if (trial.folder / name / "report.json").exists():
        assert _report(trial.folder / name) == _report(trial.folder / "whole"), f"{name} left half a report"
    what = {
        "store": f"within write {point.count} to the store",
        "scores": f"within write {point.count} to scores.jsonl",
        "before": f"before file {point.count} takes its place",
        "after": f"after file {point.count} took its place",
    }[point.kind]
    return trial.row(what, name, store, 1)


def cut_off(trial: Trial, rng: random.Random, few: bool) -> Iterator[Row]:
    """Unfinished runs and stores whose last bytes are gone, or are zeros."""
    whole = trial.folder / "whole"
    (full,) = (trial.folder / "full").glob("*.jsonl")
    for which in ("the store",) if few else ("scores.jsonl", "the store"):
        for number in range(1, 2 if few else CUTS + 1):
            name, store = f"cut-{number}", f"cut-store-{number}" if which == "the store" else None
            out = trial.folder / name
            out.mkdir()
            manifest = json.loads((whole / "run.json").read_bytes())
            (out / "run.json").write_text(json.dumps(manifest | {"status": "started"}))
            if store is None:
                damaged = Path(shutil.copy(whole / "scores.jsonl", out))
            else:
                (trial.folder / store).mkdir()
                damaged = Path(shutil.copy(full, trial.folder / store))
            taken = _damage(damaged, zeros=number % 2 == 1, rng=rng)
            yield trial.row(f"end of {which} {'filled with zeros' if number % 2 else 'cut off'}", name, store, 1, taken)


def _damage(path: Path, *, zeros: bool, rng: random.Random) -> int:
    """Take away the end of a file, and tell how many batches that touches."""
    content = path.read_bytes()
    kept = len(content) - rng.randrange(1, len(content) // 5)
    lines = content[content.rfind(b"\n", 0, kept) + 1 :].splitlines()
    batches = {batch for batch in (json.loads(line).get("batch") for line in lines) if batch is not None}
    path.write_bytes(content[:kept] + (bytes(len(content) - kept) if zeros else b""))
    # One of a store's that is lost in part is first tried without what is left of it: that may have no reward at all.
    return len(batches) + (path.name != "scores.jsonl")


def _become(arguments: list[str], out: Path, point: Point | None) -> None:
    """Turn this process into the command line, and end with it."""
    for descriptor, path in ((1, Path(os.devnull)), (2, out.with_suffix(".err"))):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    sys.argv = ["rmaudit", *arguments, "--quiet"]
    code: Any = 70
    try:
        from rmaudit.cli.main import main

        _count_calls(out.with_suffix(".calls"))
        if point is not None:
            _arm(point)
        main()
    except SystemExit as done:
        code = done.code
        out.with_suffix(".modules").write_text("\n".join(sys.modules))
    finally:
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0)


def _count_calls(log: Path) -> None:
    """Note each batch that goes through the model, when it begins."""
    from rmaudit.conversation import conversation_key
    from rmaudit.scoring import local

    score = local.score_checked
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def counted(model: Any, conversations: Any) -> Any:
        digest = hashlib.sha256("\n".join(map(conversation_key, conversations)).encode("utf-8", "replace"))
        os.write(file, digest.hexdigest()[:16].encode() + b"\n")
        return score(model, conversations)

    local.score_checked = counted


def _arm(point: Point) -> None:
    """Have this process kill itself at a point."""
    import rmaudit.runs.atomic
    import rmaudit.runs.scores
    import rmaudit.scoring.store

    left = point.count

    def due() -> bool:
        nonlocal left
        left -= 1
        return left == 0

    if point.kind == "store":
        file = _halving(io.FileIO, due)
        rmaudit.scoring.store.io = SimpleNamespace(FileIO=file)  # type: ignore[attr-defined]
    elif point.kind == "scores":
        write = rmaudit.runs.scores.ScoreWriter._write

        def half(self: Any, lines: Any) -> None:
            if due():
                content = b"".join(rmaudit.runs.scores.seal(line) + b"\n" for line in lines)
                os.write(self._file.fileno(), content[: len(content) // 2])
                _die()
            write(self, lines)

        rmaudit.runs.scores.ScoreWriter._write = half  # type: ignore[method-assign]
    else:
        replace = os.replace

        def placed(*args: Any, **more: Any) -> None:
            last = due()
            if last and point.kind == "before":
                _die()
            replace(*args, **more)
            if last:
                _die()

        rmaudit.runs.atomic.os.replace = placed  # type: ignore[attr-defined]


def _halving(base: type[io.FileIO], due: Callable[[], bool]) -> type[io.FileIO]:
    class Halving(base):  # type: ignore[misc, valid-type]
        def write(self, content: Any) -> int:
            if due():
                super().write(bytes(content)[: len(content) // 2])
                _die()
            return int(super().write(content))

    return Halving


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def _report(folder: Path) -> bytes:
    """`report.json` without its ``run`` block, which is its last."""
    return (folder / "report.json").read_bytes().split(b'\n "run": {')[0]


def main() -> None:
    """Print the table; exit code 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="at random moments")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--few", action="store_true", help="only the most telling places within writes")
    parser.add_argument("--json", action="store_true", help="print the rows for a program")
    parser.add_argument("--source", default="demo")
    options, more = parser.parse_known_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder), [options.source, *more])
        rows: list[Row] = []
        for part in (
            at_random(trial, options.kills, rng),
            at_points(trial, rng, options.few),
            cut_off(trial, rng, options.few),
        ):
            for row in part:
                rows.append(row)
                if not options.json:
                    verdict = "same report" if row.same else "ANOTHER REPORT"
                    print(f"{row.what:42} {'store' if row.store else 'no store':9} {row.kills:2} kills  "
                          f"{row.again:2} batches again of {row.allowed} lost  {verdict}", flush=True)  # fmt: skip
    killed = sum(row.kills for row in rows)
    if options.json:
        print(json.dumps([dataclasses.asdict(row) | {"good": row.good} for row in rows]))
    else:
        print(f"{killed} kills or losses, a whole scan takes {trial.seconds:.1f} s and {trial.batches} batches")
    raise SystemExit(0 if all(row.good for row in rows) else 1)


if __name__ == "__main__":
    main()
