"""A hub with a file or two whose bytes come at a given rate, and which counts what it is asked.

`python -m harness.pacedhub FILE BYTES_A_SECOND [OTHER]` prints its address; /count says what it has
served. The other file is named `other.bin`, and comes over the same link.
"""

import asyncio
import socket
import sys
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from harness.origin import COMMIT, FILE, REPOSITORY, digest

OTHER = "other.bin"
_BLOCK = 2**18


def _entry(path: str, data: bytes, sha256: str) -> dict[str, object]:
    lfs = {"oid": sha256, "size": len(data), "pointerSize": 134}
    return {"type": "file", "path": path, "size": len(data), "oid": COMMIT, "lfs": lfs}


class PacedHub:
    """The rate is that of all connections together, whichever file they are for."""

    def __init__(self, path: Path, rate: float, other: Path | None = None) -> None:
        self._data = path.read_bytes()
        self._other = other.read_bytes() if other is not None else b""
        self._other_bytes = 0
        self._rate = rate
        self._free_at = 0.0
        self._requests = 0
        self._bytes = 0
        self._first_at = self._last_at = 0.0  # of all bytes, by the clock that processes share
        sha256 = digest(path)
        self._headers = {
            "X-Repo-Commit": COMMIT,
            "ETag": f'"{sha256}"',
            "X-Linked-ETag": f'"{sha256}"',
            "X-Linked-Size": str(len(self._data)),
            "Accept-Ranges": "bytes",
        }
        self._entries = [_entry(FILE, self._data, sha256)]
        if other is not None:
            self._entries.append(_entry(OTHER, self._other, digest(other)))

    def routes(self) -> list[web.RouteDef]:
        api = f"/api/models/{REPOSITORY}"
        return [
            web.get("/count", self._count),
            web.get(api, self._info),
            web.get(f"{api}/revision/{{revision}}", self._info),
            web.get(f"{api}/tree/{{revision}}", self._tree),
            web.post(f"{api}/paths-info/{{revision}}", self._tree),
            web.get(f"/{REPOSITORY}/resolve/{{revision}}/{FILE}", self._resolve),
            web.get(f"/{REPOSITORY}/resolve/{{revision}}/{OTHER}", self._resolve_other),
        ]

    async def _count(self, _: web.Request) -> web.Response:
        counts = {"requests": self._requests, "bytes": self._bytes}
        counts["other_bytes"] = self._other_bytes
        times = {"first_at": self._first_at, "last_at": self._last_at}
        return web.json_response({**counts, **times})

    async def _info(self, _: web.Request) -> web.Response:
        self._requests += 1
        siblings = [{"rfilename": FILE}]
        return web.json_response({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings})

    async def _tree(self, _: web.Request) -> web.Response:
        self._requests += 1
        return web.json_response(self._entries)

    async def _resolve(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, self._data, self._headers)

    async def _resolve_other(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, self._other, {"X-Repo-Commit": COMMIT})

    async def _answer(
        self, request: web.Request, data: bytes, headers: dict[str, str]
    ) -> web.StreamResponse:
        self._requests += 1
        wanted = request.http_range
        start, stop = wanted.start or 0, min(wanted.stop or len(data), len(data))
        ranged = "Range" in request.headers
        response = web.StreamResponse(status=206 if ranged else 200, headers=headers)
        if ranged:
            response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        response.content_length = stop - start
        # What waits in this machine for a slow reader is not on the link.
        if request.transport is not None:
            sock = request.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BLOCK)
        await response.prepare(request)
        if request.method == "GET":
            with suppress(ConnectionError):  # the client has gone
                for at in range(start, stop, _BLOCK):
                    await self._send(response, data[at : min(stop, at + _BLOCK)])
                    self._other_bytes += min(stop - at, _BLOCK) if data is self._other else 0
        return response

    async def _send(self, response: web.StreamResponse, block: bytes) -> None:
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now) + len(block) / self._rate
        await asyncio.sleep(self._free_at - now)
        self._bytes += len(block)
        await response.write(block)
        self._last_at = asyncio.get_running_loop().time()
        self._first_at = self._first_at or self._last_at


async def serve(path: Path, rate: float, other: Path | None) -> None:
    app = web.Application()
    app.add_routes(PacedHub(path, rate, other).routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    beside = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    asyncio.run(serve(Path(sys.argv[1]), float(sys.argv[2]), beside))
