"""Gives other nodes what engines compiled here: GET /v1/jit/<key>.

Only where the agent was told to share it, and only to nodes that know the shared token. The answer
carries a proof of the same token over its digest: it is code, and nobody on the way shall write it.
"""

import asyncio
import hashlib
import hmac
import os
import re
import time
from pathlib import Path

from aiohttp import web

from llmaz.agent.jit.shelf import JitShelf
from llmaz.agent.sharing.capability import Token, read_tokens, why_refused
from llmaz.agent.sharing.context import Context
from llmaz.agent.sharing.renewed import Renewed

PROOF = "X-Llmaz-Proof"
_KEY = re.compile(r"[0-9a-f]{64}")


def add_routes(app: web.Application, context: Context) -> None:
    """Answer nodes that ask for compiled programs, where these are shared."""
    settings = context.settings
    if settings.token_file is None or not settings.jit_shared:
        return
    file = settings.token_file
    tokens = Renewed([file], lambda: read_tokens(file.read_bytes()))
    programs = _Programs(JitShelf(context.cache_dir / "jit"), tokens, needs_tls=bool(settings.tls))
    app.router.add_get("/v1/jit/{key}", programs.answer, allow_head=False)


def asks(key: str) -> str:
    """Return what a capability for the programs of a key is for."""
    return f"jit {key}"


def proof(token: Token, key: str, sha256: str) -> str:
    """Return what only a node that knows the token can say of an archive."""
    return hmac.new(token.value, f"jit {key} {sha256}".encode(), hashlib.sha256).hexdigest()


class _Programs:
    def __init__(
        self, shelf: JitShelf, tokens: Renewed[tuple[Token, ...]], *, needs_tls: bool
    ) -> None:
        self._shelf = shelf
        self._tokens = tokens
        self._needs_tls = needs_tls

    async def answer(self, request: web.Request) -> web.StreamResponse:
        key = request.match_info["key"]
        if _KEY.fullmatch(key) is None:
            raise web.HTTPNotFound(text="a key has 64 hex digits\n")
        self._permit(request, key)
        path = self._shelf.archive(key)
        try:
            sha256 = await asyncio.to_thread(_sha256, path)
        except OSError:
            raise web.HTTPNotFound(text="nothing was compiled here for it\n") from None
        return web.FileResponse(path, headers={PROOF: proof(self._tokens.get()[0], key, sha256)})

    def _permit(self, request: web.Request, key: str) -> None:
        transport = request.transport
        has_certificate = transport is not None and transport.get_extra_info("peercert")
        if self._needs_tls and not has_certificate:
            raise web.HTTPForbidden(text="a certificate of the nodes' authority is needed\n")
        header = request.headers.get("Authorization")
        why = why_refused(self._tokens.get(), header, what=asks(key), now=time.time())
        if why is not None:
            raise web.HTTPUnauthorized(text=f"{why}\n")


def _sha256(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
