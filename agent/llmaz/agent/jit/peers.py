"""Brings what engines compiled on other nodes: an archive of one that says it has it."""

import asyncio
import hashlib
import hmac
import http.client
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from llmaz.agent.cache.partial import flush_directory
from llmaz.agent.jit.serving import PROOF, asks, proof
from llmaz.agent.sharing.capability import authorization
from llmaz.agent.swarm.connection import Identity, client
from llmaz.agent.swarm.peering import Peering
from llmaz.api.node import AssignedEngine
from llmaz.api.peer import ModelPeer

logger = logging.getLogger(__name__)

MOST_PEERS = 8  # are asked: an engine waits meanwhile
MOST_SECONDS = 60.0
LARGEST = 8 << 30
_BLOCK = 2**20


class JitPeers:
    """The other nodes, for the programs that an engine may find there.

    peers: the nodes that want or hold a model
    """

    def __init__(self, peering: Peering, peers: Callable[[str], Sequence[ModelPeer]]) -> None:
        self._peering = peering
        self._peers = peers

    async def bring(self, engine: AssignedEngine, key: str, archive: Path) -> bool:
        """Bring an archive from the first node that has it; tell whether one had."""
        others = [
            peer for peer in self._peers(engine.main_model) if peer.name != self._peering.node
        ]
        return await asyncio.to_thread(self._ask_all, others[:MOST_PEERS], key, archive)

    def _ask_all(self, peers: Sequence[ModelPeer], key: str, archive: Path) -> bool:
        deadline = time.monotonic() + MOST_SECONDS
        for peer in peers:
            try:
                if self._ask(peer, key, archive, deadline):
                    return True
            except (OSError, ValueError, http.client.HTTPException) as error:
                logger.info("compiled programs of node %s: %s", peer.name, error)
        return False

    def _ask(self, peer: ModelPeer, key: str, archive: Path, deadline: float) -> bool:
        files = self._peering
        identity = Identity(files.node, Path(files.token_file), files.tls)
        now = time.time()
        headers = {
            "Authorization": authorization(
                identity.tokens[0], what=asks(key), node=identity.node, now=now
            )
        }
        with closing(client(peer.url, identity)) as connection:
            connection.request("GET", f"/v1/jit/{key}", headers=headers)
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                return False
            return _take(answer, key, identity, archive, deadline)


def _take(
    answer: http.client.HTTPResponse, key: str, identity: Identity, archive: Path, deadline: float
) -> bool:
    """Write the archive beside, and give it its name when the proof was found right."""
    if answer.length is None or answer.length > LARGEST:
        raise ValueError(f"it would be {answer.length} bytes")
    archive.parent.mkdir(parents=True, exist_ok=True)
    beside = archive.with_name(f".{key}.{os.getpid()}")
    digest = hashlib.sha256()
    try:
        with beside.open("wb") as file:
            while block := answer.read(_BLOCK):
                if time.monotonic() > deadline:
                    raise TimeoutError("it takes too long")
                digest.update(block)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        shown = answer.headers.get(PROOF, "").encode()
        rights = [proof(token, key, digest.hexdigest()).encode() for token in identity.tokens]
        if not any(hmac.compare_digest(right, shown) for right in rights):
            raise ValueError("what came is not what a node of this cluster sent")
        beside.chmod(0o444)
        beside.replace(archive)
        flush_directory(archive.parent)
    finally:
        beside.unlink(missing_ok=True)
    return True
