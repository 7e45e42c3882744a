"""A server on 127.0.0.1 that imitates the Hugging Face Hub, with the answers and failures that tests need.

The name of a repository decides how it behaves: ``acme/plain`` serves its files, ``acme/broken`` answers 500, and so
on; see :data:`FAILURES` and the methods that look at names.
"""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

TOKEN = "hf_letmein"  # noqa: S105 - only this server accepts it
COMMIT = "c0ffee" + "0" * 34
PULL_REQUEST = "refs/pr/"
REQUEST_COMMIT = "decade" + "0" * 34
FAILURES = {
    "acme/missing": (404, "RepoNotFound"),
    "acme/private": (401, "RepoNotFound"),
    "acme/gated": (403, "GatedRepo"),
    "acme/broken": (500, ""),
}
SECRETIVE = ("acme/secretive", "acme/secretive-flax")
"""Repositories whose pull requests this account cannot list."""

LARGE = ("model.safetensors", "spiece.model")


@dataclass
class Hub:
    """The files of every repository, by name, or by ``name@refs/pr/1``, and the requests that arrived."""

    files: Mapping[str, Mapping[str, bytes]]
    endpoint: str = ""
    requests: list[str] = field(default_factory=list)
    truncated: set[str] = field(default_factory=set)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._route(body=False)

    def do_GET(self):
        self._route(body=True)

    def _route(self, *, body):
        path = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        self.hub.requests.append(f"{self.command} {'/'.join(path)}")
        if path[:2] == ["api", "models"] and path[4:] == ["refs"]:
            name = "/".join(path[2:4])
            if name in SECRETIVE:
                self._fail(403, "")
            else:
                self._send(json.dumps(_refs(name, self.hub.files)).encode(), {}, body=body)
        elif path[:2] == ["api", "models"] and len(path) >= 4:
            self._repository("/".join(path[2:4]), path[5] if len(path) > 5 else "main", None, body=body)
        elif len(path) >= 5 and path[2] == "resolve":
            self._repository("/".join(path[:2]), path[3], "/".join(path[4:]), body=body)
        else:
            self._fail(404, "")

    def _repository(self, name, revision, file, *, body):
        if name in FAILURES:
            self._fail(*FAILURES[name])
        elif name == "acme/needs-token" and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._fail(401, "RepoNotFound")
        elif name not in self.hub.files:
            self._fail(404, "RepoNotFound")
        elif (files := self._files(name, revision)) is None:
            self._fail(404, "RevisionNotFound")
        elif file is None:
            self._send(json.dumps(_listing(name, files, _commit(revision))).encode(), {}, body=body)
        elif file not in files:
            self._fail(404, "EntryNotFound")
        else:
            self._file(name, file, files[file], _commit(revision), body=body)

    def _files(self, name, revision):
        if revision in {"main", "v1", COMMIT}:
            return self.hub.files[name]
        if revision == REQUEST_COMMIT:
            revision = f"{PULL_REQUEST}1"
        return self.hub.files.get(f"{name}@{revision}")

    def _file(self, name, file, contents, commit, *, body):
        etag = _listed(file, contents)["oid"]
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if file == "model.safetensors" and name == "acme/altered":
            contents = contents[:-1] + bytes([contents[-1] ^ 1])
        if file == "model.safetensors" and name == "acme/short" and body:
            contents = contents[:-100]
        if file == "model.safetensors" and name == "acme/breaks-off" and body:
            first = name not in self.hub.truncated
            self.hub.truncated.add(name)
            if first:
                self._break_off(contents, headers)
                return
        self._send(contents, headers, body=body)

    def _break_off(self, contents, headers):
        self._head(200, {**headers, "Content-Length": str(len(contents))})
        self.wfile.write(contents[: len(contents) // 2])
        self.close_connection = True

    def _send(self, contents, headers, *, body):
        start = 0
        wanted = self.headers.get("Range", "")
        if wanted.startswith("bytes="):
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            headers = {**headers, "Content-Range": f"bytes {start}-{len(contents) - 1}/{len(contents)}"}
        self._head(206 if start else 200, {**headers, "Content-Length": str(len(contents) - start)})
        if body:
            self.wfile.write(contents[start:])

    def _fail(self, status, code):
        self._head(status, {"X-Error-Code": code, "Content-Length": "0"})

    def _head(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _commit(revision):
    return REQUEST_COMMIT if revision.startswith(PULL_REQUEST) or revision == REQUEST_COMMIT else COMMIT


def _refs(name, repositories):
    requests = [key.partition("@")[2] for key in repositories if key.startswith(f"{name}@")]
    entries = [{"name": ref, "ref": ref, "targetCommit": REQUEST_COMMIT} for ref in requests]
    return {"branches": [], "converts": [], "tags": [], "pullRequests": entries}


def _listing(name, files, commit):
    siblings = []
    for file, contents in files.items():
        listed = _listed(file, contents)
        lfs = {"sha256": listed["oid"], "size": len(contents), "pointerSize": 130}
        entry = {"rfilename": file, "size": len(contents), "blobId": listed["blob"]}
        siblings.append({**entry, "lfs": lfs} if file in LARGE else entry)
    return {"id": name, "modelId": name, "sha": commit, "siblings": siblings, "tags": ["albert", "license:mit"]}


def _listed(file, contents):
    blob = hashlib.sha1(b"blob %d\0" % len(contents) + contents, usedforsecurity=False).hexdigest()
    return {"blob": blob, "oid": hashlib.sha256(contents).hexdigest() if file in LARGE else blob}


@contextmanager
def running_hub(files: Mapping[str, Mapping[str, bytes]]) -> Iterator[Hub]:
    """Serve repositories until the block ends."""
    hub = Hub(files)
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        hub.endpoint = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield hub
        server.shutdown()
        thread.join()


def files_of(folder: Path) -> dict[str, bytes]:
    """Read a checkpoint folder into memory, and add files that a conversion does not need."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    return {**files, "README.md": b"# A model\n", "tf_model.h5": b"other weights"}
