"""Which words of a text differ from another text."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Final, NamedTuple

_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_TOKENS: Final = 3_000
_LEAST_SHARED: Final = 0.35
"""Below this share of common words, marks would cover the text and show nothing."""


class Segment(NamedTuple):
    """A stretch of text, and whether the other text lacks it."""

    text: str
    changed: bool


def mark_difference(text: str, other: str) -> list[Segment]:
    """Split `text` into stretches that `other` shares or lacks, word by word.

    Joined together the segments are `text` again. Texts that have little in common, or are very long, come back
    as one unmarked segment.
    """
    words, other_words = _TOKEN.findall(text), _TOKEN.findall(other)
    if not words or max(len(words), len(other_words)) > _MOST_TOKENS:
        return [Segment(text, False)]
    matcher = SequenceMatcher(a=other_words, b=words, autojunk=False)
    if matcher.ratio() < _LEAST_SHARED:
        return [Segment(text, False)]
    segments: list[Segment] = []
    for operation, _, _, start, stop in matcher.get_opcodes():
        stretch = "".join(words[start:stop])
        if not stretch:
            continue
        changed = operation != "equal" and not stretch.isspace()
        if segments and segments[-1].changed == changed:
            segments[-1] = Segment(segments[-1].text + stretch, changed)
        else:
            segments.append(Segment(stretch, changed))
    return _joined(segments)


def _joined(segments: list[Segment]) -> list[Segment]:
    """Close the single spaces between two marked words, so that a marked phrase reads as one."""
    joined: list[Segment] = []
    for index, segment in enumerate(segments):
        between = (
            segment.text.isspace()
            and "\n" not in segment.text
            and 0 < index < len(segments) - 1
            and segments[index - 1].changed
            and segments[index + 1].changed
        )
        changed = segment.changed or between
        if joined and joined[-1].changed == changed:
            joined[-1] = Segment(joined[-1].text + segment.text, changed)
        else:
            joined.append(Segment(segment.text, changed))
    return joined
