"""The page in a real browser: nothing is fetched or said, and axe finds nothing, in light and dark, for each reader.

Skipped where there is no Chromium, Chrome or Edge (``RMAUDIT_BROWSER`` may name one), or no Playwright or axe.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rmaudit.errors import UsageError
from rmaudit.reporting import html, pdf
from rmaudit.reporting.audience import Audience
from rmaudit.reporting.report import Report
from tests.reporting.full import full_report
from tests.reporting.hostile import HOSTILE, hostile_report
from tests.reporting.sample import sample_report
from tests.reporting.test_html_report import nothing_measured

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
axe_playwright = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")

EVERYBODY = pytest.mark.parametrize("audience", Audience)
THEMES = pytest.mark.parametrize("theme", ["light", "dark"])
WIDTHS = pytest.mark.parametrize("width", [390, 768, 1280])


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        program = pdf.browser()
    except UsageError as error:
        pytest.skip(str(error))
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, chromium_sandbox=False)
        yield started
        started.close()


def opened(browser: Any, report: Report, folder: Path, audience: Audience, **options: Any) -> tuple[Any, list[str]]:
    """A page that shows a report, and what it asked for or said."""
    path = folder / "report.html"
    path.write_bytes(html.render(report, audience))
    page = browser.new_page(**options)
    page.set_default_timeout(60_000)
    told: list[str] = []
    page.on("console", lambda message: told.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: told.append(f"error: {error}"))
    page.on("dialog", lambda dialog: told.append(f"dialog: {dialog.message}"))
    page.on("request", lambda request: told.append(request.url))
    page.goto(path.as_uri())
    return page, [entry for entry in told if entry != path.as_uri()]


@EVERYBODY
@THEMES
def test_axe_finds_nothing(browser: Any, tmp_path: Path, audience: Audience, theme: str) -> None:
    page, _ = opened(browser, full_report(), tmp_path, audience, color_scheme=theme)
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    page.add_style_tag(content=".card { content-visibility: visible; }")  # axe passes over what is not drawn yet
    page.evaluate(axe_playwright.Axe().axe_script)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    page.close()
    assert len(found["passes"]) > 20
    assert [(entry["id"], entry["impact"], entry["nodes"][0]["html"][:200]) for entry in found["violations"]] == []


@EVERYBODY
@WIDTHS
def test_nothing_is_fetched_said_or_too_wide(browser: Any, tmp_path: Path, audience: Audience, width: int) -> None:
    for report in (full_report(), sample_report(), nothing_measured()):
        page, told = opened(browser, report, tmp_path, audience, viewport={"width": width, "height": 900})
        page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
        wide = page.evaluate("document.documentElement.scrollWidth")
        page.close()
        assert told == []
        assert wide <= width


@pytest.mark.parametrize("attack", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_text_does_nothing(browser: Any, tmp_path: Path, attack: str) -> None:
    page, told = opened(browser, hostile_report(attack), tmp_path, Audience.engineer)
    address = page.url
    page.wait_for_timeout(50)
    assert page.url == address
    page.close()
    assert told == []


def test_first_screen_has_model_verdict_warnings_and_completeness(browser: Any, tmp_path: Path) -> None:
    page, _ = opened(browser, sample_report(), tmp_path, Audience.engineer, viewport={"width": 1280, "height": 900})
    for shown in ("h1", ".headline", ".identity", "#warnings", ".tiles", ".effects h2", ".forest tbody tr"):
        assert page.locator(shown).first.bounding_box()["y"] < 900, shown
    page.close()


def test_the_keyboard_reaches_the_report_at_once(browser: Any, tmp_path: Path) -> None:
    page, _ = opened(browser, sample_report(), tmp_path, Audience.engineer)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#audit"
    page.close()


def test_paper_unfolds_numbers_but_not_what_may_offend(browser: Any, tmp_path: Path) -> None:
    page, _ = opened(browser, full_report(), tmp_path, Audience.board)
    page.emulate_media(media="print")
    height = "node => node.getBoundingClientRect().height"
    assert page.locator(".numbers .units table").first.evaluate(height) > 50
    assert page.locator(".disclosed").first.evaluate(height) > 50
    assert page.locator(".examples.folded .example").first.evaluate(height) == 0
    page.close()


@EVERYBODY
def test_prints_to_pdf(browser: Any, audience: Audience) -> None:
    printed = pdf.printed(html.render(sample_report(), audience))
    assert printed.startswith(b"%PDF-")
    assert printed.count(b"/Type /Page\n") > 3
