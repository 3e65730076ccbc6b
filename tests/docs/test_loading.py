"""What the pages about loading promise: every format tested, every option explained, every example true."""

from __future__ import annotations

import dataclasses
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from builders import formats
from rmaudit.cli import options
from rmaudit.cli.main import app
from rmaudit.errors import LoadRefusedError
from rmaudit.models.families import families
from rmaudit.models.inspection import Inspection
from rmaudit.models.load import load
from rmaudit.models.options import FLAGS, LoadOptions
from tests.docs.pages import PAGES, ROOT, blocks, by_name, read, section, table_keys
from tests.docs.test_head_spec import BACKBONE, EXPECTED_TALKS, expected, write
from tests.models.rows import ROWS

TABLE = section(read("formats.md"), "Formats")


@pytest.mark.parametrize("family", formats.ordered(), ids=lambda family: family.format)
def test_every_format_is_tested(family: formats.Family) -> None:
    assert formats.how_tested(family.format, ROWS) != formats.UNTESTED
    assert all((family.examples, family.recognised, family.scalar))
    assert f"| `{family.format}` |" in TABLE


def test_a_format_without_tests_shows(tmp_path: Path) -> None:
    assert formats.how_tested("beaver-cost", [], tmp_path) == formats.UNTESTED
    assert formats.how_tested("nobody-s-format", ROWS) == formats.UNTESTED


def test_another_formats_tests_are_not_this_ones(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "families"
    folder.mkdir(parents=True)
    (folder / "test_beaver.py").write_text("FORMATS = ['beaver-cost', 'seqcls']", encoding="utf-8")
    assert formats.how_tested("beaver-cost", [], tmp_path) == "`test_beaver.py`"
    assert formats.how_tested("seqcls", [], tmp_path) == formats.UNTESTED


def test_every_loading_option_is_explained() -> None:
    page = read("loading.md") + read("head-spec.md")
    command = options.with_load_options(lambda *, loading: None)
    flags = [FLAGS.get(name, f"--{name.replace('_', '-')}") for name in command.__annotations__]
    assert "--as" in flags
    assert not [flag for flag in flags if not re.search(rf"`[^`\n]*{flag}\b", page)]


def test_every_field_of_the_options_is_documented_for_python() -> None:
    page = read("python.md")
    assert not [field.name for field in dataclasses.fields(LoadOptions) if f"`{field.name}`" not in page]


def test_every_field_of_an_inspection_is_documented() -> None:
    assert table_keys(section(read("files.md"), "inspect")) == {*Inspection.model_fields}


def test_every_risk_that_the_security_page_names_has_an_answer() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    rows = [line for line in section(page, "What is refused").splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 10
    assert all(len(row.split(" | ")) == 2 and all(cell.strip("| ") for cell in row.split(" | ")) for row in rows)


def plain(text: str) -> str:
    """An inspection's words, without the digest that every change of a byte changes."""
    return re.sub(r"sha256 [0-9a-f]{64}", "sha256", " ".join(text.split()))


def test_what_inspect_says_is_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (row,) = (row for row in ROWS if row.id == "B2-normalised")
    row.write(tmp_path / "checkpoint")
    shown = blocks(read("loading.md"), "text")
    for source, text in zip(("demo", "checkpoint"), shown, strict=True):
        done = CliRunner().invoke(app, ["inspect", source])
        assert plain(done.stdout) == plain(text)


@pytest.fixture
def other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example of the page, installed as a package."""
    page = read("adding-a-format.md")
    (code,), (project,) = blocks(page, "python"), blocks(page, "toml")
    ((group, points),) = tomllib.loads(project)["project"]["entry-points"].items()
    entries = "".join(f"{name} = {value}\n" for name, value in points.items())
    place = tmp_path / "site" / "acme_rm-1.0.dist-info"
    place.mkdir(parents=True)
    (place.parent / "acme_rm.py").write_text(code, encoding="utf-8")
    (place / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-rm\nVersion: 1.0\n", encoding="utf-8")
    (place / "entry_points.txt").write_text(f"[{group}]\n{entries}", encoding="utf-8")
    monkeypatch.syspath_prepend(place.parent)
    families.cache_clear()
    yield
    families.cache_clear()
    sys.modules.pop("acme_rm", None)


@pytest.mark.usefixtures("other_package")
def test_the_example_of_another_package_is_complete(tmp_path: Path) -> None:
    torch.manual_seed(0)
    head = {"quality.weight": torch.randn(1, 16), "quality.bias": torch.randn(1)}
    root = write(tmp_path / "x", head)
    model = load(str(root), LoadOptions(device="cpu"))
    assert model.facts.format == "acme"
    states = expected(root, BACKBONE)
    wanted = [float(head["quality.weight"][0] @ own[-1] + head["quality.bias"][0]) for own in states]
    assert model.score(EXPECTED_TALKS) == pytest.approx(wanted, abs=1e-5)
    assert "acme" not in [family.format for family in formats.ordered()], "the table is of this package alone"


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_formats_named_in_commands_exist(page: Path) -> None:
    named = re.findall(r"--as ([a-z][\w-]+)", page.read_text(encoding="utf-8"))
    assert {*named} <= {family.format for family in families()}


def test_the_head_of_the_example_is_refused_when_it_is_not_whole(tmp_path: Path, other_package: None) -> None:
    root = write(tmp_path / "x", {"quality.weight": torch.randn(1, 16)})
    with pytest.raises(LoadRefusedError, match=r"quality\.bias"):
        load(str(root), LoadOptions(device="cpu"))
