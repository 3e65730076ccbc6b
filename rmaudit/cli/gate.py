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

_Run = Annotated[Path | None, typer.Argument(metavar="RUN", help="Run folder of a finished scan.", show_default=False)]
_Policy = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE", help="What is required, in YAML or TOML.  [default: the one that ships]"),
]
_Preset = Annotated[
    str | None,
    typer.Option("--preset", metavar="NAME", help="strict, default or advisory: what the policy file leaves out."),
]
_Baseline = Annotated[
    Path | None,
    typer.Option(
        "--baseline",
        metavar="DIR",
        help="An earlier run, or a folder of blessed ones, to compare with.",
        show_default=False,
    ),
]
_Bless = Annotated[bool, typer.Option("--bless", help="Make the run the new baseline in --baseline, if it passes.")]
_Escalate = Annotated[
    bool, typer.Option("--escalate", help="Scan what is inconclusive again at the next tier, then decide.")
]
_Disclosure = Annotated[
    Path | None,
    typer.Option(
        "--disclosure",
        metavar="FILE",
        help="Questionnaire with declared answers, for what the policy demands to be disclosed.",
        show_default=False,
    ),
]
_Junit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.", show_default=False)]
_Sarif = Annotated[Path | None, typer.Option("--sarif", metavar="FILE", help="Write SARIF 2.1.0.", show_default=False)]
_Gitlab = Annotated[
    Path | None,
    typer.Option("--gitlab", metavar="FILE", help="Write a GitLab code quality report.", show_default=False),
]
_Summary = Annotated[
    Path | None,
    typer.Option(
        "--summary",
        metavar="FILE",
        help="Add Markdown to this file.  [default: $GITHUB_STEP_SUMMARY, if set]",
        show_default=False,
    ),
]
_Badge = Annotated[Path | None, typer.Option("--badge", metavar="FILE", help="Write an SVG badge.", show_default=False)]
_Init = Annotated[
    Path | None,
    typer.Option(
        "--init", metavar="FILE", help="Write a commented policy file, and its schema, and stop.", show_default=False
    ),
]


def gate(
    run: _Run = None,
    policy: _Policy = None,
    preset: _Preset = None,
    baseline: _Baseline = None,
    bless: _Bless = False,
    escalate: _Escalate = False,
    disclosure: _Disclosure = None,
    junit: _Junit = None,
    sarif: _Sarif = None,
    gitlab: _Gitlab = None,
    summary: _Summary = None,
    badge: _Badge = None,
    init: _Init = None,
    format: Annotated[Format, typer.Option("--format", help="What stdout shows: text or JSON.")] = Format.text,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Decide on a finished run: exit code 0 passed, 1 failed, 3 could not be decided.

    Fails only where a bias is shown to exceed the limit, passes only where it is shown to stay below it.
    """
    from rmaudit.cli.console import listener, say
    from rmaudit.disclosure.questionnaire import read_disclosure
    from rmaudit.errors import RunError, UsageError
    from rmaudit.gate import judge
    from rmaudit.gate.outputs.write import Files
    from rmaudit.policy import load_policy

    if init is not None:
        _init(init, preset)
        return
    if run is None:
        raise UsageError("Name the run to decide on: rmaudit gate RUN. Or write a policy: rmaudit gate --init FILE.")
    if bless and baseline is None:
        raise UsageError("--bless needs --baseline DIR, the folder of blessed runs.")
    step_summary = os.environ.get("GITHUB_STEP_SUMMARY")
    files = Files(junit, sarif, gitlab, badge, summary or (Path(step_summary) if step_summary else None))
    files.check()
    rules = load_policy(policy, preset)
    declared = read_disclosure(disclosure) if disclosure is not None else None
    result = judge.judge(run, rules, baseline, disclosure=declared, blessing=bless)
    if escalate:
        from rmaudit.escalate import escalated

        progress = listener(quiet or format is Format.json)
        result = escalated(
            result, run, rules, policy, baseline, "default", progress, blessing=bless, disclosure=declared
        )
    files.write(result, policy)
    _print(result, format, quiet=quiet)
    if not result.identity:
        raise RunError(result.decision.checks[0].reason)
    if bless and baseline is not None:
        say(judge.bless_if_passed(result, run, baseline))
    raise typer.Exit(result.decision.exit_code)


def _init(file: Path, preset: str | None) -> None:
    from rmaudit.cli.console import say
    from rmaudit.errors import UsageError
    from rmaudit.policy.schema import to_bytes
    from rmaudit.policy.start import policy_file
    from rmaudit.runs.atomic import write_output

    if file.suffix.lower() not in {".yaml", ".yml"}:
        raise UsageError(f"--init writes YAML: name a file that ends in .yaml, not {file}.")
    schema = file.with_suffix(".schema.json")
    for path in (file, schema):
        if path.exists():
            raise UsageError(f"{path} exists and is left as it is. Name another file.")
    text = policy_file(preset or "default", file.name, schema.name)
    write_output(schema, to_bytes())
    write_output(file, text.encode("utf-8"))
    say(f"Policy written to {file}, and to {schema} what editors complete and check it by.")
    say(f"Use it with: rmaudit gate RUN --policy {file}")


def _print(result: GateResult, format: Format, *, quiet: bool) -> None:
    from rmaudit.cli.console import show, tell, tell_line, write
    from rmaudit.gate.outputs import annotations
    from rmaudit.gate.outputs import json as as_json

    if format is Format.json:
        write(as_json.render(result))
        return
    if quiet or not result.identity:  # what could not be read is said as an error
        return
    in_workflow = os.environ.get("GITHUB_ACTIONS") == "true"
    if in_workflow:  # where a text in the table that looks like a command would be one
        begin, end = annotations.no_commands()
        tell_line(begin)
    show(_table(result))
    for note in result.decision.notes:
        tell(f"\n{note}")
    if result.also:
        tell(f"\nShown by probes that this policy does not decide on: {', '.join(result.also)}.")
    tell(f"\n{result.words}\nPolicy: {result.policy}, exit code {result.decision.exit_code}.")
    if in_workflow:
        for line in (end, *annotations.render(result)):
            tell_line(line)


def _table(result: GateResult) -> Table:
    from rich.table import Table
    from rich.text import Text

    from rmaudit.reporting.text import clean

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("requirement", overflow="fold")
    table.add_column("outcome", no_wrap=True)
    table.add_column("why", overflow="fold")
    for check in result.checks:
        table.add_row(Text(clean(check.name, 200)), Text(check.outcome), Text(clean(check.reason, 2000)))
    return table
