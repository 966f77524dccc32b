"""What the hub says, asked with the caller's own token and no other: listings, and rights.

The agent's token opens nothing for callers. An answer is remembered for a minute under an HMAC of
the token; what the hub does not confirm is refused, but for repositories known to be public.
"""

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from llmaz.agent.cache.acl import Acl, Visibility
from llmaz.agent.cache.aclfile import read_acl, write_acl
from llmaz.agent.cache.destinations import Forbidden
from llmaz.agent.cache.remote import Listing, Refused, RemoteFile
from llmaz.agent.cache.sources.answers import refusal
from llmaz.agent.cache.sources.huggingface import HuggingFace
from llmaz.agent.cache.sources.modelscope import TOKEN as MODELSCOPE_TOKEN
from llmaz.agent.cache.sources.modelscope import ModelScope
from llmaz.agent.cache.store import Tree
from llmaz.agent.cache.wire import NetworkError, Wire
from llmaz.agent.files import write_atomically
from llmaz.agent.mirror.catalogue import cached_listing, is_commit
from llmaz.agent.mirror.hubs import HUGGING_FACE, HubSide
from llmaz.api.names import HF_TOKEN

REMEMBERED_SECONDS = 60.0
_MOST_REMEMBERED = 10_000
# Without HOME no login of a user of this machine is found either.
_OF_A_USER = (
    *(HF_TOKEN, "HF_TOKEN_PATH", "HF_HOME", "HOME", "HUGGING_FACE_HUB_TOKEN"),
    MODELSCOPE_TOKEN,
)


@dataclass(frozen=True, slots=True)
class _Remembered:
    at: float
    answer: Listing | Refused | None


class Upstream:
    """The hub behind the endpoint, and what it lately said to each caller."""

    def __init__(
        self,
        cache_dir: Path,
        environ: Mapping[str, str],
        side: HubSide = HUGGING_FACE,
        plain_http: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.side = side
        self._plain_http = plain_http
        self.environ = {k: v for k, v in environ.items() if k not in _OF_A_USER}
        self._cache_dir = cache_dir
        self._clock = clock
        self._learning = asyncio.Lock()
        self._key = secrets.token_bytes(32)
        self._lately: dict[tuple[str, ...], _Remembered] = {}
        self._one_of_each: dict[tuple[str, ...], asyncio.Lock] = {}
        self._asked_by: dict[tuple[str, str], str] = {}  # branches of (repository, commit)

    async def listing(self, repository: str, revision: str, token: str | None) -> Listing:
        """Return the files of a revision as the caller may see them; raise `Refused` otherwise."""
        if is_commit(revision) and self._is_public(repository):
            held = await asyncio.to_thread(self._cached, repository, revision)
            if held is not None:
                return held
        try:
            found = await self._once("list", (repository, revision), token)
        except Refused as refused:
            held = self._held(repository, revision, refused)
            if held is None:
                raise
            return held
        if found is None:
            raise AssertionError("a listing is no right")
        if not is_commit(revision):
            if len(self._asked_by) > _MOST_REMEMBERED:
                self._asked_by.clear()
            self._asked_by[repository, found.commit] = revision
        return found

    def name_branch(self, repository: str, commit: str) -> None:
        """Let clients of the tree, and those that come while the hub is away, find it by branch."""
        root = self._root(repository)
        revision = self._asked_by.get((repository, commit))
        if revision is None or not (root / "trees" / f"{commit}.json").exists():
            return
        with suppress(OSError):  # a branch's name may be a directory of others'
            write_atomically(root / "refs" / revision, commit)
        del self._asked_by[repository, commit]

    async def check(
        self, repository: str, commit: str, file: RemoteFile, token: str | None
    ) -> None:
        """Raise `Refused` unless the hub lets the caller read the bytes of a file."""
        if self._is_public(repository):
            return
        await self._once("read", (repository, commit), token, file)
        if token is None:
            await self._learn_public(repository)

    async def _once(
        self, what: str, about: tuple[str, str], token: str | None, file: RemoteFile | None = None
    ) -> Listing | None:
        caller = hmac.new(self._key, (token or "").encode(), hashlib.sha256).hexdigest()
        key = (what, caller, *about)
        if len(self._lately) > _MOST_REMEMBERED:
            self._lately.clear()
            self._one_of_each = {k: lock for k, lock in self._one_of_each.items() if lock.locked()}
        async with self._one_of_each.setdefault(key, asyncio.Lock()):
            known = self._lately.get(key)
            if known is None or self._clock() - known.at > REMEMBERED_SECONDS:
                answer = await asyncio.to_thread(self._ask, about, token, file)
                known = _Remembered(self._clock(), answer)
                passing = isinstance(answer, Refused) and answer.failure.passing
                if not passing:
                    self._lately[key] = known
        if isinstance(known.answer, Refused):
            raise known.answer
        return known.answer

    def _ask(
        self, about: tuple[str, str], token: str | None, file: RemoteFile | None
    ) -> Listing | Refused | None:
        origin = self.side.origin(*about)
        wire = Wire()
        try:
            hub = self.side.source(
                origin, wire, token=token, environ=self.environ, plain_http=self._plain_http
            )
            return hub.listing() if file is None else _read(hub, wire, file)
        except Refused as refused:
            return refused
        except Forbidden as error:
            return Refused("ForbiddenAddress", str(error), passing=False)
        except (NetworkError, ValueError) as error:
            words = f"the hub can't be asked about {about[0]}: {error}"
            return Refused("HubUnreachable", words, passing=True)
        finally:
            wire.close()

    async def _learn_public(self, repository: str) -> None:
        async with self._learning:  # two that write one file at once would meet beside it
            if not self._is_public(repository):
                root = self._root(repository)
                await asyncio.to_thread(write_acl, root, Acl(visibility=Visibility.PUBLIC))

    def _is_public(self, repository: str) -> bool:
        return read_acl(self._root(repository)).visibility is Visibility.PUBLIC

    def _root(self, repository: str) -> Path:
        return Tree.of(self._cache_dir, self.side.family, repository).root

    def _cached(self, repository: str, revision: str) -> Listing | None:
        """Return what is held of a public repository."""
        found = cached_listing(self._cache_dir, self.side.family, repository, revision)
        return found and replace(found, visibility=Visibility.PUBLIC)

    def _held(self, repository: str, revision: str, refused: Refused) -> Listing | None:
        """Serve the pinned revision of a public repository while the hub is away."""
        if not refused.failure.passing or not self._is_public(repository):
            return None
        return self._cached(repository, revision)


def _read(hub: HuggingFace | ModelScope, wire: Wire, file: RemoteFile) -> Refused | None:
    """Ask for nothing but the head, or for a byte of a hub that knows no HEAD."""
    method = "HEAD" if isinstance(hub, HuggingFace) else "GET"
    answer = wire.ask(hub.target(file), {"Range": "bytes=0-0"}, method)
    wire.finish(answer)
    if answer.status in (200, 206, 416):  # 416: it is empty
        return None
    return hub.why(answer.status, answer.headers) or refusal(answer.status, file.path)
