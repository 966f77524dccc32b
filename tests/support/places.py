"""Two more kinds of places: Google's object store by tokens, and what a driver of fsspec reads."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from llmaz.agent.cache.origin import Bucket, Filesystem, Remote
from support.downloads import Downloads
from support.origins import SECRET_VALUE

_TOKEN = f"lent-for-{SECRET_VALUE}"


@dataclass
class GoogleKind:
    """Google's own interface of its store, for a person's login."""

    files: Mapping[str, bytes]
    downloads: Downloads
    page: int = 2  # objects
    url: str = ""

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/token", self._token),
            web.get("/storage/v1/b/bucket/o", self._list),
            web.get("/storage/v1/b/bucket/o/{key:.+}", self._object),
        ]

    async def _token(self, request: web.Request) -> web.Response:
        assert (await request.post())["refresh_token"] == SECRET_VALUE
        return web.json_response({"access_token": _TOKEN, "expires_in": 3599})

    async def _list(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {_TOKEN}"
        names = sorted([f"models/m/{path}" for path in self.files] + ["models/m-2/x", "models/m/"])
        names = [name for name in names if name.startswith(request.query["prefix"])]
        start = int(request.query.get("pageToken", "0"))
        said: dict[str, object] = {"items": [*map(self._item, names[start : start + self.page])]}
        if start + self.page < len(names):
            said["nextPageToken"] = str(start + self.page)
        return web.json_response(said)

    def _item(self, name: str) -> dict[str, object]:
        data = self.files.get(name.removeprefix("models/m/"), b"")
        md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
        return {"name": name, "size": str(len(data)), "md5Hash": md5, "generation": "1"}

    async def _object(self, request: web.Request) -> web.StreamResponse:
        assert request.query["generation"] == "1"
        data = self.files[request.match_info["key"].removeprefix("models/m/")]
        return await self.downloads.send(request, data, {})

    def origin(self, url: str) -> Remote:
        self.url = url
        return Bucket(scheme="gs", bucket="bucket", key="models/m")

    def environ(self, url: str) -> Mapping[str, str]:
        return {"STORAGE_EMULATOR_HOST": url}

    def credentials(self) -> Mapping[str, str]:
        said = {"type": "authorized_user", "refresh_token": SECRET_VALUE}
        return {"GOOGLE_CREDENTIALS": json.dumps({**said, "token_uri": f"{self.url}/token"})}


@dataclass
class HdfsKind:
    """WebHDFS, which fsspec itself has a driver for."""

    files: Mapping[str, bytes]
    downloads: Downloads

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/webhdfs/v1/{path:.*}", self._answer)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        assert request.query["delegation"] == SECRET_VALUE
        path = request.match_info["path"].removeprefix("models/m").lstrip("/")
        data = self.files.get(path)
        match request.query["op"]:
            case "GETFILESTATUS":
                return web.json_response({"FileStatus": _status(path, data)})
            case "LISTSTATUS":
                return web.json_response({"FileStatuses": {"FileStatus": self._below(path)}})
            case _:
                assert data is not None
                start, length = int(request.query["offset"]), int(request.query["length"])
                return await self.downloads.send(request, data[start : start + length], {})

    def _below(self, folder: str) -> list[dict[str, object]]:
        prefix = f"{folder}/" if folder else ""
        names = {path[len(prefix) :].partition("/")[0] for path in self.files if prefix in path}
        return [_status(name, self.files.get(prefix + name)) for name in sorted(names)]

    def origin(self, url: str) -> Remote:
        return Filesystem(url=f"webhdfs://{url.partition('://')[2]}/models/m")

    def environ(self, url: str) -> Mapping[str, str]:
        return {}

    def credentials(self) -> Mapping[str, str]:
        return {"STORAGE_OPTIONS": json.dumps({"token": SECRET_VALUE})}


def _status(name: str, data: bytes | None) -> dict[str, object]:
    kind, size = ("DIRECTORY", 0) if data is None else ("FILE", len(data))
    return {"pathSuffix": name, "type": kind, "length": size, "modificationTime": 1}
