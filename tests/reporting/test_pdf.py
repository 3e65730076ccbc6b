"""Without a browser that prints, the user is told what to do."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from rmaudit.errors import UsageError
from rmaudit.reporting import formats, pdf
from rmaudit.reporting.audience import Audience
from tests.reporting.sample import sample_report


def program(path: Path, script: str) -> Path:
    """A program that runs some Python, in the place of a browser."""
    path.write_text(f"#!{sys.executable}\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_without_a_browser_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(pdf.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(pdf, "_PLACES", ())
    with pytest.raises(UsageError, match=r"none was found.*RMAUDIT_BROWSER.*print it there") as told:
        formats.write(sample_report(), formats.find("pdf", tmp_path / "a.pdf"), tmp_path / "a.pdf")
    assert told.value.exit_code == 2
    assert not (tmp_path / "a.pdf").exists()


def test_a_named_browser_must_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(pdf.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="nowhere, which is not there"):
        pdf.browser()


def test_a_browser_on_the_path_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = program(tmp_path / "google-chrome", "pass")
    monkeypatch.delenv(pdf.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pdf.browser() == str(made)


def test_a_browser_that_prints_nothing_is_told_with_its_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = program(tmp_path / "chrome", "import sys; sys.exit('no display')")
    monkeypatch.setenv(pdf.VARIABLE, str(made))
    with pytest.raises(UsageError, match=r"ended with code 1 and printed nothing. It said: no display"):
        pdf.printed(b"<p>")


def test_what_the_browser_prints_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "out = next(a for a in sys.argv if a.startswith('--print-to-pdf=')).partition('=')[2]\n"
        "page = pathlib.Path(sys.argv[-1].removeprefix('file://')).read_bytes()\n"
        "assert b'for a board' in page and '--host-resolver-rules=MAP * ~NOTFOUND' in sys.argv\n"
        "pathlib.Path(out).write_bytes(b'%PDF-1.4 printed')"
    )
    monkeypatch.setenv(pdf.VARIABLE, str(program(tmp_path / "chrome", script)))
    out = tmp_path / "report.pdf"
    assert formats.write(sample_report(), formats.find(None, out), out, Audience.board) == [out]
    assert out.read_bytes() == b"%PDF-1.4 printed"


@pytest.mark.parametrize("name", ["json", "csv", "cyclonedx"])
def test_formats_for_machines_have_no_reader(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--audience changes nothing.*html, md, pdf"):
        formats.write(sample_report(), formats.find(name, tmp_path / "a"), tmp_path / "a", Audience.board)
