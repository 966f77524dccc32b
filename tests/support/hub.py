"""A Hugging Face hub on loopback, as the real client sees one, with switches for its faults."""

import functools
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from support.downloads import Downloads

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".gguf", ".bin")  # the hub keeps these in LFS, under their sha256


@dataclass
class Repository:
    """One repository at one commit, and what shall go wrong with it."""

    files: Mapping[str, bytes]
    revisions: tuple[str, ...] = ("main",)
    token: str | None = None  # who does not send it is told that there is no such repository
    gated: bool = False
    status: int | None = None  # an answer to every request
    downloads: Downloads = field(default_factory=Downloads)
    declared_size: int | None = None  # of every file, whatever it has
    requests: list[str] = field(default_factory=list)
    xet: Mapping[str, bytes] | None = None  # large files by their names in Xet

    def xet_name(self, path: str) -> str | None:
        names = [name for name, data in (self.xet or {}).items() if data == self.files[path]]
        return names[0] if names and path.endswith(LARGE) else None


class Hub:
    """Serves repositories over HTTP; `url` is for HF_ENDPOINT."""

    def __init__(self, repositories: dict[str, Repository]) -> None:
        self.repositories = repositories
        self.url = ""
        self.tokens: set[str | None] = set()

    def _repository(self, request: web.Request) -> Repository:
        name = f"{request.match_info['owner']}/{request.match_info['name']}"
        header = request.headers.get("Authorization")
        token = header.removeprefix("Bearer ") if header else None
        self.tokens.add(token)
        repository = self.repositories.get(name)
        if repository is None or (repository.token is not None and token != repository.token):
            raise web.HTTPUnauthorized(headers={"X-Error-Code": "RepoNotFound"})
        repository.requests.append(f"{request.method} {request.path}")
        if repository.status is not None:
            raise _Answer(repository.status)
        revision = request.match_info["revision"]
        if revision not in (*repository.revisions, COMMIT):
            raise web.HTTPNotFound(headers={"X-Error-Code": "RevisionNotFound"})
        return repository

    async def info(self, request: web.Request) -> web.Response:
        repository = self._repository(request)
        siblings = [{"rfilename": path} for path in repository.files]
        name = request.path.removeprefix("/api/models/").partition("/revision/")[0]
        return web.json_response({"id": name, "sha": COMMIT, "siblings": siblings})

    async def tree(self, request: web.Request) -> web.Response:
        repository = self._repository(request)
        entries = [_entry(path, data) for path, data in repository.files.items()]
        for entry in entries:
            if (name := repository.xet_name(str(entry["path"]))) is not None:
                entry["xetHash"] = name
        if repository.declared_size is not None:
            entries = [{**entry, "size": repository.declared_size} for entry in entries]
        return web.json_response(entries)

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        repository = self._repository(request)
        path = request.match_info["path"]
        if repository.gated:
            raise web.HTTPForbidden(headers={"X-Error-Code": "GatedRepo"})
        if path not in repository.files:
            raise web.HTTPNotFound(headers={"X-Error-Code": "EntryNotFound"})
        data = repository.files[path]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{_etag(path, data)}"'}
        if request.method == "HEAD":
            headers["X-Linked-Size"] = str(len(data))
        if (name := repository.xet_name(path)) is not None:
            where = f"http://{request.host}/api/models/acme/tiny/xet-read-token/{COMMIT}"
            headers |= {"X-Xet-Hash": name, "Link": f'<{where}>; rel="xet-auth"'}
        return await repository.downloads.send(request, data, headers)


class _Answer(web.HTTPException):
    def __init__(self, status: int) -> None:
        self.status_code = status
        super().__init__(text=json.dumps({"error": "as the test asked"}))


@asynccontextmanager
async def serving(repositories: dict[str, Repository]) -> AsyncIterator[Hub]:
    """Run a hub inside the `with` block."""
    hub = Hub(repositories)
    app = web.Application()
    app.add_routes(routes_of(hub))
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield hub
    finally:
        await runner.cleanup()


def routes_of(hub: Hub) -> list[web.RouteDef]:
    return [
        web.get("/api/models/{owner}/{name}/revision/{revision}", hub.info),
        web.get("/api/models/{owner}/{name}/tree/{revision}", hub.tree),
        web.get("/{owner}/{name}/resolve/{revision}/{path:.*}", hub.resolve),
    ]


def _entry(path: str, data: bytes) -> dict[str, object]:
    entry: dict[str, object] = {
        "type": "file",
        "path": path,
        "size": len(data),
        "oid": _git_sha1(data),
    }
    if path.endswith(LARGE):
        sha256 = hashlib.sha256(data).hexdigest()
        entry["lfs"] = {"oid": sha256, "size": len(data), "pointerSize": 134}
    return entry


@functools.lru_cache(maxsize=64)  # each range of a large file would else be a digest of it all
def _etag(path: str, data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if path.endswith(LARGE) else _git_sha1(data)


def _git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
