"""Where the bytes of one fetch came from, and what went wrong on the way."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

WRONG = "wrong"  # why a chunk counts as not brought: its bytes are other than was said
Counted: TypeAlias = Literal[
    "brought",
    "from_peers",
    "wrong_from_peers",
    "wrong_from_origin",
    "stalls",
    "refusals",
    "doubted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One fetch so far.

    from_origin: bytes that came from the model's source
    from_peers: bytes that came from other nodes
    wrong_from_origin: files of the source that were other than it says
    wrong_from_peers: chunks of other nodes that were other than they said
    stalls: connections that were cut because nothing came
    refusals: answers that asked for fewer requests, such as 429
    doubted: bytes that were here, and are fetched again since the machine went down before they
        were flushed
    by_relation: bytes of other nodes, by what they share with this one: rack, zone, neither
    peer_failures: what other nodes did not bring, by why
    banned: nodes that sent wrong bytes, and are asked no more
    """

    from_origin: int = 0
    from_peers: int = 0
    wrong_from_origin: int = 0
    wrong_from_peers: int = 0
    stalls: int = 0
    refusals: int = 0
    doubted: int = 0
    by_relation: Mapping[str, int] = field(default_factory=dict)
    peer_failures: Mapping[str, int] = field(default_factory=dict)
    banned: tuple[str, ...] = ()

    @property
    def came(self) -> int:
        """How many bytes came over the network."""
        return self.from_origin + self.from_peers

    @property
    def sources(self) -> str:
        """Say where bytes came from; nothing where none were needed."""
        if self.from_peers and self.from_origin:
            return "both"
        return "peers" if self.from_peers else "origin" if self.from_origin else ""


class Tallying:
    """Counts for one fetch, over its threads."""

    def __init__(self) -> None:
        self._counts: Counter[Counted] = Counter()
        self._by_relation: Counter[str] = Counter()
        self._peer_failures: Counter[str] = Counter()
        self._banned: set[str] = set()
        self._lock = threading.Lock()

    def add(self, what: Counted, count: int = 1) -> None:
        with self._lock:
            self._counts[what] += count

    def received(self, relation: str, size: int) -> None:
        """Count bytes of another node."""
        with self._lock:
            self._counts["from_peers"] += size
            self._by_relation[relation] += size

    def failed(self, why: str) -> None:
        """Count a chunk that another node did not bring."""
        with self._lock:
            self._peer_failures[why] += 1
            self._counts["wrong_from_peers"] += why == WRONG

    def banned(self, peer: str) -> None:
        """Note a node that is asked no more."""
        with self._lock:
            self._banned.add(peer)

    def read(self) -> Tally:
        """Return what was counted: of all that was brought, peers say what they brought of it."""
        with self._lock:
            counts = self._counts.copy()
            relations, failures = dict(self._by_relation), dict(self._peer_failures)
            banned = tuple(sorted(self._banned))
        return Tally(
            from_origin=max(0, counts["brought"] - counts["from_peers"]),
            from_peers=counts["from_peers"],
            wrong_from_origin=counts["wrong_from_origin"],
            wrong_from_peers=counts["wrong_from_peers"],
            stalls=counts["stalls"],
            refusals=counts["refusals"],
            doubted=counts["doubted"],
            by_relation=relations,
            peer_failures=failures,
            banned=banned,
        )
