"""A hub of one repository on this machine, which speaks as much of the hub's protocol as its client asks for."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" * 6 + "c0ff"


@dataclass
class Hub:
    """The server's address, and what it was asked for."""

    url: str
    repos: dict[str, Path]
    sent: list[tuple[str, int]] = field(default_factory=list)
    """File and bytes of each answer that held content."""

    def add(self, **repos: Path) -> None:
        """Serve more folders."""
        self.repos |= {f"owner/{name}": root for name, root in repos.items()}

    def files_sent(self) -> set[str]:
        return {name for name, _ in self.sent}

    def bytes_of(self, name: str) -> int:
        return sum(count for file, count in self.sent if file == name)


@contextlib.contextmanager
def serve(**repos: Path) -> Iterator[Hub]:
    """Serve folders as ``owner/KEY``."""
    hub = Hub("", {})
    hub.add(**repos)

    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: Hub

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        if path.startswith("api/models/"):
            self.api(path.removeprefix("api/models/"))
            return
        repo, _, rest = path.partition("/resolve/")
        root, file = self.served.repos.get(repo), rest.partition("/")[2]
        if root is None or not (root / file).is_file():
            self.fail("EntryNotFound" if root else "RepoNotFound")
            return
        self.content(root / file, file)

    def api(self, path: str) -> None:
        repo = "/".join(path.split("/")[:2])
        root = self.served.repos.get(repo)
        if root is None:
            self.fail("RepoNotFound")
            return
        files = [entry(root, file) for file in sorted(root.rglob("*")) if file.is_file()]
        if "/tree/" in path:
            answer: Any = [{"type": "file", "path": f["rfilename"], "oid": f["blobId"], **f} for f in files]
        else:
            answer = {"id": repo, "modelId": repo, "sha": COMMIT, "private": False, "tags": [], "siblings": files}
        self.answer(json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def content(self, file: Path, name: str) -> None:
        raw = file.read_bytes()
        about = entry(file.parent, file)
        headers = {
            "X-Repo-Commit": COMMIT,
            "ETag": f'"{about["lfs"]["sha256"] if about["lfs"] else about["blobId"]}"',
            "Accept-Ranges": "bytes",
        }
        wanted = self.headers.get("Range")
        if wanted is None:
            self.answer(raw, headers, name=name)
            return
        first, last = wanted.removeprefix("bytes=").split("-")
        part = raw[int(first) : int(last or len(raw)) + 1]
        headers["Content-Range"] = f"bytes {first}-{int(first) + len(part) - 1}/{len(raw)}"
        self.answer(part, headers, status=206, name=name)

    def answer(self, raw: bytes, headers: dict[str, str], status: int = 200, name: str = "") -> None:
        self.send_response(status)
        for key, value in (headers | {"Content-Length": str(len(raw))}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            if name:
                self.served.sent.append((name, len(raw)))
            self.wfile.write(raw)

    def fail(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def entry(root: Path, file: Path) -> dict[str, Any]:
    """What the hub tells of a file: large ones lie in its large file store, under their sha256."""
    raw = file.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(raw) + raw).hexdigest()
    large = file.suffix in (".safetensors", ".bin", ".pt")
    digest = hashlib.sha256(raw).hexdigest()
    return {
        "rfilename": str(file.relative_to(root)),
        "size": len(raw),
        "blobId": blob,
        "lfs": {"sha256": digest, "oid": digest, "size": len(raw), "pointerSize": 130} if large else None,
    }
