"""Who may have a tree that is on the node already.

What is public is for all. Whoever fetched a tree may have it again. Other credentials are shown to
the source, which is asked for one byte; what it answered well counts for a minute, and an answer
that does not come is a refusal.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from llmaz.agent.cache.acl import Visibility
from llmaz.agent.cache.aclfile import read_acl
from llmaz.agent.cache.origin import Filesystem, Remote, home_of, name_of
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.proof import proof_of
from llmaz.agent.cache.store import Tree

REMEMBERED_SECONDS = 60.0
_UNPROVABLE = FetchFailed(
    reason="NotProvable",
    message="drivers of fsspec may use the node's own identity, so that only the credentials that "
    "fetched it count",
    passing=False,
)


class Authorization:
    """What was proven on this node, and for how long that counts."""

    def __init__(self, cache_dir: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._cache_dir = cache_dir
        self._clock = clock
        self._proven: dict[tuple[str, str], float] = {}

    async def refusal(
        self,
        origin: Remote,
        credentials: Mapping[str, str],
        prove: Callable[[], Awaitable[Fetched | FetchFailed]],
        namespace: str,
    ) -> FetchFailed | None:
        """Return why these credentials do not open the tree of an origin; None where they do."""
        root = Tree.of(self._cache_dir, *home_of(origin)).root
        acl = await asyncio.to_thread(read_acl, root)
        if acl.visibility is Visibility.PUBLIC:
            return None
        proof = await asyncio.to_thread(proof_of, self._cache_dir, credentials)
        known = (str(root), proof)
        if (credentials and proof in acl.proven) or self._counts(known):
            return None
        answer = _UNPROVABLE if isinstance(origin, Filesystem) else await prove()
        if isinstance(answer, Fetched):
            self._proven[known] = self._clock()
            return None
        return FetchFailed(
            reason="NotAuthorized",
            message=f"{name_of(origin)} is on the node, but not shown to be for everybody, and "
            f"the credentials of namespace {namespace} did not open it: {answer.message}",
            passing=answer.passing,
        )

    def _counts(self, known: tuple[str, str]) -> bool:
        at = self._proven.get(known)
        return at is not None and self._clock() - at < REMEMBERED_SECONDS
