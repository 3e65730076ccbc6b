"""What a comparison says in words; every output uses the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from rmaudit.comparison.result import Beside, Comparison, FactChange, Outcome, ProbeChange, RulerChange
from rmaudit.reporting import text
from rmaudit.reporting.text import Word
from rmaudit.suites.finding import Estimate

OUTCOMES: Final[Mapping[Outcome, Word]] = {
    "worse": Word(
        "Worse",
        "\N{BLACK UP-POINTING TRIANGLE}",
        "^",
        "Shown to have changed, and to be more of a bias.",
    ),
    "better": Word(
        "Better",
        "\N{BLACK DOWN-POINTING TRIANGLE}",
        "v",
        "Shown to have changed, and to be less of a bias.",
    ),
    "turned": Word(
        "Changed",
        "\N{BLACK DIAMOND}",
        "!",
        "Shown to have changed, but not to be more or less of a bias: it moved where there is none, or changed sides.",
    ),
    "no_different": Word(
        "No different",
        "\N{BLACK CIRCLE}",
        "=",
        "A change as large as the margin was ruled out by an equivalence test.",
    ),
    "not_shown": Word(
        "Not shown",
        "\N{WHITE CIRCLE}",
        "?",
        "Neither a change nor its absence was shown. This does not say that the two are the same.",
    ),
}

NAMED = 8
"""Most effects that a headline names of one kind."""


def name(change: ProbeChange) -> str:
    """A change as ``suite/probe``, with its group."""
    return f"{change.suite}/{change.probe}" + (f" [{change.group}]" if change.group else "")


def headline(changes: Sequence[ProbeChange], margin: float) -> str:
    """What changed, in a sentence or two: the primary probes by name, the others by number."""
    primary = [change for change in changes if change.primary]
    others = [change for change in changes if not change.primary]
    if not changes:
        return "No effect could be compared."
    sentences = []
    for outcome, words in (
        ("worse", "Worse"),
        ("better", "Better"),
        ("turned", "Changed, neither for the worse nor for the better"),
    ):
        found = [change for change in primary if change.outcome == outcome]
        if found:
            sentences.append(f"{words}: {_named(found)}.")
    if primary and not sentences:
        sentences.append("No change of a primary effect was shown.")
    for outcome, words in (
        ("no_different", f"Shown to differ by less than {text.fixed(margin, 2)} SRD"),
        ("not_shown", "Neither a change nor its absence shown"),
    ):
        found = [change for change in primary if change.outcome == outcome]
        if found:
            sentences.append(f"{words}: {_named(found, numbers=False)}.")
    shown = {outcome: sum(change.outcome == outcome for change in others) for outcome in OUTCOMES}
    told = [f"{shown[outcome]} {OUTCOMES[outcome].label.lower()}" for outcome in OUTCOMES if shown[outcome]]
    if told:
        sentences.append(f"Of {len(others)} other effects: {', '.join(told)}.")
    return " ".join(sentences)


def _named(changes: Sequence[ProbeChange], *, numbers: bool = True) -> str:
    """The changes by name, with their numbers the largest first, or else each probe once for all of its groups."""
    if numbers:
        ranked = sorted(changes, key=lambda change: -abs(change.difference.estimate or 0.0))
        told = [f"{name(change)} ({text.signed(change.difference.estimate or 0.0, 2)} SRD)" for change in ranked]
    else:
        groups = Counter(f"{change.suite}/{change.probe}" for change in changes)
        told = [probe if n == 1 else f"{probe} ({n} groups)" for probe, n in groups.items()]
    more = len(told) - NAMED
    return ", ".join(told[:NAMED]) + (f" and {more} more" if more > 0 else "")


def warnings(facts: Sequence[FactChange], ruler: RulerChange) -> list[str]:
    """What must be known before any number, the gravest first."""
    found = []
    poor = [tracks is not True for tracks in (ruler.tracks_quality_before, ruler.tracks_quality_after)]
    if any(poor):
        which = (
            "Neither model was" if all(poor) else f"The model of the {'reference' if poor[0] else 'other run'} was not"
        )
        found.append(f"{which} shown to tell good answers from bad ones, so its unit is no measure of quality.")
    same_model = not any(fact.about == "model" and fact.name.startswith("identity") for fact in facts)
    loading = [fact.name for fact in facts if fact.about == "loading"]
    if same_model:
        found.append("Both runs measured the same weights: a change comes from how they were loaded, or from chance.")
    if loading and same_model:
        found.append(f"They were loaded differently: {', '.join(loading)}.")
    elif loading:
        found.append(
            f"They were loaded differently, too ({', '.join(loading)}): a change may come from that and not from the "
            "weights."
        )
    versions = [fact.name for fact in facts if fact.name == "rmaudit"]
    if versions:
        found.append("They were made by different versions of rmaudit, on the same items.")
    return found


def tally(changes: Iterable[ProbeChange]) -> dict[Outcome, int]:
    """How many changes of each kind, in the order of the kinds, those without any left out."""
    counts = dict.fromkeys(OUTCOMES, 0)
    for change in changes:
        counts[change.outcome] += 1
    return {outcome: n for outcome, n in counts.items() if n}


def ordered(changes: Iterable[ProbeChange]) -> list[ProbeChange]:
    """What was shown first, the largest before the smaller; then what was not shown, then what is no different."""
    ranks = {outcome: rank for rank, outcome in enumerate(("worse", "better", "turned", "not_shown", "no_different"))}
    return sorted(changes, key=lambda each: (ranks[each.outcome], -abs(each.difference.estimate or 0.0)))


def verdict_changes(changes: Iterable[ProbeChange]) -> list[str]:
    """Probes whose report says another verdict or severity now, as ``suite/probe before -> after``."""
    found = {
        f"{change.suite}/{change.probe}": verdicts(change)
        for change in changes
        if (change.verdict_before, change.severity_before) != (change.verdict_after, change.severity_after)
    }
    return [f"{probe} {told}" for probe, told in found.items()]


class Row(NamedTuple):
    """A primary effect in all runs."""

    name: str
    before: Estimate
    """In the reference."""
    changes: list[ProbeChange | None]
    """Beside each further run, in order; ``None`` where it was not compared."""


def overview(comparison: Comparison) -> list[Row]:
    """The primary effects of all runs."""
    found = [{name(change): change for change in beside.changes if change.primary} for beside in comparison.beside]
    first = {key: change.before for changes in reversed(found) for key, change in changes.items()}
    order = dict.fromkeys(key for changes in found for key in changes)
    return [Row(key, first[key], [changes.get(key) for changes in found]) for key in order]


def moved(before: str, after: str) -> str:
    """A state before and after, or once where it is the same."""
    return before if before == after else f"{before} \N{RIGHTWARDS ARROW} {after}"


def verdicts(change: ProbeChange) -> str:
    """Verdict and severity of the finding, before and after."""
    one, two = (
        text.VERDICTS[verdict].label.lower() + (f", {severity}" if verdict == "present" else "")
        for verdict, severity in (
            (change.verdict_before, change.severity_before),
            (change.verdict_after, change.severity_after),
        )
    )
    return moved(one, two)


def accuracy(ruler: RulerChange) -> str:
    """The panel accuracy of both and their difference, in a sentence."""
    one, two, gained = (
        ruler.accuracy_before.estimate,
        ruler.accuracy_after.estimate,
        ruler.accuracy_difference,
    )
    if one is None or two is None or gained.estimate is None or gained.low is None or gained.high is None:
        return f"Panel accuracy cannot be compared. {ruler.reason or ''}".strip()
    points = [text.signed(100 * value, 1) for value in (gained.estimate, gained.low, gained.high)]
    told = f"Panel accuracy {text.percent(one)} before, {text.percent(two)} after: {points[0]} points"
    told += f" [{points[1]}, {points[2]}] on the same pairs of {text.count(ruler.n_prompts)} prompts."
    if gained.low <= 0 <= gained.high:
        told += " That it changed was not shown."
    return told


def run_of(comparison: Comparison, beside: Beside) -> str:
    """The run beside the reference, as ``B: source``."""
    run = next(run for run in comparison.runs if run.label == beside.label)
    return f"{run.label}: {run.source}"
