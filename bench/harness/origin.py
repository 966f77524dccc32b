"""A hub with one file, for measuring.

`python -m harness.origin FILE [HOST:PORT [RATE]]` prints its URL. It speaks as much of the Hugging
Face protocol as clients ask for, and sends the bytes by sendfile; with a rate, no faster than that
over each connection: the kernel paces them.
"""

import asyncio
import hashlib
import socket
import sys
from pathlib import Path

from aiohttp import web

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "bench/model"
FILE = "model.bin"
_BLOCK = 2**20
_MAX_PACING_RATE = 47  # SO_MAX_PACING_RATE of Linux, for which Python has no name: bytes a second


def digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def routes(path: Path, rate: int | None = None) -> list[web.RouteDef]:
    sha256, size = digest(path), path.stat().st_size
    headers = {"X-Repo-Commit": COMMIT, "X-Linked-ETag": f'"{sha256}"', "X-Linked-Size": str(size)}
    large = {"oid": sha256, "size": size, "pointerSize": 134}
    entry = {"type": "file", "path": FILE, "size": size, "oid": COMMIT, "lfs": large}

    async def info(_: web.Request) -> web.Response:
        siblings = [{"rfilename": FILE}]
        return web.json_response({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings})

    async def tree(_: web.Request) -> web.Response:
        return web.json_response([entry])

    async def resolve(request: web.Request) -> web.FileResponse:
        if rate is not None and request.transport is not None:
            sock = request.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, _MAX_PACING_RATE, rate)
        return web.FileResponse(path, headers=headers, chunk_size=_BLOCK)

    return [
        web.get(f"/api/models/{REPOSITORY}/revision/{{revision}}", info),
        web.get(f"/api/models/{REPOSITORY}/tree/{{revision}}", tree),
        web.get(f"/{REPOSITORY}/resolve/{{revision}}/{FILE}", resolve),
    ]


async def serve(path: Path, listen: str, rate: int | None) -> None:
    app = web.Application()
    app.add_routes(routes(path, rate))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    host, _, port = listen.rpartition(":")
    await web.TCPSite(runner, host, int(port)).start()
    sys.stdout.write(f"http://{host}:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    file, listen, rate, *_ = (*sys.argv[1:], *("", "", "")[len(sys.argv) - 1 :])
    asyncio.run(serve(Path(file), listen or "127.0.0.1:0", int(rate) if rate else None))
