"""A file on its way: its bytes, and a journal of the ranges that are there.

    partial/<key>.data      as long as the file will be, so that a full disk shows at once
    partial/<key>.journal   a line for each range, written after its bytes

Whoever holds the journal's lock is the only one who fetches the file, over all processes of the
node. Writing blocks: a slow disk slows the connections down, and no memory fills up.
"""

import errno
import fcntl
import os
import threading
from pathlib import Path

from llmaz.agent.cache import spans
from llmaz.agent.cache.journal import Replayed, replayed
from llmaz.agent.cache.spans import Span, Spans
from llmaz.agent.cache.writebehind import WRITE_BEHIND_BYTES, begin_writing

FLUSH_BYTES = 2**30  # what a crash of the machine may cost; each flush costs processor time
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Partial:
    """One file, locked. Threads write it at the same time."""

    def __init__(
        self, folder: Path, key: str, size: int, *, flush_bytes: int = FLUSH_BYTES
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.size = size
        self.there: Spans = ()
        self.doubted = 0  # bytes that were there before the machine went down, and may be no more
        self.chunks: dict[int, str] = {}  # digests of chunks that were told to others
        self._data_path = folder / f"{key}.data"
        self._journal_path = folder / f"{key}.journal"
        self._moved = threading.Condition()
        self._lines = 0
        self._unflushed = 0
        self._dirty = 0
        self._flush_bytes = flush_bytes
        self._writers = 0
        self._closed = False
        self._journal = _locked(self._journal_path)
        try:
            self._data = os.open(self._data_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except BaseException:
            os.close(self._journal)
            raise
        try:
            self._resume()
        except BaseException:
            self.close()
            raise

    def write(self, offset: int, view: memoryview) -> int:
        """Write bytes, then note that they are there; return how many of them are new."""
        with self._moved:
            if self._closed:
                return 0
            self._writers += 1
        try:
            return self._write(offset, view)
        finally:
            self._written()

    def lent(self) -> int:
        """Return a descriptor of the data for another process, to be closed by the caller."""
        return os.dup(self._data)

    def note_written(self, span: Span) -> int:
        """Note bytes that another process wrote; return how many of them are new."""
        with self._moved:
            if self._closed:
                return 0
            self._writers += 1
        try:
            return self._noted(span)
        finally:
            self._written()

    def lay(self, offset: int, view: memoryview) -> None:
        """Write bytes that are not believed yet: `believe` says when they are."""
        with self._moved:
            if self._closed:
                return
            self._writers += 1
        try:
            at, end = offset, offset + len(view)
            while at < end:
                at += os.pwrite(self._data, view[at - offset :], at)
        finally:
            self._written()

    def believe(self, chunk: int, span: tuple[int, int], digest: str) -> int:
        """Note that a chunk is there and was found right; return how many bytes are new."""
        with self._moved:
            if self._closed:
                return 0
            self._note(f"{span[0]} {span[1]}", f"chunk {chunk} {digest}")
            self.chunks[chunk] = digest
            new = self._arrived(span)
        self._write_behind()
        return new

    def claim(self, chunk: int) -> None:
        """Let others know that a chunk is being fetched from outside."""
        with self._moved:
            if not self._closed:
                self._note(f"claim {chunk}")

    def _write(self, offset: int, view: memoryview) -> int:
        at, end = offset, offset + len(view)
        while at < end:
            at += os.pwrite(self._data, view[at - offset :], at)
        return self._noted((offset, end))

    def _noted(self, span: Span) -> int:
        """Write down that bytes are there, and flush both from time to time."""
        with self._moved:
            self._note(f"{span[0]} {span[1]}")
            new = self._arrived(span)
            lines = self._lines if self._unflushed >= self._flush_bytes else 0
            if lines:
                self._unflushed = 0
        self._write_behind()
        if lines:
            os.fdatasync(self._data)
            with self._moved:
                self._note(f"flushed {lines}")
            os.fdatasync(self._journal)  # else all that it says of the data would be lost
        return new

    def _arrived(self, span: Span) -> int:
        """Add a range to what is there, wake who waits for it, and return what is new of it."""
        before, front = spans.total(self.there), spans.front(self.there)
        self.there = spans.joined(self.there, span)
        new = spans.total(self.there) - before
        self._unflushed += new
        self._dirty += new
        if spans.front(self.there) > front:
            self._moved.notify_all()
        return new

    def _write_behind(self) -> None:
        with self._moved:
            if self._closed or self._dirty < WRITE_BEHIND_BYTES:
                return
            self._dirty = 0
            self._writers += 1
        try:
            begin_writing(self._data)
        finally:
            self._written()

    def _written(self) -> None:
        with self._moved:
            self._writers -= 1
            if self._closed:
                self._moved.notify_all()

    def lacks(self, start: int, end: int) -> bool:
        """Tell whether a byte of a range is not there, and is still wanted."""
        with self._moved:
            return not self._closed and not any(
                have[0] <= start and end <= have[1] for have in self.there
            )

    def front_beyond(self, offset: int, seconds: float) -> int:
        """Wait a while for bytes beyond an offset; return how many there are without a gap."""
        with self._moved:
            self._moved.wait_for(lambda: spans.front(self.there) > offset, seconds)
            return spans.front(self.there)

    def read_into(self, offset: int, view: memoryview) -> int:
        return os.preadv(self._data, [view], offset)

    def seal(self, target: Path) -> None:
        """Make a file that was verified durable, read-only and visible under its name."""
        os.fchmod(self._data, 0o444)
        os.fsync(self._data)
        target.parent.mkdir(parents=True, exist_ok=True)
        self._data_path.replace(target)
        flush_directory(target.parent)
        self._journal_path.unlink()

    def discard(self) -> None:
        """Forget what is there: it is not what it should be."""
        self._journal_path.unlink(missing_ok=True)
        self._data_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the lock; what is there stays for the next."""
        with self._moved:
            self._closed = True
            self._moved.wait_for(lambda: self._writers == 0)
        os.close(self._data)
        os.close(self._journal)

    def _resume(self) -> None:
        with open(self._journal, closefd=False) as file:  # of a descriptor
            text = file.read()
        boot = _BOOT_ID.read_text().strip()
        known = replayed(text, size=self.size, boot=boot)
        if os.fstat(self._data).st_size != self.size:
            known = Replayed()
        os.ftruncate(self._journal, known.length)
        _reserve(self._data, self.size)
        self.doubted = known.doubted
        self.there, self._lines, self.chunks = known.there, known.lines, dict(known.chunks)
        if not known.lines:
            self._note(f"size {self.size}")
        if known.boot != boot:
            self._note(f"boot {boot}")
            for chunk, digest in self.chunks.items():
                self._note(f"chunk {chunk} {digest}")

    def _note(self, *lines: str) -> None:
        os.write(self._journal, "".join(f"{line}\n" for line in lines).encode())
        self._lines += len(lines)


def flush_directory(folder: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _locked(path: Path) -> int:
    """Open and lock a journal that is still there once the lock is held."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if os.path.samestat(path.stat(), os.fstat(descriptor)):
                return descriptor
        except FileNotFoundError:
            pass  # whoever held it has sealed or discarded the file
        os.close(descriptor)


def _reserve(descriptor: int, size: int) -> None:
    """Take the space now; file systems that can't are told the length alone."""
    try:
        if size:
            os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        os.ftruncate(descriptor, size)
