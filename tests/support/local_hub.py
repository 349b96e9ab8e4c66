"""A hub on this machine's loopback: enough of one for the real client library to push to and fetch from."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


@dataclass
class LocalHub:
    """Repositories in memory, and what was asked of them."""

    address: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    broken_after: int | None = None  # bytes of a file after which the connection is cut

    @property
    def commit(self) -> str:
        content = repr(sorted((r, sorted(f)) for r, f in self.repositories.items())).encode()
        return hashlib.sha1(content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: LocalHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *arguments):  # the suite stays silent
        pass

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length) if length else self._chunks()
        self.hub.asked.append(f"POST {self.path}")
        self.hub.tokens.append(self.headers.get("Authorization"))
        parts = unquote(self.path).strip("/").split("/")
        if parts[:3] == ["api", "repos", "create"]:
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'someone'}/{asked['name']}"
            self.hub.repositories.setdefault(name, {})
            self.hub.private[name] = asked.get("private") or asked.get("visibility") == "private"
            self._json({"url": f"{self.hub.address}/{name}"})
        elif parts[1:] == ["validate-yaml"]:
            front = json.loads(body)["content"].split("---")[1]
            lines = [line for line in front.splitlines() if line.strip()]
            errors = [{"message": f"not YAML: {line}"} for line in lines if ":" not in line]
            self._json({"errors": errors, "warnings": []}, 400 if errors else 200)
        elif "preupload" in parts:
            files = json.loads(body)["files"]
            self._json(
                {
                    "files": [
                        {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files
                    ]
                }
            )
        elif "commit" in parts:
            name = "/".join(parts[2:4])
            for line in body.decode().splitlines():
                entry = json.loads(line)
                if entry["key"] == "header":
                    self.hub.messages.append(entry["value"]["summary"])
                elif entry["key"] == "file":
                    content = base64.b64decode(entry["value"]["content"])
                    self.hub.repositories[name][entry["value"]["path"]] = content
            address = f"{self.hub.address}/{name}/commit/{self.hub.commit}"
            self._json({"commitUrl": address, "commitOid": self.hub.commit, "pullRequestUrl": None})
        else:
            self._json({"error": f"unknown: {self.path}"}, 404)

    def do_GET(self):
        self._answer(with_body=True)

    def do_HEAD(self):
        self._answer(with_body=False)

    def _answer(self, with_body: bool):
        self.hub.asked.append(f"{self.command} {self.path}")
        parts = unquote(self.path.partition("?")[0]).strip("/").split("/")
        if parts[0] == "api":
            name = "/".join(parts[2:4])
            if name not in self.hub.repositories:
                self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
                return
            if "tree" in parts:
                files = self.hub.repositories[name].items()
                self._json(
                    [
                        {"type": "file", "path": p, "size": len(c), "oid": hashlib.sha1(c).hexdigest()}
                        for p, c in files
                    ]
                )
                return
            siblings = [{"rfilename": path} for path in sorted(self.hub.repositories[name])]
            self._json({"id": name, "sha": self.hub.commit, "siblings": siblings, "private": False})
            return
        name, path = "/".join(parts[:2]), "/".join(parts[4:])
        content = self.hub.repositories.get(name, {}).get(path)
        if content is None:
            self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.hub.commit)
        self.end_headers()
        if with_body:
            if self.hub.broken_after is not None and len(content) > self.hub.broken_after:
                self.wfile.write(content[: self.hub.broken_after])
                self.close_connection = True
            else:
                self.wfile.write(content)

    def _json(self, value, status: int = 200, headers: dict[str, str] | None = None):
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for key, text in (headers or {}).items():
            self.send_header(key, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _chunks(self) -> bytes:
        """The body of a request sent in chunks."""
        content = b""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().strip() or b"0", 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        return content


def talk_to(hub: LocalHub, monkeypatch, cache) -> None:
    """Let the client library of this process speak to the hub and to nobody else, with a cache of its own."""
    from huggingface_hub import constants

    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def serve() -> tuple[LocalHub, ThreadingHTTPServer]:
    """A running hub; `server.shutdown()` and `server.server_close()` end it."""
    hub = LocalHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return hub, server
