"""Files that models share: what a second revision, a second repository and a second hub cost.

A model of ten files; a revision of it with one other file; a repository of another name with the
same files; and another hub with that. Each is fetched after the others into one cache, and what the
hubs served is counted; the rival is huggingface_hub, from the same hubs.
"""

import asyncio
import hashlib
import os
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from harness.figures import options, report

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.outcome import Fetched
from llmaz.agent.cache.request import FetchRequest, Room

SEED = 20261123
FILES = 10
HF = str(Path(sys.executable).parent / "hf")
Model = Mapping[str, bytes]


class Hub:
    """Repositories by name and revision, and a count of the bytes that were sent."""

    def __init__(self, models: Mapping[tuple[str, str], Model]) -> None:
        self._models = models
        self.url = ""
        self.sent = 0

    def _model(self, request: web.Request) -> tuple[str, Model]:
        name = f"{request.match_info['owner']}/{request.match_info['name']}"
        wanted = request.match_info["revision"]
        for (repository, revision), model in self._models.items():
            commit = _commit(repository, revision)
            if repository == name and wanted in (revision, commit):
                return commit, model
        raise web.HTTPNotFound(headers={"X-Error-Code": "RevisionNotFound"})

    async def info(self, request: web.Request) -> web.Response:
        commit, model = self._model(request)
        siblings = [{"rfilename": path} for path in model]
        return web.json_response({"id": "x/y", "sha": commit, "siblings": siblings})

    async def tree(self, request: web.Request) -> web.Response:
        _, model = self._model(request)
        return web.json_response([_entry(path, data) for path, data in model.items()])

    async def resolve(self, request: web.Request) -> web.Response:
        commit, model = self._model(request)
        data = model[request.match_info["path"]]
        sha256 = hashlib.sha256(data).hexdigest()
        headers = {"X-Repo-Commit": commit, "ETag": f'"{sha256}"', "X-Linked-ETag": f'"{sha256}"'}
        headers["X-Linked-Size"] = str(len(data))
        wanted = request.http_range
        start, stop = wanted.start or 0, min(wanted.stop or len(data), len(data))
        ranged = "Range" in request.headers
        if ranged:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        if request.method == "GET":
            self.sent += stop - start
        return web.Response(status=206 if ranged else 200, body=data[start:stop], headers=headers)


@asynccontextmanager
async def serving(models: Mapping[tuple[str, str], Model]) -> AsyncIterator[Hub]:
    hub, app = Hub(models), web.Application()
    app.add_routes(
        [
            web.get("/api/models/{owner}/{name}/revision/{revision}", hub.info),
            web.get("/api/models/{owner}/{name}/tree/{revision}", hub.tree),
            web.get("/{owner}/{name}/resolve/{revision}/{path:.*}", hub.resolve),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield hub
    await runner.cleanup()


def _commit(repository: str, revision: str) -> str:
    return hashlib.sha1(f"{repository}@{revision}".encode(), usedforsecurity=False).hexdigest()


def _entry(path: str, data: bytes) -> dict[str, object]:
    sha256 = hashlib.sha256(data).hexdigest()
    lfs = {"oid": sha256, "size": len(data), "pointerSize": 134}
    return {"type": "file", "path": path, "size": len(data), "oid": sha256[:40], "lfs": lfs}


async def plenty(_: int) -> Room:
    return Room()


async def ours(hub: Hub, repository: str, revision: str, cache_dir: Path) -> None:
    request = FetchRequest(
        origin=HubRepository(repository=repository, revision=revision), cache_dir=str(cache_dir)
    )
    environ = os.environ | {"HF_ENDPOINT": hub.url}
    outcome = await FetchChild(environ).fetch(request, lambda _: None, plenty)
    if not isinstance(outcome, Fetched):
        raise SystemExit(f"the fetch failed: {outcome.message}")


async def theirs(hub: Hub, repository: str, revision: str, cache_dir: Path) -> None:
    environ = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HOME": str(cache_dir),
    }
    argv = (HF, "download", repository, "--revision", revision, "--cache-dir", str(cache_dir))
    quiet = asyncio.subprocess.DEVNULL
    child = await asyncio.create_subprocess_exec(*argv, env=environ, stdout=quiet, stderr=quiet)
    if await child.wait() != 0:
        raise SystemExit(f"{argv} failed")


def on_disk(cache_dir: Path) -> int:
    """Return the bytes that files take, each inode once."""
    stats = [path.lstat() for path in cache_dir.rglob("*") if path.is_file()]
    return sum({status.st_ino: status.st_blocks * 512 for status in stats}.values())


async def measure(size: int, folder: Path) -> dict[str, float]:
    dice = random.Random(SEED)
    first = {f"{index}.safetensors": dice.randbytes(size // FILES) for index in range(FILES)}
    second = {**first, "9.safetensors": dice.randbytes(size // FILES)}
    models = {("a/model", "main"): first, ("a/model", "v2"): second, ("b/copy", "main"): first}
    whole, delta = sum(map(len, first.values())), size // FILES
    figures: dict[str, float] = {}
    async with serving(models) as hub, serving({("c/again", "main"): first}) as other:
        for name, fetch in (("llmaz", ours), ("hf", theirs)):
            cache_dir = folder / name
            cache_dir.mkdir()
            await fetch(hub, "a/model", "main", cache_dir)
            for what, where, repository, revision, least in (
                ("revision", hub, "a/model", "v2", delta),
                ("repository", hub, "b/copy", "main", whole),
                ("hub", other, "c/again", "main", whole),
            ):
                before = hub.sent + other.sent
                await fetch(where, repository, revision, cache_dir)
                figures[f"{name}_{what}"] = (hub.sent + other.sent - before) / least
            figures[f"{name}_disk"] = on_disk(cache_dir) / (whole + delta)
    return figures


def main() -> None:
    size = 2**24 if options(__doc__ or "").quick else 2**28
    with tempfile.TemporaryDirectory(prefix="llmaz-bench-") as scratch:
        figures = asyncio.run(measure(size, Path(scratch)))
    report(bytes=size, seed=SEED, **figures)


if __name__ == "__main__":
    main()
