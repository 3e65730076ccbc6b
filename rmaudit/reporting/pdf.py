"""The HTML page as PDF, printed by a browser that is already on the machine. Nothing is fetched."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rmaudit.errors import UsageError

VARIABLE: Final = "RMAUDIT_BROWSER"
"""Environment variable that names the browser."""

_NAMES: Final = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "microsoft-edge",
    "microsoft-edge-stable",
)
_PLACES: Final = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
_SECONDS: Final = 300
_OTHERWISE: Final = "Or open the HTML report in any browser and print it there."


def browser() -> str:
    """The browser that prints: the one of ``RMAUDIT_BROWSER``, or else Chromium, Chrome or Edge.

    Raises:
        UsageError: when there is none.
    """
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise UsageError(f"{VARIABLE} names {named}, which is not there or cannot be run. {_OTHERWISE}")
        return found
    for name in (*_NAMES, *_PLACES):
        found = shutil.which(name)
        if found is not None:
            return found
    raise UsageError(
        "A PDF is printed by Chromium, Chrome or Edge, and none was found. Install one, or name it in"
        f" {VARIABLE}. {_OTHERWISE}"
    )


def printed(page: bytes) -> bytes:
    """Print an HTML page.

    Args:
        page: the page; it loads nothing.

    Returns:
        The bytes of the PDF.

    Raises:
        UsageError: when there is no browser, or it prints nothing.
    """
    program = browser()
    with TemporaryDirectory(prefix="rmaudit-print-") as folder:
        source, out = Path(folder, "report.html"), Path(folder, "report.pdf")
        source.write_bytes(page)
        command = [program, *_options(Path(folder, "profile")), f"--print-to-pdf={out}", source.as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise UsageError(f"{program} did not print the report within {_SECONDS} seconds. {_OTHERWISE}") from None
        except OSError as error:
            raise UsageError(f"{program} cannot be run: {error.strerror}. {_OTHERWISE}") from None
        content = out.read_bytes() if out.exists() else b""
    if not content.startswith(b"%PDF"):
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        told = f" It said: {said[-1][:200]}." if said else ""
        raise UsageError(f"{program} ended with code {done.returncode} and printed nothing.{told} {_OTHERWISE}")
    return content


def _options(profile: Path) -> list[str]:
    options = [
        "--headless",
        "--disable-gpu",
        "--no-pdf-header-footer",
        "--no-first-run",
        "--disable-extensions",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={profile}",
    ]
    # Chromium refuses to run as root with its sandbox. The page is ours, runs no script and loads nothing.
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*options, "--no-sandbox"] if as_root else options
