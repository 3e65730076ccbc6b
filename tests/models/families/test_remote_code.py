"""A checkpoint that brings Python code: it runs only with the flag, at what the user pinned, and from those bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaModel

from rmaudit.errors import LoadRefusedError, RmauditError, UsageError
from rmaudit.models import remote, safety
from rmaudit.models.detect import detect
from rmaudit.models.hub import Downloaded
from rmaudit.models.load import load, open_checkpoint
from rmaudit.models.options import LoadOptions
from tests.models import tiny

MODEL = """
from pathlib import Path

import torch
from torch import nn
from transformers import LlamaModel, LlamaPreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from .configuration_own import OwnConfig

Path({marker!r}).write_text("ran")
print("the code was imported")


class OwnReward(LlamaPreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.model = LlamaModel(config)
        self.judge = nn.Linear(config.hidden_size, config.outputs, bias=False)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, **kwargs):
        print("a forward pass")
        state = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        value = self.judge(state[:, 0] + 2 * state[:, -1])
        {answer}
"""
CONFIG = """
from transformers import LlamaConfig


class OwnConfig(LlamaConfig):
    model_type = "own_reward"

    def __init__(self, outputs=1, **kwargs):
        super().__init__(**kwargs)
        self.outputs = outputs
"""
LOGITS = "return SequenceClassifierOutput(logits=value)"


def write(root: Path, marker: Path, answer: str = LOGITS, outputs: int = 1) -> Path:
    torch.manual_seed(5)
    size = {"vocab_size": len(tiny.SPECIAL) + len(tiny.LETTERS), "hidden_size": 16, "intermediate_size": 32}
    config = LlamaConfig(**size, num_hidden_layers=2, num_attention_heads=2, initializer_range=0.3, pad_token_id=0)
    model = LlamaModel(config)
    root.mkdir()
    state = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    save_file(state | {"judge.weight": torch.randn(outputs, 16)}, root / "model.safetensors", metadata={"format": "pt"})
    auto = {"AutoConfig": "configuration_own.OwnConfig", "AutoModelForSequenceClassification": "modeling_own.OwnReward"}
    told = config.to_dict() | {"model_type": "own_reward", "architectures": ["OwnReward"], "auto_map": auto}
    (root / "config.json").write_text(json.dumps(told | {"outputs": outputs}))
    (root / "configuration_own.py").write_text(CONFIG)
    (root / "modeling_own.py").write_text(MODEL.format(marker=str(marker), answer=answer))
    tiny.tokenizer().save_pretrained(root)
    return root


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


@pytest.fixture
def own(tmp_path: Path, marker: Path) -> Path:
    return write(tmp_path / "own", marker)


def identity(root: Path) -> str:
    return safety.identity_digest(open_checkpoint(str(root), LoadOptions(trust_remote_code=True)).digests())


def allowed(root: Path, **more: Any) -> LoadOptions:
    return LoadOptions(**({"trust_remote_code": True, "revision": identity(root)} | more))


def expected(root: Path, talk: list[dict[str, str]]) -> float:
    state = load_file(root / "model.safetensors")
    config = json.loads((root / "config.json").read_text())
    model = LlamaModel(LlamaConfig(**{key: value for key, value in config.items() if key != "model_type"})).eval()
    model.load_state_dict({k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")})
    made = tiny.PreTrainedTokenizerFast.from_pretrained(root)
    ids = made(made.apply_chat_template(talk, tokenize=False), return_tensors="pt", add_special_tokens=False).input_ids
    with torch.no_grad():
        hidden = model(input_ids=ids).last_hidden_state[0]
    return float(state["judge.weight"][0] @ (hidden[0] + 2 * hidden[-1]))


def refused(root: Path, options: LoadOptions, kind: type[RmauditError] = LoadRefusedError) -> str:
    with pytest.raises(kind) as found:
        load(str(root), options)
    return str(found.value)


def test_without_the_flag_nothing_runs_and_the_flag_is_the_last_advice(own: Path, marker: Path) -> None:
    said = refused(own, LoadOptions())
    assert said.index("--head-spec") < said.index("--trust-remote-code")
    assert not marker.exists()


def test_with_the_flag_and_no_pin_nothing_runs(own: Path, marker: Path) -> None:
    said = refused(own, LoadOptions(trust_remote_code=True), UsageError)
    assert f"--revision {identity(own)[:16]}" in said
    assert "modeling_own.py" in said
    for revision in ("main", "abc", "x" * 40, identity(own)[:11]):
        refused(own, LoadOptions(trust_remote_code=True, revision=revision), UsageError)
    assert not marker.exists()


def test_pinned_the_reward_is_the_codes(own: Path, marker: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talks = tiny.conversations()
    wanted = [expected(own, talk) for talk in talks]
    for size, digits in ((1, 64), (8, 12)):
        model = load(str(own), allowed(own, batch_size=size, revision=identity(own)[:digits]))
        assert model.score(talks) == pytest.approx(wanted, abs=1e-5)
    assert model.facts.format == "remote-code"
    assert marker.exists()
    assert capsys.readouterr().out == ""
    code = {name: safety.sha256_of(own / name) for name in ("configuration_own.py", "modeling_own.py")}
    assert all(any(f"{name} sha256 {digest}" in risk for risk in model.facts.risks) for name, digest in code.items())
    assert set(code) <= set(model.identity.files)
    assert model.identity.sha256 == identity(own)


def test_inspection_runs_nothing(own: Path, marker: Path) -> None:
    options = LoadOptions(trust_remote_code=True)
    assert detect(open_checkpoint(str(own), options), options).format == "remote-code"
    assert not marker.exists()


@pytest.mark.parametrize("name", ["modeling_own.py", "configuration_own.py", "config.json", "model.safetensors"])
def test_any_change_breaks_the_pin(own: Path, marker: Path, name: str) -> None:
    options = allowed(own)
    raw = bytearray((own / name).read_bytes())
    raw[-2:] = raw[-2:] + b"\n" if name.endswith("py") else raw[-2:]
    if name == "model.safetensors":
        raw[-1] ^= 1
    elif name == "config.json":
        raw += b"\n"
    (own / name).write_bytes(raw)
    assert "changed" in refused(own, options)
    assert not marker.exists()


def test_code_that_changes_after_it_was_compared_does_not_run(own: Path, marker: Path) -> None:
    options = allowed(own)
    checkpoint = open_checkpoint(str(own), options)
    code = remote.Code(checkpoint, remote.require_pin(checkpoint, str(own), options))
    (own / "modeling_own.py").write_text("raise SystemExit(0)  # another program\n")
    with pytest.raises(LoadRefusedError, match="changed since"):
        code.load_class("modeling_own.OwnReward")
    assert not marker.exists()


@pytest.mark.parametrize(
    "reference",
    ["owner/other--modeling_own.OwnReward", "os.system", "modeling_own.sub.OwnReward", "../modeling_own.OwnReward"],
)
def test_code_from_elsewhere_is_not_run(own: Path, marker: Path, reference: str) -> None:
    tiny.edit_json(own / "config.json", auto_map={"AutoModel": reference})
    assert "Code from elsewhere" in refused(own, allowed(own)) or "code from elsewhere" in refused(own, allowed(own))
    assert not marker.exists()


@pytest.mark.parametrize(
    "answer",
    ["return value", "return value[:, 0]", "return type('Answer', (), {'score': value, 'logits': None})()"],
    ids=["tensor", "flat", "score"],
)
def test_answers_of_one_number(tmp_path: Path, marker: Path, answer: str) -> None:
    root = write(tmp_path / "own", marker, answer)
    talk = tiny.conversations()[0]
    assert load(str(root), allowed(root)).score([talk]) == pytest.approx([expected(root, talk)], abs=1e-5)


@pytest.mark.parametrize(
    ("answer", "outputs"),
    [
        (LOGITS, 2),
        ("return 3.0", 1),
        ("return self.judge(state)", 1),
        ("return type('Answer', (), {'score': value, 'logits': value + 1})()", 1),
    ],
    ids=["two", "no tensor", "one a token", "two that differ"],
)
def test_other_answers_are_refused(tmp_path: Path, marker: Path, answer: str, outputs: int) -> None:
    root = write(tmp_path / "own", marker, answer, outputs)
    assert "one number a conversation" in refused(root, allowed(root))


def test_a_missing_weight_is_refused_by_name(own: Path) -> None:
    state = load_file(own / "model.safetensors")
    save_file({name: t for name, t in state.items() if name != "judge.weight"}, own / "model.safetensors")
    assert "judge.weight" in refused(own, allowed(own))


def test_code_that_fails_is_refused(own: Path) -> None:
    (own / "configuration_own.py").write_text("import a_package_that_nobody_has\n")
    assert "a_package_that_nobody_has" in refused(own, allowed(own))
    (own / "configuration_own.py").write_text("raise SystemExit(0)\n")
    assert "SystemExit" in refused(own, allowed(own))


def test_a_native_format_wins_and_its_code_does_not_run(tmp_path: Path, marker: Path) -> None:
    root = tiny.llama(tmp_path / "llama")
    (root / "modeling_own.py").write_text(f"open({str(marker)!r}, 'w')\n")
    auto = {"AutoModelForSequenceClassification": "modeling_own.LlamaForSequenceClassification"}
    tiny.edit_json(root / "config.json", auto_map=auto)
    assert load(str(root), LoadOptions(trust_remote_code=True)).facts.format == "seqcls"
    assert load(str(root), allowed(root)).facts.format == "seqcls"
    assert "changed" in refused(root, allowed(root, revision="0" * 16))
    assert not marker.exists()


def test_a_class_that_only_sounds_like_the_librarys_is_its_own(tmp_path: Path, marker: Path) -> None:
    root = write(tmp_path / "own", marker)
    state = load_file(root / "model.safetensors")
    state["score.weight"] = state.pop("judge.weight")
    save_file(state, root / "model.safetensors", metadata={"format": "pt"})
    for name in ("modeling_own.py", "config.json"):
        text = (root / name).read_text().replace("OwnReward", "OwnForSequenceClassification")
        (root / name).write_text(text.replace("self.judge", "self.score"))
    assert "--trust-remote-code" in refused(root, LoadOptions())
    assert not marker.exists()
    assert load(str(root), allowed(root)).facts.format == "remote-code"


def test_a_revision_of_a_folder_needs_the_flag(own: Path) -> None:
    assert "has none" in refused(own, LoadOptions(revision=identity(own)), UsageError)


def test_as_remote_code_needs_the_flag(own: Path) -> None:
    assert "--trust-remote-code" in refused(own, LoadOptions(format="remote-code"), UsageError)


def test_on_the_hub_only_a_whole_commit_pins(own: Path, marker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "a" * 40
    monkeypatch.setattr("rmaudit.models.hub.download", lambda *_, **__: Downloaded(own, commit))
    for revision in (None, "main", "a" * 7):
        said = refused(Path("owner/name"), LoadOptions(trust_remote_code=True, revision=revision), UsageError)
        assert f"--revision {commit}" in said
    assert "was pinned to" in refused(Path("owner/name"), LoadOptions(trust_remote_code=True, revision="b" * 40))
    assert not marker.exists()
    talk = tiny.conversations()[0]
    model = load(f"owner/name@{commit}", LoadOptions(trust_remote_code=True))
    assert model.score([talk]) == pytest.approx([expected(own, talk)], abs=1e-5)
