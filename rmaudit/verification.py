"""Checks a finished run: every number and every digest that can be computed again, and whatever vouches for the files.

Each point says what was confirmed, what was refuted, or why neither is possible. Nothing is passed over in silence.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rmaudit import signing
from rmaudit.audit import Selection, same_selection
from rmaudit.audit import verify as recompute
from rmaudit.errors import RunError
from rmaudit.models.interface import ModelBlock
from rmaudit.models.options import LoadOptions
from rmaudit.reporting import html, markdown
from rmaudit.reporting.report import Report
from rmaudit.runs.folder import RunFolder
from rmaudit.runs.manifest import Manifest
from rmaudit.runs.scores import Scores, read_scores
from rmaudit.scoring.plan import PANEL, plan_digest

Outcome = Literal["confirmed", "refuted", "unknown"]
"""Unknown: it could not be checked, and the text says why."""

FILES = ("run.json", "scores.jsonl", "report.json", "report.html", "report.md", signing.SIGNATURE, signing.SIGNER)
"""What a run folder holds."""
SHOWN = 10
"""Most differences that are named."""


@dataclass(frozen=True)
class Point:
    """One thing that was checked."""

    subject: str
    """What: a file, or what is in it."""
    outcome: Outcome
    text: str


def verify(
    run: Path, *, policy: Path | None = None, model: str | None = None, signer: Path | None = None
) -> list[Point]:
    """Check a finished run.

    Args:
        run: the run folder.
        policy: the policy of the run, where it was not the one that ships.
        model: SOURCE of the model, to check that it is the one that was scored; its weights are not loaded where it
            is a checkpoint.
        signer: public key that the run's signature must be by.

    Raises:
        RunError: when the run is not finished, or `run.json` is missing or damaged.
        UsageError: when the policy, the model or the key cannot be used.
    """
    folder = RunFolder(run)
    manifest = folder.complete_manifest()
    report, report_point = _report(run)
    selection, items_point = _selection(run, manifest)
    scores, scores_point = _scores(folder, manifest, selection)
    points = [Point("run.json", "confirmed", "It is whole, and says that the run is complete."), items_point]
    points += [scores_point, report_point]
    if report is None or selection is None or scores is None:
        why = "They cannot be computed again: see above."
        points.append(Point("numbers of report.json", "unknown", why))
    else:
        points.append(_numbers(run, policy))
        points.append(_record(manifest, report, scores, selection))
    if report is not None:
        points.append(_rendered(run, manifest, "report.html", html.render(report)))
        points.append(_rendered(run, manifest, "report.md", markdown.render(report)))
    points.append(_model(manifest, model))
    points.append(_signature(run, signer))
    points += _strangers(run)
    return points


def _selection(run: Path, manifest: Manifest) -> tuple[Selection | None, Point]:
    try:
        selection = same_selection(run, manifest)
    except RunError as error:
        return None, Point("items", "refuted", str(error))
    if plan_digest(selection.panel.items, selection.named) != manifest.plan_sha256:
        return selection, Point("items", "refuted", "The plan in run.json is not that of these items.")
    digests = ", ".join(f"{name} {digest[:12]}" for name, digest in manifest.settings.suite_sha256.items())
    return selection, Point("items", "confirmed", f"Panel and suites are those of the run, by sha256: {digests}.")


def _scores(folder: RunFolder, manifest: Manifest, selection: Selection | None) -> tuple[Scores | None, Point]:
    subject = "scores.jsonl"
    try:
        scores = read_scores(folder.scores)
    except RunError as error:
        return None, Point(subject, "refuted", str(error))
    if scores.plan_sha256 != manifest.plan_sha256:
        return None, Point(subject, "refuted", "Its scores belong to another plan than run.json.")
    lines = folder.scores.read_bytes().count(b"\n") - 1
    if selection is None:
        return scores, Point(
            subject, "unknown", f"{lines:,} lines are whole, by their checksums; whether they are all is not known."
        )
    asked = [
        (name, item.id, arm)
        for name, items in [(PANEL, selection.panel.items), *selection.named]
        for item in items
        for arm in item.arms
    ]
    held = {(name, item, arm) for name, arms in scores.rewards.items() for item, arm in arms}
    if lines != len(held) or held != set(asked):
        missing, extra = len(set(asked) - held), len(held - set(asked))
        told = (
            f"Of {len(asked):,} planned arms {missing:,} are missing; {extra:,} were never planned, and "
            f"{lines - len(held):,} are there twice."
        )
        return scores, Point(subject, "refuted", told)
    return scores, Point(
        subject, "confirmed", f"{lines:,} lines are whole, by their checksums, and are the planned ones, each once."
    )


def _report(run: Path) -> tuple[Report | None, Point]:
    subject = "report.json"
    try:
        report = Report.load(run)
    except RunError as error:
        return None, Point(subject, "refuted", str(error))
    if report.to_json() != (run / subject).read_bytes():
        return report, Point(subject, "refuted", "It is not, byte for byte, what a scan writes: it was written anew.")
    return report, Point(subject, "confirmed", "It is whole, and byte for byte as a scan writes it.")


def _numbers(run: Path, policy: Path | None) -> Point:
    subject = "numbers of report.json"
    try:
        differences = recompute(run, policy)
    except RunError as error:
        return Point(subject, "refuted", str(error))
    if not differences:
        return Point(subject, "confirmed", "Every number, verdict and sentence follows from the scores.")
    more = f"; and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
    return Point(
        subject,
        "refuted",
        f"{len(differences)} values do not follow from the scores: {'; '.join(differences[:SHOWN])}{more}.",
    )


def _record(manifest: Manifest, report: Report, scores: Scores, selection: Selection) -> Point:
    """What both files say of the run, as far as the scores tell it."""
    subject = "record of the run"
    published = Report.model_validate_json(report.model_copy(update={"run": manifest.run}).to_json()).run
    wrong = [
        f"run.{field}: {getattr(report.run, field)!r} in report.json, {getattr(published, field)!r} in run.json"
        for field in type(published).model_fields
        if getattr(report.run, field) != getattr(published, field)
    ]
    counted = {
        "conversations": (manifest.run.conversations, sum(len(arms) for arms in scores.rewards.values())),
        "tokens": (manifest.run.tokens, scores.tokens),
        "from_store": (manifest.run.from_store, sum(scores.stored.values())),
        "from_other_batches": (manifest.run.from_other_batches, scores.stored.get("other-batch", 0)),
        "planned": (manifest.planned, {name: sum(len(item.arms) for item in items) for name, items in selection.named}),
    }
    wrong += [
        f"{name}: {told} in run.json, {found} by the scores" for name, (told, found) in counted.items() if told != found
    ]
    if wrong:
        return Point(subject, "refuted", f"{'; '.join(wrong)}.")
    return Point(
        subject,
        "confirmed",
        "run.json and report.json say the same, and count what the scores hold. Times, machine, versions, self-test "
        "and loading options are recorded by the scan, and cannot be computed again.",
    )


def _rendered(run: Path, manifest: Manifest, name: str, rendered: bytes) -> Point:
    file = run / name
    if not file.is_file():
        return Point(name, "unknown", "It is not there.")
    if file.read_bytes() == rendered:
        return Point(name, "confirmed", "It is what report.json renders to, byte for byte.")
    made, here = manifest.run.versions.get("rmaudit"), importlib.metadata.version("rmaudit")
    if made != here:
        return Point(name, "unknown", f"It was rendered by rmaudit {made}; this is {here}, and renders it otherwise.")
    return Point(name, "refuted", "It is not what report.json renders to: it was changed after it was written.")


def _model(manifest: Manifest, source: str | None) -> Point:
    subject, told = "model", manifest.model.identity
    if source is None:
        return Point(subject, "unknown", f"Not looked at. Give --model SOURCE to check that it is sha256 {told[:12]}.")
    found = _identity(source, manifest.options, manifest.model)
    if found == told:
        return Point(subject, "confirmed", f"{source} is the model that was scored, by content: sha256 {told[:12]}.")
    return Point(subject, "refuted", f"{source} is sha256 {found[:12]}; what was scored is {told[:12]}.")


def _identity(source: str, given: dict[str, object], scored: ModelBlock) -> str:
    """Identity of a model, from its files alone where it is a checkpoint that stands alone."""
    from rmaudit.models.load import Openable, load, open_checkpoint
    from rmaudit.models.safety import identity_digest
    from rmaudit.models.source import parse_source

    fields = {key: value for key, value in given.items() if key != "accept"}
    options = LoadOptions(**fields)  # type: ignore[arg-type]
    parsed = parse_source(source, options.revision, by_content=options.trust_remote_code)
    if isinstance(parsed, Openable):
        found = identity_digest(open_checkpoint(source, options).digests())
        if found == scored.identity or options.ref_model is None:
            return found
    return load(source, options).facts.identity.sha256


def _signature(run: Path, key: Path | None) -> Point:
    subject = "signature"
    if key is not None:
        checked = signing.check(run, key)
        if checked.problems:
            return Point(subject, "refuted", " ".join(checked.problems))
        return Point(subject, "confirmed", f"{_told(checked.signer)} It covers {checked.files} files.")
    has = [name for name in (signing.SIGNATURE, signing.SIGNER) if (run / name).exists()]
    if not has:
        return Point(
            subject,
            "unknown",
            "The run is not signed: whoever can write to the folder could have changed scores and report together.",
        )
    if len(has) == 1:
        return Point(subject, "refuted", f"The run has {has[0]} alone: the other half of its signature was removed.")
    try:
        told = _told(signing.read_signer(run))
    except RunError as error:
        return Point(subject, "refuted", str(error))
    return Point(subject, "unknown", f"Not checked. {told} Give --signer with the public key of whoever you trust.")


def _told(signer: signing.Signer | None) -> str:
    if signer is None:
        return "Nobody says who signed."
    by = signer.by or "somebody who gives no name"
    return f"Signed by {by} on {signer.signed}, by the signer's own account, with the key sha256 {signer.key_sha256}."


def _strangers(run: Path) -> Iterator[Point]:
    for path in sorted(run.iterdir()):
        if path.name not in FILES or path.is_symlink() or path.is_dir():
            yield Point(path.name, "unknown", "It does not belong to a run, and nothing vouches for it.")


def refuted(points: list[Point]) -> list[Point]:
    """The points that speak against a run."""
    return [point for point in points if point.outcome == "refuted"]
