"""What is on the disk of each blob: complete ones of the store, and what is verified of others.

The fetching child writes; this only reads. A journal grows at its end, so that each look costs what
was added since the last one.
"""

import os
import stat
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from llmaz.agent.cache.chunkmap import read_chunkmap, verified_chunkmap
from llmaz.agent.swarm.chunks import chunk_count, chunk_size, span_of


@dataclass
class Holding:
    """One blob: `chunks` are its verified ones in the order in which they came."""

    key: str
    size: int
    epoch: int  # another one when what was said before is no longer so
    root: Path
    path: Path  # beneath the root
    is_complete: bool = False
    chunks: list[tuple[int, str]] = field(default_factory=list)
    claims: list[int] = field(default_factory=list)  # that this node is fetching from outside
    _there: int = 0  # a bit for each chunk

    def add(self, chunk: int, digest: str) -> None:
        if not self._there >> chunk & 1:
            self._there |= 1 << chunk
            self.chunks.append((chunk, digest))

    def has(self, start: int, end: int) -> bool:
        if self.is_complete:
            return True
        step = chunk_size(self.size)
        first, last = start // step, (end - 1) // step
        mask = (1 << (last - first + 1)) - 1
        return self._there >> first & mask == mask

    def open(self) -> BinaryIO:
        """Open the bytes: a plain file, never what a link leads to."""
        return opened_beneath(self.root, self.path)


@dataclass
class _Tail:
    """How far a journal was read."""

    holding: Holding
    inode: int
    offset: int
    read: int = 0  # bytes, those of a line that was not whole among them

    def is_read(self, journal: Path) -> bool:
        """Tell whether nothing was added since: most looks end here."""
        try:
            about = journal.lstat()
        except OSError:
            return False
        return (about.st_ino, about.st_size) == (self.inode, self.read)


class Holdings:
    """The blobs of one cache directory. `look` is cheap enough to be asked many times a second."""

    def __init__(self, cache_dir: Path) -> None:
        self._cache_dir = cache_dir
        self._complete: dict[str, Holding] = {}
        self._tails: dict[str, _Tail] = {}
        self._reading = threading.Lock()
        self._rotten: set[str] = set()  # whose bytes are not what their name says

    def look(self, key: str) -> Holding | None:
        """Return what is here of a blob; `key` has been checked to be 64 hex digits."""
        if key in self._rotten:
            return None
        return self._stored(key) or self._partial(key)

    def _stored(self, key: str) -> Holding | None:
        known = self._complete.get(key)
        if known is not None and _inode(known.path) == known.epoch:
            return known
        self._complete.pop(key, None)
        found = read_chunkmap(self._cache_dir, key)
        sha256 = found.sha256 if found is not None else key
        path = self._cache_dir / "store" / "sha256" / sha256[:2] / sha256
        try:
            about = path.lstat()
        except OSError:
            return None
        if not stat.S_ISREG(about.st_mode) or (found is not None and found.size != about.st_size):
            return None
        holding = Holding(key, about.st_size, about.st_ino, self._cache_dir, path, is_complete=True)
        if found is None:
            self._digest(holding)
        else:
            for chunk, digest in enumerate(found.digests):
                holding.add(chunk, digest)
        self._complete[key] = holding
        self._tails.pop(key, None)
        return holding

    def _digest(self, holding: Holding) -> None:
        """Compute the digests of a file that came before nodes shared; each shows when it is known.

        Until then it counts as under way, so that nobody fetches it from outside. One file at a
        time, out of the way: in a thread that nobody waits for.
        """
        holding.claims = list(range(chunk_count(holding.size)))

        def read() -> None:
            with suppress(OSError), self._reading:
                if not verified_chunkmap(self._cache_dir, holding.key, holding.path, holding.add):
                    self._rotten.add(holding.key)

        threading.Thread(target=read, daemon=True).start()

    def _partial(self, key: str) -> Holding | None:
        journal = self._cache_dir / "partial" / f"{key}.journal"
        tail = self._tails.get(key)
        if tail is not None and tail.is_read(journal):
            return tail.holding if tail.holding.size else None
        try:
            with opened_beneath(self._cache_dir, journal) as file:
                about = os.fstat(file.fileno())
                if tail is None or tail.inode != about.st_ino or about.st_size < tail.offset:
                    tail = _Tail(_begun(self._cache_dir, key, about.st_ino), about.st_ino, 0)
                    self._tails[key] = tail
                if about.st_size > tail.offset:
                    file.seek(tail.offset)
                    self._read(tail, file.read())
                tail.read = about.st_size
        except OSError:
            self._tails.pop(key, None)
            return None
        return tail.holding if tail.holding.size else None

    @staticmethod
    def _read(tail: _Tail, added: bytes) -> None:
        whole = added[: added.rfind(b"\n") + 1]
        tail.offset += len(whole)
        for line in whole.decode("ascii", "replace").splitlines():
            _apply(tail.holding, line.split(" "))


def opened_beneath(root: Path, path: Path) -> BinaryIO:
    """Open a plain file below a folder; a link on the way there leads nowhere."""
    *folders, name = path.relative_to(root).parts
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            before, at = at, os.open(folder, flags, dir_fd=at)
            os.close(before)
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(path.name)
    return os.fdopen(descriptor, "rb", buffering=0)


def _inode(path: Path) -> int | None:
    try:
        return path.lstat().st_ino
    except OSError:
        return None


def _begun(cache_dir: Path, key: str, inode: int) -> Holding:
    return Holding(key, 0, inode, cache_dir, cache_dir / "partial" / f"{key}.data")


def _apply(holding: Holding, words: list[str]) -> None:
    match words:
        case ["size", size] if size.isdecimal():
            holding.size = int(size)
        case ["boot", _] if holding.chunks:
            # The machine went down meanwhile: the fetch says anew what it has found on the disk.
            holding.chunks.clear()
            holding._there = 0  # of the same module
            holding.epoch += 1
        case ["chunk", chunk, digest] if chunk.isdecimal() and len(digest) == 64:
            if holding.size and span_of(int(chunk), holding.size)[0] < holding.size:
                holding.add(int(chunk), digest)
        case ["claim", chunk] if chunk.isdecimal():
            holding.claims.append(int(chunk))
        case _:
            pass
