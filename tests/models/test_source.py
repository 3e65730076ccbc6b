from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rmaudit.errors import UsageError
from rmaudit.models.source import (
    CallableSource,
    DemoSource,
    FolderSource,
    HubSource,
    ScoresSource,
    ServerSource,
    parse_source,
)


def test_every_kind_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "scorer.py").touch()
    (tmp_path / "rewards.jsonl").touch()
    assert parse_source("demo") == DemoSource()
    assert parse_source(str(tmp_path)) == FolderSource(tmp_path)
    assert parse_source("owner/name") == HubSource("owner/name", None)
    assert parse_source("owner/name@v1.0") == HubSource("owner/name", "v1.0")
    assert parse_source("owner/name", "abc") == HubSource("owner/name", "abc")
    assert parse_source(f"python:{tmp_path}/scorer.py:score") == CallableSource(tmp_path / "scorer.py", "score")
    assert parse_source(f"scores:{tmp_path}/rewards.jsonl") == ScoresSource(tmp_path / "rewards.jsonl")
    assert parse_source("http://localhost:8000/") == ServerSource("http://localhost:8000")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "No SOURCE"),
        ("http://", "not the address of a server"),
        ("http://host:port", "not the address of a server"),
        ("https://user:secret@host", "nothing secret"),
        ("https://host/classify?key=secret", "nothing secret"),
        ("deno", "Did you mean demo"),
        ("/no/such/folder", "There is no folder /no/such/folder"),
        ("./owner/name", "There is no folder"),
        ("python:scorer.py", "python:FILE.py:NAME"),
        ("python:absent.py:score", "absent.py does not exist"),
        ("scores:absent.jsonl", "absent.jsonl does not exist"),
        ("scores:", "(no name)"),
    ],
)
def test_what_is_no_source_is_refused_with_advice(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("(", r"\(").replace(")", r"\)")):
        parse_source(text)


def test_a_close_name_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "reward-model").mkdir()
    (tmp_path / "scorer.py").touch()
    with pytest.raises(UsageError, match=r"Did you mean .*/reward-model\?"):
        parse_source(f"{tmp_path}/reward-modle")
    with pytest.raises(UsageError, match=r"Did you mean .*/scorer\.py\?"):
        parse_source(f"python:{tmp_path}/score.py:score")


def test_a_local_folder_with_a_wrong_child_is_not_looked_for_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert parse_source("models/mine") == FolderSource(Path("models/mine"))
    with pytest.raises(UsageError, match="Did you mean models/mine"):
        parse_source("models/mime")


@pytest.mark.parametrize(
    ("name", "advice"),
    [("a.py", "write python:"), ("a.jsonl", "write scores:"), ("a.safetensors", "the folder around")],
)
def test_a_file_is_answered_with_the_form_it_needs(tmp_path: Path, name: str, advice: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(UsageError, match=advice):
        parse_source(str(tmp_path / name))


def test_revisions_must_have_something_to_revise(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not on the hub"):
        parse_source(str(tmp_path), "main")
    with pytest.raises(UsageError, match="Two revisions"):
        parse_source("owner/name@a", "b")
    assert parse_source("owner/name@a", "a") == HubSource("owner/name", "a")


def test_importing_the_loader_is_cheap() -> None:
    code = "import sys, rmaudit.models.load; print({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
