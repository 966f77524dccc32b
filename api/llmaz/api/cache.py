"""The cache of weights of a node, as its agent reports it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RotReport:
    """What a disk gave back other than it was given, of what the cache stores.

    sha256: what the file that was found last had been
    problem: what is wrong with it
    found_at: when it was found
    files: how many were found since the agent began
    """

    sha256: str
    problem: str
    found_at: datetime
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheReport:
    """The cache of weights of a node, as it was when it last changed.

    used_bytes: what fetched models take of the disk, shared files once
    quota_bytes: what they may take; absent where the disk is the bound
    disk_bytes: the size of the disk
    pending_bytes: what was evicted while engines had it open: the disk gets it back when they end
    evicted: how many snapshots of weights made room for others since the agent began
    rot: what was found to have changed on the disk; absent where nothing was
    """

    used_bytes: int
    quota_bytes: int | None = None
    disk_bytes: int | None = None
    pending_bytes: int = 0
    evicted: int = 0
    rot: RotReport | None = None
