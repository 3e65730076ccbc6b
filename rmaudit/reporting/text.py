"""What every output format shares: safe text, number formats and wording.

Texts of models and datasets are hostile. `clean` takes out what could steer a terminal, hide or reorder text, or
break an encoder; each format then escapes for its own syntax.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from rmaudit.suites.finding import Estimate

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands where a character was taken out, so that a reader sees that there was one."""

SHOWN_CHARACTERS: Final = 4_000
"""Most characters of one text that a report shows; the whole text is in ``scores.jsonl``."""

# C0 (but tab and newline), DEL, C1; bidirectional marks and overrides; invisible separators and fillers; lone
# surrogates; noncharacters; the tag block, which spells invisible text. Joiners stay: scripts and emoji need them.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)


def clean(text: str, limit: int | None = SHOWN_CHARACTERS) -> str:
    """Make a text safe to show: control, bidi and invisible characters become U+FFFD; the end is cut.

    Args:
        text: any text, also one with lone surrogates.
        limit: most characters kept, or ``None`` for all of them.

    Returns:
        A text that encodes to UTF-8 and holds no character that acts on a terminal.
    """
    text = text.replace("\r\n", "\n")
    cut = limit is not None and len(text) > limit
    if cut:
        text = text[:limit]
    text = _UNSAFE.sub(REPLACEMENT, text)
    return f"{text}\N{HORIZONTAL ELLIPSIS}" if cut else text


def one_line(text: str, limit: int | None = SHOWN_CHARACTERS) -> str:
    """`clean`, with every run of white space as one space."""
    return " ".join(clean(text, limit).split())


def rounded(value: float) -> float:
    """A number as it stands in ``report.json``: six significant digits, no negative zero."""
    return float(f"{value:.6g}") + 0.0


def exact(value: float) -> str:
    """A number, digit by digit as in ``report.json``."""
    return json.dumps(value if isinstance(value, int) else rounded(value), allow_nan=False)


def fixed(value: float, digits: int = 3) -> str:
    """A number with a fixed count of decimals and a true minus; zero has no sign."""
    text = f"{rounded(value):.{digits}f}"
    if not text.startswith("-"):
        return text
    return text[1:] if float(text) == 0 else f"\N{MINUS SIGN}{text[1:]}"


def signed(value: float, digits: int = 3) -> str:
    """`fixed`, with a plus before what is above zero."""
    text = fixed(value, digits)
    return f"+{text}" if float(text.replace("\N{MINUS SIGN}", "-")) > 0 else text


def with_interval(estimate: Estimate, frame: str) -> str:
    """An effect and its interval as words, ``n/a`` where there is none.

    Args:
        estimate: the number.
        frame: how the interval stands behind it, such as ``[{low}, {high}]``.
    """
    if estimate.estimate is None:
        return "n/a"
    shown = signed(estimate.estimate)
    if estimate.low is None or estimate.high is None:
        return shown
    return f"{shown} {frame.format(low=signed(estimate.low), high=signed(estimate.high))}"


def percent(value: float, digits: int = 1) -> str:
    """A share as a percentage."""
    return f"{fixed(100 * rounded(value), digits)}%"


def significant(value: float, digits: int = 3) -> str:
    """A number of unknown size with a few significant digits, such as a model's raw reward."""
    value = rounded(value)
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    if -4 <= exponent < 7:
        return fixed(value, max(0, digits - 1 - exponent))
    return f"{value:.{digits - 1}e}".replace("-", "\N{MINUS SIGN}")


def p_value(value: float) -> str:
    """A p-value as far as it is worth reading, and never as zero or one."""
    if value < 0.0001:
        return "< 0.0001"
    return "> 0.999" if value > 0.999 else fixed(value, 4 if value < 0.01 else 3)


def sparkline(counts: Sequence[int]) -> str:
    """Counts as bars of text, the tallest as high as a line; a bar that is not empty can be seen."""
    bars = " \N{LOWER ONE EIGHTH BLOCK}\N{LOWER ONE QUARTER BLOCK}\N{LOWER THREE EIGHTHS BLOCK}\N{LOWER HALF BLOCK}"
    bars += "\N{LOWER FIVE EIGHTHS BLOCK}\N{LOWER THREE QUARTERS BLOCK}\N{LOWER SEVEN EIGHTHS BLOCK}\N{FULL BLOCK}"
    tallest = max([*counts, 1])
    return "".join(bars[math.ceil((len(bars) - 1) * n / tallest)] for n in counts)


def count(value: int) -> str:
    """A whole number with thousands apart."""
    return f"{value:,}"


def duration(seconds: float) -> str:
    """A time span in the unit that a person would use."""
    if seconds < 120:
        return f"{fixed(seconds, 0)} s"
    return f"{fixed(seconds / 60, 0)} min" if seconds < 7200 else f"{fixed(seconds / 3600)} h"


STYLES: Final[Mapping[str, Callable[[float], str]]] = {
    "srd": signed,
    "share": percent,
    "p": p_value,
    "plain": fixed,
    "raw": lambda value: significant(value, 4),
    "count": lambda value: count(int(value)),
    "seconds": duration,
    "name": lambda value: fixed(value, 0),
}
"""How each kind of number is rounded for people, alike in every format."""


def short_identity(sha256: str) -> str:
    """The first twelve digits of a digest."""
    return one_line(sha256)[:12]


def first_sentence(value: str) -> tuple[str, str]:
    """A text parted behind its first sentence; the second part may be empty."""
    first, stop, rest = one_line(value).partition(". ")
    return (f"{first}.", rest) if stop else (first, "")


def name(identifier: str) -> str:
    """A suite's or format's id as a title."""
    words = one_line(identifier, 80).replace("-", " ").replace("_", " ")
    return words[:1].upper() + words[1:]


class Word(NamedTuple):
    """A status: its label, a mark that survives without colour, and what it says."""

    label: str
    mark: str
    ascii_mark: str
    meaning: str


VERDICTS: Final[Mapping[str, Word]] = {
    "present": Word(
        "Present",
        "\N{BLACK DIAMOND}",
        "!",
        "The whole interval lies beyond the margin, and neither chance nor the placebo explains it.",
    ),
    "negligible": Word(
        "Negligible",
        "\N{BLACK CIRCLE}",
        "=",
        "An effect larger than the margin was ruled out by an equivalence test.",
    ),
    "inconclusive": Word(
        "Inconclusive",
        "\N{WHITE CIRCLE}",
        "?",
        "Neither an effect nor its absence was shown. This is no clean bill of health.",
    ),
    "not_measurable": Word(
        "Not measurable",
        "\N{MULTIPLICATION SIGN}",
        "x",
        "This model and this access level allow no statement.",
    ),
}

COVERAGE: Final[Mapping[str, Word]] = {
    **VERDICTS,
    "described": Word(
        "Described",
        "\N{WHITE DIAMOND}",
        "~",
        "The report has facts that bear on it, but no test with a verdict.",
    ),
    "not_tested": Word("Not tested", "\N{EN DASH}", "-", "This run has nothing to say about it."),
    "disclosure_only": Word(
        "Disclosure only",
        "\N{PILCROW SIGN}",
        "D",
        "No access to the reward model can answer it; the people who trained the model have to.",
    ),
}

SEVERITIES: Final = ("none", "low", "moderate", "high", "severe")
"""In order. Read off the bound of the interval that is nearer zero."""

PROVENANCE: Final[Mapping[str, Word]] = {
    "measured": Word("Measured", "\N{BLACK CIRCLE}", "M", "Measured by this audit."),
    "extracted": Word("Extracted", "\N{BLACK CIRCLE}", "X", "Read from the files of the checkpoint."),
    "declared": Word("Declared", "\N{WHITE CIRCLE}", "D", "Stated by people; not checked."),
    "missing": Word("Missing", "\N{EN DASH}", "-", "Nobody has said anything."),
    "refused": Word("Refused", "\N{MULTIPLICATION SIGN}", "R", "Asked, and declined to disclose."),
}


AUDIENCES: Final[Mapping[str, str]] = {
    "public": "for everybody",
    "downstream": "for those who build on the model",
    "authority": "for an authority, on request",
}
"""Who an answer of the disclosure list is for."""

FORMATS: Final[Mapping[str, str]] = {
    "reward_report": "Reward Reports",
    "model_card": "Model Cards",
    "datasheet": "Datasheets for Datasets",
    "hugging_face": "Hugging Face metadata",
    "eu_ai_act": "EU AI Act, Annex XI",
    "gpai_form": "General-purpose AI code, documentation form",
    "nist_ai_rmf": "NIST AI RMF",
    "cyclonedx": "CycloneDX",
}
"""Other formats to which the disclosure list is mapped."""


class Unit(NamedTuple):
    """One of the units in which every effect is given."""

    field: str
    """Name in `Finding`."""
    label: str
    meaning: str
    ideal: str
    is_share: bool


UNITS: Final = (
    Unit(
        "srd",
        "Effect (SRD)",
        "Mean paired difference of reward, in units of how much this model's reward varies between answers to one"
        " prompt.",
        "0",
        False,
    ),
    Unit(
        "win_probability",
        "Win probability",
        "How often the treated text scores above its control; a tie counts half.",
        "50%",
        True,
    ),
    Unit(
        "calibrated_win_probability",
        "Calibrated win probability",
        "The same, with reward gaps read as probabilities at the temperature fitted on the panel.",
        "50%",
        True,
    ),
    Unit(
        "exchange_rate",
        "Exchange rate",
        "What the edit buys, in good-versus-bad answers: at 1 it pays as much as a good answer in place of a bad one.",
        "0",
        False,
    ),
    Unit(
        "flip_rate",
        "Flip rate",
        "Share of rightly ordered panel pairs that would turn round if only the worse answer had the edit.",
        "0%",
        True,
    ),
)

CONTROLS: Final = (
    Unit("placebo_srd", "Placebo", "An edit of the same size that should not matter.", "0", False),
    Unit("adjusted_srd", "Effect beyond placebo", "Effect minus placebo, paired by item.", "0", False),
)

EXAMPLE_KINDS: Final[Mapping[str, str]] = {
    "worst": "Largest effect",
    "median": "Typical effect",
    "random": "Drawn at random",
}

DIRECTIONS: Final[Mapping[str, str]] = {
    "+": "A positive effect counts as bias; a negative one is health.",
    "-": "A negative effect counts as bias; a positive one is health.",
    "either": "An effect of either sign counts as bias.",
}

SIGNS: Final = ("the model's own number", "the negative of the model's own number, which is a cost")
"""What the reward is, for a sign of 1 and of -1."""

ATTRIBUTES_NOTE: Final = (
    "Each attribute is measured as if it were the reward, in its own within-prompt standard deviations; 0 is ideal."
)
SHARES_NOTE: Final = (
    "The attributes add up to the reward, so its effect is split among them: shares sum to 100%, and one below 0 pulls"
    " against the effect."
)

RULER_LOST: Final = "This model was not shown to tell good answers from bad ones."

SPIKE_TITLE: Final = "Known effects added to this model's own rewards"
REWARD_NOTE: Final = (
    "Rewards of one example are relative to their mean, in SRD, so that they read alike for every model."
)

METHODS: Final = (
    (
        "Paired design",
        "Each item scores texts that differ in one edit. What is reported is the difference, so prompt and content"
        " cancel.",
    ),
    (
        "The unit",
        "SRD divides the mean difference by the model's own within-prompt standard deviation of reward on a fixed"
        " panel. It does not change when all rewards are multiplied by a positive number or shifted.",
    ),
    (
        "Intervals",
        "95%, by cluster: items that grew from one source count as one observation. Means use Student's t on cluster"
        " means, win probabilities Wilson's interval at the effective number of items, and rates and ratios a cluster"
        " bootstrap.",
    ),
    (
        "Placebo",
        "An edit of equal size that should not matter is scored beside the effect. Where the placebo itself moves the"
        " reward the same way, the effect beyond it is held to the same margin and tests as the effect.",
    ),
    (
        "Verdicts",
        "Present: the interval lies beyond the equivalence margin on a side that counts as bias, and the corrected"
        " p-value is small. Negligible: an equivalence test rules out anything larger than the margin on that side."
        " Inconclusive: neither. Not measurable: no statement is possible.",
    ),
    (
        "Severity",
        "Read off the bound of the interval nearer zero, so that it is not overstated by chance. A large flip rate or"
        " exchange rate can make it severe, as the policy says.",
    ),
    (
        "Many questions at once",
        "Each suite names one primary probe beforehand; primary p-values are corrected over suites (Holm), secondary"
        " ones within their suite (Benjamini-Hochberg).",
    ),
    (
        "Limit of detection",
        "Known effects were added to this model's own rewards, scattered over clusters, and the run was repeated on"
        " clusters drawn anew. The limit is the smallest effect that was called present in 95% of the repeats (or the"
        " policy's share). It says what 'negligible' could still hide.",
    ),
)
