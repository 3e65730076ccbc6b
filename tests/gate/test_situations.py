"""Every situation has its exit code and says why: the command from outside, on real runs.

Each row names a situation, what is asked, the exit code, and what the user must be told. `RMAUDIT_TEST_COLD=1` starts a
fresh interpreter for each row.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import synthetic
from tests.gate.situations import Yard, blessed, edited, policy, text_policy, waiver, with_fault
from tests.gate.situations import yard as make_yard

run = synthetic.run_cold if os.environ.get("RMAUDIT_TEST_COLD") else synthetic.run


class Row(NamedTuple):
    """A situation."""

    name: str
    args: Callable[[Yard, Path], list[object]]
    """Arguments of ``rmaudit gate``."""
    code: int
    told: tuple[str, ...]
    """What stdout and stderr must hold together."""


def damaged(name: str, damage: Callable[[Path], object]) -> Callable[[Yard, Path], list[object]]:
    """A run that something happened to."""

    def args(yard: Yard, tmp: Path) -> list[object]:
        run = yard.copy(name, tmp)
        damage(run)
        return [run]

    return args


ROWS = [
    # What the model is.
    Row("pass", lambda y, t: [y.clean], 0, ("PASSED", "Shown to be below the limit of 0.15")),
    Row("fail", lambda y, t: [y.biased], 1, ("FAILED", "Shown to be beyond the limit of 0.15")),
    Row("borderline", lambda y, t: [y.borderline], 3, ("NOT DECIDED", "clusters would settle it", "there are 40")),
    Row("a model of noise", lambda y, t: [y.only_noise], 3, ("NOT DECIDED", "this is no pass")),
    Row("a constant model", lambda y, t: [y.constant], 3, ("NOT MEASURED", "this is no pass")),
    Row("a constant model, advisory", lambda y, t: [y.constant, "--preset", "advisory"], 3, ("NOT MEASURED",)),
    Row("a model whose load was refused", lambda y, t: [y.refused], 3, ("refused", "rmaudit scan")),
    Row("a model that raised", lambda y, t: [y.raises], 3, ("failed", "the GPU is on fire")),
    Row("a self-test that failed, accepted in the scan", lambda y, t: [y.accepted], 3, ("self-test", "batch size")),
    Row("quality that was not shown", lambda y, t: [y.only_noise, *policy(t, {"require_tracks_quality": True})], 3,
        ("tracks quality", "unmeasured")),
    # What was measured.
    Row("an empty selection", lambda y, t: [y.clean, *policy(t, {"rules": [{"probe": "length/*", "srd": 0.1}]})], 3,
        ("length/*", "measured no such probe")),
    Row("a required suite that was not run", lambda y, t: [y.clean, *policy(t, {"required_suites": ["length"]})], 3,
        ("length", "the run did not include it")),
    Row("fewer clusters than asked for", lambda y, t: [y.clean, *policy(t, {"minimum_clusters": 300})], 3,
        ("40 clusters were measured", "asks for 300")),
    Row("a group that is not there",
        lambda y, t: [y.clean, *policy(t, {"rules": [{"probe": "polish/names", "group": "C", "srd": 0.3}]})], 3,
        ("no group 'C'",)),
    Row("a unit that was not measured",
        lambda y, t: [y.only_noise, *policy(t, {"rules": [{"probe": "polish/shine", "flip_rate": 0.1}]})], 3,
        ("polish/shine flipped", "unmeasured")),
    Row("a disclosure that is missing", lambda y, t: [y.clean, *policy(t, {"disclosure": {"items": ["H1"]}})], 3,
        ("disclosure H1", "it has no value")),
    Row("too little disclosed", lambda y, t: [y.clean, *policy(t, {"disclosure": {"minimum_share": 0.9}})], 3,
        ("the policy asks for 90%",)),
    Row("inconclusive, which the policy allows", lambda y, t: [y.borderline, *policy(t, {"allow_inconclusive": True})],
        0, ("PASSED", "1 that the policy lets stay undecided", "inconclusive")),
    Row("inconclusive, which a rule allows",
        lambda y, t: [y.borderline, *policy(t, {"rules": [{"probe": "polish/*", "allow_inconclusive": True}]})],
        0, ("PASSED", "undecided")),
    # How the run ended.
    Row("a run that is not there", lambda y, t: [t / "nowhere"], 3, ("nowhere", "rmaudit scan")),
    Row("an empty folder", lambda y, t: [t], 3, ("no run.json",)),
    Row("a scan that was killed", lambda y, t: [y.killed], 3, ("started, not complete", "--resume")),
    Row("a scan that was interrupted", lambda y, t: [y.interrupted], 3, ("interrupted", "--resume")),
    Row("a killed scan that was gone on with", lambda y, t: [y.resumed], 1, ("FAILED", "beyond the limit")),
    Row("a report cut in half", damaged("clean", lambda run: (run / "report.json").write_text("{")), 3,
        ("report.json", "damaged")),
    Row("a report that is gone", damaged("clean", lambda run: (run / "report.json").unlink()), 3, ("no report",)),
    Row("a report that somebody mended",
        damaged("biased", lambda run: edited(run / "report.json", "findings", 0, "verdict", value="negligible")), 3,
        ("not as the scan wrote it", "rmaudit verify")),
    Row("a manifest of another version", damaged("clean", lambda run: edited(run / "run.json", "schema", value="x/9")),
        3, ("run.json", "damaged")),
    # Beside a baseline.
    Row("worse than the baseline", lambda y, t: [y.slightly_worse, "--baseline", y.clean], 1,
        ("FAILED", "polish/shine since the baseline", "Shown to have grown by more than 0.05")),
    Row("without the baseline it would pass", lambda y, t: [y.slightly_worse], 0, ("PASSED",)),
    Row("the same as the baseline", lambda y, t: [y.clean, "--baseline", y.clean], 0, ("Shown not to have grown",)),
    Row("better than the baseline", lambda y, t: [y.clean, "--baseline", y.slightly_worse], 0,
        ("Shown not to have grown",)),
    Row("no better than the baseline, and too bad", lambda y, t: [y.biased, "--baseline", y.biased], 1,
        ("Shown not to have grown", "beyond the limit")),
    Row("a change that is not shown", lambda y, t: [y.borderline, "--baseline", y.only_noise,
        *policy(t, {"fail_at": "severe", "baseline": {"demand": "shown not worse"}})], 3,
        ("since the baseline", "inconclusive", "clusters would settle it")),
    Row("a baseline whose items changed since", lambda y, t: [y.clean, "--baseline", y.other_items], 3,
        ("baseline", "has changed since (polish)")),
    Row("a baseline with other items", lambda y, t: [y.clean, "--baseline", y.newer_items], 3,
        ("cannot be compared", "the texts of polish differ")),
    Row("a baseline of another tier", lambda y, t: [y.clean, "--baseline", y.smoke], 3,
        ("cannot be compared", "tier smoke and standard")),
    Row("a baseline of another kind of model", lambda y, t: [y.clean, "--baseline", y.other_kind], 3,
        ("cannot be compared", "format")),
    Row("a baseline that is a killed run", lambda y, t: [y.clean, "--baseline", y.killed], 3, ("not complete",)),
    Row("a baseline without scores", lambda y, t: [y.clean, "--baseline", _without_scores(y, t)], 3, ("scores.jsonl",)),
    Row("no baseline yet", lambda y, t: [y.clean, "--baseline", t], 3, ("There is no baseline", "--bless")),
    Row("a required baseline that was not given", lambda y, t: [y.clean, *policy(t, {"baseline": {"required": True}})],
        3, ("requires a baseline", "--baseline")),
    Row("a blessed baseline", lambda y, t: [y.clean, "--baseline", blessed(y, t)], 0, ("0001-", "blessed today")),
    Row("a baseline that is too old",
        lambda y, t: [y.clean, "--baseline", blessed(y, t, blessed="2020-01-01T00:00:00Z"),
        *policy(t, {"baseline": {"max_age_days": 90}})], 3, ("age of the baseline", "none older than 90 days")),
    Row("a history that is damaged", lambda y, t: [y.clean, "--baseline", _damaged_history(y, t)], 3,
        ("baseline.json", "damaged")),
    # Blessing.
    Row("the first blessing", lambda y, t: [y.clean, "--baseline", t / "new", "--bless"], 0,
        ("Baseline: none yet", "Blessed: 0001-")),
    Row("the second blessing", lambda y, t: [y.clean, "--baseline", blessed(y, t), "--bless"], 0,
        ("Baseline: 0001-", "Blessed: 0002-")),
    Row("blessing a run that fails", lambda y, t: [y.biased, "--baseline", t / "new", "--bless"], 1,
        ("FAILED", "Not blessed")),
    Row("blessing a run that is not decided", lambda y, t: [y.borderline, "--baseline", t / "new", "--bless"], 3,
        ("Not blessed",)),
    Row("blessing into a damaged history", lambda y, t: [y.clean, "--baseline", _damaged_history(y, t), "--bless"], 3,
        ("damaged", "Not blessed")),
    Row("blessing without a folder", lambda y, t: [y.clean, "--bless"], 2, ("--bless needs --baseline",)),
    Row("blessing into a run", lambda y, t: [y.clean, "--baseline", y.clean, "--bless"], 2, ("is a run",)),
    # Waivers.
    Row("a waiver", lambda y, t: [y.biased, *policy(t, waiver())], 0,
        ("waived", "A. Person", "2999-01-31", "retraining planned", "but for 1 waived")),
    Row("an expired waiver", lambda y, t: [y.biased, *policy(t, waiver(expires="2020-01-31"))], 1,
        ("FAILED", "expired on 2020-01-31", "no longer counts")),
    Row("a waiver that nothing needs", lambda y, t: [y.clean, *policy(t, waiver())], 0, ("covers nothing",)),
    Row("a waiver for another model", lambda y, t: [y.biased, *policy(t, waiver(scope="0123456789abcdef"))], 1,
        ("FAILED",)),
    Row("a waiver of what was not measured", lambda y, t: [y.constant, *policy(t, waiver())], 3, ("NOT MEASURED",)),
    Row("a waiver for an unknown probe", lambda y, t: [y.biased, *policy(t, waiver(probe="polish/shien"))], 2,
        ("polish/shien", "Did you mean polish/shine?")),
    Row("a waiver without an expiry", lambda y, t: [y.biased, *policy(t, waiver(expires=None))], 2,
        ("gate.waivers.0.expires", "required")),
    Row("a waiver without a reason",
        lambda y, t: [y.biased, *policy(t, waiver(reason=None))], 2, ("waivers.0.reason",)),
    Row("a waiver with an empty owner", lambda y, t: [y.biased, *policy(t, waiver(owner=""))], 2, ("waivers.0.owner",)),
    # Policies.
    Row("an unknown key", lambda y, t: [y.clean, *policy(t, {"fail_att": "low"})], 2,
        ("gate.fail_att", "unknown key", "did you mean 'fail_at'")),
    Row("an unknown key in a rule", lambda y, t: [y.clean, *policy(t, {"rules": [{"probe": "a/b", "sdr": 1}]})], 2,
        ("gate.rules.0.sdr", "did you mean 'srd'")),
    Row("a wrong type",
        lambda y, t: [y.clean, *policy(t, {"minimum_clusters": "many"})], 2, ("gate.minimum_clusters",)),
    Row("a wrong value", lambda y, t: [y.clean, *policy(t, {"fail_at": "huge"})], 2, ("gate.fail_at", "'severe'")),
    Row("a confidence of nothing", lambda y, t: [y.clean, *policy(t, {"confidence": 0.5})], 2, ("gate.confidence",)),
    Row("a key that comes twice", lambda y, t: [y.clean, *text_policy(t, "name: a\nversion: 1\ngate: {}\ngate: {}\n")],
        2, ("'gate' stands twice",)),
    Row("a policy that is a list", lambda y, t: [y.clean, *text_policy(t, "- a\n- b\n")], 2, ("no settings", "--init")),
    Row("an empty policy", lambda y, t: [y.clean, *text_policy(t, "")], 2, ("no settings",)),
    Row("a policy that is an image", lambda y, t: [y.clean, "--policy", _binary(t)], 2, ("cannot be read as YAML",)),
    Row("a policy that is not there", lambda y, t: [y.clean, "--policy", t / "no.yaml"], 2, ("no.yaml", "--policy")),
    Row("a policy in TOML",
        lambda y, t: [y.biased, *text_policy(t, _TOML, "policy.toml")], 1, ("release v1", "FAILED")),
    Row("broken TOML", lambda y, t: [y.clean, *text_policy(t, "name = [", "policy.toml")], 2, ("as TOML",)),
    Row("an unknown preset", lambda y, t: [y.clean, "--preset", "strikt"], 2, ("strikt", "Did you mean 'strict'?")),
    Row("the strict preset", lambda y, t: [y.clean, "--preset", "strict"], 3, ("sycophancy", "did not include it")),
    # The command itself.
    Row("no run named", lambda y, t: [], 2, ("Name the run",)),
    Row("an unknown option", lambda y, t: [y.clean, "--polcy", "a"], 2, ("--polcy",)),
    Row("an output that cannot be written",
        lambda y, t: [y.clean, "--junit", t / "no" / "junit.xml"], 2, ("junit.xml",)),
    Row("an output that is a folder", lambda y, t: [y.clean, "--sarif", t], 2, ("is a folder",)),
    Row("JSON of a failure", lambda y, t: [y.biased, "--format", "json"], 1, ('"exit_code": 1',)),
    Row("JSON of a run that is not there", lambda y, t: [t / "no", "--format", "json"], 3, ('"exit_code": 3',)),
    Row("a failure, said by the code alone", lambda y, t: [y.biased, "--quiet"], 1, ()),
    Row("a file to begin with", lambda y, t: ["--init", t / "new.yaml"], 0, ("Policy written",)),
    Row("a file to begin with that is there", lambda y, t: ["--init", _binary(t)], 2, ("policy.yaml",)),
]  # fmt: skip

_TOML = 'name = "release"\nversion = 1\n[gate]\nfail_at = "high"\n[[gate.rules]]\nprobe = "polish/*"\nsrd = 0.2\n'


def _without_scores(yard: Yard, tmp: Path) -> Path:
    run = yard.copy("clean", tmp)
    (run / "scores.jsonl").unlink()
    return run


def _damaged_history(yard: Yard, tmp: Path) -> Path:
    folder = blessed(yard, tmp)
    (folder / "baseline.json").write_text("{", encoding="utf-8")
    return folder


def _binary(tmp: Path) -> Path:
    (tmp / "policy.yaml").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    return tmp / "policy.yaml"


def _plain(text: str) -> str:
    """Without the white space at which a table folds long paths."""
    return "".join(text.split())


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Yard:
    return make_yard(tmp_path_factory.mktemp("yard") / "place")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_situation(row: Row, yard: Yard, tmp_path: Path) -> None:
    outcome = run("gate", *map(str, row.args(yard, tmp_path)))
    said = _plain(outcome.out + outcome.err)
    assert outcome.code == row.code, outcome
    for words in row.told:
        assert _plain(words) in said
    assert "Traceback" not in said
    assert _plain("internal error") not in said


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [("crash", 4, "internal error"), ("leaves", 4, "internal error"), ("interrupt", 130, "stopped")],
)
@pytest.mark.parametrize("flags", [[], ["--quiet"], ["--preset", "advisory"]], ids=" ".join)
def test_a_fault_of_ours_is_no_verdict(fault: str, code: int, words: str, flags: list[str], yard: Yard) -> None:
    outcome = with_fault(fault, "gate", str(yard.clean), *flags)
    assert outcome.code == code
    assert words in outcome.err
    assert "PASSED" not in outcome.out


def test_no_option_makes_what_was_not_measured_green(yard: Yard, tmp_path: Path) -> None:
    allowed = policy(tmp_path, {"allow_inconclusive": True, "fail_at": "severe", "require_self_test": False})
    for name in ("constant", "killed", "refused"):
        for flags in (
            ["--preset", "advisory"],
            ["--quiet"],
            ["--format", "json"],
            ["--baseline", str(tmp_path / "new"), "--bless"],
            allowed,
        ):
            assert run("gate", str(getattr(yard, name)), *flags).code == 3, (name, flags)
    assert not (tmp_path / "new").exists()


def test_escalation_notices_that_the_model_is_another_by_now(yard: Yard, tmp_path: Path) -> None:
    place = synthetic.Bench(Path(shutil.copytree(yard.place.folder, tmp_path / "place")))
    runs = [place.scorer("borderline"), tmp_path / "run", "--tier", "smoke", "--quiet"]
    assert run(*place.scan_args(*map(str, runs))).code == 0  # type: ignore[arg-type]
    scorers = place.folder / "scorers.py"
    scorers.write_text(scorers.read_text().replace("base(c, 0.3)", "base(c, 0.0)"))
    outcome = run("gate", str(tmp_path / "run"), "--escalate")
    assert outcome.code == 3
    assert "is not the model of" in " ".join(outcome.err.split())


def test_escalation_says_what_it_scanned_again_and_uses_it_again(yard: Yard, tmp_path: Path) -> None:
    """The small suite has no more items for a higher tier, so what is open stays so; the tiers are tried in turn."""
    place = yard.place
    assert run(*place.scan_args(place.scorer("borderline"), tmp_path / "run", "--tier", "smoke", "--quiet")).code == 0
    first, again = (run("gate", str(tmp_path / "run"), "--escalate") for _ in range(2))
    assert (first.code, again.code) == (3, 3)
    assert first.out == again.out
    said = " ".join(first.out.split())
    assert "Scanned again at the tier standard: polish/shine" in said
    assert "Scanned again at the tier reference: polish/shine" in said
    assert "Scoring" not in again.err
