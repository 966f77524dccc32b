"""What the agent and its hub child say to each other: a request, then events, a line each.

The request travels on standard input, since a token must be neither in an argument nor in a log.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.state import Fetched, FetchFailed
from llmaz.api.manifest import Manifest, decode, encode


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRequest:
    """Bring what `origin` selects into the tree at `hub_dir`."""

    origin: HubRepository
    hub_dir: str
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the fetch is."""

    bytes_done: int
    bytes_total: int


Event: TypeAlias = Progress | Fetched | FetchFailed
_KINDS: Mapping[str, type[Event]] = {
    kind.__name__: kind for kind in (Progress, Fetched, FetchFailed)
}


def write_event(event: Event) -> str:
    """Write an event as one line, without its end."""
    body: Manifest = {"kind": type(event).__name__, "event": encode(event)}
    return json.dumps(body)


def read_event(line: bytes) -> Event:
    """Read a line; raise ValueError where it is no event."""
    body = json.loads(line)
    if not isinstance(body, dict) or body.get("kind") not in _KINDS:
        raise ValueError(f"no event: {line[:200]!r}")
    return decode(_KINDS[body["kind"]], body.get("event"))


def read_request(line: str) -> HubRequest:
    """Read the request; raise ValueError where it is none."""
    return decode(HubRequest, json.loads(line))
