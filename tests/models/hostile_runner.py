"""Runs commands for the hostile corpus, each in a process of its own with its standard input closed, and measures them.

A server that has imported the command line, but neither torch nor transformers (unless it is told ``warm``), and forks
for every command, so that each starts at once and still shows what a fresh process does. Started as a script; reads one
JSON request a line and answers with exit code (``None``: it was killed at the deadline), seconds, and peak memory in
bytes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any


def serve() -> None:
    """Answer requests until the input ends."""
    import rmaudit.cli.console
    import rmaudit.models.inspection
    import rmaudit.scoring.file  # noqa: F401

    assert "torch" not in sys.modules, "a refusal must not need torch"
    if "warm" in sys.argv:
        import torch
        import transformers.models.llama.modeling_llama  # noqa: F401

        torch.set_num_threads(1)
    for line in sys.stdin:
        request = json.loads(line)
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            become(request)
        answer = watch(child, began + request["seconds"])
        print(json.dumps(answer | {"seconds": time.monotonic() - began}), flush=True)


def watch(child: int, deadline: float) -> dict[str, Any]:
    """Wait for a process until the deadline, and kill it then."""
    killed = False
    while True:
        found, status, used = os.wait4(child, os.WNOHANG)
        if found:
            unit = 1 if sys.platform == "darwin" else 1024
            code = None if killed else os.waitstatus_to_exitcode(status)
            return {"code": code, "peak": used.ru_maxrss * unit}
        if not killed and time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            killed = True
        time.sleep(0.01)


def become(request: dict[str, Any]) -> None:
    """Turn this process into the command, and end with it."""
    from rmaudit.cli.main import main

    os.chdir(request["cwd"])
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(0)
    sys.stdin = None  # type: ignore[assignment]
    sys.argv = ["rmaudit", *request["args"]]
    code: Any = 70
    try:
        main()
    except SystemExit as done:
        code = done.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    serve()
