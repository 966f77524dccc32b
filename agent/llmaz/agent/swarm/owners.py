"""Who brings which stripe from outside: by rendezvous hashing, so that nobody has to ask. Pure.

Two nodes that see the same members agree. When a member comes or goes, few stripes have another
owner but those that it gains or leaves.
"""

import functools
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

_OF_NO_STRIPE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Who answers for which chunks of a file, among these members."""

    members: frozenset[str]
    order: tuple[list[str], ...]  # of each stripe
    of: Mapping[str, int]  # the chunks that each owns, a bit each


@functools.lru_cache(maxsize=64)
def shares(
    what: str,
    chunks: int,
    stripe: int,
    members: frozenset[str],
    out: frozenset[str] = frozenset(),
) -> Shares:
    """Share a file's chunks, `stripe` in a row, out among the members, to each as many.

    Whose share is full is passed over: the largest of uneven shares would come last, and whole
    files are waited for. What those bring no more who are `out` falls to the next of each stripe,
    and nothing else moves: nodes find out one after the other.
    """
    order = tuple(
        [name for name in names if name not in out]
        for names in _evenly(what, chunks, stripe, members)
    )
    of = dict.fromkeys(members - out, 0)
    for number, names in enumerate(order):
        first = number * stripe
        of[names[0]] |= ((1 << min(stripe, chunks - first)) - 1) << first
    return Shares(members=members - out, order=order, of=of)


@functools.lru_cache(maxsize=64)
def _evenly(what: str, chunks: int, stripe: int, members: frozenset[str]) -> tuple[list[str], ...]:
    stripes = -(-chunks // stripe)
    order = tuple(ranked(what, number, members) for number in range(stripes))
    most, owned = -(-stripes // len(members)), dict.fromkeys(members, 0)
    for names in order:
        name = next(name for name in names if owned[name] < most)
        names.remove(name)
        names.insert(0, name)
        owned[name] += 1
    return order


@functools.lru_cache(maxsize=64)
def portions(what: str, total: int, members: frozenset[str]) -> Mapping[str, int]:
    """Portion out a number among the members; what is left over goes by their hashes."""
    each, over = divmod(total, len(members))
    order = ranked(what, _OF_NO_STRIPE, members)
    return {name: each + (number < over) for number, name in enumerate(order)}


def weight(what: str, stripe: int, member: str) -> int:
    """Return a number that looks random and that every node computes alike."""
    text = f"{what}/{stripe}/{member}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


def ranked(what: str, stripe: int, members: Collection[str]) -> list[str]:
    """Return the members in the order in which they answer for a stripe; the first owns it."""
    return sorted(members, key=lambda member: (-weight(what, stripe, member), member))
