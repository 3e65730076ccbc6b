"""Signed runs: what is confirmed, and what is refused with the file named."""

from __future__ import annotations

import json
import shutil
import stat
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from rmaudit import signing
from tests.synthetic import run, run_cold

library = pytest.mark.skipif(find_spec("model_signing") is None, reason="needs the extra: sign")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key; its public one lies beside it."""
    key = tmp_path_factory.mktemp("keys") / "auditor"
    signing.new_key(key)
    return key


@pytest.fixture(scope="module")
def public(keys: Path) -> Path:
    return keys.with_name("auditor.pub")


@pytest.fixture(scope="module")
def signed_once(finished: Path, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(finished, tmp_path_factory.mktemp("signed") / "run"))
    outcome = run("sign", str(folder), "--key", str(keys), "--by", "Ada Auditor")
    assert outcome.code == 0, outcome
    return folder


@pytest.fixture
def signed(signed_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(signed_once, tmp_path / "run"))


@library
def test_a_signed_run_is_confirmed_with_who_and_when(signed: Path, public: Path) -> None:
    outcome = run("verify", str(signed), "--signer", str(public))
    assert outcome.code == 0
    told = " ".join(outcome.out.split())
    assert "confirmed: signature Signed by Ada Auditor on 20" in told
    assert "It covers 6 files." in told
    signer = json.loads((signed / "signer.json").read_text())
    assert signer["key_sha256"] == signing._sha256(public)
    assert signer["key_sha256"] in told


@library
def test_the_same_signature_holds_by_the_librarys_own_check(signed: Path, public: Path) -> None:
    import model_signing

    config = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=public)
    config.verify(signed, signed / "run.sig")


@library
@pytest.mark.parametrize("name", ["run.json", "scores.jsonl", "report.json", "report.html", "report.md", "signer.json"])
@pytest.mark.parametrize("how", ["changed", "gone"])
def test_a_changed_file_is_named(name: str, how: str, signed: Path, public: Path) -> None:
    if how == "gone":
        (signed / name).unlink()
    else:
        (signed / name).write_bytes((signed / name).read_bytes().replace(b"a", b"b", 1))
    problems = signing.check(signed, public).problems
    assert any(problem.startswith(f"{name} was ") for problem in problems)
    assert run("verify", str(signed), "--signer", str(public)).code == 3


def link(folder: Path) -> None:
    target = folder.parent / "aside.md"
    (folder / "report.md").rename(target)
    (folder / "report.md").symlink_to(target)


def folder_link(folder: Path) -> None:
    (folder / "more").symlink_to(folder.parent)


ADDED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file": (lambda folder: (folder / "extra.txt").write_text("x"), "extra.txt was not signed"),
    "a hidden file": (lambda folder: (folder / ".extra").write_text("x"), ".extra was not signed"),
    "a file for git": (lambda folder: (folder / ".gitignore").write_text("x"), ".gitignore was not signed"),
    "a file in a folder": (
        lambda folder: ((folder / "more").mkdir(), (folder / "more" / "x").write_text("x")),
        "more/x was not signed",
    ),
    "a link in place of a file": (link, "report.md was changed"),
    "a link to a folder": (folder_link, "more was not signed"),
}


@library
@pytest.mark.parametrize("what", ADDED)
def test_what_was_added_is_named(what: str, signed: Path, public: Path) -> None:
    add, words = ADDED[what]
    add(signed)
    assert any(problem.startswith(words) for problem in signing.check(signed, public).problems)


@library
def test_another_key_and_a_damaged_signature_are_refused(signed: Path, public: Path, tmp_path: Path) -> None:
    other = signing.new_key(tmp_path / "other")
    outcome = run("verify", str(signed), "--signer", str(other))
    assert outcome.code == 3
    assert "was not made with the private key of" in outcome.err
    bundle = json.loads((signed / "run.sig").read_text())
    for damage in ({}, bundle | {"dsseEnvelope": bundle["dsseEnvelope"] | {"signatures": []}}, []):
        (signed / "run.sig").write_text(json.dumps(damage))
        assert signing.check(signed, public).problems
    (signed / "run.sig").write_bytes(b"\xff")
    assert signing.check(signed, public).problems


@library
def test_a_signature_of_another_run_does_not_pass(signed: Path, keys: Path, public: Path, tmp_path: Path) -> None:
    """The signer's list of digests cannot be exchanged for one of other files."""
    other = Path(shutil.copytree(signed, tmp_path / "other"))
    for name in (signing.SIGNATURE, signing.SIGNER):
        (other / name).unlink()
    (other / "report.md").write_text("other")
    signing.sign(other, keys)
    shutil.copy(other / signing.SIGNATURE, signed / signing.SIGNATURE)
    problems = signing.check(signed, public).problems
    assert any(problem.startswith("report.md was changed") for problem in problems)


@library
def test_without_a_key_nothing_is_claimed_and_half_a_signature_is_refused(signed: Path) -> None:
    outcome = run("verify", str(signed))
    assert outcome.code == 0
    assert "Not checked. Signed by Ada Auditor" in " ".join(outcome.out.split())
    (signed / "run.sig").unlink()
    assert run("verify", str(signed)).code == 3


@library
def test_what_was_not_signed_fails_where_a_signature_is_asked_for(finished: Path, public: Path) -> None:
    outcome = run("verify", str(finished), "--signer", str(public))
    assert outcome.code == 3
    assert "not signed: it has no run.sig" in " ".join(outcome.err.split())


@library
def test_only_what_is_finished_and_holds_is_signed(run_copy: Path, keys: Path) -> None:
    before = {path.name for path in run_copy.iterdir()}
    manifest = (run_copy / "run.json").read_text()
    (run_copy / "run.json").write_text(manifest.replace('"complete"', '"started"'))
    assert run("sign", str(run_copy), "--key", str(keys)).code == 3
    (run_copy / "run.json").write_text(manifest)
    report = (run_copy / "report.md").read_text()
    (run_copy / "report.md").write_text(report + "\n")
    outcome = run("sign", str(run_copy), "--key", str(keys))
    assert outcome.code == 3
    assert "report.md" in outcome.err
    (run_copy / "report.md").write_text(report)
    (run_copy / "notes.txt").write_text("x")
    assert "notes.txt: it does not belong" in run("sign", str(run_copy), "--key", str(keys)).err
    (run_copy / "notes.txt").unlink()
    assert {path.name for path in run_copy.iterdir()} == before


@library
def test_a_signature_is_never_overwritten(signed: Path, keys: Path) -> None:
    before = (signed / "run.sig").read_bytes()
    outcome = run("sign", str(signed), "--key", str(keys))
    assert outcome.code == 2
    assert "signed already" in outcome.err
    assert (signed / "run.sig").read_bytes() == before


@library
def test_keys(tmp_path: Path, finished: Path) -> None:
    key = tmp_path / "key"
    assert run("sign", "--new-key", str(key)).code == 0
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert run("sign", "--new-key", str(key)).code == 2
    (tmp_path / "text").write_text("not a key")
    for file in (tmp_path / "text", tmp_path / "nowhere", tmp_path / "key.pub"):
        assert run("sign", str(finished), "--key", str(file)).code == 2
    for file in (tmp_path / "text", tmp_path / "nowhere", key):
        assert run("verify", str(finished), "--signer", str(file)).code == 2
    assert run("sign", str(finished)).code == 2
    assert not (finished / "signer.json").exists()


def test_without_the_library_the_error_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "model_signing.py").write_text("raise ImportError('not here')")
    path = f"{tmp_path}:{sys.path[0]}:{Path(__file__).parents[1]}"
    outcome = run_cold("sign", "--new-key", str(tmp_path / "key"), PYTHONPATH=path)
    assert outcome.code == 2
    assert "pip install 'rmaudit[sign]'" in outcome.err
    assert not (tmp_path / "key").exists()
