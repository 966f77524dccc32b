"""Small choices of a swarm: which chunk is rarest, who is near. Pure, and quick for many chunks."""

import random
from collections.abc import Iterable, Iterator, Sequence

from llmaz.agent.swarm.values import Member


def bits(mask: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set, from the lowest."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def mask_of(chunks: Iterable[int]) -> int:
    mask = 0
    for chunk in chunks:
        mask |= 1 << chunk
    return mask


def shuffled(count: int, seed: str) -> list[int]:
    """Return the numbers below `count` in an order that each seed has for itself.

    Nodes that started together would else ask the same peer for the same chunk.
    """
    order = list(range(count))
    random.Random(seed).shuffle(order)  # noqa: S311  # no secret
    return order


def rarest(chunks: int, holders: Sequence[int], order: Sequence[int], most: int) -> list[int]:
    """Return up to `most` of the chunks, those first that the fewest have."""
    found: list[int] = []
    for layer in _layers(chunks, [have for have in holders if have & chunks]) if chunks else ():
        found += sorted(bits(layer), key=order.__getitem__)
        if len(found) >= most:
            break
    return found[:most]


RELATIONS = ("rack", "zone", "none")  # that nodes share, by their nearness


def nearness(me: Member, other: Member) -> int:
    """Return 0 for a node of the same rack, 1 of the same zone, 2 of another one."""
    if me.zone != other.zone:
        return 2
    return 0 if me.rack == other.rack else 1


def _layers(chunks: int, holders: Sequence[int]) -> list[int]:
    """Return for 0, 1, 2, ... the chunks that so many have; what more than 8 have is alike."""
    at_least = [chunks] + [0] * 8
    for have in holders:
        for number in range(8, 0, -1):
            at_least[number] |= at_least[number - 1] & have
    return [at_least[n] & ~(at_least[n + 1] if n < 8 else 0) for n in range(9)]
