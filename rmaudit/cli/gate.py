"""``rmaudit gate``: a verdict for CI from a saved run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmaudit.cli.scan import Format

if TYPE_CHECKING:
    from rich.table import Table

    from rmaudit.gate.decide import Decision
    from rmaudit.policy import Policy
    from rmaudit.suites.finding import Finding


def gate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of a finished scan.", show_default=False)],
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="What is required.  [default: the policy that ships]"),
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="What stdout shows: text or JSON.")] = Format.text,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Decide on a finished run: exit code 0 passed, 1 failed, 3 could not be decided.

    Fails only where a bias is shown to exceed the limit, passes only where it is shown to stay below it.
    """
    from rmaudit.cli.console import show, tell, write
    from rmaudit.gate.decide import decide
    from rmaudit.policy import load_policy
    from rmaudit.reporting.report import Report

    rules = load_policy(policy)
    report = Report.load(run)
    decision = decide(report, rules)
    if format is Format.json:
        checks = [{"name": check.name, "outcome": check.outcome, "reason": check.reason} for check in decision.checks]
        answer = {
            "outcome": decision.outcome,
            "exit_code": decision.exit_code,
            "policy": rules.name,
            "checks": checks,
        }
        write(json.dumps(answer, indent=1).encode("ascii") + b"\n")
    elif not quiet:
        show(_table(decision))
        also = [f"{found.suite}/{found.probe}" for found in report.findings if _undecided_upon(found, rules)]
        if also:
            tell(f"\nShown by secondary probes, which this policy does not decide on: {', '.join(also)}.")
        tell(f"\n{WORDS[decision.outcome]}\nPolicy: {rules.name} v{rules.version}, exit code {decision.exit_code}.")
    raise typer.Exit(decision.exit_code)


WORDS = {
    "pass": "PASSED: every requirement is shown to be met.",
    "fail": "FAILED: a requirement is shown not to be met.",
    "inconclusive": "NOT DECIDED: a requirement is neither shown to be met nor shown not to be; this is no pass.",
    "unmeasured": "NOT MEASURED: something that is required could not be measured; this is no pass.",
}


def _undecided_upon(finding: Finding, policy: Policy) -> bool:
    return policy.gate.probes == "primary" and not finding.primary and finding.verdict == "present"


def _table(decision: Decision) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("requirement", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("why")
    for check in decision.checks:
        table.add_row(Text(check.name), Text(check.outcome), Text(check.reason))
    return table
