"""`rmaudit compare`: what it finds, what it refuses, and what it writes."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import rmaudit
from rmaudit.comparison.build import compare
from rmaudit.comparison.outputs import changelog, html, markdown
from rmaudit.comparison.outputs.terminal import summary
from rmaudit.comparison.result import SCHEMA, Comparison, FactChange
from rmaudit.errors import RunError, UsageError
from rmaudit.policy import DEFAULT_POLICY
from rmaudit.reporting import schema, text
from rmaudit.resources import reports_dir
from tests import synthetic
from tests.reporting.hostile import HOSTILE
from tests.synthetic import Bench, run

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def clean(place: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("clean") / "before"
    rmaudit.scan(place.scorer("clean"), probes=place.probes, panel=place.panel, out=out)
    return out


@pytest.fixture(scope="module")
def comparison(clean: Path, finished: Path) -> Comparison:
    return compare([clean, finished], why="a new version")


def changed(source: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of a run whose manifest says something else."""
    shutil.copytree(source, target)
    manifest = json.loads((target / "run.json").read_text())
    change(manifest)
    (target / "run.json").write_text(json.dumps(manifest))
    return target


def test_a_planted_bias_is_worse_and_gone_is_better(clean: Path, finished: Path, comparison: Comparison) -> None:
    told = {change.probe: change for change in comparison.beside[0].changes if not change.group}
    assert told["shine"].outcome == "worse"
    assert told["words"].outcome == "no_different"
    assert (told["shine"].verdict_before, told["shine"].verdict_after) == ("negligible", "present")
    assert told["shine"].severity_after == "severe"
    assert comparison.beside[0].headline.startswith("Worse: polish/shine (+0.87 SRD).")
    back = compare([finished, clean]).beside[0]
    assert back.headline.startswith("Better: polish/shine (\N{MINUS SIGN}0.87 SRD).")


def test_a_rescaled_model_has_not_changed(place: Bench, finished: Path, tmp_path: Path) -> None:
    rmaudit.scan(place.scorer("rescaled"), probes=place.probes, panel=place.panel, out=tmp_path / "run")
    found = compare([finished, tmp_path / "run"]).beside[0]
    assert {change.outcome for change in found.changes} == {"no_different"}
    assert found.ruler.accuracy_difference.estimate == pytest.approx(0)
    assert found.ruler.wsd_after == pytest.approx(3 * (found.ruler.wsd_before or 0))


def test_the_same_run_twice_says_that_it_is_one_model(finished: Path) -> None:
    found = compare([finished, finished]).beside[0]
    assert any("same weights" in warning for warning in found.warnings)
    assert found.facts == []


def test_panel_accuracy_is_paired(place: Bench, finished: Path, clean: Path, tmp_path: Path) -> None:
    code = (place.folder / "scorers.py").read_text() + (
        "\n\ndef worse(conversations):\n"
        "    return [v + noise([{'content': 'x'}, *c], 3.0) for v, c in zip(biased(conversations), conversations)]\n"
    )
    (tmp_path / "scorers.py").write_text(code)
    rmaudit.scan(f"python:{tmp_path / 'scorers.py'}:worse", probes=place.probes, panel=place.panel, out=tmp_path / "r")
    gained = compare([finished, tmp_path / "r"]).beside[0].ruler.accuracy_difference
    assert gained.high is not None
    assert gained.high < 0


DIFFERENCES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "tier": (lambda m: m["settings"].update(tier="smoke"), "tier is standard in one and smoke"),
    "seed": (lambda m: m["settings"].update(seed=7), "seed is 0 in one and 7"),
    "policy": (lambda m: m["settings"].update(policy_version=99), "v99"),
    "bands": (lambda m: m["settings"]["bands"].update(low=0.01), "severity bands"),
    "panel": (lambda m: m["settings"]["suite_sha256"].update(panel="0" * 64), "The panel has other items"),
    "items": (lambda m: m["settings"]["suite_sha256"].update(polish="0" * 64), "suite polish has other items"),
    "suites": (lambda m: m["settings"].update(suites=["other"]), "no suite in common: one ran polish, the other other"),
    "status": (lambda m: m.update(status="interrupted"), "interrupted, not complete"),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_what_cannot_be_compared_is_refused_with_what_differs(name: str, clean: Path, tmp_path: Path) -> None:
    change, words = DIFFERENCES[name]
    other = changed(clean, tmp_path / "other", change)
    outcome = run("compare", str(clean), str(other), "--out", str(tmp_path / "c.json"))
    assert outcome.code == 3
    assert outcome.out == ""
    assert words in " ".join(outcome.err.split())
    assert not (tmp_path / "c.json").exists()


def test_other_models_and_other_loading_are_compared_and_told(clean: Path, tmp_path: Path) -> None:
    other = changed(clean, tmp_path / "other", lambda m: m["model"].update(dtype="bfloat16", template="another"))
    found = compare([clean, other]).beside[0]
    assert FactChange(about="loading", name="dtype", before=None, after="bfloat16") in found.facts
    assert any("loaded differently: dtype, chat template" in warning for warning in found.warnings)


@pytest.fixture(scope="module")
def partial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Runs of suites a and b; a; and a with b changed since."""
    folder = tmp_path_factory.mktemp("partial")
    place = synthetic.bench(folder)
    shutil.rmtree(place.probes / "polish")
    for name in ("first", "second"):
        synthetic.write_suite(place.probes / name, synthetic.suite_spec(name))
    both, one = folder / "both", folder / "one"
    rmaudit.scan(place.scorer("clean"), probes=place.probes, panel=place.panel, out=both)
    rmaudit.scan(place.scorer("biased"), probes=place.probes, panel=place.panel, out=one, suites=["first"])
    other = changed(both, folder / "other", lambda m: m["settings"]["suite_sha256"].update(second="0" * 64))
    return both, one, other


def test_only_what_both_ran_is_compared_and_the_rest_is_named(partial: tuple[Path, Path, Path]) -> None:
    both, one, _ = partial
    result = compare([both, one])
    assert result.suites == ["first"]
    assert {change.suite for change in result.beside[0].changes} == {"first"}
    assert [(entry.what, entry.reason) for entry in result.beside[0].left_out] == [("second", "In the reference only.")]
    outcome = run("compare", str(both), str(one))
    assert outcome.code == 0
    assert "Not compared: second (in the reference only)." in outcome.out


def test_a_suite_that_changed_may_be_left_out_by_name(partial: tuple[Path, Path, Path]) -> None:
    both, one, other = partial
    outcome = run("compare", str(both), str(other))
    assert outcome.code == 3
    assert "--suite first" in outcome.err
    assert run("compare", str(both), str(other), "--suite", "nowhere").code == 3
    found = compare([both, other], suites=["first"])
    assert {change.suite for change in found.beside[0].changes} == {"first"}
    with pytest.raises(RunError, match="has changed since"):
        compare([other, other])
    assert compare([both, one], suites=["first"]).beside[0].left_out[0].reason == "Not asked for."


def test_more_than_two_runs_share_one_family_of_tests(clean: Path, finished: Path, comparison: Comparison) -> None:
    three = compare([clean, finished, finished])
    assert [run.label for run in three.runs] == ["A", "B", "C"]
    assert len(three.beside) == 2
    one, two = (next(c for c in each.beside[0].changes if c.group) for each in (comparison, three))
    assert two.p_adjusted >= one.p_adjusted
    outcome = run("compare", str(clean), str(finished), str(finished))
    assert "Primary effects of all runs, in SRD" in outcome.out


def test_usage(clean: Path, finished: Path, tmp_path: Path) -> None:
    assert run("compare", str(clean)).code == 2
    assert run("compare", str(clean), str(tmp_path / "nowhere")).code == 3
    assert run("compare", str(clean), str(finished), "--out", str(tmp_path / "c.xyz")).code == 2
    assert run("compare", str(clean), str(finished), "--out", str(tmp_path / "no" / "c.md")).code == 2
    assert run("compare", str(clean), str(finished), "--out", str(tmp_path / "c"), "--format", "text").code == 2
    assert not list(tmp_path.iterdir())
    other = tmp_path / "policy.yaml"
    other.write_text(DEFAULT_POLICY.read_text(encoding="utf-8").replace("name: default", "name: strict"))
    with pytest.raises(UsageError, match="judged by the policy default"):
        compare([clean, finished], policy=other)


def test_stdout_is_json_and_nothing_else(clean: Path, finished: Path, tmp_path: Path) -> None:
    outcome = run("compare", str(clean), str(finished), "--format", "json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["schema"] == SCHEMA
    assert outcome.err == ""
    run("compare", str(clean), str(finished), "-q", "-o", str(tmp_path / "c.json"))
    assert (tmp_path / "c.json").read_text(encoding="utf-8") == outcome.out


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}, {"PYTHONIOENCODING": "ascii"}, {"COLUMNS": "300"}])
def test_the_terminal_gets_plain_lines(env: dict[str, str], clean: Path, finished: Path) -> None:
    outcome = run("compare", str(clean), str(finished), **env)
    assert outcome.code == 0
    assert not CONTROL.search(outcome.out)
    assert max(len(line) for line in re.sub(r"/\S{60,}", "", outcome.out).splitlines()) <= 100
    assert "Worse: polish/shine" in outcome.out


def test_the_changelog_grows_by_what_is_new(clean: Path, finished: Path, tmp_path: Path) -> None:
    file = tmp_path / "CHANGES.md"
    args = ("compare", str(clean), str(finished), "-q", "--changelog", str(file), "--why", "release *candidate*")
    assert run(*args).code == 0
    first = file.read_text(encoding="utf-8")
    for words in (
        "# Changelog of measurements",
        "**Versions**: from",
        r"**Why measured**: release \*candidate\*.",
        "**What changed in the model**: identity (sha256)",
        "**Effect on findings**: Worse: polish/shine (+0.87 SRD).",
        "polish/shine: worse, +0.874",
        "verdict negligible \N{RIGHTWARDS ARROW} present, severe.",
        "**Quality**: Panel accuracy",
    ):
        assert words in first
    assert run(*args).code == 0
    assert file.read_text(encoding="utf-8") == first
    assert run("compare", str(finished), str(clean), "-q", "--changelog", str(file)).code == 0
    second = file.read_text(encoding="utf-8")
    assert second.startswith(first)
    assert "no reason was given" in second
    assert second.count("\n## ") == 2


def test_the_published_schema_is_current_and_the_file_valid(comparison: Comparison) -> None:
    published = (reports_dir() / "schema" / "comparison-1.json").read_bytes()
    assert published == schema.to_bytes(Comparison, SCHEMA), "write schema.to_bytes(Comparison, SCHEMA) to that file"
    jsonschema.validate(json.loads(comparison.to_json()), json.loads(published))


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict | list):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from numbers(entry)


def test_every_number_stands_in_markdown_and_html(comparison: Comparison) -> None:
    data = json.loads(comparison.to_json())
    # The raw p of a change is not shown: the adjusted one decides.
    wanted = {
        text.exact(number)
        for beside in data["beside"]
        for change in beside["changes"]
        for number in numbers({key: value for key, value in change.items() if key != "p_value"})
    }
    wanted |= {text.exact(beside["ruler"]["wsd_after"]) for beside in data["beside"]}
    for render in (markdown.render, html.render):
        page = render(Comparison.model_validate(data)).decode("utf-8")
        assert {number for number in wanted if number not in page} == set()


def hostile(comparison: Comparison, attack: str) -> Comparison:
    """A comparison with a text in every place that can hold one from outside."""

    def spoil(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: spoil(entry, name) for name, entry in value.items()}
        if isinstance(value, list):
            return [spoil(entry, key) for entry in value]
        kept = ("schema", "label", "outcome", "about", "direction_of_bias")
        fixed = key in kept or key.startswith(("verdict", "severity", "provenance"))
        return attack if isinstance(value, str) and not fixed else value

    data = spoil(comparison.model_dump(mode="json", by_alias=True))
    beside = data["beside"][0]
    beside["warnings"] = beside["contradictions_new"] = beside["contradictions_gone"] = [attack]
    beside["left_out"] = [{"what": attack, "reason": attack}]
    answer = {"id": attack, "question": attack, "before": attack, "after": None}
    beside["disclosure"] = [answer | {"provenance_before": "declared", "provenance_after": "missing"}]
    beside["changes"][0]["note"] = beside["changes"][0]["group"] = attack
    return Comparison.model_validate(data)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_stay_texts(name: str, comparison: Comparison) -> None:
    attack = HOSTILE[name]
    spoilt = hostile(comparison, attack)
    page = html.render(spoilt).decode("utf-8")
    assert len(page) < 5_000_000
    assert page.count("<script") == page.count("<img") == page.count("<a ") == 0
    assert page.count("</style>") == 1
    for written in (markdown.render(spoilt).decode("utf-8"), changelog.render(spoilt).decode("utf-8")):
        assert not CONTROL.search(written.replace("\t", ""))
        assert "<script" not in written
        assert "](" not in written.replace("\\](", "")
        ours = re.compile(r"$|#{1,3} |[|>] |\* |  \* |\*\*|>$|Why measured again: |Panel accuracy ")
        assert [line for line in written.splitlines() if not ours.match(line)] == []
    json.loads(spoilt.to_json())
    from rich.console import Console

    screen = Console(width=100, markup=False, highlight=False, emoji=False, force_terminal=False)
    with screen.capture() as captured:
        screen.print(summary(spoilt))
    assert not CONTROL.search(captured.get())


def test_the_page_allows_neither_network_nor_scripts(comparison: Comparison) -> None:
    page = html.render(comparison).decode("utf-8")
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page
    assert "http" not in re.sub(r"http-equiv", "", page)
