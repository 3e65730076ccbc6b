"""A small SVG that says how the gate decided, on which model."""

from __future__ import annotations

from html import escape

from rmaudit.gate.check import Outcome
from rmaudit.gate.result import GateResult
from rmaudit.reporting.text import clean

_LOOKS: dict[Outcome, tuple[str, str]] = {
    "pass": ("passed", "#1b6e53"),
    "fail": ("failed", "#a6371f"),
    "inconclusive": ("not decided", "#7a5b00"),
    "unmeasured": ("not measured", "#555b66"),
}
_CHARACTER = 6.6
"""Width of a character at this size, in pixels, generous so that no font overflows."""


def render(result: GateResult) -> bytes:
    """The badge, with its words as text and as a title for screen readers."""
    words, colour = _LOOKS[result.decision.outcome]
    waived = sum(check.outcome == "waived" for check in result.decision.checks)
    parts = [words, *([f"{waived:,} waived"] if waived else []), clean(result.identity[:8], 8) or "unknown"]
    left, right = "reward model audit", " · ".join(parts)
    widths = [round(len(text) * _CHARACTER + 16) for text in (left, right)]
    title = escape(clean(f"rmaudit: {result.words} Policy {result.policy}.", 500))
    total = sum(widths)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="22" role="img" aria-labelledby="t">
<title id="t">{title}</title>
<rect width="{total}" height="22" rx="4" fill="#24292f"/>
<path d="M{widths[0]} 0h{widths[1] - 4}a4 4 0 0 1 4 4v14a4 4 0 0 1-4 4h-{widths[1] - 4}z" fill="{colour}"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
<text x="{widths[0] / 2:g}" y="15">{escape(left)}</text>
<text x="{widths[0] + widths[1] / 2:g}" y="15">{escape(right)}</text>
</g>
</svg>
""".encode()
