"""The node's models: fetches run in the background, and what is known of each can be seen."""

import asyncio
import dataclasses
import errno
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import assert_never

from llmaz.agent.cache import marks, pins
from llmaz.agent.cache.anatomy import memory_of
from llmaz.agent.cache.asking import Asking
from llmaz.agent.cache.counts import FetchCounts
from llmaz.agent.cache.limits import Limits
from llmaz.agent.cache.origin import (
    HubRepository,
    NodePath,
    Remote,
    Unsupported,
    home_of,
    key_of,
    name_of,
    origin_of,
)
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.pace import Pace
from llmaz.agent.cache.placed import looked_at
from llmaz.agent.cache.policy import FetchPolicy
from llmaz.agent.cache.ports import Fetcher, Secrets
from llmaz.agent.cache.request import FetchRequest, Progress
from llmaz.agent.cache.rights import Rights
from llmaz.agent.cache.room import touch
from llmaz.agent.cache.roommaker import RoomMaker
from llmaz.agent.cache.state import (
    AskRight,
    DropModel,
    DropRight,
    Failed,
    Fetching,
    FetchModel,
    Held,
    ListPeers,
    ModelAction,
    ModelSeen,
)
from llmaz.agent.cache.store import Tree
from llmaz.agent.cache.weights import complaint
from llmaz.agent.files import write_atomically
from llmaz.agent.swarm.peering import Peering, peers_path
from llmaz.api.node import AssignedModel

logger = logging.getLogger(__name__)

FETCHES_AT_ONCE = 3
DEFAULT_ENDPOINT = "https://huggingface.co"


class ModelCache:
    """The models of one cache directory. `changed` is set when `seen` is another than before.

    keep: trees that stay besides those of the models
    settled: called when something came into the cache for good, or went
    """

    def __init__(
        self,
        cache_dir: Path,
        *,
        fetcher: Fetcher,
        secrets: Secrets,
        now: Callable[[], datetime],
        changed: asyncio.Event,
        endpoint: str = DEFAULT_ENDPOINT,
        limits: Limits = Limits(),  # noqa: B008  # a frozen value
        policy: FetchPolicy = FetchPolicy(),  # noqa: B008  # a frozen value
        peering: Callable[[str], Peering | None] = lambda _: None,
        keep: Callable[[], frozenset[Path]] = frozenset,
        settled: Callable[[], None] = lambda: None,
    ) -> None:
        self.counts = FetchCounts()
        self._keep = keep
        self._settled = settled
        self._cache_dir = cache_dir
        self._fetcher = fetcher
        self._now = now
        self._changed = changed
        self._endpoint = endpoint
        self._asking = Asking(cache_dir, secrets, policy, peering)
        self._room = RoomMaker(cache_dir, limits, settled)
        self._rights = Rights(
            cache_dir, policy, fetcher=fetcher, secrets=secrets, now=now, changed=changed
        )
        self._paces: dict[str, Pace] = {}
        self._seen: dict[str, ModelSeen] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._one_of_each: dict[str, asyncio.Lock] = {}
        self._places = asyncio.Semaphore(FETCHES_AT_ONCE)

    def seen(self) -> Mapping[str, ModelSeen]:
        return {
            name: dataclasses.replace(seen, rights=self._rights.of(seen.model))
            for name, seen in self._seen.items()
        }

    def evictions(self) -> Mapping[str, int]:
        """Return how many snapshots made room for others, by what wanted the room."""
        return self._room.evictions

    async def recheck(self) -> None:
        """Fetch again what was ready and is there no more, such as files removed by hand."""
        for name, seen in list(self._seen.items()):
            if not isinstance(seen.state, Held) or not seen.state.path:
                continue
            gone = await asyncio.to_thread(self._is_gone, seen.model, seen.state)
            if gone and self._seen.get(name) is seen:
                logger.warning("model %s was at %s, and is not", name, seen.state.path)
                self._begin(seen.model)
                self._changed.set()

    def _is_gone(self, model: AssignedModel, held: Held) -> bool:
        origin = origin_of(model.source)
        if isinstance(origin, NodePath | Unsupported):
            return not Path(held.path).exists()
        return marks.recall(self._cache_dir, key_of(origin, self._endpoint)) is None

    def perform(self, action: ModelAction) -> None:
        """Begin what the action says; it goes on in the background."""
        match action:
            case FetchModel(model=model):
                self._begin(model)
            case ListPeers(model=model):
                self._seen[model.name] = dataclasses.replace(self._seen[model.name], model=model)
                with suppress(OSError):  # a fetch says that the cache can't be written
                    self._asking.share(model)
            case DropModel(name=name):
                self._cancel(name)
                self._rights.forget(name)
                with suppress(OSError):  # a cache that can't be written keeps the list, to no harm
                    peers_path(self._cache_dir, name).unlink(missing_ok=True)
                dropped = self._seen.pop(name, None)
                if dropped is not None and isinstance(dropped.state, Held):
                    touch(Path(dropped.state.path))
                self._changed.set()
            case AskRight() | DropRight():
                self._rights.perform(action)
            case _:
                assert_never(action)

    async def aclose(self) -> None:
        """Stop the fetches under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._rights.aclose()

    def _begin(self, model: AssignedModel) -> None:
        self._cancel(model.name)
        self._rights.forget(model.name)
        self._paces.pop(model.name, None)
        before = self._seen.get(model.name)
        after = before.state if before is not None and isinstance(before.state, Failed) else None
        self._seen[model.name] = ModelSeen(model=model, state=Fetching(after=after))
        self._tasks[model.name] = asyncio.create_task(self._bring(model, after))

    def _cancel(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()

    async def _bring(self, model: AssignedModel, after: Failed | None) -> None:
        try:
            await asyncio.to_thread(self._pin, model)
            outcome = await self._outcome(model)
        except OSError as error:
            outcome = FetchFailed(reason=_system_reason(error), message=str(error), passing=True)
        match outcome:
            case Fetched(path=path, revision=revision, files=files, pickles=pickles):
                size = sum(file.size for file in files) if files else None
                memory = await asyncio.to_thread(memory_of, Path(path)) if path else None
                held = Held(
                    path=path, revision=revision, size_bytes=size, pickles=pickles, memory=memory
                )
                self._know(model, held)
                logger.info("model %s is ready at %s", model.name, path)
            case FetchFailed(reason=reason, message=message, passing=passing):
                failed = Failed(
                    reason=reason,
                    message=message,
                    passing=passing,
                    failures=1 + (after.failures if after else 0),
                    at=self._now(),
                )
                self._know(model, failed)
                logger.warning("model %s is not ready: %s: %s", model.name, reason, message)
            case _:
                assert_never(outcome)

    def _pin(self, model: AssignedModel) -> None:
        origin = origin_of(model.source)
        if isinstance(origin, NodePath | Unsupported):
            return
        tree, who = Tree.of(self._cache_dir, *home_of(origin)), pins.of_model(model.name)
        if model.pin:
            pins.pin(self._cache_dir, tree, who)
        else:
            pins.unpin(self._cache_dir, tree, who)

    async def _outcome(self, model: AssignedModel) -> Fetched | FetchFailed:
        origin = origin_of(model.source)
        match origin:
            case Unsupported(message=message):
                return FetchFailed(reason="UnsupportedSource", message=message, passing=False)
            case NodePath(path=path):
                return await asyncio.to_thread(looked_at, Path(path), self._cache_dir)
            case _:
                return await self._from_afar(model, origin)

    async def _from_afar(self, model: AssignedModel, origin: Remote) -> Fetched | FetchFailed:
        key = key_of(origin, self._endpoint)
        async with self._one_of_each.setdefault(key, asyncio.Lock()):
            known = await asyncio.to_thread(marks.recall, self._cache_dir, key)
            if known is not None:
                return known
            request = await self._asking.request(model, origin)
            if isinstance(request, FetchFailed):
                return request
            async with self._places:
                outcome = await self._fetch(model, request)
            if isinstance(outcome, Fetched):
                await asyncio.to_thread(_name_branch, self._cache_dir, origin, outcome)
                await asyncio.to_thread(marks.remember, self._cache_dir, key, outcome)
            return outcome

    async def _fetch(self, model: AssignedModel, request: FetchRequest) -> Fetched | FetchFailed:
        logger.info("fetching model %s from %s", model.name, name_of(request.origin))
        with self.counts.one() as counted:

            def tell(told: Progress) -> None:
                counted.told(told.tally)
                self._progress(model, told)

            room = partial(self._room.make, request.priority, self._kept)
            counted.outcome = outcome = await self._fetcher.fetch(request, tell, room)
        if isinstance(outcome, FetchFailed):
            return outcome
        if outcome.pickles:
            logger.warning("model %s has pickles, which run code: %s", model.name, outcome.pickles)
        wrong = await asyncio.to_thread(complaint, Path(outcome.path))
        if wrong is not None:
            return FetchFailed(reason="NotAModel", message=wrong, passing=False)
        return outcome

    def _kept(self) -> frozenset[Path]:
        trees = set()
        for seen in self._seen.values():
            origin = origin_of(seen.model.source)
            if not isinstance(origin, NodePath | Unsupported):
                trees.add(Tree.of(self._cache_dir, *home_of(origin)).root)
        return frozenset(trees) | self._keep()

    def _progress(self, model: AssignedModel, told: Progress) -> None:
        now = self._seen.get(model.name)
        if now is not None and isinstance(now.state, Fetching):
            pace = self._paces.get(model.name, Pace()).after(time.monotonic(), told.tally.came)
            self._paces[model.name] = pace
            state = dataclasses.replace(
                now.state,
                bytes_done=told.bytes_done,
                bytes_total=told.bytes_total,
                bytes_per_second=pace.bytes_per_second(),
                seconds_left=pace.seconds_left(told.bytes_total - told.bytes_done),
                fetched_from=told.tally.sources,
            )
            self._know(model, state)

    def _know(self, model: AssignedModel, state: Fetching | Held | Failed) -> None:
        before = self._seen.get(model.name)
        if isinstance(state, Held) and before is not None and isinstance(before.state, Fetching):
            state = dataclasses.replace(state, fetched_from=before.state.fetched_from)
        self._seen[model.name] = ModelSeen(model=model, state=state)
        self._changed.set()
        if not isinstance(state, Fetching):
            self._settled()


def _name_branch(cache_dir: Path, origin: Remote, fetched: Fetched) -> None:
    """Let clients of the tree find by its branch what was fetched by its commit."""
    if isinstance(origin, HubRepository) and fetched.revision not in ("", origin.revision):
        ref = Tree.of(cache_dir, *home_of(origin)).root / "refs" / origin.revision
        write_atomically(ref, fetched.revision)


def _system_reason(error: OSError) -> str:
    return "NoSpace" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "CacheNotWritable"
