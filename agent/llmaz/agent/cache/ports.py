"""What the cache needs of others: credentials, and something that fetches."""

from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar, Protocol

from llmaz.agent.cache.origin import SecretKeys
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.request import FetchRequest, Progress, Room


class SecretError(Exception):
    """The credentials that a source is to be asked with can't be had now."""

    reason: ClassVar[str]


class SecretUnreadableError(SecretError):
    """The Secret with a source's credentials can't be read."""

    reason = "SecretUnreadable"


class SecretNotFoundError(SecretError):
    """The Secret that a model names is not there, or has none of the source's keys."""

    reason = "SecretNotFound"


class Secrets(Protocol):
    """Where a source's credentials come from; empty where there are none.

    Without `own`, the platform's are taken where a namespace has none, and a Secret that the model
    names must be there: SecretError says of it what is missing.
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
