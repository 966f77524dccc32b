"""What every handler needs: the objects, the resources, the time and fresh names."""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from llmaz.local.apiserver.registry import Registry
from llmaz.local.apiserver.store import Store


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The server's state and its sources of time and chance."""

    store: Store
    registry: Registry
    clock: Callable[[], datetime] = _now

    def now(self) -> str:
        """Return the time as objects carry it: whole seconds, UTC."""
        return self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")

    def fresh_uid(self) -> str:
        return str(uuid.uuid4())

    def random_number(self) -> int:
        return secrets.randbits(64)
