"""``rmaudit inspect``: what a checkpoint is, from its files alone, for people and as JSON."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from rmaudit.models.inspection import Inspection
from tests.models import tiny
from tests.synthetic import Bench, Outcome, environment, run

Copy = Callable[[Path], Path]


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.llama(tmp_path_factory.mktemp("llama") / "checkpoint")


@pytest.fixture
def copy_of(tmp_path: Path) -> Copy:
    return lambda root: Path(shutil.copytree(root, tmp_path / "copy"))


def told(outcome: Outcome) -> dict[str, Any]:
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    Inspection.model_validate(found)
    assert isinstance(found, dict)
    return found


def said(outcome: Outcome) -> str:
    return " ".join((outcome.out + outcome.err).split())


def refused(outcome: Outcome, *words: str, code: int = 3) -> None:
    assert outcome.code == code, outcome
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    for word in words:
        assert word in said(outcome), said(outcome)


def retensor(root: Path, *drop: str, **add: torch.Tensor) -> None:
    state = {name: tensor for name, tensor in load_file(root / "model.safetensors").items() if name not in drop}
    save_file(state | {name.replace("__", "."): t for name, t in add.items()}, root / "model.safetensors")


def test_everything_that_is_known_as_json(llama: Path) -> None:
    found = told(run("inspect", str(llama), "--json"))
    assert set(found) == set(Inspection.model_fields)
    assert (found["format"], found["head"], found["sign"]) == ("seqcls", ["score.weight [1, 16]"], 1)
    assert found["pooling"] == "last token other than the padding token (0)"
    assert found["scalar"].startswith("the one logit")
    assert "config.json: architecture LlamaForSequenceClassification" in found["evidence"]
    assert "chat template (chat_template.jinja)" in found["template"]
    assert "no begin-of-text token; the text ends with the EOS token (</s>)" in found["template"]
    assert len(found["identity"]) == 64
    assert set(found["files"]) >= {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"}
    assert (found["missing"], found["problem"], found["self_test"], found["revision"]) == (None, None, None, None)
    assert found["next"] == f"rmaudit scan {llama}"


def test_the_identity_is_that_of_the_loaded_model(llama: Path) -> None:
    import rmaudit

    assert told(run("inspect", str(llama), "--json"))["identity"] == rmaudit.load(str(llama)).identity.sha256


def test_everything_that_is_known_as_text(llama: Path) -> None:
    outcome = run("inspect", str(llama))
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    labels = [line[:13].strip() for line in lines if line[:13].strip()]
    assert labels[:6] == ["Format:", "Because:", "Model:", "Head:", "Read at:", "Scalar:"]
    assert {"Sign:", "Normalised:", "Text:", "Identity:", "Licence:", "Risks:"} <= set(labels)
    assert labels[-1] == "Next:"
    assert f"rmaudit scan {llama}" in said(outcome)


def test_the_model_that_ships() -> None:
    found = told(run("inspect", "demo", "--json"))
    assert (found["format"], found["licenses"]) == ("seqcls-pair", ["apache-2.0"])
    assert found["template"].startswith("none: question and answer are the two segments")


def test_licences_and_base_models(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    (root / "README.md").write_text("---\nlicense: llama3\nbase_model: owner/base\n---\n# A model\n")
    (root / "LICENSE.txt").touch()
    found = told(run("inspect", str(root), "--json"))
    assert found["licenses"] == ["llama3", "LICENSE.txt"]
    assert found["base_models"] == ["owner/base"]


def test_the_next_command_repeats_the_options(llama: Path, tmp_path: Path) -> None:
    spec = tmp_path / "my head.yaml"
    spec.write_text("layers: [{weight: score.weight}]\nsign: -1\n")
    found = told(run("inspect", str(llama), "--json", "--head-spec", str(spec), "--dtype", "bfloat16"))
    assert (found["format"], found["sign"]) == ("head-spec", -1)
    assert found["next"] == f"rmaudit scan {llama} --dtype bfloat16 --head-spec '{spec}'"


# ---------------------------------------------------------------- refusals


def test_two_heads_are_refused_with_both_and_taken_on_request(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    retensor(root, v_head__summary__weight=torch.ones(1, 16), v_head__summary__bias=torch.ones(1))
    refused(
        run("inspect", str(root), "--json"), "--as seqcls", "--as trl-value-head", "v_head.summary.", "score.weight"
    )
    found = told(run("inspect", str(root), "--json", "--as", "seqcls"))
    assert found["format"] == "seqcls"
    assert any("given by the user" in line for line in found["evidence"])
    assert any("left aside" in risk for risk in found["risks"])
    assert found["next"].endswith(" --as seqcls")


def test_an_unknown_head_is_refused_with_what_there_is(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    retensor(root, "score.weight", gauge__needle__weight=torch.ones(1, 16))
    tiny.edit_json(root / "config.json", architectures=["GaugeModel"])
    refused(
        run("inspect", str(root)), "GaugeModel", "gauge.needle.weight [1, 16]", "--head-spec", "python:FILE.py:NAME"
    )


def test_a_language_model_is_refused_with_its_candidates(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    retensor(root, "score.weight")
    tiny.edit_json(root / "config.json", architectures=["LlamaForCausalLM"])
    refused(run("inspect", str(root)), "LlamaForCausalLM", "--as FORMAT", "dpo", "nemotron-hf", "yes-no", "judge")


def test_a_missing_head_is_named(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    retensor(root, "score.weight")
    refused(run("inspect", str(root), "--json"), "lack score.weight")


def test_formats_that_there_are_not(llama: Path) -> None:
    refused(run("inspect", str(llama), "--as", "seqclass"), "Did you mean seqcls?", code=2)


@pytest.mark.parametrize("source", ["python:scorers.py:biased", "scores:rewards.jsonl"])
def test_what_is_no_checkpoint_has_no_files_to_look_at(source: str, place: Bench, tmp_path: Path) -> None:
    (tmp_path / "scorers.py").write_bytes((place.folder / "scorers.py").read_bytes())
    (tmp_path / "rewards.jsonl").write_text('{"messages": [], "reward": 1}\n')
    refused(run("inspect", source, cwd=tmp_path), "is not a checkpoint", "no files of a model", code=2)


@pytest.mark.parametrize("source", ["nowhere", "./nowhere", "owner/name/more"])
def test_what_is_nowhere_is_a_mistake(source: str, tmp_path: Path) -> None:
    refused(run("inspect", source, cwd=tmp_path), "There is no folder", code=2)


def test_the_hub_offline(tmp_path: Path) -> None:
    outcome = run("inspect", "owner/name@abc", "--offline", HF_HOME=str(tmp_path))
    refused(outcome, "owner/name at revision abc", "--offline")


# ---------------------------------------------------------------- what is missing, and what is broken


def test_pickles_are_looked_at_and_not_opened(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    torch.save(load_file(root / "model.safetensors"), root / "pytorch_model.bin")
    (root / "model.safetensors").unlink()
    found = told(run("inspect", str(root), "--json"))
    assert found["format"] == "seqcls"
    assert any("pytorch_model.bin" in risk and "pickles" in risk for risk in found["risks"])
    assert found["next"] == f"rmaudit scan {root} --allow-pickle"


def test_a_missing_chat_template_is_told_with_what_to_do(llama: Path, copy_of: Copy, tmp_path: Path) -> None:
    root = copy_of(llama)
    (root / "chat_template.jinja").rename(tmp_path / "mine.jinja")
    found = told(run("inspect", str(root), "--json"))
    assert found["format"] == "seqcls"
    assert "--template FILE" in found["missing"]
    assert found["problem"] is None
    assert "Missing:" in run("inspect", str(root)).out
    found = told(run("inspect", str(root), "--json", "--template", str(tmp_path / "mine.jinja")))
    assert found["missing"] is None
    assert "the template of the user (mine.jinja)" in found["template"]
    refused(run("inspect", str(root), "--template", "gone.jinja"), "gone.jinja", code=2)


def test_a_missing_tokenizer_is_told(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (root / name).unlink()
    found = told(run("inspect", str(root), "--json"))
    assert (found["format"], found["problem"]) == ("seqcls", None)
    assert "no tokenizer" in found["missing"]


def test_a_broken_template_is_told_and_refused(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    (root / "chat_template.jinja").write_text("{{ messages.__class__.__mro__ }}")
    outcome = run("inspect", str(root), "--json")
    assert outcome.code == 3
    assert "chat template" in json.loads(outcome.out)["problem"]
    assert "chat template" in outcome.err


# ---------------------------------------------------------------- without weights

MEASURED = """
import pathlib, resource, sys
from rmaudit.models.inspection import inspect
found = inspect(sys.argv[1])
status = pathlib.Path("/proc/self/status")
# The peak that the system counts for a process includes that of the process which started it, where it can tell no
# better.
own = [line.split()[1] for line in status.read_text().splitlines() if "VmHWM" in line] if status.exists() else []
print(found.format, found.parameters, *(own or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def test_no_weight_is_loaded(llama: Path, copy_of: Copy) -> None:
    """A gigabyte of weights, which takes no room on the disk, takes none in memory either."""
    root, width, rows = copy_of(llama), 1024, 1 << 18
    header = {
        "model.embed_tokens.weight": {"dtype": "F32", "shape": [rows, width], "data_offsets": [0, 4 * rows * width]},
        "score.weight": {
            "dtype": "F32",
            "shape": [1, width],
            "data_offsets": [4 * rows * width, 4 * (rows + 1) * width],
        },
    }
    raw = json.dumps(header).encode()
    with (root / "model.safetensors").open("wb") as stream:
        stream.write(struct.pack("<Q", len(raw)) + raw)
        stream.truncate(8 + len(raw) + 4 * (rows + 1) * width)
    tiny.edit_json(root / "config.json", hidden_size=width, vocab_size=rows)
    command = [sys.executable, "-c", MEASURED, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True, timeout=120)
    name, parameters, peak = done.stdout.split()
    assert (name, int(parameters)) == ("seqcls", (rows + 1) * width)
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(peak) * unit < 700 << 20


# ---------------------------------------------------------------- self-test


def test_the_self_test_shows_what_it_found(tmp_path: Path) -> None:
    root = tiny.llama(tmp_path / "m", positions=4096)
    found = told(run("inspect", str(root), "--self-test", "--json"))
    checks = {check["name"]: check["passed"] for check in found["self_test"]}
    assert {name for name, passed in checks.items() if passed} >= {"loading twice", "batch size", "order", "padding"}
    assert False not in checks.values()
    assert "padding: passed" in run("inspect", str(root), "--self-test").out


def test_a_failed_self_test_is_told_and_refused(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    retensor(root, "score.weight", score__weight=torch.full((1, 16), float("nan")))
    outcome = run("inspect", str(root), "--self-test")
    assert outcome.code == 3
    assert "FAILED" in outcome.out
    assert "self-test" in outcome.err


def test_a_self_test_needs_what_loading_needs(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    torch.save(load_file(root / "model.safetensors"), root / "pytorch_model.bin")
    (root / "model.safetensors").unlink()
    refused(run("inspect", str(root), "--self-test"), "--allow-pickle")
