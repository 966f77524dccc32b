"""Whether a hub's files come by Xet or by plain ranges. Pure.

Plain ranges take little memory and only addresses that were looked at, so they come first. Xet is
tried where they are slow, and kept where it is quicker.
"""

from dataclasses import dataclass, replace

from llmaz.agent.cache.policy import XetMode

SLOW_RATE = 64 * 2**20  # bytes a second: below, it is worth the memory to look for a quicker way
JUDGED_SECONDS = 10.0  # after so long a rate is one
WORTHWHILE_BYTES = 2**30  # with less left, another way is not found out soon enough
SMALLEST_FILE = 16 * 2**20  # below, the question where its chunks are takes as long as its bytes
_LARGEST_BUFFER = 2**30
_SHARE_OF_MEMORY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How files come, since when, and how many bytes had come by then."""

    by_xet: bool = False
    settled: bool = True
    since: float = 0.0
    brought: int = 0
    plain_rate: float = 0.0


def first_way(mode: XetMode, *, now: float) -> Way:
    """Return the way that a fetch begins with."""
    return Way(by_xet=mode == "always", settled=mode != "auto", since=now)


def judged(way: Way, *, now: float, brought: int, left: int) -> Way:
    """Return the way to go on with: of two that were tried, the quicker one."""
    seconds = now - way.since
    if way.settled or seconds < JUDGED_SECONDS:
        return way
    rate = (brought - way.brought) / seconds
    if way.by_xet:
        return replace(way, by_xet=rate > way.plain_rate, settled=True)
    if left < WORTHWHILE_BYTES or rate >= SLOW_RATE:
        return replace(way, since=now, brought=brought)
    return Way(by_xet=True, settled=False, since=now, brought=brought, plain_rate=rate)


def buffer_bytes(free: int) -> int:
    """Return how much hf_xet may hold; left to itself it takes a quarter of the machine."""
    return min(_LARGEST_BUFFER, free // _SHARE_OF_MEMORY)
