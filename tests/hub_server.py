"""A server on this machine that speaks as much of the Hugging Face hub as pushing and loading a model
needs: making a repository, committing files, looking up and sending them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub(ThreadingHTTPServer):
    """files: what repositories hold, by ORG/NAME and name of file. asked: the lines of all requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, dict[str, bytes]] = {}
        self.sizes: dict[str, int] = {}  # lies about sizes, by name of file
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def commit(self, name: str) -> str:
        """The hash of what a repository holds now."""
        content = self.files[name]
        return hashlib.sha1(
            repr(sorted((k, hashlib.sha1(v).digest()) for k, v in content.items())).encode()
        ).hexdigest()


@contextmanager
def local_hub() -> Iterator[Hub]:
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_POST(self) -> None:
        body = self._body()
        self.server.asked.append(f"POST {self.path}")
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
            self.server.files.setdefault(name, {})
            return self._json({"url": f"{self.server.address}/{name}", "name": name})
        if self.path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if found := re.fullmatch(r"/api/models/([\w.-]+/[\w.-]+)/preupload/main", self.path):
            files = json.loads(body)["files"]
            return self._json(
                {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]}
            )
        if found := re.fullmatch(r"/api/models/([\w.-]+/[\w.-]+)/commit/main", self.path):
            for line in body.decode().splitlines():
                operation = json.loads(line)
                if operation["key"] == "file":
                    value = operation["value"]
                    self.server.files[found[1]][value["path"]] = base64.b64decode(value["content"])
            commit = self.server.commit(found[1])
            return self._json({"commitUrl": f"{self.server.address}/{found[1]}/commit/{commit}", "commitOid": commit})
        return self._json({"error": "no such page"}, 404)

    def do_GET(self) -> None:
        self._answer(True)

    def do_HEAD(self) -> None:
        self._answer(False)

    def _answer(self, whole: bool) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        path = self.path.split("?")[0]
        if found := re.fullmatch(r"/api/models/([\w.-]+/[\w.-]+?)(?:/revision/[\w./-]+)?", path):
            if (files := self.server.files.get(found[1])) is None:
                return self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
            siblings = [
                {"rfilename": k, "size": self.server.sizes.get(k, len(v)), "blobId": "x"} for k, v in files.items()
            ]
            return self._json({"id": found[1], "sha": self.server.commit(found[1]), "siblings": siblings, "tags": []})
        if found := re.fullmatch(r"/([\w.-]+/[\w.-]+)/resolve/([\w.-]+)/(.+)", path):
            content = self.server.files.get(found[1], {}).get(found[3])
            if content is None:
                return self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
            headers = {
                "ETag": f'"{hashlib.sha1(content).hexdigest()}"',
                "X-Repo-Commit": self.server.commit(found[1]),
                "Content-Type": "application/octet-stream",
            }
            return self._send(content if whole else b"", 200, headers, len(content))
        return self._json({"error": "no such page"}, 404)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _json(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self._send(body, status, {"Content-Type": "application/json", **(headers or {})}, len(body))

    def _send(self, body: bytes, status: int, headers: dict[str, str], length: int) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...
