"""A hub with one file whose bytes come at a given rate, and which counts what it is asked.

`python -m harness.pacedhub FILE BYTES_A_SECOND` prints its address; /count says what it has served.
"""

import asyncio
import sys
from pathlib import Path

from aiohttp import web

from harness.origin import COMMIT, FILE, REPOSITORY, digest

_BLOCK = 2**18


class PacedHub:
    """One file; the rate is that of all connections together."""

    def __init__(self, path: Path, rate: float) -> None:
        self._data = path.read_bytes()
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
        lfs = {"oid": sha256, "size": len(self._data), "pointerSize": 134}
        self._entry = {
            "type": "file",
            "path": FILE,
            "size": len(self._data),
            "oid": COMMIT,
            "lfs": lfs,
        }

    def routes(self) -> list[web.RouteDef]:
        api = f"/api/models/{REPOSITORY}"
        return [
            web.get("/count", self._count),
            web.get(api, self._info),
            web.get(f"{api}/revision/{{revision}}", self._info),
            web.get(f"{api}/tree/{{revision}}", self._tree),
            web.post(f"{api}/paths-info/{{revision}}", self._tree),
            web.get(f"/{REPOSITORY}/resolve/{{revision}}/{FILE}", self._resolve),
        ]

    async def _count(self, _: web.Request) -> web.Response:
        counts = {"requests": self._requests, "bytes": self._bytes}
        times = {"first_at": self._first_at, "last_at": self._last_at}
        return web.json_response({**counts, **times})

    async def _info(self, _: web.Request) -> web.Response:
        self._requests += 1
        siblings = [{"rfilename": FILE}]
        return web.json_response({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings})

    async def _tree(self, _: web.Request) -> web.Response:
        self._requests += 1
        return web.json_response([self._entry])

    async def _resolve(self, request: web.Request) -> web.StreamResponse:
        self._requests += 1
        wanted = request.http_range
        start, stop = wanted.start or 0, min(wanted.stop or len(self._data), len(self._data))
        ranged = "Range" in request.headers
        response = web.StreamResponse(status=206 if ranged else 200, headers=self._headers)
        if ranged:
            response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(self._data)}"
        response.content_length = stop - start
        await response.prepare(request)
        if request.method == "GET":
            for at in range(start, stop, _BLOCK):
                await self._send(response, self._data[at : min(stop, at + _BLOCK)])
        return response

    async def _send(self, response: web.StreamResponse, block: bytes) -> None:
        now = asyncio.get_running_loop().time()
        self._free_at = max(self._free_at, now) + len(block) / self._rate
        await asyncio.sleep(self._free_at - now)
        self._bytes += len(block)
        await response.write(block)
        self._last_at = asyncio.get_running_loop().time()
        self._first_at = self._first_at or self._last_at


async def serve(path: Path, rate: float) -> None:
    app = web.Application()
    app.add_routes(PacedHub(path, rate).routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), float(sys.argv[2])))
