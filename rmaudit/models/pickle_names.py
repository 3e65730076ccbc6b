"""Names of code that a pickle asks for, read without running it, and folders that give themselves away by them."""

from __future__ import annotations

import pickletools
import re
from collections.abc import Iterable
from pathlib import Path

from rmaudit.errors import LoadRefusedError
from rmaudit.models import safety, torch_zip

MAX_NEIGHBOURS = 24
"""Most pickles that are looked at beside the weights."""
PEEK_BYTES = 4 << 20
PEEK_STEPS = 100_000

_DANGEROUS = re.compile(
    r"(os|posix|nt|subprocess|sys|shutil|socket|pty|runpy|importlib|ctypes|code|codeop|pip|webbrowser|urllib|http|"
    r"requests|httpx|ftplib|smtplib|pickle|marshal|commands|timeit|cProfile|profile|pdb|bdb|asyncio|multiprocessing|"
    r"threading|signal|platform|tempfile|venv|ensurepip)\..*"
    r"|(builtins|__builtin__)\.(eval|exec|execfile|compile|__import__|open|file|breakpoint|input|apply)"
)
"""Names that no state of a training asks for, and that can run whatever a pickle says."""


def require_harmless_neighbours(root: Path, names: Iterable[str]) -> None:
    """Refuse a folder in which a pickle plainly asks to run something, even one that is never opened.

    Training leaves pickles beside the weights (``optimizer.pt``, ``training_args.bin``); those ask for classes of
    their libraries, which is fine, since they are not read. One that asks for a shell was put there by somebody who
    wants to run it, and then nothing in the folder can be relied on. Looks at `MAX_NEIGHBOURS` files at most.

    Args:
        root: the checkpoint folder.
        names: names of files in it, as `safety.folder_names` gives them.

    Raises:
        LoadRefusedError: naming the file and what it asks for.
    """
    suspects = sorted(name for name in names if name.endswith((*safety.PICKLE_SUFFIXES, ".pkl", ".pickle")))
    for name in suspects[:MAX_NEIGHBOURS]:
        path = root / name
        if not path.is_file():
            continue
        found = [wanted for wanted in asked_names(path) if _DANGEROUS.fullmatch(wanted)]
        if found:
            raise LoadRefusedError(
                f"{path} is a pickle that asks for {', '.join(found[:3])}, so it would run code when it is opened. It "
                "was not opened, and nor was the rest of the folder. If you trust the rest, take that file out."
            )


def asked_names(path: Path) -> tuple[str, ...]:
    """Names of code that a pickle asks for, sorted; read without running it.

    For pickles that nobody opens, to say what they are: a raw pickle as well as a torch file. What cannot be read, or
    lies beyond the first `PEEK_BYTES` or `PEEK_STEPS`, is not in the answer, so an empty answer is no permission.

    Raises:
        LoadRefusedError: when the file cannot be read at all.
    """
    if torch_zip.is_zip(path):
        try:
            record = torch_zip.read_records(path).get("data.pkl")
        except LoadRefusedError:
            return ()
        if record is None:
            return ()
        raw = torch_zip.read_record(path, torch_zip.Record(record.offset, min(record.size, PEEK_BYTES)))
    else:
        with safety.open_file(path) as stream:
            raw = stream.read(PEEK_BYTES)
    return tuple(sorted(_peeked(raw)))


def _peeked(raw: bytes) -> set[str]:
    """Names of code in a pickle, as far as it can be read; of the stack it knows the last two texts."""
    found: set[str] = set()
    texts = ["", ""]
    memo: dict[object, str] = {}
    try:
        for step, (instruction, argument, _) in enumerate(pickletools.genops(raw)):
            name = instruction.name
            if step >= PEEK_STEPS:
                break
            if name in ("GLOBAL", "INST"):
                found.add(str(argument).replace(" ", "."))
            elif name == "STACK_GLOBAL":
                found.add(".".join(texts))
            elif name == "MEMOIZE":
                memo[len(memo)] = texts[1]
            elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
                memo[argument] = texts[1]
            elif name in ("BINGET", "LONG_BINGET", "GET"):
                texts = [texts[1], memo.get(argument, "")]
            elif isinstance(argument, str):
                texts = [texts[1], argument]
    except Exception:  # it is read for its names alone, and ends where it cannot be read
        pass
    return {name[:200] for name in found}
