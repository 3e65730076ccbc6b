"""The process in which a stranger's chat template runs. A script of its own: nothing of rmaudit is imported.

It needs Jinja and the standard library only, so that it starts in a tenth of a second. `template.py` starts
it with the folders of Jinja as arguments and talks to it in frames of JSON, over standard input and output:

1. it says ``{"ready": true}`` once everything is imported and its resources are limited;
2. it is told the template, its variables and the limits, and answers with ``{}`` or ``{"error": why}``;
3. from then on it is told how many conversations follow, and the conversations; it answers each in order,
   with ``{"text": …}`` or ``{"error": why}``.

Whatever cannot be answered (no memory, no time) ends the process, and the parent draws the conclusion.
"""

from __future__ import annotations

import codecs
import json
import os
import signal
import struct
import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, BinaryIO

if __name__ == "__main__":
    sys.path.extend(sys.argv[1:])

# Jinja imports its constants and its debugger only when a template first needs them; by then no file can be
# opened any more.
import jinja2.constants
import jinja2.debug
import jinja2.ext
from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

OUT_OF_MEMORY = 3
"""Exit code of a process that ran into its limit of memory."""

MEMORY_BYTES = 1 << 30
"""Limit of address space, where the system has one."""

_HEADER = struct.Struct(">I")
_CODECS = ("ascii", "latin-1", "utf-8", "utf-16", "utf-32", "unicode-escape")
"""Jinja needs some of them for the strings of a template; a template may ask for the others."""
_MESSAGE_CHARACTERS = 200
_SECONDS_TO_SPARE = 2.0


def write_frame(stream: BinaryIO, value: Any) -> None:
    """Send a value: the length of its JSON (4 bytes, big endian), then the JSON in UTF-8."""
    raw = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    stream.write(_HEADER.pack(len(raw)))
    stream.write(raw)
    stream.flush()


def read_frame(stream: BinaryIO, limit: int = 1 << 32) -> Any:
    """Receive a value.

    Raises:
        EOFError: when the other side is gone.
        ValueError: when the frame is longer than `limit` bytes, or holds no JSON.
    """
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise EOFError
    (length,) = _HEADER.unpack(header)
    if length > limit:
        raise ValueError(f"a frame of {length} bytes")
    raw = stream.read(length)
    if len(raw) < length:
        raise EOFError
    return json.loads(raw)


class GenerationTag(jinja2.ext.Extension):
    """``{% generation %} … {% endgeneration %}``: marks what the assistant said, and writes it as it stands."""

    tags = {"generation"}  # noqa: RUF012  (Jinja declares it as a plain attribute)

    def parse(self, parser: Parser) -> nodes.Node:
        """Read up to the closing tag; the body has a scope of its own."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("write"), [], [], body).set_lineno(line)

    def write(self, caller: Callable[[], str]) -> str:
        """The body's text."""
        return caller()


class _Dict:
    """The ``dict`` of templates: makes dictionaries, and shows nothing else of the class."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


class _PublicNamespace(Namespace):
    """The ``namespace`` of templates, which takes no private names."""

    def __init__(*args: Any, **kwargs: Any) -> None:  # "self" is free as a name in the namespace
        self, *given = args
        values = dict(*given, **kwargs)
        for name in values:
            _require_public(name)
        Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _require_public(name)
        super().__setitem__(name, value)


def _require_public(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a namespace takes no private name such as {name!r}")


def _raise_exception(message: Any) -> None:
    raise TemplateError(message)


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """JSON as it is, where Jinja's own filter would make it safe for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)


def environment() -> ImmutableSandboxedEnvironment:
    """Jinja as chat templates expect it, which is as transformers sets it up."""
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, jinja2.ext.loopcontrols]
    )
    made.filters["tojson"] = _tojson
    made.globals |= {
        "raise_exception": _raise_exception,
        "strftime_now": _strftime_now,
        "dict": _Dict(),
        "namespace": _PublicNamespace,
    }
    return made


def _confine() -> None:
    """Give up what a template has no need of: memory, files, sockets, processes."""
    try:
        import resource
    except ImportError:  # Windows
        return
    # What Python would read at first use, read while files can still be opened: the time zone, and codecs.
    datetime.now().strftime("%c")
    for name in _CODECS:
        codecs.lookup(name)
    limits = {"RLIMIT_AS": MEMORY_BYTES, "RLIMIT_CORE": 0, "RLIMIT_FSIZE": 0, "RLIMIT_NPROC": 0, "RLIMIT_NOFILE": 0}
    for name, wanted in limits.items():
        try:
            kind = getattr(resource, name)
            _, hard = resource.getrlimit(kind)
            value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(kind, (value, value))
        except (AttributeError, OSError, ValueError):
            continue  # not every system knows, or lets one set, each of them


def _alarm(seconds: float) -> None:
    """Have the system end this process after so long: the parent that would do it may be gone by then."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _render(template: Template, variables: dict[str, Any], limit: int) -> dict[str, str]:
    pieces: list[str] = []
    room = limit
    for piece in template.generate(**variables):
        room -= len(piece)
        if room < 0:
            return {"error": f"the chat template writes more than {limit:,} characters"}
        pieces.append(piece)
    return {"text": "".join(pieces)}


def _answer(work: Callable[[], dict[str, str]], seconds: float, failure: str) -> dict[str, str]:
    _alarm(seconds + _SECONDS_TO_SPARE)
    try:
        return work()
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except TemplateSyntaxError as error:
        return {"error": f"the chat template is not valid Jinja (line {error.lineno}: {_short(error)})"}
    except SecurityError as error:
        return {"error": f"the sandbox stopped the chat template: {_short(error)}"}
    except Exception as error:  # a template is a program, and may fail in any way
        return {"error": f"{failure}: {_short(error)}"}
    finally:
        _alarm(0)


def _short(error: Exception) -> str:
    """First line of a message, without what could steer a terminal."""
    if isinstance(error, TemplateSyntaxError):
        text = error.message or ""
    elif isinstance(error, SyntaxError):
        text = error.msg  # without the line, which is one of the Python that Jinja makes
    else:
        text = str(error)
    first = next(iter(text[: 5 * _MESSAGE_CHARACTERS].strip().splitlines()), "") or type(error).__name__
    return "".join(c if c.isprintable() else " " for c in first[:_MESSAGE_CHARACTERS]).rstrip(". ")


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the input ends."""
    jinja = environment()
    _confine()
    write_frame(answers, {"ready": True})
    setup = read_frame(requests)
    seconds, limit = setup["seconds"], setup["characters"]
    compiled: list[Template] = []

    def compile_template() -> dict[str, str]:
        compiled.append(jinja.from_string(setup["source"]))
        return {}

    write_frame(answers, _answer(compile_template, seconds, "the chat template cannot be compiled"))
    while True:
        request = read_frame(requests)
        # All of them are read before the first is answered: both sides writing at once could wait for ever.
        conversations = [read_frame(requests) for _ in range(request["count"])]
        for messages in conversations:
            variables = {
                "tools": None,
                "documents": None,
                **setup["variables"],
                "messages": messages,
                "add_generation_prompt": request["add_generation_prompt"],
            }
            work = partial(_render, compiled[0], variables, limit)
            write_frame(answers, _answer(work, seconds, "the chat template refuses it"))


if __name__ == "__main__":
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except (EOFError, OSError):
        os._exit(0)  # the parent is gone, or has no more to ask
