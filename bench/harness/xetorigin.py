"""The hub of `harness.origin` with its file kept in Xet: `python -m harness.xetorigin FILE FOLDER`.

The folder takes the file's xorbs, as a store of them would have them; they are sent by sendfile.
Chunks are of one length and names are arbitrary, since clients that download check neither.
"""

import asyncio
import sys
from pathlib import Path

from aiohttp import web

from harness.origin import COMMIT, FILE, REPOSITORY, digest

_CHUNK, _CHUNKS, _SCHEME_NONE = 2**16, 512, b"\0"
_NAME = "a" * 64


def write_xorbs(path: Path, folder: Path) -> list[tuple[int, int]]:
    """Cut the file into xorbs; return of each how many chunks and bytes of the file it has."""
    found: list[tuple[int, int]] = []
    with path.open("rb") as file:
        while block := file.read(_CHUNK * _CHUNKS):
            with (folder / str(len(found))).open("wb") as xorb:
                for at in range(0, len(block), _CHUNK):
                    chunk = block[at : at + _CHUNK]
                    length = len(chunk).to_bytes(3, "little")
                    xorb.write(b"\0" + length + _SCHEME_NONE + length + chunk)
            found.append((-(-len(block) // _CHUNK), len(block)))
    return found


def routes(path: Path, folder: Path) -> list[web.RouteDef]:
    xorbs, sha256, size = write_xorbs(path, folder), digest(path), path.stat().st_size
    large = {"oid": sha256, "size": size, "pointerSize": 134}
    entry = {"type": "file", "path": FILE, "size": size, "oid": COMMIT, "lfs": large}

    async def info(_: web.Request) -> web.Response:
        siblings = [{"rfilename": FILE}]
        return web.json_response({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings})

    async def tree(_: web.Request) -> web.Response:
        return web.json_response([{**entry, "xetHash": _NAME}])

    async def token(request: web.Request) -> web.Response:
        url = f"http://{request.host}"
        headers = {"X-Xet-Access-Token": "t", "X-Xet-Token-Expiration": "4000000000"}
        return web.json_response({}, headers={**headers, "X-Xet-Cas-Url": url})

    async def reconstruction(request: web.Request) -> web.Response:
        wanted = request.http_range  # of the file; a large one is asked for in parts
        start, stop = wanted.start or 0, min(wanted.stop or size, size)
        if start >= stop:
            raise web.HTTPRequestRangeNotSatisfiable
        terms, infos = [], {}
        first, last = start // (_CHUNK * _CHUNKS), (stop - 1) // (_CHUNK * _CHUNKS)
        for number in range(first, last + 1):
            chunks, unpacked = xorbs[number]
            name, whole = f"{number:064x}", {"start": 0, "end": chunks}
            terms.append({"hash": name, "unpacked_length": unpacked, "range": whole})
            bounds = {"start": 0, "end": (folder / str(number)).stat().st_size - 1}
            url = f"http://{request.host}/xorbs/{number}"
            infos[name] = [{"range": whole, "url": url, "url_range": bounds}]
        said = {
            "offset_into_first_range": start - first * _CHUNK * _CHUNKS,
            "terms": terms,
            "fetch_info": infos,
        }
        return web.json_response(said)

    async def xorb(request: web.Request) -> web.FileResponse:
        return web.FileResponse(folder / str(int(request.match_info["number"])))

    return [
        web.get(f"/api/models/{REPOSITORY}/revision/{{revision}}", info),
        web.get(f"/api/models/{REPOSITORY}/tree/{{revision}}", tree),
        web.get(f"/api/models/{REPOSITORY}/xet-read-token/{{revision}}", token),
        web.get("/v1/reconstructions/{name}", reconstruction),
        web.get("/xorbs/{number}", xorb),
    ]


async def serve(path: Path, folder: Path) -> None:
    app = web.Application()
    app.add_routes(routes(path, folder))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), Path(sys.argv[2])))
