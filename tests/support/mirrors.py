"""A node's endpoint of the hubs in front of one on loopback, and the hub's own client."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from llmaz.agent.mirror.fetching import Fetching, FetchRules
from llmaz.agent.mirror.files import Files
from llmaz.agent.mirror.hubs import HUGGING_FACE, MODELSCOPE
from llmaz.agent.mirror.modelscope import ModelScopeMirror
from llmaz.agent.mirror.routes import Mirror
from llmaz.agent.mirror.upstream import Upstream
from llmaz.api.node import NodeSpec
from llmaz.daemon.web import listening

PRINT_FILES = """
import json, sys, huggingface_hub as h
from pathlib import Path
root = Path(h.snapshot_download('acme/tiny'))
files = {str(f.relative_to(root)): h.utils.sha.sha_fileobj(f.open('rb')).hex()
         for f in root.rglob('*') if f.is_file()}
print(json.dumps(files))
"""


@asynccontextmanager
async def mirroring(cache_dir: Path, hub_url: str, *, fetches: bool = True) -> AsyncIterator[str]:
    """Run an endpoint inside the `with` block; its URL is the value."""
    environ = {**os.environ, "HF_ENDPOINT": hub_url, "MODELSCOPE_ENDPOINT": hub_url}
    upstreams = [Upstream(cache_dir, environ, side=side) for side in (MODELSCOPE, HUGGING_FACE)]
    rules = FetchRules(noted=NodeSpec)
    fetching = Fetching(cache_dir, upstreams[0].environ, rules) if fetches else None
    of_modelscope, of_hugging_face = (Files(cache_dir, up, fetching) for up in upstreams)
    app = web.Application()
    app.add_routes(ModelScopeMirror(of_modelscope).routes())
    app.add_routes(Mirror(of_hugging_face).routes())
    try:
        async with listening(app, "127.0.0.1", 0) as port:
            yield f"http://127.0.0.1:{port}"
    finally:
        if fetching is not None:
            if under_way := fetching.under_way():  # a killed child leaves its pipes to chance
                await asyncio.wait(under_way, timeout=60)
            await fetching.aclose()


@asynccontextmanager
async def asking(
    cache_dir: Path, hub_url: str, *, token: str | None = None, fetches: bool = True
) -> AsyncIterator[aiohttp.ClientSession]:
    """Run an endpoint, and a client without manners that asks it."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        mirroring(cache_dir, hub_url, fetches=fetches) as url,
        aiohttp.ClientSession(url, headers=headers) as client,
    ):
        yield client


async def run_client(
    script: str, endpoint: str, home: Path, environ: Mapping[str, str] | None = None
) -> object:
    """Run Python that uses the hub's own client; what it prints is JSON."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script),
        env={
            **os.environ,
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            **(environ or {}),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaint = await child.communicate()
    if child.returncode != 0:
        raise AssertionError(complaint.decode()[-2000:])
    return json.loads(printed.splitlines()[-1])
