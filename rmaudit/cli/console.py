"""Where things are printed: results on stdout, everything else on stderr, nothing of a model's text as markup."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from typing import IO, TYPE_CHECKING, TextIO

from rmaudit.reporting.text import clean

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from rmaudit.progress import Progress

WIDTH = 100
"""Widest output, and the width where there is no terminal to ask."""


def say(text: str) -> None:
    """A message for the user, on stderr, without anything that a model's text could do to the terminal."""
    _put(clean(text, None) + "\n", sys.stderr)


def tell(text: str) -> None:
    """A result in words, on stdout, in lines of no more than the width."""
    columns = width(sys.stdout)
    for line in clean(text, None).split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        filled = textwrap.fill(line, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        _put(filled + "\n", sys.stdout)


def tell_line(text: str) -> None:
    """A result in words that stays on one line, such as a path or what an editor reads, on stdout."""
    _put(clean(text, None) + "\n", sys.stdout)


def write(content: bytes) -> None:
    """A result for a program, on stdout, byte for byte."""
    _put(content, sys.stdout)


def show(renderable: RenderableType) -> None:
    """A result, on stdout."""
    screen = console(sys.stdout)
    with screen.capture() as captured:
        screen.print(renderable)
    _put(captured.get(), sys.stdout)


def _put(content: str | bytes, stream: TextIO) -> None:
    """Write at once. A reader who went away (`rmaudit … | head`) changes neither the work nor the exit code."""
    try:
        if isinstance(content, str):
            stream.write(content)
        else:
            stream.flush()
            stream.buffer.write(content)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def plain_only(stream: IO[str]) -> bool:
    """Whether a stream's encoding lacks the marks and dashes that results are told with."""
    try:
        "\N{BLACK DIAMOND}\N{MINUS SIGN}\N{HORIZONTAL ELLIPSIS}".encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return True
    return False


def width(stream: IO[str]) -> int:
    """Columns to use on a stream: the terminal's, at most `WIDTH`."""
    return min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if stream.isatty() else WIDTH


def console(stream: IO[str]) -> Console:
    """A console that never interprets markup and is only as interactive as its stream."""
    from rich.console import Console

    return Console(
        file=stream,
        width=width(stream),
        markup=False,
        highlight=False,
        emoji=False,
        force_interactive=False,
        soft_wrap=False,
    )


def listener(quiet: bool) -> Progress:
    """The progress display that fits: none, a bar on a terminal, plain lines elsewhere and in CI."""
    if quiet:
        from rmaudit.progress import Silent

        return Silent()
    if sys.stderr.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb":
        return Bar()
    return Lines()


class Lines:
    """Progress as plain lines on stderr, at most one every few seconds."""

    EVERY = 15.0

    def __init__(self) -> None:
        """Start the clock."""
        self._total = self._done = 0
        self._unit = ""
        self._began = self._last = time.monotonic()

    def stage(self, text: str) -> None:
        """Print the stage."""
        say(f"{text} …")

    def start(self, total: int, unit: str) -> None:
        """Print what is to be done."""
        self._total, self._unit = total, unit
        self._began = self._last = time.monotonic()
        say(f"Scoring {total:,} {unit} …")

    def advance(self, amount: int, label: str) -> None:
        """Print how far it is, now and then."""
        self._done += amount
        now = time.monotonic()
        if now - self._last >= self.EVERY and self._done < self._total:
            self._last = now
            left = (now - self._began) / self._done * (self._total - self._done)
            say(f"  {self._done:,} of {self._total:,} {self._unit} ({label}), about {_minutes(left)} left")

    def finish(self) -> None:
        """Print how long it took."""
        say(f"  {self._done:,} {self._unit} in {_minutes(time.monotonic() - self._began)}")


class Bar:
    """Progress as one line with a bar and the time left, on a terminal."""

    def __init__(self) -> None:
        """Prepare the bar; it appears when counted work starts."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = console(sys.stderr)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )

    def stage(self, text: str) -> None:
        """Print the stage."""
        self._console.print(f"{text} …")

    def start(self, total: int, unit: str) -> None:
        """Show the bar."""
        self._task = self._progress.add_task(f"Scoring {unit}", total=total)
        self._progress.start()

    def advance(self, amount: int, label: str) -> None:
        """Move the bar."""
        self._progress.update(self._task, advance=amount, description=f"Scoring {label}")

    def finish(self) -> None:
        """Take the bar away."""
        self._progress.stop()


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
