from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models import safety
from rmaudit.models.checkpoint import read_checkpoint, read_safetensors_header
from rmaudit.models.load import load
from rmaudit.models.options import LoadOptions
from tests.models import tiny

Copy = Callable[[Path], Path]


def write_safetensors(path: Path, header: dict[str, Any], data: bytes) -> None:
    raw = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)


def test_header_gives_names_shapes_and_dtypes(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2, 3), "b": torch.zeros((), dtype=torch.bfloat16)}, tmp_path / "x.safetensors")
    found = read_safetensors_header(tmp_path / "x.safetensors")
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in found.items()} == {
        "a": ((2, 3), "F32"),
        "b": ((), "BF16"),
    }


@pytest.mark.parametrize("size", [0, 5, 100, -1])
def test_cut_off_weights_are_refused(llama: Path, copy_of: Copy, size: int) -> None:
    root = copy_of(llama)
    whole = (root / "model.safetensors").read_bytes()
    (root / "model.safetensors").write_bytes(whole[:size])
    with pytest.raises(LoadRefusedError, match=r"model\.safetensors is damaged"):
        load(str(root))


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, b"1234"),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"12345678"),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"12345678"),
        (
            {
                "a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]},
                "b": {"dtype": "U8", "shape": [4], "data_offsets": [2, 6]},
            },
            b"123456",
        ),
        ({"a": {"dtype": "F32", "shape": [1]}}, b"1234"),
        ({"a": 3}, b""),
    ],
    ids=["shape", "gap", "trailing data", "overlap", "no offsets", "no object"],
)
def test_headers_that_do_not_fit_the_data_are_refused(tmp_path: Path, header: dict[str, Any], data: bytes) -> None:
    write_safetensors(tmp_path / "x.safetensors", header, data)
    with pytest.raises(LoadRefusedError, match="is damaged"):
        read_safetensors_header(tmp_path / "x.safetensors")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadRefusedError, match=r"no config\.json \(found: nothing\)"):
        load(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(LoadRefusedError, match="holds no weights"):
        load(str(tmp_path))


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', "[" * 100_000])
def test_a_broken_config_is_refused(llama: Path, copy_of: Copy, text: str) -> None:
    root = copy_of(llama)
    (root / "config.json").write_text(text)
    with pytest.raises(LoadRefusedError, match=r"config\.json"):
        load(str(root))


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    root = tiny.llama(tmp_path / "m", shard="4KB")
    gone = sorted(root.glob("model-*"))[1]
    gone.unlink()
    with pytest.raises(LoadRefusedError, match=f"lacks 1 of 9 weight files: {gone.name}"):
        load(str(root))


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../x.safetensors", "..\\x.safetensors"])
def test_an_index_may_not_name_files_outside(tmp_path: Path, name: str) -> None:
    root = tiny.llama(tmp_path / "m", shard="4KB")
    index = json.loads((root / safety.INDEX).read_text())
    index["weight_map"]["score.weight"] = name
    (root / safety.INDEX).write_text(json.dumps(index))
    with pytest.raises(LoadRefusedError, match="names a file outside itself"):
        load(str(root))


def test_an_index_may_not_lead_to_pickles(tmp_path: Path) -> None:
    root = tiny.llama(tmp_path / "m", shard="4KB")
    index = json.loads((root / safety.INDEX).read_text())
    index["weight_map"]["score.weight"] = "pytorch_model.bin"
    (root / safety.INDEX).write_text(json.dumps(index))
    with pytest.raises(LoadRefusedError, match=r"not a \.safetensors file"):
        load(str(root), LoadOptions(allow_pickle=True))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_link_out_of_the_folder_is_refused(llama: Path, copy_of: Copy, name: str) -> None:
    root = copy_of(llama)
    outside = root.parent / f"outside-{name}"
    shutil.move(root / name, outside)
    (root / name).symlink_to(outside)
    with pytest.raises(LoadRefusedError, match="a link that leads out"):
        load(str(root))


def test_links_into_the_hub_cache_of_the_same_repository_are_followed(llama: Path, tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "models--a--b" / "snapshots" / "abc", tmp_path / "models--a--b" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for file in llama.iterdir():
        shutil.copy(file, blobs / f"blob-{file.name}")
        (snapshot / file.name).symlink_to(Path("../../blobs") / f"blob-{file.name}")
    assert load(str(snapshot)).identity.sha256 == load(str(llama)).identity.sha256


def test_identity_is_content_and_not_name(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    (root / "README.md").write_text("anything")
    before = load(str(root)).identity
    assert before.sha256 == load(str(llama)).identity.sha256
    assert set(before.files) == {
        "chat_template.jinja",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    with (root / "chat_template.jinja").open("a") as stream:
        stream.write(" ")
    assert load(str(root)).identity.sha256 != before.sha256


class Payload:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def test_a_pickle_runs_nothing_with_or_without_the_flag(llama: Path, copy_of: Copy, tmp_path: Path) -> None:
    root, touched = copy_of(llama), tmp_path / "touched"
    (root / "model.safetensors").unlink()
    (root / "pytorch_model.bin").write_bytes(pickle.dumps({"score.weight": Payload(touched)}))
    with pytest.raises(LoadRefusedError, match="--allow-pickle"):
        load(str(root))
    with pytest.raises(LoadRefusedError, match="not a plain file of tensors"):
        load(str(root), LoadOptions(allow_pickle=True))
    torch.save({"score.weight": Payload(touched)}, root / "pytorch_model.bin")
    with pytest.raises(LoadRefusedError, match="not a plain file of tensors"):
        load(str(root), LoadOptions(allow_pickle=True))
    assert not touched.exists()


def test_plain_tensors_in_a_pickle_score_the_same(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    torch.save(load_file(root / "model.safetensors"), root / "pytorch_model.bin")
    (root / "model.safetensors").unlink()
    conversations: Any = tiny.conversations()
    plain = load(str(root), LoadOptions(allow_pickle=True)).score(conversations)
    assert plain == pytest.approx(load(str(llama)).score(conversations), abs=1e-6)


def test_pickles_need_a_torch_that_reads_them_safely(
    llama: Path, copy_of: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = copy_of(llama)
    (root / "model.safetensors").rename(root / "pytorch_model.bin")
    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")
    with pytest.raises(UsageError, match=r"2\.10 or newer"):
        load(str(root), LoadOptions(allow_pickle=True))


def test_safetensors_win_over_a_pickle_beside_them(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    (root / "pytorch_model.bin").write_bytes(b"not even a pickle")
    checkpoint = read_checkpoint(root, allow_pickle=True)
    assert checkpoint.weights == ("model.safetensors",)
    assert "pytorch_model.bin" not in checkpoint.files


HOSTILE = "import pathlib\npathlib.Path({path!r}).touch()\nraise SystemExit\n"


@pytest.mark.parametrize("where", ["config.json", "tokenizer_config.json"])
def test_code_in_a_checkpoint_is_not_run(llama: Path, copy_of: Copy, tmp_path: Path, where: str) -> None:
    root, touched = copy_of(llama), tmp_path / "touched"
    (root / "evil.py").write_text(HOSTILE.format(path=str(touched)))
    auto = {"AutoConfig": "evil.C", "AutoModelForSequenceClassification": "evil.M", "AutoTokenizer": ["evil.T", None]}
    tiny.edit_json(root / where, auto_map=auto)
    conversations: Any = tiny.conversations()
    model = load(str(root))
    assert model.score(conversations) == pytest.approx(load(str(llama)).score(conversations), abs=1e-6)
    assert not touched.exists()
    assert any("auto_map" in line for line in model.facts.evidence) == (where == "config.json")


def test_an_unknown_model_type_with_code_is_refused(llama: Path, copy_of: Copy, tmp_path: Path) -> None:
    root, touched = copy_of(llama), tmp_path / "touched"
    (root / "evil.py").write_text(HOSTILE.format(path=str(touched)))
    auto = {"AutoConfig": "evil.C", "AutoModelForSequenceClassification": "evil.M"}
    tiny.edit_json(root / "config.json", auto_map=auto, model_type="evil")
    with pytest.raises(LoadRefusedError, match="model type evil"):
        load(str(root))
    assert not touched.exists()


def test_a_foreign_class_is_not_loaded_as_a_known_one(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    tiny.edit_json(root / "config.json", architectures=["MyOwnForSequenceClassification"])
    with pytest.raises(LoadRefusedError, match="MyOwnForSequenceClassification"):
        load(str(root))


def test_compute_code_from_the_hub_is_refused(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    tiny.edit_json(root / "config.json", attn_implementation="someone/kernel")
    with pytest.raises(LoadRefusedError, match="someone/kernel"):
        load(str(root))


def test_a_template_cannot_reach_python(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    (root / "chat_template.jinja").write_text("{{ ''.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(LoadRefusedError, match="chat template"):
        load(str(root))


def test_a_template_that_does_not_end_is_given_up(llama: Path, copy_of: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    root = copy_of(llama)
    # Ends after some seconds, so that the test leaves nothing running; the limit is far below.
    loop = "{% for i in range(20000) %}{% for j in range(300) %}{% endfor %}{% endfor %}"
    (root / "chat_template.jinja").write_text(loop + tiny.TEMPLATE)
    monkeypatch.setattr("rmaudit.models.conversation_input.TEMPLATE_SECONDS", 0.05)
    with pytest.raises(LoadRefusedError, match=r"more than 0\.05 seconds"):
        load(str(root))
