"""Layer after layer, a forward pass gets the memory that it freed; what a user tuned stays."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

_FAULTS = """
import resource
from rmaudit.models.heap import keep_freed_memory
done = {call}
def layers():
    for _ in range(10):
        activations = [bytearray(16 << 20) for _ in range(5)]
        del activations
layers()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
layers()
print(done, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run(call: str, **environment: str) -> tuple[str, int]:
    """What the call answered, and how many pages the system cleared for ten layers."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    found = subprocess.run(
        [sys.executable, "-c", _FAULTS.format(call=call)],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    done, faults = found.stdout.split()
    return done, int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_freed_memory_is_kept() -> None:
    done, faults = run("keep_freed_memory()")
    untouched = run("None")[1]
    assert done == "True"
    assert faults < untouched / 20


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_what_a_user_tuned_stays(name: str) -> None:
    value = "glibc.malloc.arena_max=2" if name == "GLIBC_TUNABLES" else "131072"
    assert run("keep_freed_memory()", **{name: value})[0] == "False"
