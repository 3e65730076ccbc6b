"""Writes ``reports/example``: the full report of the demo model, with everything that it takes to check it.

    rmaudit scan demo --out RUN                 three minutes on two cores
    python -m builders.example RUN              write the example from that run
    python -m builders.example --check          exit code 1 when the example is stale; seconds
    python -m builders.example --check --scores also compute every number again from the stored scores; a minute

Its run lies in ``run/`` as the scan left it, packed; the reports beside it hold the declarations of
``disclosure.yaml``.
The check proves that the demo model that ships is the one that was scanned, and that the reports are what today's code
makes of the run and of the declarations, with today's contradictions. With the scores it also proves that every number
is what today's suites and statistics make of them. That the model gives those scores is proved by scanning it again.
"""

from __future__ import annotations

import argparse
import lzma
import shutil
import sys
import tempfile
from pathlib import Path

from rmaudit.audit import verify
from rmaudit.disclosure.merge import disclosed
from rmaudit.disclosure.questionnaire import read_disclosure
from rmaudit.models import inspection
from rmaudit.reporting import html, markdown
from rmaudit.reporting.report import Report
from rmaudit.resources import demo_model_dir

FOLDER = Path(__file__).resolve().parents[1] / "reports" / "example"
DISCLOSURE = "disclosure.yaml"
PACKED = ("report.json", "scores.jsonl")
"""Files of the run that are shipped compressed, as ``run/NAME.xz``."""


def main() -> None:
    """Write the example, or check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, help="run folder of a finished scan of the demo model")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when the example is stale")
    parser.add_argument("--scores", action="store_true", help="check every number against the stored scores, too")
    options = parser.parse_args()
    if options.check:
        faults = [*stale(FOLDER), *(unconfirmed(FOLDER) if options.scores else [])]
        if faults:
            sys.exit("\n".join([*faults, "Write the example again with: python -m builders.example RUN"]))
    elif options.run is None:
        parser.error("give the run folder, or --check")
    else:
        write(options.run, FOLDER)


def write(run: Path, folder: Path) -> None:
    """Write the example from a run folder; its disclosure stays."""
    Report.load(run)
    kept = folder / "run"
    kept.mkdir(exist_ok=True)
    shutil.copyfile(run / "run.json", kept / "run.json")
    for name in PACKED:
        (kept / f"{name}.xz").write_bytes(lzma.compress((run / name).read_bytes(), preset=9))
    for name, content in rendered(folder).items():
        (folder / name).write_bytes(content)


def unpacked(folder: Path, place: Path) -> Path:
    """The run of the example, as the scan left it, in another place."""
    shutil.copyfile(folder / "run" / "run.json", place / "run.json")
    for name in PACKED:
        (place / name).write_bytes(lzma.decompress((folder / "run" / f"{name}.xz").read_bytes()))
    return place


def rendered(folder: Path) -> dict[str, bytes]:
    """What today's code makes of the run's report and the declarations, by file."""
    with tempfile.TemporaryDirectory() as place:
        report = disclosed(Report.load(unpacked(folder, Path(place))), read_disclosure(folder / DISCLOSURE))
    return {
        "report.json": report.to_json(),
        "report.html": html.render(report),
        "report.md": markdown.render(report),
    }


def stale(folder: Path) -> list[str]:
    """What of the example is not what today's code makes of its run and its disclosure."""
    faults = []
    model = Report.load(folder / "report.json").model.identity
    if model != inspection.inspect(str(demo_model_dir())).identity:
        faults.append("The example is about another demo model than the one that ships.")
    for name, content in rendered(folder).items():
        if (folder / name).read_bytes() != content:
            faults.append(f"{name} is not what the run and {DISCLOSURE} are rendered to.")
    return faults


def unconfirmed(folder: Path) -> list[str]:
    """Numbers of the example's run that the stored scores do not give."""
    with tempfile.TemporaryDirectory() as place:
        return verify(unpacked(folder, Path(place)))


if __name__ == "__main__":
    main()
