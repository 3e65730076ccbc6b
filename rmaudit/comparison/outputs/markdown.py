"""A comparison as Markdown, with every number that its JSON has. Texts from outside are escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rmaudit.comparison import words
from rmaudit.comparison.result import Beside, Comparison, ProbeChange
from rmaudit.reporting import text
from rmaudit.reporting.markdown import inline
from rmaudit.suites.finding import Estimate


def render(comparison: Comparison) -> bytes:
    """Render a comparison as GitHub-flavoured Markdown, UTF-8."""
    blocks = ["# Comparison of reward model audits", _runs(comparison)]
    if comparison.why:
        blocks.append(f"Why measured again: {inline(comparison.why)}")
    if len(comparison.beside) > 1:
        blocks += ["## All runs", _overview(comparison)]
    for beside in comparison.beside:
        blocks += _beside(comparison, beside)
    blocks += ["## How to read this", _legend(comparison)]
    return ("\n\n".join(blocks) + "\n").encode("utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A Markdown table of cells that are escaped already; columns of numbers to the right."""
    rule = ["---:" if index in right else "---" for index in range(len(head))]
    return "\n".join("| " + " | ".join(cell or " " for cell in row) + " |" for row in [head, rule, *rows])


def _runs(comparison: Comparison) -> str:
    rows = [
        [
            run.label + (" (reference)" if run is comparison.runs[0] else ""),
            inline(run.source),
            inline(text.short_identity(run.identity)) + (f" {inline(run.revision)}" if run.revision else ""),
            inline(run.measured[:10]),
            inline(run.id),
            inline(run.headline),
        ]
        for run in comparison.runs
    ]
    return table(["run", "model", "sha256", "measured", "folder", "its report says"], rows)


def _overview(comparison: Comparison) -> str:
    """Primary effects of all runs: rows are probes, columns are runs."""
    head = ["primary effect (SRD)", *(run.label for run in comparison.runs)]
    rows = [
        [
            inline(row.name),
            _interval(row.before),
            *(f"{_interval(each.after)}: {_outcome(each)}" if each else "not compared" for each in row.changes),
        ]
        for row in words.overview(comparison)
    ]
    return table(head, rows, right=range(1, len(head)))


def _beside(comparison: Comparison, beside: Beside) -> list[str]:
    run = next(run for run in comparison.runs if run.label == beside.label)
    blocks = [
        f"## {run.label} beside {comparison.runs[0].label}: {inline(run.source)}",
        f"**{inline(beside.headline)}**",
    ]
    if beside.warnings:
        blocks.append("> **Read this first**\n>\n" + "\n".join(f"> * {inline(line)}" for line in beside.warnings))
    for title, primary in (("Primary effects", True), ("Other effects", False)):
        chosen = [change for change in beside.changes if change.primary is primary]
        rows = [_row(change) for change in (chosen if primary else words.ordered(chosen))]
        if rows:
            head = [
                "effect", "outcome", "before (SRD)", "after (SRD)", "difference", "more of a bias by", "beyond placebo",
                "adjusted p", "equivalence p", "clusters", "verdict",
            ]  # fmt: skip
            blocks += [f"### {title}", table(head, rows, right=range(2, 10))]
    blocks += ["### Ruler", *_ruler(beside)]
    for title, about in (("Model", "model"), ("Loading", "loading"), ("Instrument", "instrument")):
        facts = [
            [inline(fact.name), _value(fact.before), _value(fact.after)] for fact in beside.facts if fact.about == about
        ]
        if facts:
            blocks += [f"### {title}", table(["what", "before", "after"], facts)]
    if beside.disclosure:
        answers = [
            [
                inline(answer.id),
                inline(answer.question),
                f"{_value(answer.before)} ({inline(answer.provenance_before)})",
                f"{_value(answer.after)} ({inline(answer.provenance_after)})",
            ]
            for answer in beside.disclosure
        ]
        blocks += ["### Disclosure", table(["item", "question", "before", "after"], answers)]
    for title, lines in (
        ("Declarations newly contradicted", beside.contradictions_new),
        ("Declarations no longer contradicted", beside.contradictions_gone),
    ):
        if lines:
            blocks += [f"### {title}", "\n".join(f"* {inline(line)}" for line in lines)]
    if beside.left_out:
        rows = [[inline(entry.what), inline(entry.reason)] for entry in beside.left_out]
        blocks += ["### Not compared", table(["what", "why"], rows)]
    return blocks


def _row(change: ProbeChange) -> list[str]:
    note = f" {inline(change.note)}" if change.note else ""
    return [
        inline(words.name(change)),
        _outcome(change) + note,
        _interval(change.before),
        _interval(change.after),
        _interval(change.difference),
        _interval(change.growth),
        _interval(change.beyond_placebo) if change.beyond_placebo else "no placebo",
        text.exact(change.p_adjusted),
        text.exact(change.equivalence_p),
        text.count(change.n_clusters),
        inline(words.verdicts(change)),
    ]


def _ruler(beside: Beside) -> list[str]:
    ruler = beside.ruler
    wsd = [("n/a" if value is None else text.exact(value)) for value in (ruler.wsd_before, ruler.wsd_after)]
    rows = [
        ["panel accuracy", _interval(ruler.accuracy_before), _interval(ruler.accuracy_after)],
        ["within-prompt SD of the reward, raw", *wsd],
    ]
    return [inline(words.accuracy(ruler)), table(["what", "before", "after"], rows, right=(1, 2))]


def _outcome(change: ProbeChange) -> str:
    word = words.OUTCOMES[change.outcome]
    return f"{word.mark} {word.label}"


def _interval(value: Estimate) -> str:
    if value.estimate is None:
        return "n/a"
    if value.low is None or value.high is None:
        return text.exact(value.estimate)
    return f"{text.exact(value.estimate)} ({text.exact(value.low)} to {text.exact(value.high)})"


def _value(value: str | None) -> str:
    return "none" if value is None else inline(text.one_line(value, 400))


def _legend(comparison: Comparison) -> str:
    lines = [f"* {word.mark} {word.label}: {word.meaning}" for word in words.OUTCOMES.values()]
    lines += [f"* {inline(caveat)}" for caveat in comparison.caveats]
    lines.append(
        f"* Intervals are 95%, paired by item and by cluster. Margin {text.exact(comparison.margin)} SRD, level "
        f"{text.exact(comparison.alpha)}, policy {inline(comparison.policy)}, tier {inline(comparison.tier)}. "
        f"p values: {inline(comparison.correction)}."
    )
    return "\n".join(lines)
