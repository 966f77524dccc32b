"""Stand-ins for the places that weights come from: each speaks its kind's protocol on loopback."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol
from xml.sax.saxutils import escape

from aiohttp import web

from llmaz.agent.cache.origin import Bucket, HubRepository, OllamaModel, Remote, WebFile
from llmaz.api.source import Hub
from support.downloads import Downloads
from support.hub import Hub as HuggingFaceHub
from support.hub import Repository, routes_of

SECRET_VALUE = "a-secret-that-shows-nowhere"


class Kind(Protocol):
    """One kind of place: its routes, and how a fetch is pointed to it."""

    def routes(self) -> list[web.RouteDef]: ...

    def origin(self, url: str) -> Remote: ...

    def environ(self, url: str) -> Mapping[str, str]: ...

    def credentials(self) -> Mapping[str, str]: ...


@dataclass
class HuggingFaceKind:
    files: Mapping[str, bytes]
    downloads: Downloads

    def routes(self) -> list[web.RouteDef]:
        repository = Repository(self.files, downloads=self.downloads)
        return routes_of(HuggingFaceHub({"acme/tiny": repository}))

    def origin(self, url: str) -> Remote:
        return HubRepository(repository="acme/tiny", revision="main")

    def environ(self, url: str) -> Mapping[str, str]:
        return {"HF_ENDPOINT": url}

    def credentials(self) -> Mapping[str, str]:
        return {"HF_TOKEN": SECRET_VALUE}


@dataclass
class ModelScopeKind:
    files: Mapping[str, bytes]
    downloads: Downloads
    branch: str = "master"

    def routes(self) -> list[web.RouteDef]:
        where = "/api/v1/models/acme/tiny/repo"
        return [web.get(f"{where}/files", self._list), web.get(where, self._file)]

    async def _list(self, request: web.Request) -> web.Response:
        if request.query["Revision"] != self.branch:
            return web.json_response({"Code": 10010205001, "Success": False}, status=404)
        files = [
            {
                "Path": path,
                "Name": path.rpartition("/")[2],
                "Size": len(data),
                "Type": "blob",
                "Sha256": hashlib.sha256(data).hexdigest(),
            }
            for path, data in self.files.items()
        ]
        files.append({"Path": "folder", "Name": "folder", "Size": 0, "Type": "tree"})
        return web.json_response({"Code": 200, "Success": True, "Data": {"Files": files}})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        assert request.query["Revision"] == self.branch
        return await self.downloads.send(request, self.files[request.query["FilePath"]], {})

    def origin(self, url: str) -> Remote:
        return HubRepository(hub=Hub.MODELSCOPE, repository="acme/tiny", revision="main")

    def environ(self, url: str) -> Mapping[str, str]:
        return {"MODELSCOPE_ENDPOINT": url}

    def credentials(self) -> Mapping[str, str]:
        return {"MODELSCOPE_API_TOKEN": SECRET_VALUE}


@dataclass
class BucketKind:
    """An object store, as far as its answers go; signatures are checked against a real one."""

    scheme: str
    files: Mapping[str, bytes]
    downloads: Downloads
    page: int = 2  # objects
    tells: Mapping[str, str] = field(default_factory=dict)  # of an object, to who asks by HEAD

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/bucket/", self._list),
            web.get("/bucket/{key:.+}", self._object),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        keys = sorted([f"models/m/{path}" for path in self.files] + ["models/m-2/x", "models/m/d/"])
        keys = [key for key in keys if key.startswith(request.query["prefix"])]
        start = request.query.get("marker") or request.query.get("continuation-token") or ""
        rest = [key for key in keys if key > start]
        shown = rest[: self.page]
        more = "true" if len(rest) > self.page else "false"
        entries = "".join(map(self._entry, shown))
        text = f"<IsTruncated>{more}</IsTruncated>{entries}"
        for name in ("NextMarker", "NextContinuationToken"):
            text += f"<{name}>{escape(shown[-1])}</{name}>"
        namespace = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
        head = f"<ListBucketResult{'' if self.scheme == 'oss' else namespace}>"
        return web.Response(text=f"{head}{text}</ListBucketResult>", content_type="text/xml")

    def _entry(self, key: str) -> str:
        data = self.files.get(key.removeprefix("models/m/"), b"")
        etag = hashlib.md5(data).hexdigest()
        return (
            f"<Contents><Key>{escape(key)}</Key><Size>{len(data)}</Size>"
            f"<ETag>&quot;{etag}&quot;</ETag></Contents>"
        )

    async def _object(self, request: web.Request) -> web.StreamResponse:
        data = self.files[request.match_info["key"].removeprefix("models/m/")]
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        if request.headers.get("If-Match") not in (etag, None):
            return web.Response(status=412)
        signed = request.query.get("X-Amz-SignedHeaders", "").split(";")
        if "X-Amz-Signature" in request.query and _amazons(request) - set(signed):
            return web.Response(status=403)  # as S3 does
        if request.method == "HEAD":
            asked = self.scheme != "s3" or request.headers.get("x-amz-checksum-mode") == "ENABLED"
            return web.Response(headers={"ETag": etag, **(self.tells if asked else {})})
        return await self.downloads.send(request, data, {"ETag": etag})

    def origin(self, url: str) -> Remote:
        endpoint = url.partition("://")[2] if self.scheme == "oss" else None
        return Bucket(scheme=self.scheme, bucket="bucket", key="models/m", endpoint=endpoint)

    def environ(self, url: str) -> Mapping[str, str]:
        return {"AWS_ENDPOINT_URL": url, "STORAGE_EMULATOR_HOST": url}

    def credentials(self) -> Mapping[str, str]:
        if self.scheme == "oss":
            return {"OSS_ACCESS_KEY_ID": "id", "OSS_ACCESS_KEY_SECRET": SECRET_VALUE}
        return {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": SECRET_VALUE}


def _amazons(request: web.Request) -> set[str]:
    return {name for name in map(str.lower, request.headers) if name.startswith("x-amz-")}


@dataclass
class WebKind:
    files: Mapping[str, bytes]
    downloads: Downloads

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/models/model.gguf", self._file)]

    async def _file(self, request: web.Request) -> web.StreamResponse:
        data = self.files["model.gguf"]
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        if request.headers["Range"] == "bytes=0-0":
            headers = {"ETag": etag, "Content-Range": f"bytes 0-0/{len(data)}"}
            return web.Response(status=206, body=data[:1], headers=headers)
        return await self.downloads.send(request, data, {"ETag": etag})

    def origin(self, url: str) -> Remote:
        return WebFile(url=f"{url}/models/model.gguf?signature={SECRET_VALUE}")

    def environ(self, url: str) -> Mapping[str, str]:
        return {}

    def credentials(self) -> Mapping[str, str]:
        return {}


@dataclass
class OllamaKind:
    files: Mapping[str, bytes]
    downloads: Downloads

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v2/library/tiny/manifests/7b", self._manifest),
            web.get("/v2/library/tiny/blobs/{digest}", self._blob),
        ]

    async def _manifest(self, request: web.Request) -> web.Response:
        data = self.files["model.gguf"]
        weights = {
            "mediaType": "application/vnd.ollama.image.model",
            "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
            "size": len(data),
        }
        template = {"mediaType": "application/vnd.ollama.image.template", "size": 3}
        body = json.dumps({"schemaVersion": 2, "layers": [template, weights]})
        return web.Response(text=body, content_type=request.headers["Accept"])

    async def _blob(self, request: web.Request) -> web.StreamResponse:
        return await self.downloads.send(request, self.files["model.gguf"], {})

    def origin(self, url: str) -> Remote:
        registry = url.partition("://")[2]
        return OllamaModel(registry=registry, repository="library/tiny", tag="7b")

    def environ(self, url: str) -> Mapping[str, str]:
        return {}

    def credentials(self) -> Mapping[str, str]:
        return {}


@dataclass
class Elsewhere:
    """Another origin that serves the same bytes to whoever was redirected there."""

    files: Mapping[str, bytes]
    downloads: Downloads = field(default_factory=Downloads)

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/elsewhere/{path:.+}", self._file)]

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return await self.downloads.send(request, self.files[request.match_info["path"]], {})


@asynccontextmanager
async def serving_routes(routes: list[web.RouteDef]) -> AsyncIterator[str]:
    """Run a server inside the `with` block; its URL is the value."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
