"""A broken suite is refused with file, line and what is wrong; a sound one is read whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rmaudit.errors import SuiteError
from rmaudit.suites.load import TIERS, load_suite, load_suites, read_suite
from tests import synthetic
from tests.synthetic import assistant, run, suite_items, suite_spec, user, write_suite


def problems(folder: Path) -> list[str]:
    """Faults of a suite, with the folder's path taken off."""
    return [str(problem).removeprefix(f"{folder}/") for problem in read_suite(folder)[1]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_suite(tmp_path / "probes" / "polish")


def edit_spec(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    spec = yaml.safe_load((folder / "suite.yaml").read_text())
    change(spec)
    (folder / "suite.yaml").write_text(yaml.safe_dump(spec))


def edit_line(folder: Path, number: int, text: str) -> None:
    lines = (folder / "items.jsonl").read_text().splitlines()
    lines[number - 1] = text
    (folder / "items.jsonl").write_text("\n".join(lines) + "\n")


def test_a_sound_suite_is_read_whole(folder: Path) -> None:
    suite = load_suite(folder)
    assert problems(folder) == []
    assert len(suite.items) == synthetic.CLUSTERS
    assert [probe.id for probe in suite.spec.probes] == ["shine", "words", "names"]
    assert suite.files == (("items.jsonl", synthetic.CLUSTERS),)
    assert suite.items[3].conversation("shiny") == [user("Question 3?"), assistant("Answer 3. Splendid.")]


@pytest.mark.parametrize("file", ["suite.yaml", "items.jsonl"])
def test_the_digest_is_over_all_files(file: str, folder: Path) -> None:
    before = load_suite(folder).sha256
    assert load_suite(folder).sha256 == before
    (folder / file).write_bytes((folder / file).read_bytes() + b"\n")
    assert load_suite(folder).sha256 != before


SPEC_FAULTS: list[Any] = [
    (lambda s: s.update(itmes=["items.jsonl"]), "suite.yaml: itmes: Extra inputs are not permitted"),
    (lambda s: s.pop("question"), "suite.yaml: question: Field required"),
    (lambda s: s["probes"][1].pop("measure"), "(probe 'words'): Field required"),
    (lambda s: s["probes"][1]["measure"].update(design="stairs"), "(probe 'words')"),
    (lambda s: s["probes"][0].update(direction="up"), "(probe 'shine')"),
    (lambda s: s["probes"][0].update(primary=False), "exactly one probe must be primary"),
    (lambda s: s["probes"][1].update(primary=True), "exactly one probe must be primary"),
    (lambda s: s["probes"][1].update(id="shine"), "probe ids must differ"),
    (lambda s: s["probes"][1].update(id="../x"), "(probe '../x')"),
    (lambda s: s.update(probes=[]), "probes: "),
    (lambda s: s.update(items=[]), "items: "),
    (lambda s: s.update(items=["no.jsonl"]), "no.jsonl: there is no such item file"),
    (lambda s: s.update(items=["../../secret.jsonl"]), "'../../secret.jsonl' lies outside the suite's folder"),
    (lambda s: s.update(items=["/etc/passwd"]), "'/etc/passwd' lies outside the suite's folder"),
    (
        lambda s: s["probes"][0]["measure"].update(treated="maybe"),
        "'shine': 0 items have the arms that its measure",
    ),
    (
        lambda s: s["probes"][0]["placebo"].update(factor="edits"),
        "'shine': 0 items have the arms that its placebo",
    ),
    (lambda s: s["probes"][1].update(no_placebo=None), "probe 'words' has no placebo; say why under no_placebo"),
    (lambda s: s["probes"][2]["measure"].update(unit="nam"), "probe 'names': 0 items"),
    (lambda s: s["probes"][2]["measure"].update(unit="group"), "probe 'names': group 'A' has one group only"),
    (
        lambda s: s["probes"][2]["measure"].update(margins=["gendr"]),
        "'names': no groups are named by the factor 'gendr'",
    ),
]


@pytest.mark.parametrize(("change", "words"), SPEC_FAULTS, ids=range(len(SPEC_FAULTS)))
def test_a_fault_of_the_suite_file(change: Callable[[dict[str, Any]], object], words: str, folder: Path) -> None:
    (folder.parent.parent / "secret.jsonl").write_text("{}")
    edit_spec(folder, change)
    (problem, *more) = problems(folder)
    assert words in problem
    assert not more
    with pytest.raises(SuiteError, match="is broken") as caught:
        load_suite(folder)
    assert problem in str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("suite: polish\ntitle: [a, b\nversion: 1\n", "suite.yaml:3: is not YAML"),
        ("suite: 'polish\n", "suite.yaml:2: is not YAML"),
        ("- polish\n", "suite.yaml:1: must be a mapping"),
        ("", "suite.yaml:1: must be a mapping"),
        ("!!python/object/apply:os.getcwd []\n", "suite.yaml:1: is not YAML"),
        ("a: \x07\n", "suite.yaml"),
    ],
)
def test_a_suite_file_that_is_no_yaml(text: str, words: str, folder: Path) -> None:
    (folder / "suite.yaml").write_text(text)
    (problem,) = problems(folder)
    assert problem.startswith(words)


def arms(**responses: Any) -> dict[str, Any]:
    return {"id": "x", "cluster": "x", "prompt": [user("Hi")], "arms": responses}


LINE_FAULTS: list[Any] = [
    ('{"id": "x",', "is not JSON"),
    ("[" * 100_000, "is not JSON"),
    ('{"id": ' + "9" * 5000 + "}", "is not JSON"),
    ("[]", "valid dictionary"),
    ("{}", "id: Field required"),
    (arms(), "arms: "),
    (arms(a={}), "an arm has either a response or messages"),
    (arms(a={"response": "a", "messages": [assistant("a")]}), "an arm has either a response or messages"),
    (arms(a={"response": "a", "factor": {}}), "arms.a.factor: Extra inputs"),
    (arms(a={"messages": [user("a")]}), "arm 'a': the last message is from user"),
    (arms(a={"response": 5}), "arms.a.response"),
    (arms(a={"response": "a", "factors": {"dose": [1]}}), "arms.a.factors.dose"),
    ('{"id": "x", "cluster": "x", "arms": {"a": {"response": "a", "factors": {"dose": NaN}}}}', "is not JSON: NaN"),
    (arms(a={"response": "a"}) | {"prompt": [{"role": "robot", "content": "a"}]}, "role 'robot'"),
    (arms(a={"response": "a"}) | {"id": ""}, "id: "),
    (suite_items(1)[0], "item id 'item-0' is used twice"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "words"), LINE_FAULTS, ids=range(len(LINE_FAULTS)))
def test_a_fault_of_an_item_names_its_line(line: Any, words: str, folder: Path) -> None:
    edit_line(folder, 5, line if isinstance(line, str) else json.dumps(line))
    found = problems(folder)
    assert words in found[0]
    assert found[0].startswith("items.jsonl:5: ")


def test_every_fault_is_said_and_the_first_five_are_shown(folder: Path) -> None:
    for number in range(1, 9):
        edit_line(folder, number, "{")
    assert [problem.split(": ")[0] for problem in problems(folder)] == [f"items.jsonl:{n}" for n in range(1, 9)]
    with pytest.raises(SuiteError, match="… and 3 more") as caught:
        load_suite(folder)
    assert "\n\n" not in str(caught.value)


def test_an_item_file_that_is_empty_or_no_text(folder: Path) -> None:
    (folder / "items.jsonl").write_text("\n\n")
    assert problems(folder)[0] == "items.jsonl: holds no items"
    (folder / "items.jsonl").write_bytes(b"\xff\xfe\x00")
    assert problems(folder)[0].startswith("items.jsonl: cannot be read")


def test_a_link_out_of_the_folder_is_not_followed(folder: Path) -> None:
    secret = folder.parent.parent / "secret.jsonl"
    (folder / "items.jsonl").rename(secret)
    (folder / "items.jsonl").symlink_to(secret)
    assert "lies outside" in problems(folder)[0]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["polsh"], r"no suite 'polsh' in .*Did you mean polish\?"),
        (["zebra"], r"no suite 'zebra' in .*\. Known: other, polish\."),
        (["polish", "othr"], r"Did you mean other\?"),
        (["../probes/polish"], "no suite"),
    ],
)
def test_an_unknown_suite(names: list[str], words: str, folder: Path) -> None:
    write_suite(folder.parent / "other", suite_spec("other"))
    with pytest.raises(SuiteError, match=words):
        load_suites(folder.parent, names)


def test_suites_by_name_and_all(folder: Path) -> None:
    write_suite(folder.parent / "other", suite_spec("other"))
    assert [suite.spec.suite for suite in load_suites(folder.parent)] == ["other", "polish"]
    assert [suite.spec.suite for suite in load_suites(folder.parent, ["polish", "other", "polish"])] == [
        "polish",
        "other",
    ]
    assert [suite.spec.suite for suite in load_suites(folder)] == ["polish"]


def test_no_folder_and_no_suite_in_it(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="no probe folder"):
        load_suites(tmp_path / "nowhere")
    with pytest.raises(SuiteError, match="holds no suite"):
        load_suites(tmp_path)


def test_a_suite_is_called_as_its_folder(tmp_path: Path) -> None:
    """Else two folders could hold one suite, and the panel's name could be taken."""
    folder = write_suite(tmp_path / "probes" / "polish", suite_spec("panel"))
    assert problems(folder) == ["suite.yaml: the suite is called 'panel', but its folder 'polish'; they must agree"]


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_takes_whole_clusters_of_every_file(tier: str, tmp_path: Path) -> None:
    wanted = TIERS[tier]
    items = suite_items(wanted + 5)
    twice = [item | {"id": f"{item['id']}-{n}"} for item in items for n in "ab"]
    for item in twice:
        item["arms"] = {name: arm for name, arm in item["arms"].items() if name[0] not in "AB"}
    spec = suite_spec() | {"items": ["items.jsonl", "more.jsonl"], "probes": suite_spec()["probes"][:2]}
    folder = write_suite(tmp_path / "polish", spec, twice)
    synthetic.write_jsonl(folder / "more.jsonl", [item | {"id": f"more-{item['id']}"} for item in twice[:10]])
    chosen = load_suite(folder).tier(tier)
    assert [item.id for item in chosen] == [item["id"] for item in twice[: 2 * wanted]] + [
        f"more-{item['id']}" for item in twice[:10]
    ]


def test_probes_check_says_it_on_the_command_line(folder: Path) -> None:
    sound = run("probes", "check", str(folder.parent))
    assert (sound.code, sound.err) == (0, "")
    assert "polish: 40 items, 3 probes, sound" in sound.out
    edit_line(folder, 5, "{")
    edit_line(folder, 7, "{")
    broken = run("probes", "check", str(folder))
    assert broken.code == 2
    assert [line.split(": ")[0] for line in broken.out.splitlines()] == [f"{folder}/items.jsonl:{n}" for n in (5, 7)]
    assert "2 faults" in broken.err
    assert run("probes", "check", str(folder / "nowhere")).code == 2
