"""A real vLLM server on this machine's CPU: ``make vllm-server`` sets it up and runs this file."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForSequenceClassification

import rmaudit
from rmaudit.errors import ScoringError
from rmaudit.models.load import load
from rmaudit.models.options import LoadOptions
from rmaudit.models.servers.server import Way
from rmaudit.models.servers.vllm import Vllm
from tests.models import tiny
from tests.synthetic import Bench, environment

VLLM = Path(os.environ.get("RMAUDIT_VLLM", Path(__file__).parents[3] / ".vllm" / "bin" / "vllm"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not VLLM.is_file(), reason="vLLM is not installed: make vllm-server"),
]

TALKS = tiny.conversations() * 2


class Server:
    """vLLM in a process of its own, which can be stopped and started again at the same address."""

    def __init__(self, checkpoint: Path) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._checkpoint = checkpoint
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--runner", "pooling", "--convert", "classify", "--dtype", "float32", "--max-model-len", "2048"]
        self._process = subprocess.Popen(
            [str(VLLM), "serve", str(self._checkpoint), *options, "--host", "127.0.0.1", "--port", str(self.port)],
            env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait(self, seconds: float = 300) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except OSError:
                time.sleep(1)
        raise TimeoutError("vLLM did not start")

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama with heads as wide as vLLM's attention on a CPU wants them."""
    root = tmp_path_factory.mktemp("vllm") / "checkpoint"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tiny.SPECIAL + tiny.LETTERS),
        num_labels=1,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=2048,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        initializer_range=0.08,
    )
    LlamaForSequenceClassification(config).save_pretrained(root)
    tiny.tokenizer().save_pretrained(root)
    return root


@pytest.fixture(scope="module")
def server(checkpoint: Path) -> Iterator[Server]:
    made = Server(checkpoint)
    try:
        made.start()
        made.wait()
        yield made
    finally:
        made.stop()


def test_rewards_equal_those_of_the_checkpoint_loaded_here(server: Server, checkpoint: Path) -> None:
    local = load(str(checkpoint), LoadOptions(device="cpu")).score(TALKS)
    here = load(server.url, LoadOptions(server="vllm", base_config=str(checkpoint)))
    there = load(server.url, LoadOptions(server="vllm", template="server"))
    assert here.score(TALKS) == pytest.approx(local, abs=1e-4)
    assert there.score(TALKS) == pytest.approx(local, abs=1e-4)
    assert local.std() > 0.1


def scan(bench: Bench, source: str, out: Path, **options: Any) -> rmaudit.Report:
    more = LoadOptions(**options)
    return rmaudit.scan(source, probes=bench.probes, panel=bench.panel, out=out, options=more, accept=["sanity"])


def rewards(run: Path) -> dict[tuple[str, str, str], float]:
    lines = [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()[1:]]
    return {(line["suite"], line["item"], line["arm"]): line["reward"] for line in lines}


@pytest.fixture(scope="module")
def local(checkpoint: Path, place: Bench, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, rmaudit.Report]:
    """The same scan by the local engine."""
    out = tmp_path_factory.mktemp("local") / "run"
    return out, scan(place, str(checkpoint), out, device="cpu")


def check_equal(local: tuple[Path, rmaudit.Report], out: Path, report: rmaudit.Report) -> None:
    ours, theirs = rewards(local[0]), rewards(out)
    assert theirs == pytest.approx(ours, abs=1e-4)
    verdicts = [[(f.suite, f.probe, f.verdict, f.severity) for f in r.findings] for r in (local[1], report)]
    assert verdicts[0] == verdicts[1] != []


def test_a_scan_says_what_the_local_engine_says(
    server: Server, checkpoint: Path, local: tuple[Path, rmaudit.Report], place: Bench, tmp_path: Path
) -> None:
    report = scan(place, server.url, tmp_path / "run", server="vllm", base_config=str(checkpoint))
    check_equal(local, tmp_path / "run", report)


def test_a_scan_whose_server_is_lost_for_good_is_gone_on_with(
    server: Server, checkpoint: Path, local: tuple[Path, rmaudit.Report], place: Bench, tmp_path: Path
) -> None:
    """The server is killed in the middle of a scan, which is killed too; both are started again."""
    out = tmp_path / "run"
    arguments = place.scan_args(server.url, out, "--server", "vllm", "--base-config", str(checkpoint))
    arguments += ["--accept", "sanity", "--no-store"]
    process = subprocess.Popen([sys.executable, "-m", "rmaudit", *arguments], env=environment())
    until = time.monotonic() + 300
    while not (out / "scores.jsonl").exists() or (out / "scores.jsonl").read_bytes().count(b'"end"') < 6:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    server.stop()
    time.sleep(1)
    process.kill()
    process.wait()
    kept = (out / "scores.jsonl").read_bytes()
    server.start()
    server.wait()
    resumed = subprocess.run([sys.executable, "-m", "rmaudit", *arguments, "--resume"], env=environment(), check=False)
    assert resumed.returncode == 0
    assert (out / "scores.jsonl").read_bytes().startswith(kept[: kept.rindex(b'"end"')])
    check_equal(local, out, rmaudit.Report.load(out))


def test_the_default_activation_is_recognised(
    server: Server, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Vllm, "ways", (Way("/classify", {}, {"use_activation": True}),))
    with pytest.raises(ScoringError, match="applies a sigmoid"):
        load(server.url, LoadOptions(server="vllm", base_config=str(checkpoint)))


def test_a_server_that_is_started_again_in_the_middle_loses_nothing(server: Server, checkpoint: Path) -> None:
    model = load(server.url, LoadOptions(server="vllm", base_config=str(checkpoint)))
    before = model.score(TALKS)
    server.stop()
    threading.Timer(1, server.start).start()
    assert model.score(TALKS) == pytest.approx(before, abs=1e-4)
