"""``rmaudit inspect``: what a checkpoint is and how its scalar is computed."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from rmaudit.cli import options as opt
from rmaudit.models.options import LoadOptions

if TYPE_CHECKING:
    from rmaudit.models.inspection import Inspection
    from rmaudit.models.interface import SelfCheck


@opt.with_load_options
def inspect(
    source: opt.Source,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Also load the model and let it show that it scores soundly.")
    ] = False,
    *,
    loading: LoadOptions,
) -> None:
    """Say what a checkpoint is, why we think so, how its scalar is computed and what is risky.

    Reads configs, headers of weight files and tokenizer files only: no weight is loaded, no pickle is opened beyond
    its index of tensors, no code runs. With --self-test the model is loaded and tried. Exit code 3 when it would be
    refused, or the self-test fails.
    """
    from rmaudit.cli.console import tell_line, width, write
    from rmaudit.errors import LoadRefusedError, SelfTestError
    from rmaudit.models import selftest
    from rmaudit.models.inspection import inspect as look

    found = look(source, loading)
    if self_test:
        from rmaudit.audit import self_test_alone
        from rmaudit.models.load import load

        found = found.model_copy(update={"self_test": self_test_alone(load(source, loading))})
    if json:
        write(found.model_dump_json(indent=2).encode() + b"\n")
    else:
        for line in _told(found, width(sys.stdout)):
            tell_line(line)
    if found.problem:
        raise LoadRefusedError(found.problem)
    failed = selftest.stopping(found.self_test or [])
    if failed:
        raise SelfTestError(f"The self-test of {source} failed: {selftest.told(failed)}")


def _told(found: Inspection, columns: int) -> list[str]:
    """The inspection as lines of a label and its value; only the command to copy is never broken."""
    from rmaudit.reporting.text import clean

    lines = [
        ("Format", found.format),
        ("Because", *found.evidence),
        ("Model", f"{found.architecture or 'no architecture'}, {found.parameters:,} parameters"),
        ("Head", *found.head),
        ("Read at", found.pooling),
        ("Scalar", found.scalar),
        ("Sign", "reversed: the model's own number is a cost" if found.sign < 0 else "higher is better"),
        ("Normalised", found.normalisation or "no"),
        ("Attributes", ", ".join(found.attributes) or "none"),
        ("Text", found.template or "not known"),
        ("Identity", f"sha256 {found.identity}", *([f"revision {found.revision}"] if found.revision else [])),
        ("Licence", ", ".join(found.licenses) or "none found"),
        *([("Base", ", ".join(found.base_models))] if found.base_models else []),
        ("Risks", *(found.risks or ["none found in the files"])),
        *([("Missing", found.missing)] if found.missing else []),
        *([("Refused", found.problem)] if found.problem else []),
        *([("Self-test", *map(_check, found.self_test))] if found.self_test is not None else []),
    ]
    return [
        textwrap.fill(
            clean(value),
            columns,
            initial_indent=f"{label + ':' if i == 0 else '':<13}",
            subsequent_indent=" " * 13,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for label, *values in lines
        for i, value in enumerate(values)
    ] + [f"{'Next:':<13}{found.next}"]


def _check(check: SelfCheck) -> str:
    mark = {True: "passed", False: "FAILED", None: "no verdict"}[check.passed]
    return f"{check.name}: {mark}, {check.detail}"
