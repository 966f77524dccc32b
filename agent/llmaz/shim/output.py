"""An engine's output: read from its pipe, its end kept in memory, all of it in rotated files.

Each run has a file, and one more when it grows beyond the limit (`engine.log.old`, the part
before). A disk that is full costs lines, never the engine: what can't be written is dropped and
said in the status.
"""

import contextlib
import os

from llmaz.shim import protocol

_READ = 1 << 16


class Output:
    """The output of the present run, written to the descriptor `mirror` as well."""

    def __init__(self, rotate_bytes: int = protocol.LOG_ROTATE_BYTES, *, mirror: int = -1) -> None:
        self._rotate_bytes = rotate_bytes
        self._mirror = mirror
        if mirror >= 0:
            os.set_blocking(mirror, False)
        self._tail = bytearray()
        self._source = -1
        self._file = -1
        self.written = 0  # of this run, dropped bytes included
        self._segment = 0  # where the present file starts in the run
        self.error = ""

    @property
    def source(self) -> int:
        """The descriptor to poll, or -1."""
        return self._source

    def begin(self) -> int:
        """Open the files of a new run and return the descriptor that the engine writes to."""
        self.close()
        for run in range(protocol.FORMER_RUNS, 0, -1):
            for suffix in ("", ".old"):
                _rename(log_name(run - 1) + suffix, log_name(run) + suffix)
        self._tail.clear()
        self.written = self._segment = 0
        self.error = ""
        self._open()
        self._source, sink = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._source, False)
        return sink

    def pump(self) -> None:
        """Take what the engine has written so far; close the pipe at its end."""
        while self._source >= 0:
            try:
                chunk = os.read(self._source, _READ)
            except BlockingIOError:
                return
            if not chunk:
                os.close(self._source)
                self._source = -1
                return
            self._keep(chunk)
            if len(chunk) < _READ:
                return

    def close(self) -> None:
        """End the run: take what is still in the pipe."""
        self.pump()
        for descriptor in (self._source, self._file):
            if descriptor >= 0:
                os.close(descriptor)
        self._source = self._file = -1

    def tail(self) -> str:
        """Return the last 64 KiB."""
        return bytes(self._tail).decode(errors="replace")

    def read(self, run: int, offset: int, limit: int) -> dict[str, object]:
        """Return a range of a run's output, counted from the run's start (former runs: the file's).

        A range that was rotated away starts at the first byte that is left; `offset` says where.
        """
        name = log_name(run)
        pieces = [(piece, _size(piece)) for piece in (name + ".old", name)]
        length = sum(size for _, size in pieces)
        base = max(0, self._segment - pieces[0][1]) if run == 0 else 0
        offset = min(max(offset, base), base + length)
        data = bytearray()
        start = base
        for piece, size in pieces:
            if start <= offset + len(data) < start + size and len(data) < limit:
                data += _slice(piece, offset + len(data) - start, limit - len(data))
            start += size
        return {
            "offset": offset,
            "next": offset + len(data),
            "end": base + length,
            "text": bytes(data).decode(errors="replace"),
        }

    def _keep(self, chunk: bytes) -> None:
        self._tail += chunk
        del self._tail[: -protocol.TAIL_BYTES]
        self.written += len(chunk)
        self._show(chunk)
        if self._file < 0:
            return
        try:
            if self.written - self._segment > self._rotate_bytes:
                self._rotate(len(chunk))
            os.write(self._file, chunk)
        except OSError as error:
            self.error = f"{protocol.LOG}: {error.strerror}"

    def _show(self, chunk: bytes) -> None:
        """Write to the mirror as well; a reader of it that is slow costs lines there."""
        if self._mirror >= 0:
            with contextlib.suppress(OSError):
                os.write(self._mirror, chunk)

    def _rotate(self, pending: int) -> None:
        os.close(self._file)
        _rename(log_name(0), log_name(0) + ".old")
        self._segment = self.written - pending
        self._open()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            self._file = os.open(log_name(0), flags, 0o600)
        except OSError as error:
            self._file = -1
            self.error = f"{protocol.LOG}: {error.strerror}"


def log_name(run: int) -> str:
    """Return the file of this run (0) or of one before."""
    stem, dot, extension = protocol.LOG.partition(".")
    return protocol.LOG if run == 0 else f"{stem}.{run}{dot}{extension}"


def _rename(old: str, new: str) -> None:
    try:
        os.rename(old, new)
    except FileNotFoundError:
        if os.path.exists(new):
            os.unlink(new)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _slice(path: str, offset: int, limit: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(limit)
