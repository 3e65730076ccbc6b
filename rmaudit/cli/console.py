"""Where things are printed: results on stdout, everything else on stderr, nothing of a model's text as markup."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import threading
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, TextIO

from rmaudit.progress import Count, Part
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
    """Progress as plain lines on stderr: what begins and ends, and a sign of life in between."""

    EVERY = 30.0
    """Seconds between two signs of life."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self._count: Count | None = None
        self._ended = threading.Event()

    def stage(self, text: str) -> None:
        """Print the stage."""
        say(f"{text} …")

    def start(self, unit: str, parts: Mapping[str, Part]) -> None:
        """Print what is to be done."""
        self._count = count = Count(unit, parts)
        self._ended = ended = threading.Event()
        if count.total:
            say(f"Scoring {count.total:,} {unit} …")
        for line in count.known():
            say(f"  {line}")

        def beat() -> None:
            while not ended.wait(self.EVERY):
                say(f"  {count.line()}")

        # From a thread, since a batch may take longer than that.
        threading.Thread(target=beat, daemon=True).start()

    def advance(self, amount: int, part: str) -> None:
        """Print that a part is done."""
        line = self._count.advance(amount, part) if self._count is not None else None
        if line is not None:
            say(f"  {line}")

    def finish(self) -> None:
        """Print how long it took, where it is done."""
        self._ended.set()
        if self._count is not None and self._count.whole:
            say(f"  {self._count.summary()}")
        self._count = None


class Bar:
    """Progress as one line with a bar, the rate and the time left, on a terminal."""

    def __init__(self) -> None:
        """Prepare the bar; it appears when counted work starts."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._count: Count | None = None
        self._console = Console(stderr=True, markup=False, highlight=False, emoji=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[told]}", markup=False),
            console=self._console,
            transient=True,
        )

    def stage(self, text: str) -> None:
        """Print the stage."""
        self._print(f"{text} …")

    def start(self, unit: str, parts: Mapping[str, Part]) -> None:
        """Show the bar."""
        self._count = Count(unit, parts)
        for line in self._count.known():
            self._print(f"  {line}")
        self._task = self._progress.add_task("Scoring", total=self._count.total, told=self._count.line())
        self._progress.start()

    def advance(self, amount: int, part: str) -> None:
        """Move the bar, and print above it that a part is done."""
        if self._count is None:
            return
        line = self._count.advance(amount, part)
        told, name = self._count.line(), clean(part, 20)
        self._progress.update(self._task, advance=amount, description=f"Scoring {name}", told=told)
        if line is not None:
            self._print(f"  {line}")

    def finish(self) -> None:
        """Take the bar away, and print how long it took where the work is done."""
        self._progress.stop()
        if self._count is not None and self._count.whole:
            self._print(f"  {self._count.summary()}")
        self._count = None

    def _print(self, text: str) -> None:
        self._console.print(clean(text, None))
