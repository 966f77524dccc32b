"""Copies of hot models in a file system in memory, which nothing pushes out.

    <directory>/hub/models--org--name/snapshots/<commit>/...    as in the cache, of plain files

The page cache is as quick, and what holds a model is given back when somebody needs it: on a node
that also does other work, just then when an engine starts anew. A copy stays for as long as its
quota allows. It is charged to the agent, which writes it.
"""

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from llmaz.agent.cache.evict import Entry, Space, evict, lacking

logger = logging.getLogger(__name__)

_BLOCK = 2**20
_SHA256_DIGITS = 64
_NAME = ".partial"


class MemoryTier:
    """The copies below one directory, of at most `quota` bytes.

    in_use: the paths that engines have open
    """

    def __init__(
        self,
        directory: Path,
        quota: int,
        *,
        cache_dir: Path,
        in_use: Callable[[], Collection[str]],
    ) -> None:
        self._directory = directory
        self._quota = quota
        self._cache_dir = cache_dir
        self._in_use = in_use

    def found(self, path: str) -> str:
        """Return where a model lies in memory, which is a use of it; its own path if nowhere."""
        root = self._root_of(Path(path))
        copy = self._copy_of(root) if root is not None else None
        if root is None or copy is None:
            return path
        try:
            os.utime(copy)
        except OSError:  # there is none, or it goes just now to make room
            return path
        return str(copy / Path(path).relative_to(root))

    def original(self, path: str) -> str:
        """Return the path in the cache of what lies at one in memory."""
        if not Path(path).is_relative_to(self._directory):
            return path
        return str(self._cache_dir / Path(path).relative_to(self._directory))

    def take(self, path: str) -> bool:
        """Copy a model of the cache into memory, if there is room; tell whether it is there now."""
        root = self._root_of(Path(path))
        if root is None:
            return False
        copy = self._copy_of(root)
        if copy.is_dir():
            return True
        self._drop_left()
        files = [file for file in sorted(root.rglob("*")) if file.is_file()]
        need = sum(file.stat().st_size for file in files)
        if not self._make_room(need):
            return False
        beside = copy.with_name(f"{copy.name}{_NAME}")
        try:
            for file in files:
                _copy(file, beside / file.relative_to(root))
            beside.replace(copy)
        except OSError:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        logger.info("%s is in memory, %s bytes", copy, need)
        return True

    def used_bytes(self) -> int:
        return sum(size for entry in self._entries() for size in entry.blobs.values())

    def _make_room(self, need: int) -> bool:
        entries = self._entries()
        self._directory.mkdir(parents=True, exist_ok=True)
        space = Space(free=shutil.disk_usage(self._directory).free, quota=self._quota)
        used = [Path(path) for path in self._in_use()]
        keep = {e.root for e in entries if any(path.is_relative_to(e.root) for path in used)}
        gone = evict(entries, space, need=need, keep=keep)
        for entry in gone:
            shutil.rmtree(entry.root)
        return bool(gone) or lacking(entries, space, need, share=1.0) == 0

    def _entries(self) -> list[Entry]:
        return [
            Entry(
                root=str(copy),
                last_used=copy.stat().st_mtime,
                blobs={
                    str(file): file.stat().st_size for file in copy.rglob("*") if file.is_file()
                },
            )
            for copy in sorted(self._directory.glob("*/models--*/snapshots/*"))
        ]

    def _drop_left(self) -> None:
        for left in self._directory.glob(f"*/models--*/snapshots/*{_NAME}"):
            shutil.rmtree(left, ignore_errors=True)

    def _root_of(self, path: Path) -> Path | None:
        """Return the snapshot that a path is of, or is; None where it is not of the cache."""
        if path.is_relative_to(self._cache_dir):
            for root in (path, *path.parents):
                if root.parent.name == "snapshots":
                    return root
        return None

    def _copy_of(self, root: Path) -> Path:
        return self._directory / root.relative_to(self._cache_dir)


def _copy(source: Path, target: Path) -> None:
    """Copy a file, and compare its sha256 where it is named by it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with source.open("rb", buffering=0) as reader, target.open("wb", buffering=0) as writer:
        while block := reader.read(_BLOCK):
            digest.update(block)
            view = memoryview(block)
            while view:
                view = view[writer.write(view) :]
    name = source.resolve().name
    with suppress(ValueError):
        if len(name) == _SHA256_DIGITS and int(name, 16) and digest.hexdigest() != name:
            raise OSError(f"{source} is not what it was")
    target.chmod(0o444)
