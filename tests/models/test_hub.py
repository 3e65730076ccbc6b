"""Checkpoints of the hub, fetched by the hub's own client from a server on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from rmaudit.errors import LoadRefusedError
from rmaudit.models import safety
from rmaudit.models.checkpoint import Checkpoint
from rmaudit.models.detect import detect
from rmaudit.models.load import load, open_checkpoint
from rmaudit.models.options import LoadOptions
from tests.models import tiny
from tests.models.hub_server import COMMIT, Hub, serve

TALK = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


@dataclass(frozen=True)
class Client:
    """The hub's client on this machine, with a cache of its own."""

    hub: Hub
    cache: Path
    patch: pytest.MonkeyPatch

    def reaches(self, url: str) -> None:
        """Settings that the client reads from the environment when it is imported."""
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        settings = {"ENDPOINT": url, "HUGGINGFACE_CO_URL_TEMPLATE": template, "HF_HUB_CACHE": str(self.cache)}
        for name, value in {**settings, "HF_HUB_OFFLINE": False, "HF_HUB_DISABLE_XET": True}.items():
            self.patch.setattr(constants, name, value)

    def unplug(self) -> None:
        self.reaches("http://127.0.0.1:9")

    def weights(self) -> list[Path]:
        return list(self.cache.rglob("*.safetensors"))


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    with serve() as hub:
        made = Client(hub, tmp_path / "cache", monkeypatch)
        made.reaches(hub.url)
        yield made


def look(source: str = "owner/name", **options: Any) -> tuple[str, Checkpoint]:
    """Format of a checkpoint, and what was read of it."""
    chosen = LoadOptions(**options)
    found = open_checkpoint(source, chosen, look=True)
    return detect(found, chosen).format, found


def identity(checkpoint: Checkpoint) -> str:
    return safety.identity_digest(checkpoint.digests())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with everything that must not be fetched unasked beside it."""
    root = tiny.llama(tmp_path_factory.mktemp("model") / "model", shard="5KB")
    for name in ("optimizer.pt", "training_args.bin", "rng_state_0.pth"):
        torch.save({"a": torch.zeros(3)}, root / name)
    torch.save({"a": torch.zeros(3)}, root / "pytorch_model.bin")
    (root / "modeling_own.py").write_text("raise SystemExit")
    (root / "original").mkdir()
    (root / "original" / "consolidated.safetensors").write_bytes(b"x" * 10_000)
    (root / "additional_chat_templates").mkdir()
    (root / "chat_template.jinja").rename(root / "additional_chat_templates" / "default.jinja")
    return root


def shards(root: Path) -> list[str]:
    return sorted(path.name for path in root.glob("model-*.safetensors"))


def test_to_look_at_a_checkpoint_no_weights_are_fetched(model: Path, client: Client) -> None:
    assert len(shards(model)) > 1
    client.hub.add(name=model)
    format, found = look()
    assert format == "seqcls"
    assert found.revision == COMMIT
    assert found.tensors == open_checkpoint(str(model)).tensors
    assert found.template is not None
    assert found.template.origin == "additional_chat_templates/default.jinja"
    assert not client.weights()


def test_of_a_large_file_only_the_beginning_is_sent(tmp_path: Path, client: Client) -> None:
    root = tiny.llama(tmp_path / "model")
    state = load_file(root / "model.safetensors") | {"lm_head.weight": torch.zeros(80_000, 16)}
    save_file(state, root / "model.safetensors", metadata={"format": "pt"})
    client.hub.add(name=root)
    look()
    assert client.hub.bytes_of("model.safetensors") < 200_000 < (root / "model.safetensors").stat().st_size


def test_looked_at_and_loaded_it_is_the_same_model(model: Path, client: Client) -> None:
    client.hub.add(name=model)
    _, looked = look()
    loaded = load("owner/name@main")
    assert loaded.identity.sha256 == identity(looked) == identity(open_checkpoint(str(model)))
    assert loaded.identity.revision == COMMIT
    assert loaded.identity.source == "owner/name@main"
    sent = client.hub.files_sent()
    assert not any(name.endswith((".bin", ".pt", ".pth", ".py")) or name.startswith("original") for name in sent)
    client.unplug()
    again = load("owner/name", LoadOptions(offline=True))
    assert again.score([TALK]).tolist() == loaded.score([TALK]).tolist()
    assert identity(look(offline=True)[1]) == identity(looked)


def test_a_checkpoint_only_looked_at_is_not_there_offline(model: Path, client: Client) -> None:
    client.hub.add(name=model)
    look()
    client.unplug()
    with pytest.raises(LoadRefusedError, match="--offline"):
        load("owner/name", LoadOptions(offline=True))


def test_code_is_fetched_with_its_flag_alone(model: Path, client: Client) -> None:
    client.hub.add(name=model)
    look(trust_remote_code=True)
    assert "modeling_own.py" in client.hub.files_sent()


def test_pickles_are_fetched_with_their_flag_alone(model: Path, tmp_path: Path, client: Client) -> None:
    root = Path(shutil.copytree(model, tmp_path / "pickled"))
    state = {key: tensor for name in shards(root) for key, tensor in load_file(root / name).items()}
    for name in (*shards(root), "model.safetensors.index.json"):
        (root / name).unlink()
    torch.save(state, root / "pytorch_model.bin")
    client.hub.add(name=root)
    for ask in (lambda: load("owner/name"), look):
        with pytest.raises(LoadRefusedError, match=r"pytorch_model\.bin.*--allow-pickle") as refused:
            ask()
        assert "optimizer.pt" not in str(refused.value)
    assert not any(safety.is_pickle(name) for name in client.hub.files_sent())
    load("owner/name", LoadOptions(allow_pickle=True))
    assert {name for name in client.hub.files_sent() if safety.is_pickle(name)} == {"pytorch_model.bin"}


def test_pickles_beside_safetensors_are_not_needed(model: Path, client: Client) -> None:
    client.hub.add(name=model)
    load("owner/name", LoadOptions(allow_pickle=True))
    assert not any(safety.is_pickle(name) for name in client.hub.files_sent())


def test_an_adapter_brings_its_head_and_its_base(model: Path, tmp_path: Path, client: Client) -> None:
    root = tmp_path / "adapter"
    root.mkdir()
    head = {"v_head.summary.weight": torch.randn(1, 16), "v_head.summary.bias": torch.randn(1)}
    save_file(head, root / "value_head.safetensors")
    key = "base_model.model.model.layers.0.mlp.up_proj"
    lora = {f"{key}.lora_A.weight": torch.randn(2, 16), f"{key}.lora_B.weight": torch.randn(32, 2)}
    save_file(lora, root / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 2, "base_model_name_or_path": "owner/base", "revision": COMMIT}
    (root / "adapter_config.json").write_text(json.dumps(config))
    base = tiny.llama(tmp_path / "base")
    state = load_file(base / "model.safetensors")
    del state["score.weight"]
    save_file(state, base / "model.safetensors", metadata={"format": "pt"})
    tiny.edit_json(base / "config.json", architectures=["LlamaForCausalLM"])
    client.hub.add(name=root, base=base)
    format, looked = look()
    assert format == "llamafactory"
    assert not client.weights()
    assert load("owner/name").identity.sha256 == identity(looked)


@pytest.mark.parametrize("base", ["/home/me/base", "./base", "base", "checkpoints/run/base", "~/base", "here/base"])
def test_an_adapter_of_the_hub_names_no_folder_of_this_machine(
    base: str, tmp_path: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny.llama(tmp_path / "here" / "base")
    root = tmp_path / "adapter"
    root.mkdir()
    save_file({"base_model.model.score.weight": torch.zeros(1, 16)}, root / "adapter_model.safetensors")
    (root / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": base}))
    client.hub.add(name=root)
    with pytest.raises(LoadRefusedError, match="--base-model"):
        load("owner/name")


@pytest.mark.parametrize("ask", [load, look], ids=["load", "look"])
def test_a_failure_is_a_refusal_with_advice(ask: Callable[..., Any], client: Client) -> None:
    with pytest.raises(LoadRefusedError, match="HF_TOKEN") as refused:
        ask("owner/absent@v2")
    assert "owner/absent at revision v2" in str(refused.value)
    client.unplug()
    with pytest.raises(LoadRefusedError, match="HF_TOKEN"):
        ask("owner/absent")


@pytest.mark.parametrize("look", [True, False])
def test_offline_nothing_is_asked(look: bool, client: Client, model: Path) -> None:
    client.hub.add(name=model)
    with pytest.raises(LoadRefusedError, match="--offline"):
        open_checkpoint("owner/name", LoadOptions(offline=True), look=look)
    assert not client.hub.sent


def test_the_command_asks_the_hub_of_its_environment(model: Path, tmp_path: Path) -> None:
    with serve(name=model) as hub:
        environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
        done = subprocess.run(
            [sys.executable, "-m", "rmaudit", "inspect", "owner/name", "--json"],
            env=environment | {"HF_HUB_DISABLE_XET": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["format"] == "seqcls"
    assert not list(tmp_path.rglob("*.safetensors"))
