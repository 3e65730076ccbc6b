"""Checkpoint folders that try to run code, read other files, hang or fill the memory; each must be refused.

Every case gets a sound checkpoint and turns it hostile. Code in it, if it ever ran, would make the marker folder.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from rmaudit.models import safety
from tests.models.tiny import TEMPLATE, edit_json

Write = Callable[[Path, Path], None]
"""Turns the sound checkpoint at the first path hostile; its code would make the folder at the second."""


@dataclass(frozen=True)
class Case:
    """A way to make a checkpoint hostile."""

    name: str
    write: Write
    says: str = ""
    """Pattern that the refusal must hold: it was refused for what it is."""
    exit_code: int = 3
    """0 for what is hostile only to those who open it, and is never opened."""
    needs_torch: bool = False
    """Whether it can be told only after the libraries were imported, which takes seconds."""


CASES: list[Case] = []


def case(says: str, *, exit_code: int = 3, needs_torch: bool = False) -> Callable[[Write], Write]:
    """Add a function to the corpus."""

    def add(write: Write) -> Write:
        CASES.append(Case(write.__name__, write, says, exit_code, needs_torch))
        return write

    return add


class Payload:
    """Pickles as a call that makes a folder."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def code(marker: Path) -> str:
    """Python that makes the marker folder when it is imported."""
    return f"import os\nos.mkdir({str(marker)!r})\nclass C: pass\n"


# Pickles that a loader of weights might open


@case("asks for posix.mkdir")
def raw_pickle(root: Path, marker: Path) -> None:
    (root / "model.safetensors").unlink()
    (root / "pytorch_model.bin").write_bytes(pickle.dumps({"score.weight": Payload(marker)}))


@case("asks for posix.mkdir")
def raw_pickle_of_protocol_0(root: Path, marker: Path) -> None:
    (root / "model.safetensors").unlink()
    (root / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(marker), protocol=0))


@case("asks for posix.mkdir")
def torch_file(root: Path, marker: Path) -> None:
    state: dict[str, Any] = load_file(root / "model.safetensors")
    (root / "model.safetensors").unlink()
    torch.save(state | {"zz": Payload(marker)}, root / "pytorch_model.bin")


@case("asks for posix.mkdir")
def torch_file_of_protocol_4(root: Path, marker: Path) -> None:
    (root / "model.safetensors").unlink()
    torch.save({"a": Payload(marker)}, root / "pytorch_model.bin", pickle_protocol=4)


@case("asks for posix.mkdir")
def one_of_the_shards(root: Path, marker: Path) -> None:
    state = load_file(root / "model.safetensors")
    (root / "model.safetensors").unlink()
    torch.save(state, root / "pytorch_model-00001-of-00002.bin")
    torch.save({"zz": Payload(marker)}, root / "pytorch_model-00002-of-00002.bin")
    weight_map = dict.fromkeys(state, "pytorch_model-00001-of-00002.bin") | {"zz": "pytorch_model-00002-of-00002.bin"}
    (root / safety.PICKLE_INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


@case("since 1.6")
def legacy_torch_file(root: Path, marker: Path) -> None:
    state: dict[str, Any] = load_file(root / "model.safetensors")
    (root / "model.safetensors").unlink()
    torch.save(state | {"zz": Payload(marker)}, root / "pytorch_model.bin", _use_new_zipfile_serialization=False)


@case("TorchScript")
def torchscript(root: Path, marker: Path) -> None:
    (root / "model.safetensors").unlink()
    write_torch_file(root / "pytorch_model.bin", state_pickle(), {"constants.pkl": b"\x80\x02).", "code/a.py": b""})


@case("is damaged")
def pickle_named_safetensors(root: Path, marker: Path) -> None:
    (root / "model.safetensors").write_bytes(pickle.dumps(Payload(marker)))


@case("is damaged")
def torch_file_named_safetensors(root: Path, marker: Path) -> None:
    torch.save({"score.weight": Payload(marker)}, root / "model.safetensors")


def beside(name: str) -> None:
    """Add the case of a hostile pickle under a name that some loader opens, beside sound weights."""

    def write(root: Path, marker: Path) -> None:
        torch.save({"a": Payload(marker)}, root / name)

    def write_raw(root: Path, marker: Path) -> None:
        (root / name).write_bytes(pickle.dumps({"a": Payload(marker)}))

    label, says = name.replace(".", "_"), "asks for posix.mkdir|pickled decision tree"
    CASES.append(Case(f"{label}_beside", write, says=says))
    CASES.append(Case(f"{label}_raw_beside", write_raw, says=says))


for _name in (
    *("value_head.bin", "reward_head.pt", "gating_layer.pt", "regression_layer.pt", "training_args.bin"),
    *("optimizer.pt", "scheduler.pt", "rng_state.pth", "vocab.pkl", "tokenizer.pickle", "decision_tree.pkl"),
):
    beside(_name)


@case("")
def adapter(root: Path, marker: Path) -> None:
    for path in root.iterdir():
        path.unlink()
    told = {"peft_type": "LORA", "task_type": "SEQ_CLS", "base_model_name_or_path": str(root), "r": 1}
    (root / "adapter_config.json").write_text(json.dumps(told))
    torch.save({"base_model.model.score.weight": Payload(marker)}, root / "adapter_model.bin")


@case("")
def adapter_of_a_base_outside(root: Path, marker: Path) -> None:
    weights = root / "model.safetensors"
    told = {"peft_type": "LORA", "task_type": "SEQ_CLS", "base_model_name_or_path": "../../../../etc", "r": 1}
    (root / "adapter_config.json").write_text(json.dumps(told))
    weights.rename(root / "adapter_model.safetensors")
    (root / "config.json").unlink()


# Pickles and containers that are bombs


def integer(value: int) -> bytes:
    """A whole number in a pickle, of any size."""
    raw = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def text(value: str) -> bytes:
    """A text in a pickle."""
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def state_pickle(
    size: tuple[int, ...] = (2, 2),
    stride: tuple[int, ...] = (2, 1),
    stored: int = 4,
    offset: int = 0,
    kind: str = "FloatStorage",
    key: str = "0",
) -> bytes:
    """Pickle of a mapping with one tensor, ``w``, as torch writes it, but with any numbers in it."""
    storage = b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu") + integer(stored) + b"tQ"
    sizes, strides = (b"(" + b"".join(map(integer, values)) + b"t" for values in (size, stride))
    rest = b"\x89ccollections\nOrderedDict\n)R"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + integer(offset) + sizes + strides + rest + b"tR"
    return b"\x80\x02}" + text("w") + tensor + b"s."


def write_torch_file(
    path: Path, raw: bytes, more: dict[str, bytes] | None = None, data: bytes = bytes(16), deflate: str = ""
) -> None:
    """A zip container as torch writes it, around any pickle; the record named `deflate` is compressed."""
    records = {"data.pkl": raw, "byteorder": b"little", "data/0": data, "version": b"3\n", **(more or {})}
    with zipfile.ZipFile(path, "w") as container:
        for name, content in records.items():
            method = zipfile.ZIP_DEFLATED if name == deflate else zipfile.ZIP_STORED
            container.writestr(zipfile.ZipInfo(f"archive/{name}"), content, method)


def bomb(
    says: str, more: dict[str, bytes] | None = None, deflate: str = ""
) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    """Add the case of a pickle, in a sound container, that is a bomb."""

    def add(make: Callable[[], bytes]) -> Callable[[], bytes]:
        def write(root: Path, marker: Path) -> None:
            (root / "model.safetensors").unlink()
            write_torch_file(root / "pytorch_model.bin", make(), more, deflate=deflate)

        CASES.append(Case(make.__name__, write, says=says))
        return make

    return add


@bomb("claims more numbers")
def tensor_of_a_terabyte() -> bytes:
    return state_pickle((1 << 19, 1 << 19), (0, 0))


@bomb("claims more numbers")
def tensor_behind_its_data() -> bytes:
    return state_pickle(offset=1 << 40)


@bomb("not of the size")
def data_of_a_terabyte() -> bytes:
    return state_pickle((1 << 38,), (1,), stored=1 << 38)


@bomb("impossible shape")
def tensor_of_negative_size() -> bytes:
    return state_pickle((-1, -4), (1, 1))


@bomb("missing or not of the size")
def data_outside() -> bytes:
    return state_pickle(key="../../../../etc/passwd")


@bomb("steps")
def pickle_without_end() -> bytes:
    return b"\x80\x02" + b"]" * 5_000_000 + b"."


@bomb("steps")
def lists_in_lists() -> bytes:
    return b"\x80\x02" + b"N" + b"\x85" * 3_000_000 + b"."


@bomb("take a few million at most")
def huge_pickle() -> bytes:
    return b"\x80\x02" + text("a" * (40 << 20)) + b"."


@bomb("neither a text nor a small number")
def keys_that_collide() -> bytes:
    keys = b"".join(integer(i * ((1 << 61) - 1)) + b"N" for i in range(100_000))
    return b"\x80\x02}(" + keys + b"u."


@bomb("neither a text nor a small number")
def key_that_hashes_for_ever() -> bytes:
    return b"\x80\x02N\x85q\x01" + b"h\x01h\x01\x86q\x01" * 60 + b"}h\x01Ns."


@bomb("no mapping")
def memo_at_the_end_of_memory() -> bytes:
    return b"\x80\x02}r\xff\xff\xff\xff" + b"."


@bomb("damaged")
def text_of_an_exabyte() -> bytes:
    return b"\x80\x04\x8d" + struct.pack("<Q", 1 << 60) + b"a."


@bomb("compressed", deflate="data.pkl")
def deflated_pickle() -> bytes:
    return b"\x80\x02" + text("a" * (30 << 20)) + b"."


@case("compressed")
def deflated_data(root: Path, marker: Path) -> None:
    (root / "model.safetensors").unlink()
    size = 128 << 20
    raw = state_pickle((size // 4,), (1,), stored=size // 4)
    write_torch_file(root / "pytorch_model.bin", raw, data=bytes(size), deflate="data/0")


@bomb("twice", more={"DATA.PKL": b"\x80\x02}."})
def two_pickles() -> bytes:
    return state_pickle()


@bomb("name of a record", more={"../../etc/passwd": b""})
def record_outside() -> bytes:
    return state_pickle()


@case("over another")
def overlapping_records(root: Path, marker: Path) -> None:
    (root / "model.safetensors").unlink()
    path = root / "pytorch_model.bin"
    write_torch_file(path, state_pickle(), {"data/1": bytes(16)})
    raw = path.read_bytes()
    first, second = raw.rindex(b"archive/data/0"), raw.rindex(b"archive/data/1")
    place = raw[first - 4 : first]  # where the header of the record is
    path.write_bytes(raw[: second - 4] + place + raw[second:])


@case("announces")
def directory_of_millions(root: Path, marker: Path) -> None:
    (root / "model.safetensors").unlink()
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1 << 40, 1 << 40, 1 << 46, 4)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 4, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    (root / "pytorch_model.bin").write_bytes(b"PK\x03\x04" + end64 + locator + end)


# Code by other doors


@case("evil", needs_torch=True)
def code_of_an_unknown_model(root: Path, marker: Path) -> None:
    (root / "evil.py").write_text(code(marker))
    auto = {"AutoConfig": "evil.C", "AutoModel": "evil.C", "AutoModelForSequenceClassification": "evil.C"}
    edit_json(root / "config.json", auto_map=auto, model_type="evil")


@case("", exit_code=0, needs_torch=True)
def code_beside_a_known_model(root: Path, marker: Path) -> None:
    (root / "evil.py").write_text(code(marker))
    auto = {"AutoConfig": "evil.C", "AutoModelForSequenceClassification": "evil.C", "AutoTokenizer": ["evil.C", None]}
    edit_json(root / "config.json", auto_map=auto)
    edit_json(root / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.C", "evil.C"]})
    (root / "custom_generate").mkdir()
    (root / "custom_generate" / "generate.py").write_text(code(marker))
    (root / "requirements.txt").write_text("evil-package\n")
    (root / "setup.py").write_text(code(marker))
    (root / "sitecustomize.py").write_text(code(marker))
    (root / "torch.py").write_text(code(marker))


def own_tokenizer(root: Path, marker: Path) -> None:
    """A tokenizer that is to be made by code beside it, from files elsewhere."""
    (root / "evil.py").write_text(code(marker))
    edit_json(
        root / "tokenizer_config.json",
        auto_map={"AutoTokenizer": ["evil.Tok", "evil.Tok"]},
        tokenizer_class="EvilTokenizer",
        tokenizer_file="/etc/passwd",
        vocab_file="/etc/passwd",
    )


@case("", exit_code=0, needs_torch=True)
def tokenizer_of_its_own_beside_a_plain_one(root: Path, marker: Path) -> None:
    own_tokenizer(root, marker)


@case("code of its own", needs_torch=True)
def tokenizer_of_its_own(root: Path, marker: Path) -> None:
    own_tokenizer(root, marker)
    (root / "tokenizer.json").unlink()


@case("evil/kernel", needs_torch=True)
def kernel_from_elsewhere(root: Path, marker: Path) -> None:
    edit_json(root / "config.json", attn_implementation="evil/kernel")


# Chat templates


def template(source: str) -> Write:
    """Put a chat template into the checkpoint."""

    def write(root: Path, marker: Path) -> None:
        (root / "chat_template.jinja").write_text(source.replace("MARKER", str(marker)))

    return write


TEMPLATES = {
    "escape_by_class": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "escape_by_globals": "{{ raise_exception.__globals__['os'].mkdir('MARKER') }}",
    "escape_by_format": "{{ '{0.__class__.__mro__}'.format(messages) }}{{ lipsum.__globals__.os.mkdir('MARKER') }}",
    "endless_range": "{% for i in range(10**12) %}x{% endfor %}",
    "nested_loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}" + TEMPLATE,
    "recursion": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "memory_by_product": "{{ 'x' * 10**11 }}",
    "memory_by_padding": "{{ 'x'|center(10**11) }}",
    "memory_by_doubling": "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
    "huge_power": "{{ 9 ** 9 ** 9 }}",
}

for _name, _source in TEMPLATES.items():
    CASES.append(Case(f"template_{_name}", template(_source), says="chat template", needs_torch=True))


@case("larger than 1 MiB")
def template_of_many_megabytes(root: Path, marker: Path) -> None:
    (root / "chat_template.jinja").write_text("{{ 'x' }}" * 1_000_000)


# Places outside the folder, and things that are no files


def indexed(name: str) -> Write:
    """An index that names a file."""

    def write(root: Path, marker: Path) -> None:
        state = load_file(root / "model.safetensors")
        (root / "model.safetensors").rename(root / "model-00001-of-00002.safetensors")
        weight_map = dict.fromkeys(state, "model-00001-of-00002.safetensors") | {"score.weight": name}
        (root / safety.INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))

    return write


for _label, _name in {
    "climbing": "../../../../etc/passwd",
    "absolute": "/etc/passwd",
    "windows": "..\\..\\etc\\passwd",
    "null": "a\0.safetensors",
    "device": "/dev/zero",
}.items():
    CASES.append(Case(f"index_{_label}", indexed(_name), says="names a file outside itself"))
CASES.append(Case("index_to_a_pickle", indexed("training_args.bin"), says=r"not a \.safetensors file"))


def linked(name: str, target: str) -> Write:
    """A link in place of a file."""

    def write(root: Path, marker: Path) -> None:
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(target)

    return write


CASES += [
    Case("config_linked_out", linked("config.json", "/etc/passwd"), says="leads out"),
    Case("weights_linked_to_a_device", linked("model.safetensors", "/dev/zero"), says="leads out"),
    Case("tokenizer_linked_to_a_device", linked("tokenizer.json", "/dev/random"), says="leads out"),
    Case("any_file_linked_out", linked("generation_config.json", "/etc/passwd"), says="leads out"),
    Case("folder_linked_out", linked("additional_chat_templates", "/etc"), says="leads out"),
    Case("config_linked_to_itself", linked("config.json", "config.json"), says="cannot be followed"),
    Case("folder_in_itself", linked("more", "."), exit_code=0, needs_torch=True),
]


def pipe(name: str) -> Write:
    """A pipe in place of a file: whoever opens it waits for ever."""

    def write(root: Path, marker: Path) -> None:
        (root / name).unlink(missing_ok=True)
        os.mkfifo(root / name)

    return write


for _name in (
    *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    *("README.md", "generation_config.json", "adapter_config.json", "training_args.bin"),
):
    CASES.append(Case(f"pipe_{_name.replace('.', '_')}", pipe(_name), says="a pipe"))


@case("a folder")
def folder_named_config(root: Path, marker: Path) -> None:
    (root / "config.json").unlink()
    (root / "config.json").mkdir()


@case("more than 20,000 files")
def too_many_files(root: Path, marker: Path) -> None:
    for i in range(safety.MAX_ENTRIES + 1):
        (root / f"{i}.json").touch()


# Headers


def header(says: str, make: Callable[[], tuple[bytes, bytes]]) -> None:
    """Add the case of a safetensors file of this header and these bytes."""

    def write(root: Path, marker: Path) -> None:
        raw, data = make()
        (root / "model.safetensors").write_bytes(struct.pack("<Q", len(raw)) + raw + data)

    CASES.append(Case(f"header_{make.__name__}", write, says=says))


def entry(shape: str, start: int, end: int, dtype: str = "F32") -> str:
    """One tensor of a header."""
    return f'{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}'


def terabytes_of_data() -> tuple[bytes, bytes]:
    return f'{{"score.weight":{entry("[274877906944]", 0, 1 << 40)}}}'.encode(), bytes(16)


def overlapping() -> tuple[bytes, bytes]:
    return f'{{"a":{entry("[4]", 0, 16)},"b":{entry("[4]", 8, 24)}}}'.encode(), bytes(24)


def negative_shape() -> tuple[bytes, bytes]:
    return f'{{"a":{entry("[-2,-2]", 0, 16)}}}'.encode(), bytes(16)


def fractional_shape() -> tuple[bytes, bytes]:
    return f'{{"a":{entry("[4.0]", 0, 16)}}}'.encode(), bytes(16)


def shape_of_many_sides() -> tuple[bytes, bytes]:
    return f'{{"a":{entry("[" + ",".join(["9" * 18] * 100_000) + "]", 0, 16)}}}'.encode(), bytes(16)


def number_of_a_million_digits() -> tuple[bytes, bytes]:
    return f'{{"a":{entry("[" + "9" * 1_000_000 + "]", 0, 16)}}}'.encode(), bytes(16)


def same_name_twice() -> tuple[bytes, bytes]:
    return f'{{"a":{entry("[4]", 0, 16)},"a":{entry("[4]", 0, 16)}}}'.encode(), bytes(16)


def unknown_type() -> tuple[bytes, bytes]:
    return f'{{"a":{entry("[1099511627776]", 0, 16, "X9")}}}'.encode(), bytes(16)


def millions_of_entries() -> tuple[bytes, bytes]:
    return ("{" + ",".join(f'"{i}":{entry("[0]", 0, 0)}' for i in range(1_200_000)) + "}").encode(), b""


def deeply_nested() -> tuple[bytes, bytes]:
    return b'{"a":' + b"[" * 1_000_000, b""


def lists_of_lists() -> tuple[bytes, bytes]:
    return b'{"a":[' + b"[]," * 30_000_000 + b"[]]}", b""


for _says, _make in (
    ("does not fit its shape|and there are", terabytes_of_data),
    ("does not fit its shape", overlapping),
    ("a shape or a type", negative_shape),
    ("a shape or a type", fractional_shape),
    ("a shape or a type", shape_of_many_sides),
    ("digits", number_of_a_million_digits),
    ("twice", same_name_twice),
    ("unknown type X9", unknown_type),
    ("more than 2,000,000 entries", millions_of_entries),
    ("cannot be read", deeply_nested),
    ("more than 2,000,000 entries", lists_of_lists),
):
    header(_says, _make)


@case("its header is longer than the file")
def header_of_terabytes(root: Path, marker: Path) -> None:
    (root / "model.safetensors").write_bytes(struct.pack("<Q", 1 << 42) + b"{}")


@case("its header is longer than the file")
def header_of_a_gigabyte(root: Path, marker: Path) -> None:
    with (root / "model.safetensors").open("wb") as stream:
        stream.write(struct.pack("<Q", 1 << 30) + b"{")
        stream.truncate(2 << 30)  # takes no room on the disk


# Configs


def config(says: str, name: str, raw: str) -> None:
    """Add the case of a config that is this text."""

    def write(root: Path, marker: Path) -> None:
        (root / "config.json").write_text(raw)

    CASES.append(Case(f"config_{name}", write, says=says))


config("digits", "number_of_a_million_digits", '{"hidden_size": ' + "9" * 1_000_000 + "}")
config("NaN", "not_a_number", '{"hidden_size": NaN}')
config("twice", "same_key_twice", '{"model_type": "llama", "model_type": "bert"}')
config("not valid JSON", "deeply_nested", '{"a":' * 500_000)
config("more than 2,000,000 entries", "millions_of_entries", '{"a":[' + "[]," * 5_000_000 + "[]]}")


@case("larger than 16 MiB")
def config_of_many_megabytes(root: Path, marker: Path) -> None:
    with (root / "config.json").open("r+b") as stream:
        stream.truncate(1 << 40)


@case("larger than 128 MiB")
def tokenizer_of_many_megabytes(root: Path, marker: Path) -> None:
    with (root / "tokenizer.json").open("r+b") as stream:
        stream.truncate(1 << 40)


def absurd(name: str, **entries: Any) -> None:
    """Add the case of a config that announces what the weights could never fill."""

    def write(root: Path, marker: Path) -> None:
        edit_json(root / "config.json", **entries)

    CASES.append(Case(f"absurd_{name}", write, says="makes no sense for its weights"))


absurd("layers", num_hidden_layers=10_000_000)
absurd("width", hidden_size=1 << 36)
absurd("vocabulary", vocab_size=1 << 39)
absurd("heads", num_attention_heads=1 << 30)
absurd("experts", num_local_experts=1 << 30, model_type="mixtral")
absurd("positions", max_position_embeddings=1 << 39)
absurd("mask", model_type="gpt2", n_positions=1 << 20)
absurd("integer", rope_theta=1 << 50)
absurd("layers_of_a_part", text_config={"num_hidden_layers": 10_000_000})
absurd("sizes_together", hidden_size=600, vocab_size=600)


# YAML


def billion_laughs(path: Path) -> Path:
    """A YAML file of a few hundred bytes that is gigabytes when its aliases are merged."""
    lines = ["a0: &a0 {x0: 1, y0: 2}"]
    for i in range(1, 30):
        merged = ", ".join([f"*a{i - 1}"] * 9)
        lines.append(f"a{i}: &a{i} {{<<: [{merged}]}}")
    path.write_text("\n".join(lines))
    return path


@case("", exit_code=0, needs_torch=True)
def card_of_a_billion_laughs(root: Path, marker: Path) -> None:
    path = billion_laughs(root / "README.md")
    path.write_text(f"---\n{path.read_text()}\n---\n")


def make(chosen: Case, sound: Path, place: Path) -> tuple[Path, Path]:
    """Write a case at `place`, from a sound checkpoint: its folder, and the marker that its code would make."""
    root, marker = place / "checkpoint", place / "marker"
    shutil.copytree(sound, root)
    chosen.write(root, marker)
    return root, marker
