"""ModelScope's own client reads the stand-in that the agent is tested with, as it reads the hub.

What both bring from it is the same, so that the stand-in speaks the hub's protocol.
"""

import asyncio
import os
import sys
from pathlib import Path

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.outcome import Fetched
from llmaz.agent.cache.request import FetchRequest
from support import rooms
from support.downloads import Downloads, Fault, WrongBytes
from support.origins import ModelScopeKind, serving_routes
from support.weights import safetensors

FILES = {"config.json": b"{}", "model.safetensors": safetensors(size=400_000), "deep/er.txt": b"x"}
SNAPSHOT = (
    "import sys; from modelscope.hub.snapshot_download import snapshot_download;"
    "print('at', snapshot_download('acme/tiny', cache_dir=sys.argv[1]))"
)


def _read(folder: Path) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in FILES}


async def _by_the_client(url: str, folder: Path) -> tuple[int | None, str]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SNAPSHOT, str(folder)),
        env={
            **os.environ,
            "HOME": str(folder),
            "MODELSCOPE_CACHE": str(folder),
            "MODELSCOPE_ENDPOINT": url,
            "MODELSCOPE_DOWNLOAD_INTRA_CLOUD": "false",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await child.communicate()
    return child.returncode, said.decode()


async def _by_the_agent(kind: ModelScopeKind, url: str, folder: Path) -> Path:
    request = FetchRequest(origin=kind.origin(url), cache_dir=str(folder))
    environ = {**os.environ, "HOME": str(folder), **kind.environ(url)}
    outcome = await FetchChild(environ).fetch(request, lambda _: None, rooms.plenty)
    assert isinstance(outcome, Fetched), outcome
    return Path(outcome.path)


async def test_the_hubs_own_client_and_the_agent_bring_the_same_from_one_place(
    tmp_path: Path,
) -> None:
    kind = ModelScopeKind(FILES, Downloads())
    async with serving_routes(kind.routes()) as url:
        code, said = await _by_the_client(url, tmp_path / "client")
        ours = await _by_the_agent(kind, url, tmp_path / "agent")
    assert code == 0, said
    (theirs,) = (line[3:] for line in said.splitlines() if line.startswith("at "))
    assert _read(Path(theirs)) == _read(ours) == FILES


async def test_its_client_holds_the_stand_in_to_the_digests_that_it_lists(tmp_path: Path) -> None:
    faults: list[Fault] = [WrongBytes() for _ in range(20)]
    kind = ModelScopeKind({"model.safetensors": FILES["model.safetensors"]}, Downloads(faults))
    async with serving_routes(kind.routes()) as url:
        code, said = await _by_the_client(url, tmp_path)
    assert code != 0
    assert "ash mismatch" in said
