"""How long work reports that it moves on. The core only calls these methods; the command line draws them."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Listener to the progress of a scan."""

    def stage(self, text: str) -> None:
        """A new stage begins, such as loading the model."""

    def start(self, total: int, unit: str) -> None:
        """Counted work begins: `total` units of work in all."""

    def advance(self, amount: int, label: str) -> None:
        """Some units are done; `label` names what is worked on."""

    def finish(self) -> None:
        """The counted work is done."""


class Silent:
    """A listener that ignores everything; for use as a library."""

    def stage(self, text: str) -> None:
        """Ignore."""

    def start(self, total: int, unit: str) -> None:
        """Ignore."""

    def advance(self, amount: int, label: str) -> None:
        """Ignore."""

    def finish(self) -> None:
        """Ignore."""
