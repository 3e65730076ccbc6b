"""How large is a report of many findings, and how fast does a browser open it?

A report of as many findings as asked, of all designs, with examples of answers as long as chat models write them, is
rendered, and its page is opened in headless Chromium (``RMAUDIT_BROWSER`` may name another browser) as often as asked.
The time is from the start of the navigation until the page is loaded and painted.

    python -m benchmarks.report_opening --findings 300 --items 10000
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from rmaudit.reporting import html, markdown, pdf
from rmaudit.reporting.report import Report
from rmaudit.suites.finding import Example
from tests.reporting.full import full_report
from tests.reporting.sample import examples

SECONDS = 2.0
"""Most that opening may take."""
BYTES = 5_000_000
"""Most that a page may weigh."""
_EXAMPLES = 7
_ANSWER = "A sentence of an answer that says about as much as sentences of answers usually say. " * 9


def report_of(findings: int, items: int) -> Report:
    """A report of so many findings, with so many items in all."""
    sample = full_report()
    found = [
        finding.model_copy(
            update={
                "suite": f"suite-{place // 20}",
                "probe": f"probe-{place}",
                "primary": place % 20 == 0,
                "n_items": items // findings,
                "examples": _examples(place),
            }
        )
        for place, finding in enumerate(islice(cycle(sample.findings_), findings))
    ]
    suites = list(dict.fromkeys(finding.suite for finding in found))
    settings = sample.settings.model_copy(update={"suites": suites})
    return sample.model_copy(update={"findings_": found, "settings": settings})


def _examples(place: int) -> list[Example]:
    """Examples with texts of their own, about 770 characters each."""
    shown: list[Example] = []
    for number, example in enumerate(islice(cycle(examples("length", 0.4)), _EXAMPLES)):
        arms = [
            arm.model_copy(update={"response": f"{arm.response} {place}-{number}. {_ANSWER}"}) for arm in example.arms
        ]
        shown.append(example.model_copy(update={"item": f"item-{place}-{number}", "arms": arms}))
    return shown


def opened(browser: Any, path: Path) -> float:
    """Seconds until the page is loaded and painted."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    begun = time.perf_counter()
    page.goto(path.as_uri(), wait_until="load")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    seconds = time.perf_counter() - begun
    page.close()
    return seconds


def main() -> None:
    """Print size and time; exit code 1 where an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--findings", type=int, default=300)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    report = report_of(options.findings, options.items)
    begun = time.perf_counter()
    page = html.render(report)
    rendered = time.perf_counter() - begun
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder, "report.html")
        path.write_bytes(page)
        browser = playwright.chromium.launch(executable_path=pdf.browser(), chromium_sandbox=False)
        seconds = [opened(browser, path) for _ in range(options.rounds)]
        version = browser.version
        browser.close()
    print(f"{len(report.findings_)} findings, {sum(finding.n_items for finding in report.findings_):,} items")
    print(f"report.json {len(report.to_json()) / 1e6:.2f} MB, report.md {len(markdown.render(report)) / 1e6:.2f} MB")
    print(f"report.html {len(page) / 1e6:.2f} MB, rendered in {rendered:.2f} s")
    print(
        f"opened in Chromium {version} in {statistics.median(seconds):.2f} s (median of {len(seconds)},"
        f" {min(seconds):.2f} to {max(seconds):.2f})"
    )
    if len(page) > BYTES or statistics.median(seconds) > SECONDS:
        raise SystemExit(f"more than {BYTES / 1e6:.0f} MB, or slower than {SECONDS:.0f} s")


if __name__ == "__main__":
    main()
