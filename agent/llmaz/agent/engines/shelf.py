"""The directories of built environments: which are whole, how large they are, and which go.

A directory counts from when its mark is there, which is written last and removed first. The mark's
time says when the environment was last of use.
"""

import json
import logging
import os
import shutil
from collections.abc import Collection
from pathlib import Path

from llmaz.agent.cache.evict import Entry, Space, evict, used
from llmaz.agent.files import write_atomically

logger = logging.getLogger(__name__)

ROOM_BYTES = 20 << 30  # wanted on the disk before a build: the largest engines take 15 GB
_MARK = "llmaz.complete"


class Shelf:
    """The environments below one directory, of at most `quota` bytes (None: as the disk has)."""

    def __init__(self, root: Path, quota: int | None) -> None:
        self._root = root
        self._quota = quota

    def directory(self, name: str) -> Path:
        return self._root / name

    def has(self, name: str) -> bool:
        """Tell whether an environment is whole; it is of use now."""
        mark = self._root / name / _MARK
        if not mark.exists():
            return False
        os.utime(mark)
        return True

    def add(self, name: str, requirements: Collection[str]) -> None:
        """Declare a directory whole."""
        directory = self._root / name
        about = {"requirements": list(requirements), "bytes": _size(directory)}
        write_atomically(directory / _MARK, json.dumps(about))

    def make_room(self, keep: Collection[str]) -> frozenset[str]:
        """Make room for a build; return what went: never any of `keep`.

        What a former agent left half built goes in any case.
        """
        self._root.mkdir(parents=True, exist_ok=True)
        for directory in self._root.iterdir():
            if directory.name not in keep and not (directory / _MARK).exists():
                shutil.rmtree(directory, ignore_errors=True)
        self._touch(keep)
        space = Space(free=shutil.disk_usage(self._root).free)
        return self._remove(evict(self._entries(), space, need=ROOM_BYTES, keep=keep))

    def keep_to_quota(self, keep: Collection[str]) -> frozenset[str]:
        """Remove what is over the quota, the least recently used first; return what went."""
        self._touch(keep)
        if self._quota is None:
            return frozenset()
        return self._remove(surplus(self._entries(), self._quota, keep))

    def _touch(self, names: Collection[str]) -> None:
        for name in names:  # what is in use is of use now
            self.has(name)

    def _remove(self, gone: Collection[Entry]) -> frozenset[str]:
        for entry in gone:
            logger.info("removing the Python environment %s, which nothing uses", entry.root)
            directory = self._root / entry.root
            (directory / _MARK).unlink()  # first: what is left of it counts no more
            shutil.rmtree(directory, ignore_errors=True)
        return frozenset(entry.root for entry in gone)

    def _entries(self) -> tuple[Entry, ...]:
        marks = [path / _MARK for path in self._root.iterdir() if (path / _MARK).exists()]
        return tuple(
            Entry(
                root=mark.parent.name,
                last_used=mark.stat().st_mtime,
                blobs={mark.parent.name: _bytes(mark)},
            )
            for mark in marks
        )


def surplus(entries: Collection[Entry], quota: int, keep: Collection[str]) -> tuple[Entry, ...]:
    """Choose what goes until the rest is within the quota, the least recently used first.

    Never any of `keep`. Where those alone are over it all others go: the bytes are there already,
    and nobody waits for them.
    """
    over = used(entries) - quota
    chosen: list[Entry] = []
    for entry in sorted(entries, key=lambda entry: (entry.last_used, entry.root)):
        if over <= 0:
            break
        if entry.root not in keep:
            chosen.append(entry)
            over -= sum(entry.blobs.values())
    return tuple(chosen)


def _bytes(mark: Path) -> int:
    """Return the size that was noted when it was built; measured where an older agent built it."""
    try:
        return int(json.loads(mark.read_text())["bytes"])
    except (ValueError, TypeError, KeyError):
        return _size(mark.parent)


def _size(directory: Path) -> int:
    """Return what it takes of the disk: a file with several names here is counted once."""
    found: dict[tuple[int, int], int] = {}
    for folder, _, files in os.walk(directory):
        for file in files:
            status = os.lstat(f"{folder}/{file}")
            found[(status.st_dev, status.st_ino)] = status.st_blocks * 512
    return sum(found.values())
