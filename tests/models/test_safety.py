from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models import safety
from rmaudit.models.absurd import absurd_config
from rmaudit.models.card import read_card
from rmaudit.models.checkpoint import read_safetensors_header
from rmaudit.models.load import load, open_checkpoint
from rmaudit.models.options import LoadOptions
from tests.models import hostile, tiny

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


def test_a_pickle_runs_nothing_with_or_without_the_flag(llama: Path, copy_of: Copy, tmp_path: Path) -> None:
    root, touched = copy_of(llama), tmp_path / "touched"
    (root / "model.safetensors").unlink()
    weights = root / "pytorch_model.bin"
    for write in (lambda state: weights.write_bytes(pickle.dumps(state)), lambda state: torch.save(state, weights)):
        write({"score.weight": hostile.Payload(touched)})
        for options in (LoadOptions(), LoadOptions(allow_pickle=True)):
            with pytest.raises(LoadRefusedError, match=r"not a plain file of tensors.*asks for posix\.mkdir"):
                load(str(root), options)
    assert not touched.exists()


def test_plain_tensors_in_a_pickle_still_need_the_flag(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    torch.save(load_file(root / "model.safetensors"), root / "pytorch_model.bin")
    (root / "model.safetensors").unlink()
    with pytest.raises(LoadRefusedError, match="--allow-pickle"):
        load(str(root))


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
    torch.save(load_file(root / "model.safetensors"), root / "pytorch_model.bin")
    (root / "model.safetensors").unlink()
    monkeypatch.setattr(safety, "version", lambda name: "2.9.1+cpu")
    with pytest.raises(UsageError, match=r"2\.10 or newer"):
        load(str(root), LoadOptions(allow_pickle=True))


def test_safetensors_win_over_a_pickle_beside_them(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    (root / "pytorch_model.bin").write_bytes(b"not even a pickle")
    checkpoint = open_checkpoint(str(root), LoadOptions(allow_pickle=True))
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
    assert any("auto_map" in line and "not run" in line for line in model.facts.risks)


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


def test_a_template_that_does_not_end_is_given_up(llama: Path, copy_of: Copy) -> None:
    root = copy_of(llama)
    loop = "{% for i in range(20000) %}{% for j in range(20000) %}{% endfor %}{% endfor %}"
    (root / "chat_template.jinja").write_text(loop + tiny.TEMPLATE)
    began = time.monotonic()
    with pytest.raises(LoadRefusedError, match="chat template"):
        load(str(root))
    assert time.monotonic() - began < 8


def test_finding_pickles_needs_no_permission_and_no_torch(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    assert safety.find_weights(tmp_path) == ("pytorch_model.bin",)
    assert safety.is_pickle("pytorch_model.bin")
    with pytest.raises(LoadRefusedError, match=r"as pickles \(pytorch_model\.bin\).*--allow-pickle"):
        safety.require_pickle_permission(tmp_path, ["pytorch_model.bin"], allow_pickle=False)
    safety.require_pickle_permission(tmp_path, [], allow_pickle=False)
    safety.require_pickle_permission(tmp_path, ["pytorch_model.bin"], allow_pickle=True)


def test_names_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "inner").mkdir()
    (tmp_path / "link.json").symlink_to("config.json")
    (tmp_path / "gone.json").symlink_to("nowhere.json")
    assert safety.folder_names(tmp_path) == {"config.json", "inner", "link.json", "gone.json"}


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ('{"a": 1, "b": [2.5, null, Infinity]}', {"a": 1, "b": [2.5, None, float("inf")]}),
        ('{"model_max_length": 1000000000000000019884624838656}', {"model_max_length": int(1e30)}),
    ],
)
def test_json_as_it_is_written_in_the_wild(tmp_path: Path, raw: str, told: dict[str, Any]) -> None:
    (tmp_path / "x.json").write_text(raw)
    assert safety.read_json(tmp_path, "x.json") == told


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' twice"),
        ('{"a": {"b": NaN}}', "NaN"),
        ('{"a": ' + "9" * 5000 + "}", "a number of 5,000 digits"),
        ("{" + ",".join(f'"{i}":1' for i in range(safety.MAX_JSON_ITEMS + 1)) + "}", "more than 2,000,000 entries"),
        ('{"a":' * 200_000, "not valid JSON"),
        ("{}\xff", "not valid JSON"),
    ],
    ids=["twice", "nan", "digits", "entries", "deep", "encoding"],
)
def test_json_that_is_refused(tmp_path: Path, raw: str, says: str) -> None:
    (tmp_path / "x.json").write_bytes(raw.encode("latin-1"))
    with pytest.raises(LoadRefusedError, match=says):
        safety.read_json(tmp_path, "x.json")


def test_a_file_that_is_none_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, says in ((tmp_path / "pipe", "is a pipe"), (Path("/dev/zero"), "is a device"), (tmp_path, "is a folder")):
        with pytest.raises(LoadRefusedError, match=says):
            safety.open_file(path)
    with pytest.raises(LoadRefusedError, match="cannot be read"):
        safety.open_file(tmp_path / "nothing")


def test_yaml_without_aliases(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("layers:\n  - {weight: a.weight, bias: null}\nsign: -1\n")
    assert safety.read_yaml(tmp_path / "spec.yaml") == {"layers": [{"weight": "a.weight", "bias": None}], "sign": -1}
    with pytest.raises(LoadRefusedError, match="an anchor or an alias"):
        safety.read_yaml(hostile.billion_laughs(tmp_path / "bomb.yaml"))
    with pytest.raises(LoadRefusedError, match="larger than"):
        safety.parse_yaml("a" * (safety.MAX_YAML_BYTES + 1), "it")
    with pytest.raises(LoadRefusedError, match="nested more than 32 deep"):
        safety.parse_yaml("[" * 40 + "]" * 40, "it")
    for text in ("a: [", "!!python/object/apply:os.system ['true']", "a: 2020-99-99"):
        with pytest.raises(UsageError, match="not valid YAML"):
            safety.parse_yaml(text, "it")


def test_a_card_cannot_multiply_itself(tmp_path: Path) -> None:
    card = "---\nlicense: mit\n{more}---\n"
    (tmp_path / "README.md").write_text(card.format(more=""))
    assert read_card(tmp_path) == {"license": ["mit"]}
    bomb = hostile.billion_laughs(tmp_path / "bomb.yaml").read_text()
    (tmp_path / "README.md").write_text(card.format(more=f"{bomb}\n"))
    assert read_card(tmp_path) == {}


LLAMA = {"num_hidden_layers": 2, "hidden_size": 16, "intermediate_size": 32, "vocab_size": 76, "num_attention_heads": 2}


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({}, None),
        ({"max_position_embeddings": 10_485_760, "rope_theta": 500_000_000, "pad_token_id": -1}, None),
        ({"num_hidden_layers": 10_000}, "num_hidden_layers is 10,000, and there are 21 tensors"),
        ({"n_layer": 10_000}, "n_layer is 10,000"),
        ({"n_routed_experts": 10_000}, "n_routed_experts is 10,000, and no tensor has a side longer than 78"),
        ({"hidden_size": 10_000}, "hidden_size is 10,000"),
        ({"hidden_size": 600, "vocab_size": 600}, "it describes 720,000 numbers or more, and there are"),
        ({"text_config": {"encoder_layers": 10_000}}, r"text_config\.encoder_layers is 10,000"),
        ({"vision_config": {"depth": 10_000}}, r"vision_config\.depth is 10,000"),
        ({"a": [{"b": 1 << 41}]}, "b is 2,199,023,255,552"),
        ({"max_position_embeddings": 1 << 30}, "max_position_embeddings is 1,073,741,824"),
        ({"model_type": "gpt2", "n_positions": 1 << 20}, "n_positions is 1,048,576"),
        ({"num_hidden_layers": "many", "hidden_size": None, "vocab_size": float("inf")}, None),
    ],
)
def test_configs_out_of_proportion(llama: Path, entries: dict[str, Any], says: str | None) -> None:
    problem = absurd_config(LLAMA | entries, read_safetensors_header(llama / "model.safetensors"))
    assert (problem is None) if says is None else re.search(says, problem or ""), problem


@pytest.mark.parametrize("write", [tiny.llama, tiny.gpt2, tiny.bert, tiny.roberta, tiny.mpnet, tiny.convbert])
def test_true_configs_are_in_proportion(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    root = write(tmp_path / "m")
    assert (
        absurd_config(safety.read_json(root, "config.json"), read_safetensors_header(root / "model.safetensors"))
        is None
    )
