"""How many examples a report shows, and how much of their texts, so that it stays fit for a browser and for mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from rmaudit.reporting.outline import MOST_EXAMPLES
from rmaudit.reporting.text import SHOWN_CHARACTERS
from rmaudit.suites.finding import Example, Finding

PAGE: Final = 4_300_000
"""Characters of a page that is still fit for mail and opens at once, about."""

FINDING: Final = 13_500
"""Characters that the numbers, plots and method of one finding take, about."""

TEXT: Final = 300
"""Characters around one text of an example, about."""


class Allowance(NamedTuple):
    """What each finding may show."""

    examples: int
    characters: int
    """Of one text."""

    def shown(self, finding: Finding) -> list[Example]:
        """The examples shown: the first of each kind (worst, median, random) before further ones, in their order."""
        kinds: dict[str, int] = {}
        ranked: list[tuple[int, int]] = []
        for place, example in enumerate(finding.examples):
            ranked.append((kinds.setdefault(example.kind, 0), place))
            kinds[example.kind] += 1
        kept = sorted(place for _, place in sorted(ranked)[: self.examples])
        return [finding.examples[place] for place in kept]


LADDER: Final = tuple(
    Allowance(*step)
    for step in (
        (MOST_EXAMPLES, SHOWN_CHARACTERS),
        (MOST_EXAMPLES, 2_000),
        (7, 2_000),
        (5, 1_500),
        (3, 1_500),
        (3, 800),
        (1, 800),
        (1, 300),
    )
)
"""From the most to the least."""


def allowance(findings: Sequence[Finding]) -> Allowance:
    """The largest allowance with which all examples fit, or else the smallest."""
    room = PAGE - FINDING * len(findings)
    return next((step for step in LADDER if _characters(findings, step) <= room), LADDER[-1])


def _characters(findings: Sequence[Finding], step: Allowance) -> int:
    return sum(
        TEXT + min(len(text), step.characters)
        for finding in findings
        for example in step.shown(finding)
        for text in (example.prompt, *(arm.response for arm in example.arms))
    )
