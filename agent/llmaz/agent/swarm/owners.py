"""Who brings which stripe from outside: by rendezvous hashing, so that nobody has to ask. Pure.

Two nodes that see the same members agree. When a member comes or goes, only the stripes that it
gains or leaves have another owner.
"""

import hashlib
from collections.abc import Collection


def weight(what: str, stripe: int, member: str) -> int:
    """Return a number that looks random and that every node computes alike."""
    text = f"{what}/{stripe}/{member}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


def ranked(what: str, stripe: int, members: Collection[str]) -> list[str]:
    """Return the members in the order in which they answer for a stripe; the first owns it."""
    return sorted(members, key=lambda member: (-weight(what, stripe, member), member))


def owner(what: str, stripe: int, members: Collection[str]) -> str | None:
    """Return who owns a stripe; None where there is nobody."""
    return min(members, key=lambda member: (-weight(what, stripe, member), member), default=None)
