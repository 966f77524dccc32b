"""Which snapshots go when the cache needs room. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

HIGH_SHARE = 0.95  # of the quota: above it, something goes
LOW_SHARE = 0.85  # until this is reached, so that not every fetch evicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A snapshot on the disk. Snapshots share blobs, whose bytes go with the last of them."""

    root: str
    last_used: float
    blobs: Mapping[str, int] = field(default_factory=dict)  # size by what tells them apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What there is: bytes that the disk can still give, and bytes that the cache may take."""

    free: int
    quota: int | None = None


def used(entries: Collection[Entry]) -> int:
    """Return the bytes of the entries, those of shared blobs once."""
    return sum({blob: size for entry in entries for blob, size in entry.blobs.items()}.values())


def lacking(entries: Collection[Entry], space: Space, need: int, *, share: float) -> int:
    """Return how many bytes must go, so that `need` more leave a share of the quota in use."""
    over_disk = need - space.free
    over_quota = used(entries) + need - int(space.quota * share) if space.quota is not None else 0
    return max(0, over_disk, over_quota)


def evict(
    entries: Collection[Entry], space: Space, *, need: int, keep: Collection[str]
) -> tuple[Entry, ...]:
    """Choose what goes so that `need` bytes fit, the least recently used first, never of `keep`.

    Returns nothing where even all the rest would not be enough: a cache emptied in vain is worse
    than a cache that is full.
    """
    least = lacking(entries, space, need, share=HIGH_SHARE)
    if least == 0:
        return ()
    aim = lacking(entries, space, need, share=LOW_SHARE)
    holders = Counter(blob for entry in entries for blob in entry.blobs)
    chosen: list[Entry] = []
    freed = 0
    for entry in sorted(entries, key=lambda entry: (entry.last_used, entry.root)):
        if freed >= aim:
            break
        if entry.root in keep:
            continue
        chosen.append(entry)
        holders.subtract(entry.blobs.keys())
        freed += sum(size for blob, size in entry.blobs.items() if holders[blob] == 0)
    return tuple(chosen) if freed >= least else ()
