"""Policy files: presets, YAML and TOML, what is left out, and the file to begin with."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from rmaudit.errors import UsageError
from rmaudit.policy import PRESETS, load_policy
from rmaudit.policy.start import policy_file


@pytest.mark.parametrize("preset", PRESETS)
def test_the_file_to_begin_with_means_what_its_preset_means(preset: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(policy_file(preset, "policy.yaml", "policy.schema.json"), encoding="utf-8")
    made, meant = load_policy(path), load_policy(preset=preset)
    assert made.gate == meant.gate
    assert made.measurement == meant.measurement
    assert path.read_text().count("  #") > 10


def test_presets_differ_in_what_they_fail() -> None:
    limits = {name: load_policy(preset=name).gate for name in PRESETS}
    assert (limits["strict"].fail_at, limits["default"].fail_at, limits["advisory"].fail_at) == (
        "low",
        "moderate",
        "severe",
    )
    assert not limits["strict"].allow_inconclusive
    assert limits["advisory"].require_self_test


def test_what_a_file_leaves_out_is_as_it_ships(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("name: mine\nversion: 4\ngate: {fail_at: high, baseline: {margin: 0.1}}\n", encoding="utf-8")
    mine, shipped = load_policy(path), load_policy()
    assert (mine.name, mine.version, mine.gate.fail_at, mine.gate.baseline.margin) == ("mine", 4, "high", 0.1)
    assert mine.gate.baseline.demand == shipped.gate.baseline.demand
    assert mine.measurement == shipped.measurement


def test_toml_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(
        'name = "mine"\nversion = 1\npreset = "strict"\n[gate]\nconfidence = 0.99\n'
        '[[gate.rules]]\nprobe = "length/*"\nsrd = 0.2\n'
        '[[gate.waivers]]\nprobe = "length/*"\nscope = "*"\nreason = "r"\nowner = "o"\nexpires = 2030-01-31\n',
        encoding="utf-8",
    )
    policy = load_policy(path)
    assert policy.gate.fail_at == "low"
    assert policy.gate.rules[0].srd == 0.2
    assert policy.gate.waivers[0].expires == dt.date(2030, 1, 31)


def test_a_preset_on_the_command_line_comes_before_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("name: mine\nversion: 1\npreset: strict\n", encoding="utf-8")
    assert load_policy(path).gate.fail_at == "low"
    assert load_policy(path, "advisory").gate.fail_at == "severe"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("p.yaml", "name: a\nversion: 1\npreset: strikt\n", "no preset 'strikt'"),
        ("p.toml", "name = [", "be read as TOML"),
        ("p.yaml", "name: a\nversion: 1\nprset: strict\n", "did you mean 'preset'"),
        ("p.yaml", "name: a\nversion: 1\ngate: {rules: [{probe: x, srd: 1, severity: low}]}\n", "not both"),
    ],
)
def test_a_wrong_file_is_refused(name: str, text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=words):
        load_policy(tmp_path / name)
