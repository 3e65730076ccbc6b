"""Runs a workflow's or a job's steps in a plain shell, as a runner does, as far as this project's own files go."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Runner:
    """A fresh repository with what a runner provides: a working folder, an environment and files to write to."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    log: str = ""
    uploaded: list[str] = field(default_factory=list)
    """Paths that were given to be kept as an artifact."""

    def prepare(self) -> None:
        """An empty repository, and ``rmaudit`` on the path, as pip would have put it there."""
        self.folder.mkdir()
        subprocess.run(["git", "init", "--quiet", str(self.folder)], check=True)
        tools = self.folder.parent / "bin"
        tools.mkdir()
        command = tools / "rmaudit"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rmaudit "$@"\n', encoding="utf-8")
        command.chmod(0o755)
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("RMAUDIT_")},
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "CI": "true",
        }

    def script(self, text: str, **env: str) -> int:
        """Run a script as runners do, and stop at the first command that fails."""
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.env | env,
            capture_output=True,
            text=True,
            check=False,
        )
        self.log += done.stdout + done.stderr
        return done.returncode

    def workflow(self, file: Path) -> int:
        """The exit code of a workflow's one job; ``OWNER/rmaudit@COMMIT`` is this checkout's action."""
        (job,) = yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].values()
        code = 0
        for step in job["steps"]:
            if code:
                break
            if step["uses"].startswith("OWNER/rmaudit@"):
                code = self.action(step.get("with", {}))
            else:
                assert step["uses"].startswith("actions/checkout@"), step
        return code

    def action(self, given: dict[str, Any]) -> int:
        """The exit code of this project's action."""
        action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
        assert given.keys() <= action["inputs"].keys(), "an input that the action does not have"
        inputs = {name: str(given.get(name, words.get("default", ""))) for name, words in action["inputs"].items()}
        files = {name: self.folder.parent / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        code = 0
        for step in action["runs"]["steps"]:
            always = "always()" in str(step.get("if", ""))
            if code and not always:
                continue
            if "run" in step:
                env = {name: _filled(value, inputs) for name, value in step.get("env", {}).items()}
                provided = {name: str(path) for name, path in files.items()} | {"GITHUB_ACTIONS": "true"}
                code = self.script(step["run"], **env, **provided)
            elif "upload-artifact" in step["uses"]:
                self.uploaded += _filled(step["with"]["path"], inputs).split()
        return code


def _filled(text: str, inputs: dict[str, str]) -> str:
    """A text with its expressions filled in."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        return str(ROOT) if name == "github.action_path" else inputs[name.removeprefix("inputs.")]

    return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", value, text)
