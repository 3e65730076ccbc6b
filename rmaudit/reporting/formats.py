"""Every format in which a report can be written, by name.

A format turns a report and the place that the user named into files with their content. Most write one file; a format
that adds to what is there already (a model card) reads it first. Modules are loaded when a format is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from rmaudit.errors import UsageError
from rmaudit.reporting.audience import Audience
from rmaudit.reporting.report import Report
from rmaudit.runs.atomic import check_output, write_output


class Format(NamedTuple):
    """One way to write a report."""

    name: str
    meaning: str
    endings: tuple[str, ...]
    """Ends of file names that ask for it; of several that fit, the longest counts."""
    files: Callable[[Report, Path, Audience], Mapping[Path, bytes]]
    """The files to write for a report, the place that the user named, and a reader."""
    for_people: bool = False
    """Whether its order and depth depend on the reader."""


def _html(report: Report, out: Path, audience: Audience) -> Mapping[Path, bytes]:
    from rmaudit.reporting import html

    return {out: html.render(report, audience)}


def _markdown(report: Report, out: Path, audience: Audience) -> Mapping[Path, bytes]:
    from rmaudit.reporting import markdown

    return {out: markdown.render(report, audience)}


def _pdf(report: Report, out: Path, audience: Audience) -> Mapping[Path, bytes]:
    from rmaudit.reporting import html, pdf

    return {out: pdf.printed(html.render(report, audience))}


def _json(report: Report, out: Path, audience: Audience) -> Mapping[Path, bytes]:
    return {out: report.to_json()}


def _csv(report: Report, out: Path, audience: Audience) -> Mapping[Path, bytes]:
    from rmaudit.reporting import csv

    return {out: csv.render(report)}


def _parquet(report: Report, out: Path, audience: Audience) -> Mapping[Path, bytes]:
    from rmaudit.reporting import parquet

    return {out: parquet.render(report)}


def _hugging_face(report: Report, out: Path, audience: Audience) -> Mapping[Path, bytes]:
    from rmaudit.reporting import hugging_face

    return hugging_face.files(report, out)


def _cyclonedx(report: Report, out: Path, audience: Audience) -> Mapping[Path, bytes]:
    from rmaudit.reporting import cyclonedx

    return {out: cyclonedx.render(report)}


def _reward_report(report: Report, out: Path, audience: Audience) -> Mapping[Path, bytes]:
    from rmaudit.reporting import reward_report

    return {out: reward_report.render(report)}


FORMATS: Final[Mapping[str, Format]] = {
    entry.name: entry
    for entry in (
        Format("html", "a page for people", (".html", ".htm"), _html, for_people=True),
        Format("md", "Markdown", (".md", ".markdown"), _markdown, for_people=True),
        Format("pdf", "the page, printed by a browser", (".pdf",), _pdf, for_people=True),
        Format("json", "every number", (".json",), _json),
        Format("csv", "a row a finding", (".csv",), _csv),
        Format("parquet", "a row a finding, with types", (".parquet",), _parquet),
        Format("hf", "a section, model-index and results for a model card on the Hugging Face Hub", (), _hugging_face),
        Format("cyclonedx", "CycloneDX ML-BOM", (".cdx.json",), _cyclonedx),
        Format("reward-report", "a Reward Report", (), _reward_report),
    )
}


def find(name: str | None, out: Path) -> Format:
    """The format that the user asked for, by name or by the name of the file.

    Raises:
        UsageError: when there is none of this name, or the file's name tells none.
    """
    names = ", ".join(FORMATS)
    if name is not None:
        if name not in FORMATS:
            raise UsageError(f"There is no format {name!r}. Give --format one of: {names}.")
        return FORMATS[name]
    ending = max(
        (ending for entry in FORMATS.values() for ending in entry.endings if out.name.lower().endswith(ending)),
        key=len,
        default=None,
    )
    for entry in FORMATS.values():
        if ending in entry.endings:
            return entry
    raise UsageError(f"Cannot tell a format from the name {out}. Add --format with one of: {names}.")


def write(report: Report, format: Format, out: Path, audience: Audience | None = None) -> list[Path]:
    """Write a report, each file whole or not at all.

    Args:
        report: what to write.
        format: how.
        out: the place that the user named.
        audience: who it is for, in formats for people; ``None`` is an engineer.

    Returns:
        The files written.

    Raises:
        UsageError: when the format is not for people and a reader was named, a file cannot be there, or what is there
            cannot be added to.
    """
    if audience is not None and not format.for_people:
        names = ", ".join(entry.name for entry in FORMATS.values() if entry.for_people)
        raise UsageError(f"--audience changes nothing in {format.name}; it is for {names}.")
    files = format.files(report, out, audience or Audience.engineer)
    for path in files:
        if path != out and path.parent.name.startswith("."):  # such as the folder .eval_results beside a model card
            path.parent.mkdir(exist_ok=True)
        check_output(path)
    for path, content in files.items():
        write_output(path, content)
    return list(files)
