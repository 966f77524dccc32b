"""The words of a swarm: who is in it, what happens to it, and what it decides. Values."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A node that wants or holds the files."""

    name: str
    zone: str = ""
    rack: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much goes on at a time, and how long is waited for others."""

    from_peers: int = 8  # chunks asked of peers, over all files
    from_one_peer: int = 2  # one where so many have what is missing that all can be busy
    from_origin: int = 4  # connections
    quick_seconds: float = 0.5  # a chunk that one connection brings in less comes over one
    settle_seconds: float = 1.5  # until it is believed that who has nothing does not want the file
    answer_seconds: float = 15.0  # until who can be reached but tells nothing is waited for no more
    patience_seconds: float = 5.0  # without a sign from who shall bring a chunk
    hedge_seconds: float = 3.0  # until a chunk is asked of a second peer
    despair_seconds: float = 15.0  # until a chunk that peers hold is fetched from outside again
    ban_seconds: float = 600.0
    strikes: int = 2  # bad chunks that ban a peer
    budget: float = 0.04  # the share of a file that nodes together may fetch from outside again


@dataclass(frozen=True, slots=True)
class PeerKnown:
    """A peer answers. Until it tells what it has, it has nothing."""

    member: Member


@dataclass(frozen=True, slots=True)
class PeerLost:
    """A peer does not answer any more."""

    peer: str


@dataclass(frozen=True, slots=True)
class PeerTold:
    """A peer has these chunks (a bit each) of a file beside what it told before."""

    peer: str
    have: int
    claims: int = 0  # what it fetches from outside
    anew: bool = False  # what it told before is no longer so
    wants: bool = True  # False: it has nothing of the file, nor fetches it


@dataclass(frozen=True, slots=True)
class Brought:
    """A chunk is here, and its digest was right. Without a source, it was here before."""

    chunk: int
    source: str | None


@dataclass(frozen=True, slots=True)
class Missed:
    """A source (None: outside) did not bring a chunk."""

    chunk: int
    source: str | None
    corrupt: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody waits for a chunk."""

    chunk: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event: TypeAlias = PeerKnown | PeerLost | PeerTold | Brought | Missed | Wanted | Tick


@dataclass(frozen=True, slots=True)
class AskPeer:
    """Ask a peer for a chunk."""

    chunk: int
    peer: str


@dataclass(frozen=True, slots=True)
class AskOrigin:
    """Bring a chunk from outside, over so many connections, and let the others know of it."""

    chunk: int
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Ban:
    """Do not ask a peer any more: it sent bytes other than it said."""

    peer: str


Instruction: TypeAlias = AskPeer | AskOrigin | Ban
