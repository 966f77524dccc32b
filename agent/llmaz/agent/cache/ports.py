"""What the cache needs of others: credentials, and something that fetches."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from llmaz.agent.cache.origin import SecretKeys
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.request import FetchRequest, Progress, Room


class SecretUnreadableError(Exception):
    """The Secret with a source's credentials can't be read now."""


class Secrets(Protocol):
    """Where a source's credentials come from; empty where there are none.

    Without `own`, the platform's are taken where a namespace has none.
    """

    async def credentials(
        self, namespace: str | None, wanted: SecretKeys, *, own: bool = False
    ) -> Mapping[str, str]: ...


class Fetcher(Protocol):
    """What brings a model to the disk."""

    async def fetch(
        self,
        request: FetchRequest,
        tell: Callable[[Progress], None],
        room: Callable[[int], Awaitable[Room]],
    ) -> Fetched | FetchFailed: ...
