from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from rmaudit.errors import LoadRefusedError
from rmaudit.models.load import load
from rmaudit.models.options import LoadOptions


@pytest.fixture
def hub(llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A hub that has one repository, and a list of what it was asked for."""
    asked: list[dict[str, Any]] = []
    snapshot = tmp_path / "models--owner--name" / "snapshots" / "c0ffee"
    shutil.copytree(llama, snapshot)

    def download(repo: str, **options: Any) -> str:
        asked.append({"repo": repo, **options})
        if repo != "owner/name":
            raise huggingface_hub.errors.RepositoryNotFoundError("404: no such repository", response=_Response())
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return asked


class _Response:
    headers: dict[str, str] = {}  # noqa: RUF012
    status_code = 404
    request = None


def test_the_resolved_commit_is_recorded(hub: list[dict[str, Any]]) -> None:
    model = load("owner/name@main")
    assert model.identity.revision == "c0ffee"
    assert model.identity.source == "owner/name@main"
    assert hub[0]["revision"] == "main"
    assert hub[0]["local_files_only"] is False


def test_pickles_and_code_are_not_fetched(hub: list[dict[str, Any]]) -> None:
    load("owner/name")
    load("owner/name", LoadOptions(allow_pickle=True, offline=True))
    assert not any(pattern.endswith((".bin", ".py", ".pt")) for pattern in hub[0]["allow_patterns"])
    assert "*.bin" in hub[1]["allow_patterns"]
    assert hub[1]["local_files_only"] is True


@pytest.mark.parametrize(("offline", "advice"), [(True, "--offline"), (False, "HF_TOKEN")])
def test_a_failure_is_a_refusal_with_advice(hub: list[dict[str, Any]], offline: bool, advice: str) -> None:
    with pytest.raises(LoadRefusedError, match=advice) as refusal:
        load("owner/absent", LoadOptions(offline=offline, revision="v2"))
    assert "owner/absent at revision v2" in str(refusal.value)
    assert refusal.value.exit_code == 3
