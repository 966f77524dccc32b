"""Where the bytes of one fetch came from, and what went wrong on the way."""

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Literal, TypeAlias

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
    """

    from_origin: int = 0
    from_peers: int = 0
    wrong_from_origin: int = 0
    wrong_from_peers: int = 0
    stalls: int = 0
    refusals: int = 0
    doubted: int = 0

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
        self._lock = threading.Lock()

    def add(self, what: Counted, count: int = 1) -> None:
        with self._lock:
            self._counts[what] += count

    def read(self) -> Tally:
        """Return what was counted: of all that was brought, peers say what they brought of it."""
        with self._lock:
            counts = self._counts.copy()
        return Tally(
            from_origin=max(0, counts["brought"] - counts["from_peers"]),
            from_peers=counts["from_peers"],
            wrong_from_origin=counts["wrong_from_origin"],
            wrong_from_peers=counts["wrong_from_peers"],
            stalls=counts["stalls"],
            refusals=counts["refusals"],
            doubted=counts["doubted"],
        )
