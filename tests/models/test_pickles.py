"""The index of torch files: what torch would load, told without opening the pickle."""

from __future__ import annotations

import collections
import importlib.util
import math
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from rmaudit.errors import LoadRefusedError, UsageError
from rmaudit.models import pickle_names, pickles, safety
from rmaudit.models.checkpoint import read_safetensors_header
from rmaudit.models.pickles import load_tensors, read_index, scan_evidence
from tests import synthetic
from tests.models.hostile import Payload, state_pickle, write_torch_file

SPELLED = {
    **{torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"},
    **{torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.bool: "BOOL"},
    **{torch.uint8: "U8", torch.uint16: "U16", torch.uint32: "U32", torch.uint64: "U64", torch.complex64: "C64"},
    **{torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2"},
}


def saved(path: Path, value: Any, **how: Any) -> Path:
    torch.save(value, path, **how)
    return path


def everything() -> dict[str, torch.Tensor]:
    """Tensors of every dtype, and every kind of view that state dicts hold."""
    table = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    views = {
        "whole": table,
        "tied": table,
        "row": table[1],
        "column": table[:, 2],
        "turned": table.T,
        "part": table[1:3, 2:5],
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 7),
        "parameter": torch.nn.Parameter(torch.ones(2, 2)),
        "frozen": torch.nn.Parameter(torch.ones(3), requires_grad=False),
    }
    return views | {str(dtype): torch.zeros(2, 3).to(dtype) for dtype in SPELLED}


def test_the_index_is_what_torch_loads(tmp_path: Path) -> None:
    state = everything()
    index = read_index(saved(tmp_path / "x.bin", state))
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in index.tensors.items()} == {
        name: (tuple(tensor.shape), SPELLED[tensor.dtype]) for name, tensor in state.items()
    }
    assert list(index.tensors) == list(state)
    assert index.wrapper is None
    assert "torch._utils._rebuild_tensor_v2" in index.globals
    loaded = load_tensors(tmp_path / "x.bin")
    assert list(loaded) == list(state)
    for name, tensor in loaded.items():
        assert tensor.dtype == state[name].dtype
        assert torch.equal(tensor.to(torch.complex128), state[name].to(torch.complex128)), name


def test_dtypes_are_spelled_as_in_safetensors(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    state = {str(dtype): torch.zeros(2, 3).to(dtype) for dtype in SPELLED}
    save_file(state, tmp_path / "x.safetensors")
    assert read_safetensors_header(tmp_path / "x.safetensors") == read_index(saved(tmp_path / "x.bin", state)).tensors


def test_a_state_dict_with_its_module_versions(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    index = read_index(saved(tmp_path / "x.pt", module.state_dict()))
    assert index.tensors["0.weight"].shape == (2, 3)
    assert index.tensors["1.num_batches_tracked"].shape == ()


@pytest.mark.parametrize("key", pickles.WRAPPERS)
def test_the_mapping_under_a_usual_key(tmp_path: Path, key: str) -> None:
    module = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.zeros(1, 3)).sum().backward()
    optimizer.step()
    told = {
        key: module.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "loss": 0.25,
        "name": "x",
        "device": torch.device("cpu"),
        "dtype": torch.bfloat16,
        "shape": torch.Size([2, 3]),
        "bytes": b"\x00\xff",
        "seen": 2**70,
        "nothing": None,
        "list": [1, (2, 3)],
    }
    path = saved(tmp_path / "x.ckpt", told)
    index = read_index(path)
    assert index.wrapper == key
    assert set(index.tensors) == {"weight", "bias"}
    assert torch.equal(load_tensors(path)["weight"], module.weight)


def test_scalars_beside_the_tensors_are_left_out(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.bin", {"w": torch.ones(2), "step": 3, "note": "x", "empty": {}})
    assert set(read_index(path).tensors) == set(load_tensors(path)) == {"w"}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (torch.ones(2), "not a mapping from names"),
        ([torch.ones(2)], "not a mapping from names"),
        ({}, "no mapping from names"),
        ({"a": 1}, "no mapping from names"),
        ({"weights": {"w": torch.ones(2)}}, "no mapping from names"),
        ({"model": {"w": torch.ones(2)}, "module": {"w": torch.ones(2)}}, "under model and under module"),
        ({"w": torch.ones(2), "more": {"v": torch.ones(2)}}, "its entry 'more' is no tensor"),
        ({"w": torch.ones(2), 3: torch.ones(2)}, "no proper name"),
        ({"\x1b[2J": torch.ones(2)}, "no proper name"),
        ({"w": torch.ones(1).expand(1000, 1000)}, "more numbers than are stored"),
        ({"w": torch.ones(2, device="meta")}, r"asks for torch\._utils\._rebuild_meta_tensor_no_storage"),
        ({"w": torch.eye(2).to_sparse()}, r"asks for torch\._utils\._rebuild_sparse_tensor"),
        ({"w": torch.ones(2), "x": {1, 2}}, r"asks for __builtin__\.set"),
        ({"w": torch.ones(2), "x": collections.Counter()}, r"asks for collections\.Counter"),
        ({"w": torch.ones(2), (1, 2): 3}, "neither a text nor a small number"),
        ({"w": torch.ones(2), "x": math.sqrt}, r"asks for math\.sqrt"),
        ({"w": torch.ones(2), "x": torch.nn.Linear(1, 1)}, r"asks for torch\.nn\.modules\.linear\.Linear"),
    ],
    ids=range(17),
)
def test_what_is_no_plain_mapping_is_refused_by_name(tmp_path: Path, value: Any, says: str) -> None:
    path = saved(tmp_path / "x.bin", value)
    with pytest.raises(LoadRefusedError, match=says) as caught:
        read_index(path)
    assert str(path) in str(caught.value)
    assert "safetensors" in str(caught.value)
    with pytest.raises(LoadRefusedError, match=says):
        load_tensors(path)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_code_is_named_and_not_run(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "marker"
    value = {"w": torch.ones(2), "x": Payload(marker)}
    path = saved(tmp_path / "x.bin", value, pickle_protocol=protocol)
    with pytest.raises(LoadRefusedError, match=r"asks for posix\.mkdir"):
        read_index(path)
    assert pickle_names.asked_names(path) == (
        *("collections.OrderedDict", "posix.mkdir", "torch.FloatStorage", "torch._utils._rebuild_tensor_v2"),
    )
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists(), "the payload is no payload"


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_raw_pickle_is_named_for_what_it_asks(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "x.bin").write_bytes(pickle.dumps([Payload(tmp_path / "marker")], protocol=protocol))
    with pytest.raises(LoadRefusedError, match=r"since 1\.6, and it asks for posix\.mkdir"):
        read_index(tmp_path / "x.bin")


def test_a_newer_protocol_is_refused_as_torch_would(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.bin", {"w": torch.ones(2)}, pickle_protocol=4)
    with pytest.raises(LoadRefusedError, match="newer pickle protocol"):
        read_index(path)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


def test_an_old_torch_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.bin", {"w": torch.ones(2)}, _use_new_zipfile_serialization=False)
    with pytest.raises(LoadRefusedError, match=r"since 1\.6, .* load and save it again with a current torch"):
        read_index(path)


@pytest.mark.parametrize("kept", [0, 1, 4, 30, 0.2, 0.5, 0.9, -30, -1])
def test_a_file_cut_short_is_refused(tmp_path: Path, kept: float) -> None:
    raw = saved(tmp_path / "whole.bin", {"w": torch.arange(1000)}).read_bytes()
    size = int(kept * len(raw)) if isinstance(kept, float) else kept
    (tmp_path / "x.bin").write_bytes(raw[:size])
    with pytest.raises(LoadRefusedError, match="not opened"):
        read_index(tmp_path / "x.bin")


def test_every_changed_byte_is_survived(tmp_path: Path) -> None:
    raw = saved(tmp_path / "whole.bin", {"w": torch.ones(2, 3), "v": torch.nn.Parameter(torch.ones(4))}).read_bytes()
    path = tmp_path / "x.bin"
    accepted = 0
    for place in range(0, len(raw), 3):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 0x55]) + raw[place + 1 :])
        try:
            accepted += bool(read_index(path).tensors)
        except LoadRefusedError:
            continue
    assert 0 < accepted < len(raw) / 3, "bytes of the data may change, those of the index may not"


def test_the_crafted_pickles_would_be_sound_but_for_their_numbers(tmp_path: Path) -> None:
    write_torch_file(tmp_path / "x.bin", state_pickle())
    index = read_index(tmp_path / "x.bin")
    assert index.tensors["w"].shape == (2, 2)
    assert torch.equal(load_tensors(tmp_path / "x.bin")["w"], torch.zeros(2, 2))


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"size": (3, 2)}, "more numbers than are stored"),
        ({"stride": (3, 1)}, "more numbers than are stored"),
        ({"offset": 1}, "more numbers than are stored"),
        ({"stride": (0, 0), "size": (5, 1)}, "more numbers than are stored"),
        ({"size": (-2, -2)}, "impossible shape"),
        ({"stride": (-2, 1)}, "impossible shape"),
        ({"size": (1,) * 65, "stride": (1,) * 65}, "impossible shape"),
        ({"size": (1 << 200,), "stride": (1,)}, "impossible shape"),
        ({"size": (4,)}, "impossible shape"),
        ({"stored": 5}, "not of the size"),
        ({"kind": "DoubleStorage"}, "not of the size"),
        ({"kind": "QInt8Storage"}, r"asks for torch\.QInt8Storage"),
        ({"key": "1"}, "missing or not of the size"),
    ],
)
def test_numbers_that_do_not_fit_the_data(tmp_path: Path, numbers: dict[str, Any], says: str) -> None:
    write_torch_file(tmp_path / "x.bin", state_pickle(**numbers))
    with pytest.raises(LoadRefusedError, match=says):
        read_index(tmp_path / "x.bin")


def test_loading_needs_a_torch_that_reads_plain_tensors_safely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "x.bin", {"w": torch.ones(2)})
    monkeypatch.setattr(safety, "version", lambda name: "2.9.1")
    assert set(read_index(path).tensors) == {"w"}
    with pytest.raises(UsageError, match=r"2\.10 or newer"):
        load_tensors(path)


def test_the_index_needs_no_torch(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.bin", {"w": torch.ones(2)})
    program = (
        "import sys; from pathlib import Path; from rmaudit.models.pickles import read_index; "
        "print(len(read_index(Path(sys.argv[1])).tensors), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env=synthetic.environment(),
    )
    assert done.stdout.split() == ["1", "False"]


@pytest.mark.skipif(importlib.util.find_spec("picklescan") is None, reason="picklescan is not installed")
def test_evidence_of_another_tool(tmp_path: Path) -> None:
    sound = saved(tmp_path / "sound.bin", {"w": torch.ones(2)})
    assert (scan_evidence(sound) or "").endswith("no dangerous globals")
    hostile = saved(tmp_path / "hostile.bin", {"w": Payload(tmp_path / "marker")})
    assert "dangerous globals posix.mkdir" in (scan_evidence(hostile) or "")
    (tmp_path / "broken.bin").write_bytes(b"PK\x03\x04 and nothing else")
    assert "could not scan" in (scan_evidence(tmp_path / "broken.bin") or "")


def test_no_evidence_without_the_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picklescan.scanner", None)
    assert scan_evidence(saved(tmp_path / "x.bin", {"w": torch.ones(2)})) is None


def test_pickles_of_a_training_may_lie_beside_the_weights(tmp_path: Path) -> None:
    module = torch.nn.Linear(3, 2)
    saved(tmp_path / "optimizer.pt", torch.optim.Adam(module.parameters()).state_dict())
    saved(tmp_path / "training_args.bin", collections.Counter(path=3))
    saved(tmp_path / "rng_state.pth", {"numpy": __import__("numpy").random.get_state(), "cpu": torch.get_rng_state()})
    (tmp_path / "tokenizer.pkl").write_bytes(pickle.dumps(collections.OrderedDict(path=Path("x"))))
    (tmp_path / "notes.pkl").write_bytes(b"not even a pickle")
    names = safety.folder_names(tmp_path)
    pickle_names.require_harmless_neighbours(tmp_path, names)
    (tmp_path / "scheduler.pt").write_bytes(pickle.dumps(Payload(tmp_path / "marker")))
    with pytest.raises(LoadRefusedError, match=r"scheduler\.pt is a pickle that asks for posix\.mkdir"):
        pickle_names.require_harmless_neighbours(tmp_path, os.listdir(tmp_path))
