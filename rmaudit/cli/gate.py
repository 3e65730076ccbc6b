"""``rmaudit gate``: a verdict for CI from a saved run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmaudit.cli.scan import Format

if TYPE_CHECKING:
    from rich.table import Table

    from rmaudit.gate.result import GateResult


def gate(
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="Run folder of a finished scan.", show_default=False)
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            "--policy", metavar="FILE", help="What is required, in YAML or TOML.  [default: the one that ships]"
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option("--preset", metavar="NAME", help="strict, default or advisory: what the policy file leaves out."),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline",
            metavar="DIR",
            help="An earlier run, or a folder of blessed ones, to compare with.",
            show_default=False,
        ),
    ] = None,
    bless: Annotated[
        bool, typer.Option("--bless", help="Make the run the new baseline in --baseline, if it passes.")
    ] = False,
    escalate: Annotated[
        bool, typer.Option("--escalate", help="Scan what is inconclusive again at the next tier, then decide.")
    ] = False,
    disclosure: Annotated[
        Path | None,
        typer.Option(
            "--disclosure",
            metavar="FILE",
            help="Questionnaire with declared answers, for what the policy demands to be disclosed.",
            show_default=False,
        ),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.", show_default=False)
    ] = None,
    sarif: Annotated[
        Path | None, typer.Option("--sarif", metavar="FILE", help="Write SARIF 2.1.0.", show_default=False)
    ] = None,
    gitlab: Annotated[
        Path | None,
        typer.Option("--gitlab", metavar="FILE", help="Write a GitLab code quality report.", show_default=False),
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(
            "--summary",
            metavar="FILE",
            help="Add Markdown to this file.  [default: $GITHUB_STEP_SUMMARY, if set]",
            show_default=False,
        ),
    ] = None,
    badge: Annotated[
        Path | None, typer.Option("--badge", metavar="FILE", help="Write an SVG badge.", show_default=False)
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option("--init", metavar="FILE", help="Write a commented policy file and stop.", show_default=False),
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="What stdout shows: text or JSON.")] = Format.text,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Decide on a finished run: exit code 0 passed, 1 failed, 3 could not be decided.

    Fails only where a bias is shown to exceed the limit, passes only where it is shown to stay below it.
    """
    from rmaudit.cli.console import listener, say, write
    from rmaudit.disclosure.questionnaire import read_disclosure
    from rmaudit.errors import RunError, UsageError
    from rmaudit.gate import judge
    from rmaudit.gate.outputs import json as as_json
    from rmaudit.policy import load_policy

    if init is not None:
        _init(init, preset)
        return
    if run is None:
        raise UsageError("Name the run to decide on: rmaudit gate RUN. Or write a policy: rmaudit gate --init FILE.")
    if bless and baseline is None:
        raise UsageError("--bless needs --baseline DIR, the folder of blessed runs.")
    rules = load_policy(policy, preset)
    declared = read_disclosure(disclosure) if disclosure is not None else None
    result = judge.judge(run, rules, baseline, disclosure=declared, blessing=bless)
    if escalate:
        from rmaudit.escalate import escalated

        listening = listener(quiet or format is Format.json)
        result = escalated(result, run, rules, policy, baseline, "default", listening, declared)
    _write_outputs(result, policy, junit=junit, sarif=sarif, gitlab=gitlab, badge=badge, summary=summary)
    if not result.identity:
        raise RunError(result.decision.checks[0].reason)  # every output that was asked for says so too
    if format is Format.json:
        write(as_json.render(result))
    elif not quiet:
        _print(result)
    if bless and baseline is not None:
        say(judge.bless_if_passed(result, run, baseline))
    raise typer.Exit(result.decision.exit_code)


def _init(file: Path, preset: str | None) -> None:
    from rmaudit.cli.console import say
    from rmaudit.errors import UsageError
    from rmaudit.gate.start import policy_file
    from rmaudit.runs.atomic import write_output

    if file.exists():
        raise UsageError(f"{file} exists and is left as it is. Name another file.")
    write_output(file, policy_file(preset or "default", file.name).encode("utf-8"))
    say(f"Policy written to {file}. Use it with: rmaudit gate RUN --policy {file}")


def _write_outputs(
    result: GateResult,
    policy: Path | None,
    *,
    junit: Path | None,
    sarif: Path | None,
    gitlab: Path | None,
    badge: Path | None,
    summary: Path | None,
) -> None:
    from rmaudit.gate.outputs import badge as as_badge
    from rmaudit.gate.outputs import gitlab as as_gitlab
    from rmaudit.gate.outputs import junit as as_junit
    from rmaudit.gate.outputs import sarif as as_sarif
    from rmaudit.gate.outputs import summary as as_summary
    from rmaudit.runs.atomic import write_output

    # Code scanning wants a file of the repository; the policy is the one that people can act on.
    artifact = (policy or Path(result.run) / "report.json").as_posix()
    if junit:
        write_output(junit, as_junit.render(result))
    if sarif:
        write_output(sarif, as_sarif.render(result, artifact))
    if gitlab:
        write_output(gitlab, as_gitlab.render(result, artifact))
    if badge:
        write_output(badge, as_badge.render(result))
    place = summary or (Path(os.environ["GITHUB_STEP_SUMMARY"]) if os.environ.get("GITHUB_STEP_SUMMARY") else None)
    if place:
        used = place.stat().st_size if place.is_file() else 0
        with place.open("ab") as file:
            file.write(as_summary.render(result, max(0, as_summary.MOST_BYTES - used)))


def _print(result: GateResult) -> None:
    from rmaudit.cli.console import show, tell, tell_line
    from rmaudit.gate.outputs import annotations

    show(_table(result))
    for note in result.decision.notes:
        tell(f"\n{note}")
    if result.also:
        tell(f"\nShown by probes that this policy does not decide on: {', '.join(result.also)}.")
    tell(f"\n{result.words}\nPolicy: {result.policy}, exit code {result.decision.exit_code}.")
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in annotations.render(result):
            tell_line(line)


def _table(result: GateResult) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("requirement", overflow="fold")
    table.add_column("outcome", no_wrap=True)
    table.add_column("why")
    for check in result.checks:
        table.add_row(Text(check.name), Text(check.outcome), Text(check.reason))
    return table
