"""Workers, in processes of this machine or on a Ray cluster, give what this process gives, and survive being killed."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import ray

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models.interface import RewardModel
from rmaudit.models.load import load
from rmaudit.models.options import LoadOptions
from rmaudit.scoring.choice import check_engine, open_engine
from rmaudit.scoring.engine import Engine, EngineOptions
from rmaudit.scoring.local import LocalEngine
from rmaudit.scoring.processes import ProcessSite
from rmaudit.scoring.ray import cpus_each
from rmaudit.scoring.team import Team
from rmaudit.scoring.worker import Recipe
from tests.models import tiny
from tests.runs.test_resume import check_equal
from tests.synthetic import Bench, Outcome, environment, run, run_cold
from tests.test_determinism import without_run

PATIENCE = 300
"""Seconds, more than a busy machine needs."""
TALKS = tiny.conversations()
BATCHES = [TALKS[start : start + 3] for start in range(0, len(TALKS), 3)] * 3


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a Ray cluster with two CPUs, on the loopback interface alone."""
    named = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_TOKEN": "0" * 64, "PYTHONPATH": str(Path(__file__).parents[2])}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in named.items():
            patch.setenv(name, value)
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80 << 20)
        try:
            yield ray.get_runtime_context().gcs_address
        finally:
            ray.shutdown()
            os.environ.pop("RAY_AUTH_MODE", None)  # which Ray has set


@pytest.fixture(params=["local", "ray"])
def asked(request: pytest.FixtureRequest) -> EngineOptions:
    """Two workers, in processes and on the cluster."""
    if request.param == "local":
        return EngineOptions(workers=2)
    return EngineOptions("ray", 2, request.getfixturevalue("cluster"))


def opened(
    asked: EngineOptions, root: Path, model: RewardModel, tell: Callable[[str], None] = lambda text: None
) -> Engine:
    options = LoadOptions(device="cpu")
    check_engine(asked, str(root), options)
    return open_engine(asked, str(root), options, model, tell)


def scores(engine: Engine) -> list[object]:
    answers = [engine.ask(batch) for batch in BATCHES]
    return [scored for answer in answers for scored in answer.result(PATIENCE).scored]


def test_a_killed_worker_changes_nothing(asked: EngineOptions, tmp_path: Path) -> None:
    """One at work, one in the middle of all; rewards are the same to the last digit, at the same number of threads."""
    root = tiny.llama(tmp_path / "model")
    model = load(str(root), LoadOptions(device="cpu"))
    heard: list[str] = []
    with opened(asked, root, model, heard.append) as engine:
        assert isinstance(engine, Team)
        first = engine.ask(BATCHES[0]).result(PATIENCE)
        victim = next(hand.process for hand in engine.hands.values() if hand.process is not None)
        os.kill(victim, signal.SIGKILL)
        assert scores(engine) == scores(LocalEngine(model))
        assert first.scored == LocalEngine(model).ask(BATCHES[0]).result().scored
        assert victim not in [hand.process for hand in engine.hands.values()]
        assert engine.told == f"{asked.engine}, 2 workers"
    assert sum("a new one does its work again" in text for text in heard) == 1
    assert not psutil.pid_exists(victim) or psutil.Process(victim).status() == psutil.STATUS_ZOMBIE


def test_another_model_under_the_same_path_is_refused(asked: EngineOptions, tmp_path: Path) -> None:
    root = tiny.llama(tmp_path / "model")
    model = load(str(root), LoadOptions(device="cpu"))
    tiny.llama(root, seed=1)
    with (
        opened(replace(asked, workers=2), root, model) as engine,
        pytest.raises(LoadRefusedError, match=r"is not what was loaded .* they differ in model\. "),
    ):
        engine.ask(BATCHES[0]).result(PATIENCE)


def test_a_path_that_a_worker_does_not_have_is_told(cluster: str, tmp_path: Path) -> None:
    root = tiny.llama(tmp_path / "model")
    model = load(str(root), LoadOptions(device="cpu"))
    with opened(EngineOptions("ray", 1, cluster), root, model) as engine:
        root.rename(tmp_path / "elsewhere")
        with pytest.raises(LoadRefusedError, match=r"could not load .*There is no folder .*under the same path"):
            engine.ask(BATCHES[0]).result(PATIENCE)


def test_more_workers_than_the_cluster_has_room_for_are_refused(cluster: str, tmp_path: Path) -> None:
    root = tiny.llama(tmp_path / "model")
    model = load(str(root), LoadOptions(device="cpu"))
    with (
        opened(EngineOptions("ray", 3, cluster), root, model) as engine,
        pytest.raises(UsageError, match="has 2 CPUs, and 3 workers need at least one each"),
    ):
        engine.ask(BATCHES[0])


@pytest.fixture(scope="module")
def scanned(place: Bench, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tiny checkpoint, and the run folder of its scan in one process."""
    folder = tmp_path_factory.mktemp("scanned")
    root = tiny.llama(folder / "model")
    outcome = scan(place, root, folder / "run", "--no-store", cluster=None)
    assert outcome.code == 0, outcome.err
    return root, folder / "run"


def scan(place: Bench, root: Path, out: Path, *more: str, cluster: str | None) -> Outcome:
    address = {} if cluster is None else {"RAY_ADDRESS": cluster}
    accepted = ["--accept", "sanity", "--format", "json", "--device", "cpu"]
    return run(*place.scan_args(str(root), out, *accepted, *more), **address)


def test_scans_with_workers_are_equal_and_share_a_store(
    place: Bench, scanned: tuple[Path, Path], cluster: str, tmp_path: Path
) -> None:
    root, alone = scanned
    store = ["--store", str(tmp_path / "store")]
    runs = {
        "processes": scan(place, root, tmp_path / "processes", "--workers", "2", "--no-store", cluster=None),
        "ray": scan(place, root, tmp_path / "ray", "--engine", "ray", "--workers", "2", *store, cluster=cluster),
        "stored": scan(place, root, tmp_path / "stored", "--workers", "2", *store, cluster=None),
    }
    for name, outcome in runs.items():
        assert outcome.code == 0, outcome.err
        assert without_run(tmp_path / name) == without_run(alone)
        assert outcome.out.encode() == (tmp_path / name / "report.json").read_bytes()
    blocks = {name: json.loads(outcome.out)["run"] for name, outcome in runs.items()}
    assert {name: block["engine"] for name, block in blocks.items()} == {
        "processes": "local, 2 workers",
        "ray": "ray, 2 workers",
        "stored": "local",
    }
    assert blocks["stored"]["from_store"] == blocks["stored"]["unique_conversations"]
    assert blocks["stored"]["from_other_batches"] == 0
    for name in ("processes", "ray"):
        assert (tmp_path / name / "scores.jsonl").read_bytes() == (alone / "scores.jsonl").read_bytes()


def test_a_stopped_scan_on_a_cluster_of_its_own_is_gone_on_with(place: Bench, tmp_path: Path) -> None:
    """Every batch that was begun is saved, Ray leaves nothing behind, and another engine goes on."""
    source = place.scorer("mortal")
    whole = run(*place.scan_args(source, tmp_path / "whole", "--batch-size", "100"))
    assert whole.code == 0, whole.err
    out = tmp_path / "run"
    more = ["--batch-size", "100", "--engine", "ray", "--ray-address", "local", "--workers", "1", "--no-store"]
    process = subprocess.Popen(
        [sys.executable, "-m", "rmaudit", *place.scan_args(source, out, *more)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(SCORER_SLEEP="0.2"),
    )
    deadline = time.monotonic() + PATIENCE
    while not ((out / "scores.jsonl").exists() and (out / "scores.jsonl").read_bytes().count(b'"end"') >= 3):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    family = psutil.Process(process.pid).children(recursive=True)
    assert any("raylet" in child.name() for child in family)
    process.send_signal(signal.SIGTERM)
    output, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, error
    assert output == ""
    assert "Stopping after this batch" in error
    assert "Traceback" not in error
    assert psutil.wait_procs(family, timeout=PATIENCE)[1] == []
    command = shlex.split(error.strip().splitlines()[-1].split("go on with: ")[1])
    assert command[command.index("--engine") + 1] == "ray"
    resumed = run(*place.scan_args(source, out, "--batch-size", "100", "--resume"))
    assert resumed.code == 0, resumed.err
    check_equal(out, tmp_path / "whole")


def test_a_scorer_that_kills_its_workers_ends_the_scan(place: Bench, tmp_path: Path) -> None:
    """The program itself, which tests the model too, is spared, as the call is that of a worker's alone."""
    (tmp_path / "deadly.py").write_text(
        "import os, signal, sys\n"
        "def score(conversations):\n"
        "    if 'rmaudit.scoring.processes' in ' '.join(sys.orig_argv):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return [float(len(c[-1]['content'])) for c in conversations]\n"
    )
    outcome = run(*place.scan_args(f"python:{tmp_path}/deadly.py:score", tmp_path / "run", "--workers", "2"))
    assert outcome.code == 3
    assert "by signal 9" in outcome.err
    assert "Traceback" not in outcome.err
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"


def test_what_a_worker_prints_is_kept_off_stdout(place: Bench, finished: Path, tmp_path: Path) -> None:
    text = (place.folder / "scorers.py").read_text()
    (tmp_path / "loud.py").write_text(
        f"{text}\n\ndef loud(conversations):\n    print('hello')\n    return biased(conversations)\n"
    )
    source = f"python:{tmp_path}/loud.py:loud"
    outcome = run(*place.scan_args(source, tmp_path / "run", "--workers", "2", "--format", "json"))
    assert outcome.code == 0, outcome.err
    ours, theirs = json.loads(outcome.out), json.loads((finished / "report.json").read_text())
    assert ours["findings"] == theirs["findings"]


@pytest.mark.parametrize(
    ("asked", "source", "told"),
    [
        (EngineOptions(workers=2), "scores:FILE", "holds rewards"),
        (EngineOptions("ray"), "http://127.0.0.1:1", "--concurrency"),
        (EngineOptions(ray_address="auto"), "demo", "is for --engine ray"),
        (EngineOptions("ray", ray_address="ray://head:10001"), "demo", "Ray Client"),
        (EngineOptions(workers=0), "demo", "at least 1"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_loaded(
    asked: EngineOptions, source: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "FILE").write_text("{}")
    with pytest.raises(UsageError, match=told), contextlib.chdir(tmp_path):
        check_engine(asked, source, LoadOptions())


def test_auto_placement_and_workers_contradict_each_other() -> None:
    with pytest.raises(UsageError, match="Leave one out"):
        check_engine(EngineOptions(workers=2), "demo", LoadOptions(device="auto"))


def test_without_the_package_the_command_says_how_to_install_it(
    place: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from rmaudit.cli.main import run as command

    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(sys, "argv", ["rmaudit", "scan", "demo", "--engine", "ray", "--out", str(tmp_path / "run")])
    assert command() == 2
    assert "pip install 'rmaudit[ray]'" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


def test_an_address_without_a_cluster_is_told(place: Bench, tmp_path: Path) -> None:
    more = ["--engine", "ray", "--ray-address", "127.0.0.1:1"]
    outcome = run_cold(*place.scan_args(place.scorer("biased"), tmp_path / "run", *more))
    assert outcome.code == 2, outcome.err
    assert "The Ray cluster at 127.0.0.1:1 cannot be joined" in outcome.err


def test_each_gpu_has_its_worker_and_the_first_its_own_last() -> None:
    recipe = Recipe("demo", LoadOptions(device="cuda:0"), "/", {}, 1)
    site = ProcessSite(recipe, 4, gpus=4)
    assert [site.device(place) for place in range(4)] == ["cuda:1", "cuda:2", "cuda:3", "cuda:0"]
    assert ProcessSite(replace(recipe, options=LoadOptions(device="cpu")), 2).device(1) == "cpu"


@pytest.mark.parametrize(
    ("machines", "workers", "cpus"),
    [([2], 2, 1), ([8], 3, 2), ([3, 3], 3, 1), ([16, 4], 5, 4), ([2, 1], 4, 0), ([], 1, 0)],
)
def test_cpus_are_shared_out_so_that_all_workers_find_a_place(machines: list[int], workers: int, cpus: int) -> None:
    assert cpus_each(machines, workers) == cpus
