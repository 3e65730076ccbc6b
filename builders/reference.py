"""Writes ``docs/commands.md`` from the command line itself, so that the two cannot disagree.

python -m builders.reference            write the page
python -m builders.reference --check    exit code 1 when the page is stale
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer

from builders import pages
from rmaudit.cli.main import app

PAGE = pages.DOCS / "commands.md"
WIDTH = 110

_INTRODUCTION = """# Commands

Written from the command line by `python -m builders.reference`; do not edit. The same text is printed by
`rmaudit COMMAND --help`. What the exit codes mean is in [gate.md](gate.md#exit-codes).
"""


def main() -> None:
    """Write the page, or check it."""
    pages.main(PAGE, render(), "builders.reference", __doc__)


def render() -> str:
    """The page as Markdown."""
    root = typer.main.get_command(app)
    parts = [_INTRODUCTION, _section("rmaudit", root), *(_section(name, command) for name, command in commands(root))]
    return "\n".join(parts)


def commands(group: Any, above: str = "rmaudit") -> Iterator[tuple[str, Any]]:
    """Every command with its full name, in the order of ``--help``; a group comes before its members."""
    for name, command in group.commands.items():
        yield f"{above} {name}", command
        if hasattr(command, "commands"):
            yield from commands(command, f"{above} {name}")


def parameters(command: Any) -> tuple[list[Any], list[Any]]:
    """Arguments and options of a command, in order, without hidden ones and ``--help``."""
    shown = [entry for entry in command.params if not getattr(entry, "hidden", False)]
    arguments = [entry for entry in shown if entry.param_type_name == "argument"]
    options = [entry for entry in shown if entry.param_type_name == "option" and "--help" not in entry.opts]
    return arguments, options


def _section(name: str, command: Any) -> str:
    arguments, options = parameters(command)
    usage = [name, *(["[OPTIONS]"] if options else []), *(entry.metavar or entry.name.upper() for entry in arguments)]
    if hasattr(command, "commands"):
        usage.append("COMMAND")
    lines = [f"## {name}", "", "```text", " ".join(usage), "```", ""]
    for paragraph in (command.help or "").split("\n\n"):
        lines += [*textwrap.wrap(" ".join(paragraph.split()), WIDTH, break_on_hyphens=False), ""]
    if hasattr(command, "commands"):
        lines += [f"Commands: {', '.join(f'`{entry}`' for entry in command.commands)}.", ""]
    lines += _table("argument", [(f"`{entry.metavar or entry.name.upper()}`", _meaning(entry)) for entry in arguments])
    lines += _table("option", [(_spelling(entry), _meaning(entry)) for entry in options])
    return "\n".join(lines)


def _table(head: str, rows: list[tuple[str, str]]) -> list[str]:
    if not rows:
        return []
    body = [f"| {first} | {second} |" for first, second in rows]
    return [f"| {head} | meaning |", "| --- | --- |", *body, ""]


def _spelling(option: Any) -> str:
    """The option as it is typed, short form last."""
    value = "" if option.is_flag else f" {option.metavar or _choices(option) or 'VALUE'}"
    return ", ".join(f"`{name}{value}`" for name in sorted(option.opts, key=len, reverse=True))


def _choices(option: Any) -> str:
    return "/".join(str(member.value) for member in type(option.default)) if isinstance(option.default, Enum) else ""


def _meaning(parameter: Any) -> str:
    """Help text with the default as a sentence, safe in a table cell."""
    text = " ".join((parameter.help or "").split())
    default = parameter.default.value if isinstance(parameter.default, Enum) else parameter.default
    text = re.sub(r"\s*\[default: (.+)\]$", r" Default: \1.", text)
    if isinstance(default, str | int | float) and not isinstance(default, bool) and "Default:" not in text:
        text = f"{text} Default: `{default}`."
    if parameter.param_type_name == "option" and parameter.required:
        text = f"{text} Required."
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
