"""What the agent and its fetching child say to each other, a line each: a request, then events.

The request travels on standard input, since a token must be neither in an argument nor in a log.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from llmaz.agent.cache.origin import (
    Bucket,
    Filesystem,
    HubRepository,
    OllamaModel,
    Remote,
    WebFile,
)
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.policy import Priority, XetMode
from llmaz.agent.cache.remote import Listing
from llmaz.agent.cache.tally import Tally
from llmaz.agent.swarm.peering import Peering
from llmaz.api.manifest import Manifest, decode, encode


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """Bring what `origin` selects into the cache at `cache_dir`.

    To `prove` is to show that the credentials open it, and to bring nothing.
    """

    origin: Remote
    cache_dir: str
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    rates: Mapping[str, int] = field(default_factory=dict)
    priority: Priority = "demand"
    refuse_pickle: bool = False
    prove: bool = False
    plain_http: tuple[str, ...] = ()
    xet: XetMode = "never"
    peering: Peering | None = None  # None: nothing is shared with other nodes
    listing: Listing | None = None  # what the source holds, where it was asked a moment ago
    streamed: bool = False  # somebody reads it while it comes, from its begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the fetch is."""

    bytes_done: int
    bytes_total: int
    tally: Tally = field(default_factory=Tally)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomWanted:
    """So many bytes are about to be fetched. The child waits for a line that answers."""

    bytes_needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The answer: whether there is room, and why not if there is none."""

    refusal: str | None = None


Event: TypeAlias = Progress | RoomWanted | Fetched | FetchFailed
_EVENTS: Mapping[str, type[Event]] = {
    kind.__name__: kind for kind in (Progress, RoomWanted, Fetched, FetchFailed)
}
_ORIGINS: Mapping[str, type[Remote]] = {
    kind.__name__: kind for kind in (HubRepository, Bucket, WebFile, OllamaModel, Filesystem)
}


def write_event(event: Event) -> str:
    """Write an event as one line, without its end."""
    body: Manifest = {"kind": type(event).__name__, "event": encode(event)}
    return json.dumps(body)


def read_event(line: bytes) -> Event:
    """Read a line; raise ValueError where it is no event."""
    body = json.loads(line)
    if not isinstance(body, dict) or body.get("kind") not in _EVENTS:
        raise ValueError(f"no event: {line[:200]!r}")
    return decode(_EVENTS[body["kind"]], body.get("event"))


def write_request(request: FetchRequest) -> str:
    """Write the request as one line, without its end."""
    body: Manifest = {
        "kind": type(request.origin).__name__,
        "origin": encode(request.origin),
        "cacheDir": request.cache_dir,
        "credentials": dict(request.credentials),
        "rates": dict(request.rates),
        "priority": request.priority,
        "refusePickle": request.refuse_pickle,
        "prove": request.prove,
        "plainHttp": list(request.plain_http),
        "xet": request.xet,
        "peering": encode(request.peering) if request.peering is not None else None,
        "listing": encode(request.listing) if request.listing is not None else None,
        "streamed": request.streamed,
    }
    return json.dumps(body)


def read_request(line: str) -> FetchRequest:
    """Read the request; raise ValueError where it is none."""
    body = json.loads(line)
    return FetchRequest(
        origin=decode(_ORIGINS[body["kind"]], body["origin"]),
        cache_dir=body["cacheDir"],
        credentials=body["credentials"],
        rates=body.get("rates", {}),
        priority=body.get("priority", "demand"),
        refuse_pickle=body.get("refusePickle", False),
        prove=body.get("prove", False),
        plain_http=tuple(body.get("plainHttp", ())),
        xet=body.get("xet", "never"),
        peering=decode(Peering, body["peering"]) if body.get("peering") else None,
        listing=decode(Listing, body["listing"]) if body.get("listing") else None,
        streamed=body.get("streamed", False),
    )
