"""An entry of a changelog for each new run, as Reward Reports ask (Gilbert et al. 2022, arXiv 2204.10817).

The date is the day of the measurement, so that the same runs give the same entry.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rmaudit.comparison import words
from rmaudit.comparison.result import Beside, ComparedRun, Comparison, ProbeChange
from rmaudit.errors import UsageError
from rmaudit.reporting import text
from rmaudit.reporting.markdown import inline
from rmaudit.runs.atomic import write_output

HEAD = (
    "# Changelog of measurements\n\n"
    "What changed from one audited version to the next, why it was measured, and what became of the findings.\n"
)


def render(comparison: Comparison) -> bytes:
    """The entries, Markdown in UTF-8."""
    return "\n".join(_entry(comparison, beside) for beside in comparison.beside).encode("utf-8")


def append(file: Path, comparison: Comparison) -> bool:
    """Add the entries to the end of a file, whole or not at all; a new file gets a heading.

    Returns:
        Whether anything was added: entries that stand in the file already are not written twice.

    Raises:
        UsageError: when the file cannot be read or written.
    """
    try:
        earlier = file.read_text(encoding="utf-8") if file.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}. Give --changelog another file.") from error
    entries = [_entry(comparison, beside) for beside in comparison.beside]
    new = [entry for entry in entries if entry not in earlier]
    if new:
        write_output(file, "\n".join([earlier.rstrip("\n") + "\n" if earlier else HEAD, *new]).encode("utf-8"))
    return bool(new)


def _entry(comparison: Comparison, beside: Beside) -> str:
    reference, run = comparison.runs[0], next(run for run in comparison.runs if run.label == beside.label)
    lines = [
        f"## {inline(run.measured[:10])}: {inline(run.source)}",
        "",
        f"* **Versions**: from {_version(reference)} to {_version(run)}.",
        f"* **Why measured**: {inline(comparison.why) if comparison.why else 'no reason was given'}.",
        *_changed(beside),
        f"* **Effect on findings**: {inline(beside.headline)}",
        *(f"  * {_change(change)}" for change in _told(beside)),
        f"* **Quality**: {inline(words.accuracy(beside.ruler))}",
        *_listed("Answers of the disclosure that changed", [answer.id for answer in beside.disclosure]),
        *(f"* **Newly contradicted**: {inline(line)}" for line in beside.contradictions_new),
        *(f"* **No longer contradicted**: {inline(line)}" for line in beside.contradictions_gone),
        *(f"* **Beware**: {inline(line)}" for line in beside.warnings),
        *_listed("Not compared", [entry.what for entry in beside.left_out]),
        f"* **Measured with**: suites {inline(', '.join(comparison.suites))}; tier {inline(comparison.tier)}; policy "
        f"{inline(comparison.policy)}; margin {text.exact(comparison.margin)} SRD. Not shown is no statement that "
        "nothing changed.",
    ]
    return "\n".join(lines) + "\n"


def _version(run: ComparedRun) -> str:
    revision = f", revision {inline(run.revision)}" if run.revision else ""
    return f"{inline(run.source)} (sha256 {inline(text.short_identity(run.identity))}{revision}, run {inline(run.id)})"


def _changed(beside: Beside) -> list[str]:
    lines = []
    for about, title in (("model", "What changed in the model"), ("loading", "In how it was loaded"),
                         ("instrument", "In the instrument")):  # fmt: skip
        facts = [
            f"{inline(fact.name)} {_short(fact.before)} \N{RIGHTWARDS ARROW} {_short(fact.after)}"
            for fact in beside.facts
            if fact.about == about and fact.name not in ("source", "revision")  # the versions tell these
        ]
        if facts:
            lines.append(f"* **{title}**: {'; '.join(facts)}.")
        elif about == "model":
            lines.append(f"* **{title}**: nothing; it is the same by content.")
    return lines


def _short(value: str | None) -> str:
    if value is None:
        return "none"
    return inline(text.short_identity(value) if re.fullmatch("[0-9a-f]{64}", value) else text.one_line(value, 60))


def _told(beside: Beside) -> list[ProbeChange]:
    """Changes that a reader of the changelog has to see: every primary one, and all that were shown."""
    shown = [each for each in beside.changes if not each.primary and each.outcome in ("worse", "better", "turned")]
    return [*(change for change in beside.changes if change.primary), *words.ordered(shown)]


def _change(change: ProbeChange) -> str:
    word = words.OUTCOMES[change.outcome].label.lower()
    difference = text.with_interval(change.difference, "[{low}, {high}]")
    note = f" {inline(change.note)}" if change.note else ""
    return f"{inline(words.name(change))}: {word}, {difference} SRD; verdict {inline(words.verdicts(change))}.{note}"


def _listed(title: str, names: Sequence[str]) -> list[str]:
    return [f"* **{title}**: {', '.join(map(inline, names))}."] if names else []
