"""The documentation names everything that there is, and nothing that there is not."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
import typer
import yaml
from pydantic import BaseModel
from typer.testing import CliRunner

import rmaudit
from builders import formats, head_spec, pages, reference
from rmaudit import errors
from rmaudit.cli.main import app
from rmaudit.comparison.result import (
    AnswerChange,
    Beside,
    ComparedRun,
    Comparison,
    FactChange,
    LeftOut,
    ProbeChange,
    RulerChange,
)
from rmaudit.comparison.words import OUTCOMES
from rmaudit.policy import DEFAULT_POLICY, PRESETS, Bands, MeasurementPolicy, load_policy
from rmaudit.policy.rules import BaselineRules, DisclosureRules, GatePolicy, Rule, Waiver
from rmaudit.reporting.report import (
    CoverageRow,
    DisclosureItem,
    DomainAccuracy,
    ModelBlock,
    Report,
    RunBlock,
    SelfCheck,
)
from rmaudit.runs.manifest import Manifest
from rmaudit.signing import Signer
from rmaudit.suites import spec
from rmaudit.suites.details.index import AnyDetail
from rmaudit.suites.finding import (
    Added,
    AttributeEffect,
    AttributeRuler,
    Calibration,
    Carried,
    Detail,
    DetailValue,
    Example,
    ExampleArm,
    Finding,
    Group,
    Histogram,
    PublishedValue,
    ReliabilityBin,
    Ruler,
    Spike,
    Spread,
)
from tests.docs.pages import DOCS, PAGES, ROOT, blocks, by_name, read, section, table_keys

COMMANDS = {"rmaudit": typer.main.get_command(app), **dict(reference.commands(typer.main.get_command(app)))}
DESIGNS = get_args(get_args(spec.AnyDesign)[0])
DETAILS = get_args(get_args(AnyDetail)[0])


def fields(*models: type[BaseModel]) -> list[str]:
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


@pytest.mark.parametrize("builder", [reference, formats, head_spec], ids=lambda builder: builder.__name__)
def test_what_is_generated_is_current(builder: ModuleType) -> None:
    assert read(builder.PAGE.name) == builder.render(), f"run: python -m {builder.__name__}"


@pytest.mark.parametrize("builder", [reference, formats, head_spec], ids=lambda builder: builder.__name__)
def test_a_stale_page_is_noticed(builder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, current = tmp_path / builder.PAGE.name, builder.render()
    page.write_text(current.replace("|", "stale |"), encoding="utf-8")
    monkeypatch.setattr(builder, "PAGE", page)
    monkeypatch.setattr("sys.argv", ["builder", "--check"])
    with pytest.raises(SystemExit) as stop:
        builder.main()
    assert stop.value.code not in (0, None)
    page.write_text(current, encoding="utf-8")
    builder.main()


@pytest.mark.parametrize("builder", [reference, formats, head_spec], ids=lambda builder: builder.__name__)
def test_a_stale_page_is_written_anew(builder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, current = tmp_path / builder.PAGE.name, builder.render()
    before, mark, rest = current.partition(pages.BEGIN)
    page.write_text(f"{before}{mark} stale {pages.END}{rest.partition(pages.END)[2]}", encoding="utf-8")
    monkeypatch.setattr(builder, "PAGE", page)
    monkeypatch.setattr("sys.argv", ["builder"])
    builder.main()
    assert page.read_text(encoding="utf-8") == current


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    page = section(read("commands.md"), name)
    for option in reference.parameters(COMMANDS[name])[1]:
        assert all(f"`{spelling}" in page for spelling in option.opts)


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "gate.md"], ids=by_name)
def test_every_exit_code_is_documented(page: Path) -> None:
    found = {
        cls.exit_code for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.RmauditError)
    }
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", page.read_text(encoding="utf-8"), re.MULTILINE)}
    assert told == found | {0, 1}


def test_every_policy_key_is_documented() -> None:
    page = section(read("gate.md"), "The policy file").split("\n### ")[0]
    keys = {*MeasurementPolicy.model_fields, *GatePolicy.model_fields}
    assert table_keys(page) - {*Bands.model_fields, *PRESETS} == keys
    for heading, model in (("Rules", Rule), ("Beside an earlier run", BaselineRules), ("Waivers", Waiver)):
        assert table_keys(section(read("gate.md"), heading)) == {*model.model_fields}
    assert all(f"`{key}`" in page for key in DisclosureRules.model_fields)
    assert all(f"`{name}`" in page for name in (*Bands.model_fields, *("name", "version", "measurement", "gate")))


def test_the_policy_in_the_documentation_is_one(tmp_path: Path) -> None:
    (text,) = [block for block in blocks(read("gate.md"), "yaml") if "equivalence_margin" in block]
    file = tmp_path / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    assert load_policy(file).measurement == load_policy().measurement


def test_thresholds_named_in_prose_are_those_of_the_policy() -> None:
    measurement = load_policy(DEFAULT_POLICY).measurement
    report = read("report.md")
    assert f"({measurement.equivalence_margin:g} SRD)" in report
    assert f"({measurement.equivalence_margin:g} SRD)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"below {measurement.quality_floor:.0%} the report" in " ".join(report.split())
    assert f"fewer than {measurement.minimum_clusters} clusters" in report
    assert f"more than {measurement.max_error_share:.0%} of all" in " ".join(read("scan.md").split())
    assert f"({getattr(measurement.bands, load_policy().gate.fail_at):g} SRD by default)" in read("gate.md")


@pytest.mark.parametrize(
    ("heading", "models"),
    [
        ("run.json", [Manifest]),
        ("model", [ModelBlock, SelfCheck]),
        ("ruler", [Ruler, DomainAccuracy, AttributeRuler, Calibration, ReliabilityBin, Spread]),
        (
            "findings",
            [
                Finding,
                Example,
                ExampleArm,
                Group,
                Histogram,
                AttributeEffect,
                Carried,
                Detail,
                DetailValue,
                PublishedValue,
                Spike,
                Added,
            ],
        ),
        ("report.json", [Report, CoverageRow, DisclosureItem, RunBlock]),
    ],
)
def test_every_field_of_the_files_is_documented(heading: str, models: list[type[BaseModel]]) -> None:
    page = section(read("files.md"), heading)
    missing = [name for name in fields(*models) if name != "schema" and f"`{name}`" not in page]
    assert not missing
    own = page.split("\n### ")[0]
    assert table_keys(own) <= {*fields(*models)}, "the page names a field that does not exist"


@pytest.mark.parametrize(
    "model", [Comparison, ComparedRun, Beside, FactChange, RulerChange, ProbeChange, AnswerChange, LeftOut]
)
def test_every_field_of_a_comparison_is_documented(model: type[BaseModel]) -> None:
    page = section(read("compare.md"), "The file")
    assert [name for name in fields(model) if name != "schema" and f"`{name}`" not in page] == []


def test_every_field_of_a_signer_is_documented() -> None:
    assert set(fields(Signer)) <= table_keys(section(read("verify.md"), "Sign").replace("\n  |", "\n|"))


def test_every_outcome_of_a_comparison_is_documented() -> None:
    page = section(read("compare.md"), "What it says of an effect")
    assert all(f"| {word.label.lower()} |" in page for word in OUTCOMES.values())


def test_every_field_of_a_score_line_is_documented(tmp_path: Path) -> None:
    from rmaudit.models.interface import Scored
    from rmaudit.runs.scores import ScoreWriter
    from rmaudit.scoring.plan import Batch, Target

    with ScoreWriter(tmp_path / "scores.jsonl", "plan") as writer:
        scored = Scored(1.0, attributes={"verbosity": 0.5}, stored="same-batch")
        writer.append(0, Batch(([],), ((Target("suite", "item", "arm"),),), "label"), [scored])
    _, line = (tmp_path / "scores.jsonl").read_text(encoding="ascii").splitlines()
    assert table_keys(section(read("files.md"), "scores.jsonl")) == {*json.loads(line)}


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.__name__.lower())
def test_every_design_is_documented_with_its_keys(design: type[BaseModel]) -> None:
    name = design.__name__.lower()
    page = section(read("suites.md"), name)
    assert "effect" in page
    signature = re.search(r"`\{design: (.*?)\}`", " ".join(page.split()))
    assert signature
    assert signature[1].split(",")[0] == name
    assert all(re.search(rf"\b{key}\b", signature[1]) for key in design.model_fields if key not in ("design", "where"))


@pytest.mark.parametrize("detail", DETAILS, ids=lambda detail: detail.__name__)
def test_every_detail_is_documented_with_its_keys(detail: type[BaseModel]) -> None:
    name = get_args(detail.model_fields["detail"].annotation)[0]
    signature = re.search(r"`\{detail: (.*?)\}`", " ".join(section(read("suites.md"), name).split()))
    assert signature
    assert signature[1].split(",")[0] == name
    assert {key.strip() for key in signature[1].split(",")[1:]} == detail.model_fields.keys() - {"detail"}


def test_every_suite_and_item_key_is_documented() -> None:
    suites = read("suites.md")
    assert table_keys(section(suites, "suite.yaml")) == {*fields(spec.Suite, spec.Probe)}
    assert all(f"`{name}`" in section(suites, "suite.yaml") for name in fields(spec.Published))
    page = section(suites, "Items")
    assert table_keys(page) == {*fields(spec.Item)}
    assert all(f"`{name}`" in page for name in fields(spec.Arm))


def test_the_example_suite_is_sound(tmp_path: Path) -> None:
    page = section(read("suites.md"), "A complete example")
    (suite,), (items,) = blocks(page, "yaml"), blocks(page, "json")
    folder = tmp_path / yaml.safe_load(suite)["suite"]
    folder.mkdir()
    (folder / "suite.yaml").write_text(suite, encoding="utf-8")
    (folder / "items.jsonl").write_text(items, encoding="utf-8")
    checked = CliRunner().invoke(app, ["probes", "check", str(tmp_path)])
    assert checked.exit_code == 0, checked.output
    assert f"{len(items.splitlines())} items" in checked.output


def links() -> Iterator[Any]:
    for page in PAGES:
        prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            if "://" not in target:
                yield pytest.param(page, target, id=f"{by_name(page)}:{target}")


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "target"), list(links()))
def test_every_relative_link_resolves(page: Path, target: str) -> None:
    name, _, anchor = target.partition("#")
    linked = (page.parent / name).resolve() if name else page
    assert linked.is_relative_to(ROOT)
    assert linked.exists()
    assert not anchor or anchor in anchors(linked)


def shell_lines() -> Iterator[Any]:
    """Every `rmaudit …` command in code, with what a shell would do to the line undone."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        code = [line for block in blocks(text, "sh", "yaml") for line in block.splitlines()]
        inline = re.findall(r"`(rmaudit [a-z][^`]*)`", " ".join(text.split()))
        for line in [*code, *inline]:
            match = re.search(r"\brmaudit ((?:scan|score|gate|report|verify|probes|[a-z]+) ?[^|&\n#]*)", line)
            if match and not line.lstrip().startswith("#"):
                yield pytest.param(match[1].split("2>")[0].strip(), id=f"{by_name(page)}: {match[1].strip()}")


@pytest.mark.parametrize("line", list(shell_lines()))
def test_commands_in_the_documentation_exist(line: str) -> None:
    words = shlex.split(line)
    name = "rmaudit"
    while words and f"{name} {words[0]}" in COMMANDS:
        name = f"{name} {words.pop(0)}"
    assert name != "rmaudit", f"there is no command {line.split()[0]}"
    known = {spelling for option in reference.parameters(COMMANDS[name])[1] for spelling in option.opts}
    used = {word.split("=")[0] for word in words if word.startswith("-")}
    assert used <= known | {"--help"}


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page.read_text(encoding="utf-8"), "python")], ids=by_name
)
def test_python_in_the_documentation_is_python_and_names_what_exists(page: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8"), "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "rmaudit":
                assert node.attr in rmaudit.__all__


def test_every_public_name_is_documented() -> None:
    page = read("python.md")
    assert all(f"`{name}`" in page for name in rmaudit.__all__)


def test_the_readme_begins_with_the_two_commands() -> None:
    first = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:40]
    assert any(line.startswith("make demo") for line in first)
    assert any(line.startswith("make test") for line in first)


def test_the_readme_names_every_suite_that_ships() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {f"probes/{path.parent.name}" for path in (ROOT / "probes").glob("*/suite.yaml")} <= set(
        re.findall(r"\]\((probes/[^)]+)\)", readme)
    )


def test_the_index_lists_every_page() -> None:
    index = read("README.md")
    assert all(f"]({page.name})" in index for page in DOCS.glob("*.md") if page.name != "README.md")


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_prose_stays_within_the_line(page: Path) -> None:
    if page.name == "commands.md":
        return
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert [line for line in prose.splitlines() if len(line) > 110 and not line.startswith("|")] == []
