"""No text from a model or a dataset acts in any output."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from rmaudit.reporting import html, markdown, terminal, text
from rmaudit.reporting.audience import Audience
from tests.reporting.hostile import HOSTILE, hostile_report

ALLOWED_TAGS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "a",
    "div",
    "nav",
    "ol",
    "ul",
    "li",
    "main",
    "p",
    "strong",
    "span",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "b",
    "i",
    "s",
    "section",
    "table",
    "caption",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "th",
    "td",
    "br",
    "details",
    "summary",
    "dl",
    "dt",
    "dd",
    "code",
    "pre",
    "mark",
    "article",
    "header",
    "footer",
    "blockquote",
    "small",
    "data",
    "svg",
    "g",
    "path",
    "circle",
    "rect",
    "line",
    "text",
    "desc",
}
ALLOWED_ATTRIBUTES = {
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "href",
    "id",
    "aria-label",
    "aria-hidden",
    "role",
    "title",
    "value",
    "style",
    "scope",
    "data-label",
    "open",
    "tabindex",
    "rel",
    "width",
    "height",
    "viewbox",
    "preserveaspectratio",
    "aria-labelledby",
    "x",
    "y",
    "r",
    "cx",
    "cy",
    "x1",
    "x2",
    "y1",
    "y2",
    "d",
    "overflow",
}
ATTACKS = pytest.mark.parametrize("attack", HOSTILE.values(), ids=HOSTILE.keys())
READERS = pytest.mark.parametrize("audience", [Audience.board, Audience.engineer])


class Collector(HTMLParser):
    """Gathers tags and attributes as a browser would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value or "" for name, value in attrs if name == "href"}


@ATTACKS
@READERS
def test_html_has_only_our_markup(attack: str, audience: Audience) -> None:
    page = html.render(hostile_report(attack), audience).decode("utf-8")
    seen = Collector()
    seen.feed(page)
    assert seen.tags <= ALLOWED_TAGS
    assert seen.attributes <= ALLOWED_ATTRIBUTES
    assert all(re.fullmatch(r"#[\w./-]+|https://[^\s\"'<>]+", link) for link in seen.links)
    assert page.count("<style>") == 1
    assert "49" not in re.findall(r"<h1>(.*?)</h1>", page, re.DOTALL)[0]
    assert len(page) < 5_000_000
    assert not text._UNSAFE.search(page)


@ATTACKS
@READERS
def test_markdown_stays_text(attack: str, audience: Audience) -> None:
    document = markdown.render(hostile_report(attack), audience).decode("utf-8")
    assert not text._UNSAFE.search(document)
    outside = _outside_fences(document)
    assert "<" not in re.sub(r"</?(details( open)?|summary)>", "", outside)
    assert not re.search(r"https?://|www\.\w|(?<!\\)\]\(|@everyone", outside)
    headings = re.findall(r"^#+ .*", outside, re.MULTILINE)
    assert not any(line.endswith(("# heading", "## more")) for line in headings if "\\#" not in line)
    assert len(document) < 5_000_000


@ATTACKS
def test_markdown_tables_keep_their_columns(attack: str) -> None:
    columns = None
    for line in _outside_fences(markdown.render(hostile_report(attack)).decode("utf-8")).splitlines():
        if not line.startswith("| "):
            columns = None
            continue
        found = len(re.findall(r"(?<!\\)\|", line))
        columns = columns or found
        assert found == columns, line[:200]


@ATTACKS
@pytest.mark.parametrize("ascii_only", [False, True])
def test_terminal_gets_no_control_sequence(attack: str, ascii_only: bool) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=100, force_terminal=False, color_system=None)
    console.print(terminal.summary(hostile_report(attack), 100, ascii_only=ascii_only))
    shown = stream.getvalue()
    assert not text._UNSAFE.search(shown)
    assert max(map(len, shown.splitlines())) <= 100
    assert len(shown.splitlines()) < 80
    assert shown.isascii() or not ascii_only


def test_terminal_shows_square_brackets_as_they_are() -> None:
    stream = io.StringIO()
    Console(file=stream, width=100).print(terminal.summary(hostile_report("[/INST] [link=http://evil]x[/link]"), 100))
    assert "[link=http://evil]x[/link]" in stream.getvalue()


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    opening, *inside, closing = markdown.fence("a ``` b\n`````\n").splitlines()
    assert opening == "``````text"
    assert closing == "``````"
    assert "`````" in inside


@pytest.mark.parametrize("start", ["- x", "+ x", "1. x", "12) x", "# x", "> x", "= x", ": x"])
def test_inline_text_never_opens_a_block(start: str) -> None:
    assert not re.match(r"[-+#>=:]|\d+[.)]", markdown.inline(start))


def test_templates_switch_no_escaping_off() -> None:
    from rmaudit.resources import reports_dir

    for template in (reports_dir() / "templates").iterdir():
        source = template.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape|<script", source), template.name


def test_a_template_cannot_print_a_raw_number() -> None:
    environment = html._environment()
    with pytest.raises(TypeError, match="float"):
        environment.from_string("{{ value }}").render(value=0.1)
    with pytest.raises(TypeError, match="NoneType"):
        environment.from_string("{{ value }}").render(value=None)
    assert environment.from_string("{{ value }}").render(value="<\x1b>") == "&lt;\N{REPLACEMENT CHARACTER}&gt;"


def test_a_forged_identity_does_not_reach_the_style_sheet() -> None:
    page = html.render(hostile_report("}p{margin:9")).decode("utf-8")
    assert "}p{margin" not in page[page.index("<style>") : page.index("</style>")]


def _outside_fences(document: str) -> str:
    kept, fence = [], None
    for line in document.splitlines():
        ticks = re.match(r"`{3,}", line)
        if fence is None and ticks:
            fence = ticks[0]
        elif fence is not None:
            if line == fence:
                fence = None
        else:
            kept.append(line)
    assert fence is None
    return "\n".join(kept)
