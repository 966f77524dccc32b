"""A cache directory with blobs in it, and the sharing process that serves it."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from llmaz.agent.sharing.capability import Token, authorization
from llmaz.agent.sharing.child import SharingChild
from llmaz.agent.sharing.settings import SharingSettings
from llmaz.agent.sharing.tls import TlsFiles

TOKEN = "a-token-of-all-nodes-of-the-tests"


def stored(cache_dir: Path, data: bytes) -> str:
    """Put bytes into the store as a fetch does; return their key."""
    sha256 = hashlib.sha256(data).hexdigest()
    path = cache_dir / "store" / "sha256" / sha256[:2] / sha256
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return sha256


def token_file(folder: Path, token: str = TOKEN) -> Path:
    path = folder / "token"
    path.write_text(token)
    return path


def permission(what: str, *, token: str = TOKEN, node: str = "tester") -> dict[str, str]:
    header = authorization(Token(token.encode()), what=what, node=node, now=time.time())
    return {"Authorization": header}


@asynccontextmanager
async def sharing(
    cache_dir: Path,
    *,
    name: str = "node-0",
    token: Path | None = None,
    tls: TlsFiles | None = None,
    jit_shared: bool = False,
    state_dir: Path | None = None,
    hub_url: str = "",
) -> AsyncIterator[SharingChild]:
    """Run the sharing process of a node inside the `with` block; it answers at its `url`.

    state_dir: of its agent, which notes there what is assigned
    hub_url: the hub behind its endpoint for clients, which may ask it for anything
    """
    changed = asyncio.Event()
    settings = SharingSettings(
        node_name=name,
        listen_host="127.0.0.1",
        listen_port=0,
        cache_dir=cache_dir,
        token_file=token,
        tls=tls,
        jit_shared=jit_shared,
        state_dir=state_dir,
        mirror_fetch="any" if hub_url else "assigned",
    )
    environ = os.environ | ({"HF_ENDPOINT": hub_url} if hub_url else {})
    child = SharingChild(settings, address="127.0.0.1", environ=environ, changed=changed.set)
    running = asyncio.create_task(child.run())
    try:
        async with asyncio.timeout(120):
            while not child.url:
                await changed.wait()
                changed.clear()
        yield child
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
