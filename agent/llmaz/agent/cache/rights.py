"""Which namespaces may have weights that are on the node: asked once each, by their own Secrets.

The platform's credentials and the node's own bring weights here, and open them to nobody: what
counts is what the engine's own namespace has.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from llmaz.agent.cache.authorize import Authorization
from llmaz.agent.cache.origin import NodePath, Remote, Unsupported, origin_of, secret_of
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.policy import FetchPolicy
from llmaz.agent.cache.ports import Fetcher, SecretError, Secrets
from llmaz.agent.cache.request import FetchRequest, Room
from llmaz.agent.cache.state import Asking, AskRight, DropRight, Failed, Granted, Right
from llmaz.api.node import AssignedModel


class Rights:
    """What is known of each model and namespace. `changed` is set when that is another."""

    def __init__(
        self,
        cache_dir: Path,
        policy: FetchPolicy,
        *,
        fetcher: Fetcher,
        secrets: Secrets,
        now: Callable[[], datetime],
        changed: asyncio.Event,
    ) -> None:
        self._cache_dir = cache_dir
        self._policy = policy
        self._fetcher = fetcher
        self._secrets = secrets
        self._now = now
        self._changed = changed
        self._authorization = Authorization(cache_dir)
        self._known: dict[tuple[str, str], Right] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    def of(self, model: AssignedModel) -> Mapping[str, Right] | None:
        """Return the rights to a model by namespace; None where it is for all."""
        if not self._policy.gated_authorization:
            return None
        if isinstance(origin_of(model.source), NodePath | Unsupported):
            return None
        return {space: right for (name, space), right in self._known.items() if name == model.name}

    def perform(self, action: AskRight | DropRight) -> None:
        """Begin what the action says."""
        if isinstance(action, DropRight):
            self._forget((action.name, action.namespace))
        else:
            self._ask(action.model, action.namespace)
        self._changed.set()

    def forget(self, name: str) -> None:
        """Forget all that is known of a model: its source is another, or it is here no more."""
        for key in [key for key in self._known if key[0] == name]:
            self._forget(key)

    async def aclose(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, key: tuple[str, str]) -> None:
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
        self._known.pop(key, None)

    def _ask(self, model: AssignedModel, namespace: str) -> None:
        key = (model.name, namespace)
        before = self._known.get(key)
        self._forget(key)
        self._known[key] = Asking()
        failures = before.failures if isinstance(before, Failed) else 0
        self._tasks[key] = asyncio.create_task(self._find_out(key, model, failures))

    async def _find_out(self, key: tuple[str, str], model: AssignedModel, failures: int) -> None:
        try:
            refusal = await self._refusal(model, key[1])
        except SecretError as error:
            refusal = FetchFailed(reason=error.reason, message=str(error), passing=True)
        except OSError as error:
            refusal = FetchFailed(reason="CacheNotReadable", message=str(error), passing=True)
        self._known[key] = Granted()
        if refusal is not None:
            self._known[key] = Failed(
                reason=refusal.reason,
                message=refusal.message,
                passing=refusal.passing,
                failures=failures + 1,
                at=self._now(),
            )
        self._changed.set()

    async def _refusal(self, model: AssignedModel, namespace: str) -> FetchFailed | None:
        origin = origin_of(model.source)
        if isinstance(origin, NodePath | Unsupported):
            return None
        wanted = secret_of(origin, model.secret)
        given: Mapping[str, str] = {}
        if wanted is not None:
            given = await self._secrets.credentials(namespace, wanted, own=True)
        return await self._authorization.refusal(
            origin, given, lambda: self._proven(origin, given), namespace
        )

    async def _proven(self, origin: Remote, given: Mapping[str, str]) -> Fetched | FetchFailed:
        request = FetchRequest(
            origin=origin,
            cache_dir=str(self._cache_dir),
            credentials=given,
            plain_http=self._policy.plain_http,
            prove=True,
        )
        return await self._fetcher.fetch(request, lambda _: None, _no_room)


async def _no_room(needed: int) -> Room:  # noqa: ARG001  # a proof brings nothing
    return Room(refusal="a proof brings nothing")
