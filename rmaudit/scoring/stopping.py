"""A clean stop: the first Ctrl-C or SIGTERM lets the batches in work end and be saved, the second stops at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any, Self


class CleanStop:
    """While it is entered, both signals end in a `KeyboardInterrupt`, at the end of `work` where there is any.

    Signals that are ignored (as for a process in the background) stay so. Outside the main thread, where Python
    handles no signals, it does nothing.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        """Name who is told that the stop was heard."""
        self._tell = tell
        self._asked = self._working = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Listen."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                before = signal.getsignal(number)
                if before is not None and before is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the signals to whoever had them before."""
        for number, before in self._before.items():
            signal.signal(number, before)

    @property
    def asked(self) -> bool:
        """Whether a stop was asked for, so that nothing new is to be begun."""
        return self._asked

    @contextlib.contextmanager
    def work(self) -> Iterator[None]:
        """Around work that looks at `asked` and soon ends by itself.

        Raises:
            KeyboardInterrupt: at its end, when a stop was asked for meanwhile.
        """
        self._working = True
        try:
            yield
        finally:
            self._working = False
        if self._asked:
            raise KeyboardInterrupt

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self._asked or not self._working:
            raise KeyboardInterrupt
        self._asked = True
        with contextlib.suppress(RuntimeError):  # it may have come in the middle of other output
            self._tell("Stopping after this batch; the same again stops at once")
