"""A process that has imported rmaudit once and forks for every command, so that tests do not wait for imports.

Each command still runs in a process of its own, with its own output, environment, folder and exit code. Started as
a script; reads one JSON request a line and answers with the exit code.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def serve() -> None:
    """Answer requests until the input ends."""
    import rmaudit.audit
    import rmaudit.gate.decide
    import rmaudit.models.callable
    import rmaudit.models.selftest
    import rmaudit.reporting.html
    import rmaudit.reporting.markdown
    import rmaudit.reporting.terminal  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            become(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def become(request: dict[str, Any]) -> None:
    """Turn this process into the command, and end with it."""
    from rmaudit.cli.main import main

    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    for descriptor, path in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), descriptor)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8", errors=errors)
        for number, mode, errors in ((0, "r", "strict"), (1, "w", "strict"), (2, "w", "backslashreplace"))
    )
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
