"""A format that another package brings, found by its entry point without a change here."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from rmaudit.models.families import GROUP
from tests.models import tiny
from tests.synthetic import ROOT, Outcome, run_cold, write_jsonl

MODULE = r"""
from rmaudit.models.assemble import load_described
from rmaudit.models.family import Family, spec_reading
from rmaudit.models.headspec import linear


def recognise(checkpoint, options):
    tensor = checkpoint.canonical.get("acme.weight")
    return (f"weights: {tensor}",) if tensor else None


def read(checkpoint, options):
    return spec_reading(checkpoint, linear("acme.weight", sign=-1))


FAMILY = Family(
    format="acme",
    examples="models of Acme",
    recognised="`acme.weight`",
    scalar="minus `acme.weight` at the last token",
    recognise=recognise,
    read=read,
    load=load_described,
    heads=(r"acme\.weight",),
)
TAKEN = Family("seqcls", "x", "x", "x", recognise, read, load_described)
NOTHING = 3
"""


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of that format."""
    root = tiny.llama(tmp_path_factory.mktemp("acme") / "m")
    state = load_file(root / "model.safetensors")
    state["acme.weight"] = state.pop("score.weight")
    save_file(state, root / "model.safetensors", {"format": "pt"})
    tiny.edit_json(root / "config.json", architectures=["AcmeModel"])
    return root


def install(site: Path, entry: str = "acme = acme_rewards:FAMILY", module: str = MODULE) -> str:
    """Put the package where Python looks for packages; the path to tell it."""
    (site / "acme_rewards-1.0.dist-info").mkdir(parents=True)
    (site / "acme_rewards.py").write_text(module)
    about = site / "acme_rewards-1.0.dist-info"
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-rewards\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{GROUP}]\n{entry}\n")
    return os.pathsep.join((str(ROOT), str(site)))


def test_its_format_is_found_and_loaded(acme: Path, llama: Path, tmp_path: Path) -> None:
    path = install(tmp_path / "site")
    told = run_cold("inspect", str(acme), "--json", PYTHONPATH=path)
    assert told.code == 0, told.err
    found = json.loads(told.out)
    assert (found["format"], found["head"], found["sign"]) == ("acme", ["acme.weight [1, 16]"], -1)
    assert found["scalar"] == "minus `acme.weight` at the last token"
    lines = [{"messages": talk} for talk in tiny.conversations()[:5]]
    write_jsonl(tmp_path / "in.jsonl", lines)

    def score(root: Path) -> list[float]:
        out = tmp_path / "out.jsonl"
        done = run_cold("score", str(root), str(tmp_path / "in.jsonl"), "-o", str(out), PYTHONPATH=path)
        assert done.code == 0, done.err
        return [json.loads(line)["reward"] for line in out.read_text().splitlines()]

    assert score(acme) == pytest.approx([-reward for reward in score(llama)], abs=1e-5)


def test_its_head_beside_another_is_refused_with_both(acme: Path, tmp_path: Path) -> None:
    root = tmp_path / "m"
    tiny.llama(root)
    state = load_file(root / "model.safetensors") | {"acme.weight": torch.ones(1, 16)}
    save_file(state, root / "model.safetensors", {"format": "pt"})
    told = run_cold("inspect", str(root), PYTHONPATH=install(tmp_path / "site"))
    assert told.code == 3
    assert "--as seqcls" in " ".join(told.err.split())
    assert "--as acme" in " ".join(told.err.split())


def test_without_the_package_it_is_unknown(acme: Path) -> None:
    told = run_cold("inspect", str(acme))
    assert told.code == 3
    assert "acme.weight" in told.err
    assert "--head-spec" in told.err


BROKEN: dict[str, tuple[str, str, str]] = {
    "no such name": ("acme = acme_rewards:ABSENT", MODULE, "could not be imported"),
    "no such module": ("acme = acme_absent:FAMILY", MODULE, "could not be imported"),
    "fails": ("acme = acme_rewards:FAMILY", "raise RuntimeError('boom')", "boom"),
    "ends the program": ("acme = acme_rewards:FAMILY", "raise SystemExit(0)", "could not be imported"),
    "no format": ("acme = acme_rewards:NOTHING", MODULE, "is int and no Family"),
    "taken": ("acme = acme_rewards:TAKEN", MODULE, "a name that is taken"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_one_is_named(name: str, llama: Path, tmp_path: Path) -> None:
    entry, module, says = BROKEN[name]
    told: Outcome = run_cold("inspect", str(llama), PYTHONPATH=install(tmp_path / "site", entry, module))
    said = " ".join(told.err.split())
    assert told.code == 2, said
    assert says in said
    assert "acme-rewards" in said
    assert "Traceback" not in said
